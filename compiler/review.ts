/**
 * What is said of a policy whose table is finished: the warnings that were found on the way, those that need the table (lint.ts), without those
 * that the policy silences, in the order of the file.
 */
import type { Diagnostic } from './diagnostic.ts';
import type { DraftResult } from './draft.ts';
import { lintRules } from './lint.ts';
import { inOrder } from './placed.ts';
import { withoutSilenced } from './silenced.ts';
import { buildTable, openTable, type Table } from './table.ts';
import type { PolicyModule } from './wasm.ts';

/** A draft without errors. */
type Drafted = Extract<DraftResult, { readonly ok: true }>;

/** The warnings about a policy. `lint` asks for those that need the table at `bytes`: a run is no time to review rules. */
export function reviewPolicy(
  policyModule: PolicyModule,
  drafted: Drafted,
  bytes: Uint8Array,
  lint: boolean,
): readonly Diagnostic[] {
  const found = lint ? lintTable(policyModule, drafted, bytes) : [];
  return withoutSilenced(drafted.text, [...drafted.warnings, ...found].sort(byPlace));
}

function lintTable(
  policyModule: PolicyModule,
  { draft, written }: Drafted,
  bytes: Uint8Array,
): readonly Diagnostic[] {
  const allows = draft.rules.filter(({ action }) => action === 'allow');
  const opened = openTable(policyModule, bytes);
  if (!opened.ok) return [];
  let allowsOnly: Table | undefined;
  if (allows.length < draft.rules.length) {
    const built = buildTable(policyModule, { ...draft, rules: allows });
    const other = built.ok ? openTable(policyModule, built.bytes) : built;
    // Without deny rules there can be more different port sets than a table holds; then deny rules are not judged.
    if (other.ok) allowsOnly = other.table;
  }
  return inOrder(lintRules(written, opened.table, allowsOnly));
}

/** Order of the file; what has no line comes last. */
function byPlace(a: Diagnostic, b: Diagnostic): number {
  return (a.line || Infinity) - (b.line || Infinity) || a.column - b.column || 0;
}
