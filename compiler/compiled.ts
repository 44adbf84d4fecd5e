/**
 * The last step of every compilation: a draft becomes a table with its counts, or the one error
 * that a draft can still have.
 */
import { type Diagnostic, diagnosticWithoutPlace } from './diagnostic.ts';
import type { TableDraft } from './model.ts';
import { explainPlan, type PlannedProtocol } from './plan.ts';
import { buildTable, type Table } from './table.ts';
import type { PolicyModule } from './wasm.ts';

/** Counts of a compiled policy. */
export interface PolicySummary {
  /** Without UNIX rules. */
  readonly rules: number;
  readonly unixRules: number;
  readonly names: number;
  readonly sets: number;
  /** Prefixes that were folded: of rules, of the sets they name, and pinned addresses, as the table builder counts. */
  readonly prefixes: number;
  /** Length of the table. */
  readonly bytes: number;
}

/** A table with warnings, or every error of the policy in source order. */
export type CompileResult =
  | {
      readonly ok: true;
      readonly table: Uint8Array;
      readonly warnings: readonly Diagnostic[];
      readonly summary: PolicySummary;
      /** By what each protocol is held. */
      readonly plan: readonly PlannedProtocol[];
    }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** A result, and how to open its table for questions when there is one. */
export interface Finished {
  readonly result: CompileResult;
  readonly open?: () => Table;
}

/** Builds the table of a draft; `name` is the policy's, for the error that a limit of the format is. */
export function finish(
  policyModule: PolicyModule,
  draft: TableDraft,
  warnings: readonly Diagnostic[],
  name: string,
): Finished {
  const built = buildTable(policyModule, draft);
  if (!built.ok) {
    const fault = { code: 'SL5001', message: built.text } as const;
    return { result: { ok: false, diagnostics: [diagnosticWithoutPlace(name, fault)] } };
  }
  const { rules, names, sets, facts, unixRules } = draft;
  const plan = explainPlan({ plan: built.plan, rules, facts, unixRules });
  const summary = {
    rules: rules.length,
    unixRules: unixRules.length,
    names: names.length,
    sets: sets.length,
    prefixes: built.prefixes,
    bytes: built.bytes.length,
  };
  return { result: { ok: true, table: built.bytes, warnings, summary, plan }, open: built.open };
}
