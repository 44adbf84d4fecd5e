/**
 * The compiler's only export surface: policy text → table bytes. Never throws for mistakes of a
 * policy, never prints, and reaches names, files and the table builder only through what is handed
 * in: the same input and the same answers give the same bytes.
 */
import { type CompileResult, finish } from './compiled.ts';
import { type DraftTools, draftPolicy, type PolicyInput } from './draft.ts';
import { reviewPolicy } from './review.ts';

export type { Code } from './codes.ts';
export type { CompileResult, PolicySummary } from './compiled.ts';
export { type ParsedDestination, parseDestination } from './destination.ts';
export { type Diagnostic, formatDiagnostic, formatDiagnostics } from './diagnostic.ts';
export { type DraftResult, type DraftTools, draftPolicy, type PolicyInput } from './draft.ts';
export { refreshTable } from './refresh.ts';
export type { ResolveProgress, Resolver, ResolverAnswer } from './resolve.ts';
export type { TextStream } from './set-lines.ts';
export type { SetFileContent, SetFileReader } from './sets.ts';
export type { PublicSuffixFinder } from './wildcards.ts';

/** What the compiler needs from outside. */
export type CompilerTools = DraftTools;

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
  const { result, open } = finish(tools.policyModule, drafted.draft, [], input.file?.name ?? '');
  if (!result.ok) return result;
  const isKept = input.purpose === 'compile';
  const warnings = reviewPolicy(tools.policyModule, drafted, isKept ? open?.() : undefined);
  return { ...result, warnings };
}
