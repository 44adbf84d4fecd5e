/**
 * The Node API, as far as it goes: compiling, checking, and the errors of both. Starting a command from
 * JavaScript comes later; until then `sandlock exec` does it.
 *
 *     const result = await compileFile('policy.toml');
 *     if (!result.ok) throw new Error(formatDiagnostics(result.diagnostics));
 *     check(result.table, 'tcp://10.1.2.3:443'); // [{ verdict: 'allow', rules: [{ line: 4, … }], … }]
 */
import { type CompileResult, formatDiagnostics, parseDestination } from '../compiler/index.ts';
import { compileSources, openShipped } from './compiling.ts';
import { SandlockError } from './errors.ts';
import { readWhole } from './files.ts';
import { decideDestination, type Verdict } from './verdicts.ts';

export {
  type CompileResult,
  type CompilerTools,
  compilePolicy,
  type Diagnostic,
  formatDiagnostic,
  formatDiagnostics,
  type PolicyInput,
  type PolicySummary,
} from '../compiler/index.ts';
export { ERROR_CODES, type ErrorKind, SandlockError } from './errors.ts';
export { resolveBySystem } from './resolve.ts';
export type { Verdict } from './verdicts.ts';

/**
 * Compiles a policy file with the system's resolver; set files are read relative to it.
 * @throws SandlockError (SL7002) when the file can not be read; mistakes in it are part of the result.
 */
export async function compileFile(path: string): Promise<CompileResult> {
  const file = { path, bytes: readWhole(path) };
  return compileSources({ file, allow: [], deny: [] }, 'compile');
}

/**
 * What a table decides for a destination such as `tcp://10.1.2.3:443`; one verdict for each address of a name.
 * @throws SandlockError SL5100 for a bad table, SL7001 for a bad destination.
 */
export function check(table: Uint8Array, destination: string): readonly Verdict[] {
  const parsed = parseDestination(destination);
  if (!parsed.ok) throw new SandlockError('usage', formatDiagnostics(parsed.diagnostics).trimEnd());
  return decideDestination(openShipped('the table', table), destination, parsed.destination);
}
