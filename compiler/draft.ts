/**
 * From a policy's text and options to the draft of its table: the whole pipeline but the last step.
 *
 * Stages, each pure but for what is handed in:
 *   1. toml.ts           text → tree with places; a syntax error ends the run, since nothing behind it was read
 *   2. shape.ts          keys, types, words; keys that are not built yet
 *   3. written-rules.ts  rule strings → rules with their origin
 *   4. sets.ts           address sets, inline and from files
 *   5. here              sets that rules name, names that rules resolve
 * Every stage runs whatever the others found, and what they found is reported at once, in source order: errors of a set's
 * file stand where the policy defines the set, errors of options last. Any error means no draft: a policy is enforced
 * whole or not at all. The same input and the same answers give the same draft.
 */
import { type Diagnostic, diagnosticWithoutPlace } from './diagnostic.ts';
import type { AddressSet, Facts, TableDraft } from './model.ts';
import { nearest } from './nearest.ts';
import { pinNames } from './pin.ts';
import { inOrder, type Placed } from './placed.ts';
import { readPrivateNames } from './private-names.ts';
import type { Resolver } from './resolve.ts';
import { readSets, type SetFileReader } from './sets.ts';
import { checkShape, locate } from './shape.ts';
import { createSource } from './source.ts';
import { parseToml } from './toml.ts';
import type { TomlTable } from './toml-tree.ts';
import { readFileRules, readOptionRules, type WrittenRule } from './written-rules.ts';

/** What is to be compiled: a file, rules from options, or both. */
export interface PolicyInput {
  /** `name` as the user called it; `text` in UTF-8, a byte order mark is allowed. */
  readonly file?: { readonly name: string; readonly text: string | Uint8Array };
  /** Rules of `--allow`, in order. */
  readonly allow: readonly string[];
  /** Rules of `--deny`, in order. */
  readonly deny: readonly string[];
  /**
   * What happens next: `compile` keeps the table for later runs, `exec` (default) runs under it at once. Names whose
   * policy wants them resolved at exec are pinned either way; keeping them gives a warning.
   */
  readonly purpose?: 'compile' | 'exec';
}

/** What the compiler needs from outside. */
export interface DraftTools {
  readonly resolve: Resolver;
  readonly readSetFile: SetFileReader;
}

/** A draft with warnings in source order, or every error in source order. */
export type DraftResult =
  | { readonly ok: true; readonly draft: TableDraft; readonly warnings: readonly Diagnostic[] }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Compiles a policy up to the draft of its table. Rejects only when what was handed in is no function. */
export async function draftPolicy(input: PolicyInput, tools: DraftTools): Promise<DraftResult> {
  const { file, allow, deny } = input;
  if (file === undefined && allow.length === 0 && deny.length === 0) {
    const message = 'no policy was given';
    const help = 'name a policy file, or give rules with --allow';
    return {
      ok: false,
      diagnostics: [diagnosticWithoutPlace('', { code: 'SL2106', message, help })],
    };
  }
  const toml = file === undefined ? EMPTY : parseToml(file.name, file.text);
  if (!toml.ok) return { ok: false, diagnostics: [toml.diagnostic] };
  const { root, source } = toml;

  const shape = file === undefined ? [] : checkShape(root);
  const errors: Placed[] = shape.map((fault) => ({
    at: fault.start,
    diagnostic: source.diagnose(fault),
  }));
  const parts = [
    readFileRules(tableAt(root, 'network'), source),
    readOptionRules('allow', allow),
    readOptionRules('deny', deny),
  ];
  const written = parts.flatMap(({ rules }) => rules);
  const sets = await readSets(tableAt(root, 'sets'), source, tools.readSetFile);
  const exempt = readPrivateNames(root, source);
  for (const part of [...parts, sets, exempt]) for (const error of part.errors) errors.push(error);

  const defined = new Set(tableAt(root, 'sets')?.keys.keys());
  for (const error of findUndefinedSets(written, defined)) errors.push(error);
  const pinned = await pinNames(written, exempt.names, sets.sets, tools.resolve);
  for (const error of pinned.errors) errors.push(error);
  if (errors.length > 0) return { ok: false, diagnostics: inOrder(errors) };

  const mode = locate(root, ['dns', 'resolve'])?.node;
  const frozen =
    input.purpose === 'compile' && !(mode?.kind === 'string' && mode.value === 'compile');
  const warnings = [...pinned.warnings, ...(frozen ? warnOfPins(written) : [])];
  return {
    ok: true,
    draft: {
      facts: DEFAULT_FACTS,
      unixRules: [],
      rules: written.map(({ rule }) => rule),
      names: pinned.names,
      sets: usedSets(written, sets.sets),
    },
    warnings: inOrder(warnings),
  };
}

/** What holds when the policy does not say otherwise: sockets whose traffic the rules decide, and no new namespaces. */
const DEFAULT_FACTS: Facts = {
  families: [
    'unix/stream',
    'unix/dgram',
    'unix/seqpacket',
    'inet/stream',
    'inet/dgram',
    'inet6/stream',
    'inet6/dgram',
    'netlink/route',
  ],
  allowUserns: false,
};

const EMPTY = {
  ok: true,
  root: { kind: 'table', keys: new Map(), start: 0, end: 0 },
  source: createSource('', ''),
} as const;

function tableAt(root: TomlTable, key: string): TomlTable | undefined {
  const node = root.keys.get(key)?.node;
  return node?.kind === 'table' ? node : undefined;
}

function findUndefinedSets(
  written: readonly WrittenRule[],
  defined: ReadonlySet<string>,
): Placed[] {
  const errors: Placed[] = [];
  for (const { target, at } of written.map((at) => ({ target: at.rule.target, at }))) {
    if (target.kind !== 'set' || defined.has(target.set)) continue;
    const close = nearest(target.set, defined);
    const help =
      close === undefined
        ? `define it in [sets]: ${target.set} = ["10.0.0.0/8"]`
        : `did you mean @${close}?`;
    errors.push(at.place({ code: 'SL3002', message: `no set is named \`${target.set}\``, help }));
  }
  return errors;
}

/** The sets that rules name, in the order in which they name them first (docs/format.md §4). */
function usedSets(
  written: readonly WrittenRule[],
  sets: ReadonlyMap<string, AddressSet>,
): readonly AddressSet[] {
  const used = new Set<AddressSet>();
  for (const { rule } of written) {
    const set = rule.target.kind === 'set' ? sets.get(rule.target.set) : undefined;
    if (set !== undefined) used.add(set);
  }
  return [...used];
}

/** Says that names become addresses now although the policy wants them resolved at each start. */
function warnOfPins(written: readonly WrittenRule[]): readonly Placed[] {
  const named = written.filter(({ rule }) => rule.target.kind === 'name');
  const first = named[0];
  if (first === undefined) return [];
  const names = new Set(
    named.map(({ rule }) => (rule.target.kind === 'name' ? rule.target.name : '')),
  );
  const count = names.size === 1 ? '1 name is' : `${names.size} names are`;
  const message = `${count} pinned now: the table holds addresses and is not resolved again at exec`;
  const help = 'write `[dns] resolve = "compile"` if this is meant, or run the policy file itself';
  return [first.place({ code: 'SL4004', message, help }, 'warning')];
}
