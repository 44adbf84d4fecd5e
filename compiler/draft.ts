/**
 * From a policy's text and options to the draft of its table: the whole pipeline but the last step.
 *
 * Stages, each pure but for what is handed in:
 *   1. toml.ts           text → tree with places; a syntax error ends the run, since nothing behind it was read
 *   2. shape.ts          keys, types, words; keys that are not built yet
 *   3. written-rules.ts  rule strings → rules with their origin
 *   4. walls.ts          UNIX sockets, families, namespaces
 *   5. sets.ts           address sets, inline and from files
 *   6. set-use.ts, family-needs.ts, pin.ts: what the parts mean for each other
 * Every stage runs whatever the others found, and what they found is reported at once, in source order: errors of a set's
 * file stand where the policy defines the set, errors of options last. Any error means no draft: a policy is enforced
 * whole or not at all. The same input and the same answers give the same draft.
 */
import { type Diagnostic, diagnosticWithoutPlace } from './diagnostic.ts';
import { findLostRules } from './family-needs.ts';
import type { TableDraft } from './model.ts';
import { pinNames } from './pin.ts';
import { inOrder, type Placed } from './placed.ts';
import { readPrivateNames } from './private-names.ts';
import type { ResolveProgress, Resolver } from './resolve.ts';
import { findMisusedSets, findUnusedSets, usedSets } from './set-use.ts';
import { readSets, type SetFileReader } from './sets.ts';
import { checkShape, locate } from './shape.ts';
import { createSource } from './source.ts';
import { parseToml } from './toml.ts';
import type { TomlTable } from './toml-tree.ts';
import { readWalls } from './walls.ts';
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
  /** Told how far resolving is, for who waits at a terminal. */
  readonly resolveProgress?: ResolveProgress;
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
  const walls = readWalls(root, source);
  for (const part of [...parts, sets, exempt, walls])
    for (const error of part.errors) errors.push(error);

  const defined = tableAt(root, 'sets')?.keys ?? new Map();
  for (const error of findMisusedSets(written, defined, sets.unspecified)) errors.push(error);
  for (const error of findLostRules(written, walls, sets.sets)) errors.push(error);
  const pinned = await pinNames(
    written,
    exempt.names,
    sets.sets,
    tools.resolve,
    tools.resolveProgress,
  );
  for (const error of pinned.errors) errors.push(error);
  if (errors.length > 0) return { ok: false, diagnostics: inOrder(errors) };

  const frozen = input.purpose === 'compile' && resolveMode(root) !== 'compile';
  const warnings = [
    ...pinned.warnings,
    ...(frozen ? warnOfPins(written) : []),
    ...findUnusedSets(written, defined, source),
  ];
  return {
    ok: true,
    draft: {
      facts: walls.facts,
      unixRules: walls.unixRules.map(({ rule }) => rule),
      rules: written.map(({ rule }) => rule),
      names: pinned.names,
      dns: { resolve: resolveMode(root), pinnedAt: 0, maxAge: 0, privateNames: exempt.names },
      sets: usedSets(written, sets.sets),
    },
    warnings: inOrder(warnings),
  };
}

/** `[dns] resolve`; its words are the schema's. */
function resolveMode(root: TomlTable): TableDraft['dns']['resolve'] {
  const mode = locate(root, ['dns', 'resolve'])?.node;
  if (mode?.kind !== 'string') return 'exec';
  return mode.value === 'compile' || mode.value === 'live' ? mode.value : 'exec';
}

const EMPTY = {
  ok: true,
  root: { kind: 'table', keys: new Map(), start: 0, end: 0 },
  source: createSource('', ''),
} as const;

function tableAt(root: TomlTable, key: string): TomlTable | undefined {
  const node = root.keys.get(key)?.node;
  return node?.kind === 'table' ? node : undefined;
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
  return [first.place({ code: 'SL4004', message, help }, { severity: 'warning' })];
}
