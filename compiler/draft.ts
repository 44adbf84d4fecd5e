/**
 * From a policy's text and options to the draft of its table: the whole pipeline but the last step.
 *
 * Stages, each pure but for what is handed in:
 *   1. toml.ts           text → tree with places; a syntax error ends the run, since nothing behind it was read
 *   2. shape.ts          keys, types, words; keys that are not built yet
 *   3. written-rules.ts  rule strings → rules with their origin
 *   4. walls.ts          UNIX sockets, families, namespaces
 *   5. sets.ts           address sets, inline and from files
 *   6. dns.ts            how names become addresses
 *   7. set-use.ts, family-needs.ts, wildcards.ts, name-servers.ts, pin.ts: what the parts mean for each other
 * Every stage runs whatever the others found, and what they found is reported at once, in source
 * order: errors of a set's file stand where the policy defines the set, errors of options last. Any
 * error means no draft: a policy is enforced whole or not at all. The same input and the same
 * answers give the same draft.
 */
import { type Diagnostic, diagnosticWithoutPlace } from './diagnostic.ts';
import { DEFAULT_MAX_AGE, readDnsSection } from './dns.ts';
import { findLostRules } from './family-needs.ts';
import type { TableDraft } from './model.ts';
import { findNameServers } from './name-servers.ts';
import { type NameTools, pinNames } from './pin.ts';
import { inOrder, type Placed } from './placed.ts';
import { findMisusedSets, findUnusedSets, usedSets } from './set-use.ts';
import { readSets, type SetTools } from './sets.ts';
import { checkShape } from './shape.ts';
import { createSource } from './source.ts';
import { parseToml } from './toml.ts';
import type { TomlTable } from './toml-tree.ts';
import type { WrittenUnixRule } from './unix-rules.ts';
import { readWalls } from './walls.ts';
import { findWideWildcards, type PublicSuffixFinder } from './wildcards.ts';
import { readFileRules, readOptionRules, type WrittenRule } from './written-rules.ts';

/** What is to be compiled: a file, rules from options, or both. */
export interface PolicyInput {
  /** `name` as the user called it; `text` in UTF-8, a byte order mark is allowed. */
  readonly file?: { readonly name: string; readonly text: string | Uint8Array };
  /** Rules of `--allow`, in order. */
  readonly allow: readonly string[];
  /** Rules of `--deny`, in order. */
  readonly deny: readonly string[];
  /** Bind rules of `--allow-bind`, in order. */
  readonly allowBind?: readonly string[];
  /** Sockets of `--allow-unix`, in order. */
  readonly allowUnix?: readonly string[];
  /**
   * What happens next: `compile` keeps the table for later runs, `exec` (default) runs under it at
   * once. In a table that is kept, names that the policy wants resolved at exec have no addresses
   * yet.
   */
  readonly purpose?: 'compile' | 'exec';
  /** Pins those names all the same, as if the policy said `resolve = "compile"`. */
  readonly pinNow?: boolean;
  /** Seconds since 1970, the age of pins; 0 (default) leaves it untold. */
  readonly now?: number;
}

/** What the compiler needs from outside. */
export interface DraftTools extends NameTools, SetTools {
  /** Asked for wildcards only; without it every wildcard counts as too wide. */
  readonly publicSuffixOf?: PublicSuffixFinder;
}

/** A draft with warnings in source order, or every error in source order. */
export type DraftResult =
  | {
      readonly ok: true;
      readonly draft: TableDraft;
      /** Where the rules of the draft stand, in the same order. */
      readonly written: readonly WrittenRule[];
      /** The same of its UNIX rules. */
      readonly writtenUnix: readonly WrittenUnixRule[];
      /** The text of the file; empty when there is none. */
      readonly text: string;
      readonly warnings: readonly Diagnostic[];
    }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Compiles a policy up to the draft of its table. Rejects only when what was handed in is no function. */
export async function draftPolicy(input: PolicyInput, tools: DraftTools): Promise<DraftResult> {
  const { file, allow, deny, allowBind = [], allowUnix = [] } = input;
  if (
    file === undefined &&
    [allow, deny, allowBind, allowUnix].every(({ length }) => length === 0)
  ) {
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
    readFileRules(tableAt(root, 'network'), source, tools.progress),
    readOptionRules('allow', allow),
    readOptionRules('deny', deny),
    readOptionRules('allow_bind', allowBind),
  ];
  const written = parts.flatMap(({ rules }) => rules);
  const sets = await readSets(tableAt(root, 'sets'), source, tools);
  const dns = readDnsSection(root, source);
  const walls = readWalls(root, source, { allowBind, allowUnix });
  for (const part of [...parts, sets, dns, walls])
    for (const error of part.errors) errors.push(error);

  const defined = tableAt(root, 'sets')?.keys ?? new Map();
  for (const error of findMisusedSets(written, defined, sets.unspecified)) errors.push(error);
  for (const error of findLostRules(written, walls, sets.sets)) errors.push(error);
  for (const error of await findWideWildcards(written, dns.wideNames, tools.publicSuffixOf)) {
    errors.push(error);
  }
  const isKept = input.purpose === 'compile';
  const pinNow = isKept && input.pinNow === true && dns.resolve === 'exec';
  const plan = {
    live: dns.resolve === 'live',
    now: !isKept || pinNow || dns.resolve === 'compile',
    privateNames: dns.privateNames,
  };
  const pinned = await pinNames(written, plan, sets.sets, tools);
  for (const error of pinned.errors) errors.push(error);
  if (errors.length > 0) return { ok: false, diagnostics: inOrder(errors) };

  const warnings = [
    ...pinned.warnings,
    ...findNameServers(written),
    ...findUnusedSets(written, defined, source),
  ];
  return {
    ok: true,
    draft: {
      facts: walls.facts,
      unixRules: walls.unixRules.map(({ rule }) => rule),
      rules: written.map(({ rule }) => rule),
      names: pinned.names,
      dns: {
        resolve: pinNow ? 'compile' : dns.resolve,
        pinnedAt: pinned.wasAsked ? (input.now ?? 0) : 0,
        maxAge: pinNow ? DEFAULT_MAX_AGE : dns.maxAge,
        privateNames: dns.privateNames,
      },
      sets: usedSets(written, sets.sets),
    },
    written,
    writtenUnix: walls.unixRules,
    text: source.text,
    warnings: inOrder(warnings),
  };
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
