/**
 * Warnings that a policy silences: a comment `# sandlock-ignore SL3105` behind what is warned of,
 * or on a line of its own right above it. Codes are always named, any number of them, and what
 * follows them is for the reader. Errors are never silenced.
 */
import type { Diagnostic } from './diagnostic.ts';

const WORD = 'sandlock-ignore';

/** The warnings that the text of a policy does not silence. */
export function withoutSilenced(
  text: string,
  warnings: readonly Diagnostic[],
): readonly Diagnostic[] {
  if (!text.includes(WORD)) return warnings;
  const codes = new Map<number, Set<string>>();
  text.split('\n').forEach((line, index) => {
    const [, before = '', list = ''] =
      /^(.*)#\s*sandlock-ignore((?:[\s,]+SL\d{4})+)/.exec(line) ?? [];
    if (list === '') return;
    // Lines count from 1.
    const target = before.trim() === '' ? index + 2 : index + 1;
    const known = codes.get(target) ?? new Set();
    for (const code of list.match(/SL\d{4}/g) ?? []) known.add(code);
    codes.set(target, known);
  });
  return warnings.filter(
    ({ severity, line, code }) => severity === 'error' || codes.get(line)?.has(code) !== true,
  );
}
