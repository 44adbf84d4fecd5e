/**
 * The compiler's only export surface: policy text → table bytes.
 * Never throws for mistakes of a policy, never prints, and reaches names, files and the table builder only through what is
 * handed in: the same input and the same answers give the same bytes.
 */
import { type Diagnostic, diagnosticWithoutPlace } from './diagnostic.ts';
import { type DraftTools, draftPolicy, type PolicyInput } from './draft.ts';
import { explainPlan, type PlannedProtocol } from './plan.ts';
import { buildTable } from './table.ts';
import type { PolicyModule } from './wasm.ts';

export type { Code } from './codes.ts';
export { type ParsedDestination, parseDestination } from './destination.ts';
export { type Diagnostic, formatDiagnostic, formatDiagnostics } from './diagnostic.ts';
export { type DraftResult, type DraftTools, draftPolicy, type PolicyInput } from './draft.ts';
export type { Resolver, ResolverAnswer } from './resolve.ts';
export type { SetFileContent, SetFileReader } from './sets.ts';

/** What the compiler needs from outside. */
export interface CompilerTools extends DraftTools {
  /** The instance of policy.wasm that builds the table. */
  readonly policyModule: PolicyModule;
}

/** Counts of a compiled policy. */
export interface PolicySummary {
  readonly rules: number;
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

/**
 * Compiles a policy.
 *
 *     const result = await compilePolicy(
 *       { file: { name: 'policy.toml', text }, allow: [], deny: [] },
 *       { resolve, readSetFile, policyModule },
 *     );
 *     if (!result.ok) print(formatDiagnostics(result.diagnostics));
 */
export async function compilePolicy(
  input: PolicyInput,
  tools: CompilerTools,
): Promise<CompileResult> {
  const drafted = await draftPolicy(input, tools);
  if (!drafted.ok) return drafted;
  const built = buildTable(tools.policyModule, drafted.draft);
  if (!built.ok) {
    const fault = { code: 'SL5001', message: built.text } as const;
    const diagnostic = diagnosticWithoutPlace(input.file?.name ?? '', fault);
    return { ok: false, diagnostics: [diagnostic] };
  }
  const { rules, names, sets, facts, unixRules } = drafted.draft;
  const plan = explainPlan({ plan: built.plan, rules, facts, unixRules });
  const summary = {
    rules: rules.length,
    names: names.length,
    sets: sets.length,
    prefixes: built.prefixes,
    bytes: built.bytes.length,
  };
  return { ok: true, table: built.bytes, warnings: drafted.warnings, summary, plan };
}
