/**
 * What every target demands of an error: it lies in the text, has a code of the list, and its own
 * text was put together from values.
 */
import { CODES } from '../../../compiler/codes.ts';
import { type Diagnostic, type Fault, formatDiagnostic } from '../../../compiler/diagnostic.ts';

/** Throws unless the condition holds. */
export function demand(holds: boolean, message: () => string): asserts holds {
  if (!holds) throw new Error(message());
}

/** Checks the faults of a text; there is at least one. */
export function checkFaults(text: string, faults: readonly Fault[]): void {
  demand(faults.length > 0, () => 'refused without a fault');
  for (const fault of faults) {
    const { start, end } = fault;
    const inside = start >= 0 && start <= end && end <= Math.max(text.length, 1);
    demand(inside, () => `${fault.code} ${start}..${end} is outside`);
    demand(Object.hasOwn(CODES, fault.code), () => `${fault.code} is no code`);
    demand(isWhole(fault.message + (fault.help ?? ''), text), () => fault.message);
  }
}

/** Checks diagnostics of a file of one's own; their lines are lines of the text. */
export function checkDiagnostics(text: string, diagnostics: readonly Diagnostic[]): void {
  demand(diagnostics.length > 0, () => 'refused without a diagnostic');
  const lines = text.replace(/^\ufeff/, '').split('\n');
  for (const diagnostic of diagnostics) {
    const { code, line, column, length, sourceLine, sourceColumn } = diagnostic;
    demand(Object.hasOwn(CODES, code), () => `${code} is no code`);
    const shown = formatDiagnostic(diagnostic);
    demand(
      isWhole(shown, text) && !UNPRINTABLE.test(shown),
      () => `${code}: ${JSON.stringify(shown)}`,
    );
    demand(shown.split('\n').length <= 6, () => `${code}: ${JSON.stringify(shown)}`);
    if (line === 0) continue;
    const actual = lines[line - 1] ?? '';
    demand(actual.includes(sourceLine), () => `${code}: line ${line} is not shown`);
    // A place may be one behind the line's last character; of a long line only a window is shown.
    const last = [...actual.replace(/\r$/, '')].length + 1;
    const inside = column >= 1 && length >= 1 && column + length - 1 <= last;
    demand(inside, () => `${code}: ${line}:${column}+${length} is outside`);
    const begin = column - sourceColumn;
    demand(begin >= 0 && begin <= [...sourceLine].length, () => `${code}: ${column} is not shown`);
  }
}

/** Control characters and those that turn the direction of writing: nothing of a policy may steer a terminal. */
const UNPRINTABLE = /[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

/**
 * Whether what is shown was put together from texts, and not from values. It quotes the input, which
 * may spell these words itself.
 */
function isWhole(shown: string, text: string): boolean {
  const isMade = (part: string) => /\[object |\bNaN\b/.test(part);
  return !isMade(shown) || isMade(text);
}
