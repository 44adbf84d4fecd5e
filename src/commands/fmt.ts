/**
 * `sandlock fmt`: policies in one form. The form is the compiler's (format-policy.ts); here is what
 * becomes of it: printed, written back, or only compared.
 */

import { formatDiagnostic } from '../../compiler/diagnostic.ts';
import { formatPolicy } from '../../compiler/format-policy.ts';
import { SandlockError } from '../errors.ts';
import { isTable, readWhole, replaceFile } from '../files.ts';
import { printable, writeError, writeOutput } from '../standard-error.ts';

/** A file is not formatted. */
const EXIT_UNFORMATTED = 1;

/** Options of the command. */
export interface FmtOptions {
  /** Names the files that are not formatted, and writes nothing. */
  readonly check?: true;
  /** Replaces the files. */
  readonly write?: true;
}

/**
 * Formats policies. All are read before one is written.
 * @throws SandlockError for a file that can not be read, is a table, or is no TOML.
 */
export function formatPolicies(paths: readonly string[], { check, write }: FmtOptions): void {
  if (check === true && write === true) {
    throw new SandlockError('usage', '--check and --write exclude each other');
  }
  const files = paths.map((path) => {
    const bytes = readWhole(path);
    if (isTable(bytes))
      throw new SandlockError('usage', `${path} is a table, not a policy in TOML`);
    const result = formatPolicy(path, bytes);
    if (!result.ok) {
      writeError(`${formatDiagnostic(result.diagnostic)}\n`);
      throw new SandlockError('policy', `${path} can not be formatted; nothing was written`);
    }
    return { path, text: result.text, isSame: Buffer.from(result.text).equals(bytes) };
  });
  for (const { path, text, isSame } of files) {
    if (write === true) {
      if (!isSame) replaceFile(path, Buffer.from(text));
    } else if (check === true) {
      if (!isSame) writeOutput(`${printable(path)}\n`);
    } else writeOutput(text);
  }
  if (check === true && files.some(({ isSame }) => !isSame)) process.exitCode = EXIT_UNFORMATTED;
}
