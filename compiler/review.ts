/**
 * What is said of a policy whose table is finished: the warnings that were found on the way, those
 * that need the table (lint.ts, lint-unix.ts), without those that the policy silences, in the order of the file.
 */
import type { Diagnostic } from './diagnostic.ts';
import type { DraftResult } from './draft.ts';
import { lintRules } from './lint.ts';
import { lintUnixRules } from './lint-unix.ts';
import { inOrder } from './placed.ts';
import { withoutSilenced } from './silenced.ts';
import { buildTable, type Table } from './table.ts';
import type { PolicyModule } from './wasm.ts';

/** A draft without errors. */
type Drafted = Extract<DraftResult, { readonly ok: true }>;

/** The warnings about a policy, those that need its table only when that is given: a run is no time to review rules. */
export function reviewPolicy(
  policyModule: PolicyModule,
  drafted: Drafted,
  table: Table | undefined,
): readonly Diagnostic[] {
  const found = table === undefined ? [] : lintTable(policyModule, drafted, table);
  return withoutSilenced(drafted.text, [...drafted.warnings, ...found].sort(byPlace));
}

function lintTable(
  policyModule: PolicyModule,
  { draft, written, writtenUnix }: Drafted,
  table: Table,
): readonly Diagnostic[] {
  const allows = draft.rules.filter(({ action }) => action === 'allow');
  let allowsOnly: Table | undefined;
  if (allows.length < draft.rules.length) {
    const built = buildTable(policyModule, { ...draft, rules: allows });
    // Without deny rules there can be more different port sets than a table holds; then deny rules are not judged.
    if (built.ok) allowsOnly = built.open();
  }
  return inOrder([...lintRules(written, table, allowsOnly), ...lintUnixRules(writtenUnix)]);
}

/** Order of the file; what has no line comes last. */
function byPlace(a: Diagnostic, b: Diagnostic): number {
  return (a.line || Infinity) - (b.line || Infinity) || a.column - b.column || 0;
}
