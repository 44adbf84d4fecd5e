/**
 * `sandlock lint`: what is wrong or doubtful in policies, without writing a table. The diagnostics
 * are the compiler's; here are their form and the exit status.
 */
import { type Diagnostic, formatDiagnostics } from '../../compiler/diagnostic.ts';
import { compileSources } from '../compiling.ts';
import { EXIT, SandlockError } from '../errors.ts';
import { isTable, readWhole } from '../files.ts';
import type { Format } from '../output.ts';
import type { NameSources } from '../resolve.ts';
import { writeOutput } from '../standard-error.ts';

/** There are warnings, and no errors. */
const EXIT_WARNINGS = 1;

/** Options of the command. */
export interface LintOptions extends NameSources {
  readonly format: Format;
}

/**
 * Prints the diagnostics of policies and sets the exit status.
 * @throws SandlockError for a file that can not be read or is a table.
 */
export async function lintPolicies(
  paths: readonly string[],
  { format, ...names }: LintOptions,
): Promise<void> {
  const found: Diagnostic[] = [];
  for (const path of paths) {
    const bytes = readWhole(path);
    if (isTable(bytes)) {
      throw new SandlockError('usage', `${path} is a table; lint takes policies in TOML`);
    }
    const sources = { file: { path, bytes }, allow: [], deny: [], names };
    const result = await compileSources(sources, 'compile');
    found.push(...(result.ok ? result.warnings : result.diagnostics));
  }
  writeOutput(
    format === 'json'
      ? found.map((diagnostic) => `${JSON.stringify(diagnostic)}\n`).join('')
      : formatDiagnostics(found),
  );
  if (found.some(({ severity }) => severity === 'error')) process.exitCode = EXIT.usage;
  else if (found.length > 0) process.exitCode = EXIT_WARNINGS;
}
