/**
 * `sandlock check`: prints what would be decided for destinations, and by which rules. Verdicts come from
 * verdicts.ts; here are only their form and the exit status.
 */
import { type Destination, parseDestination } from '../../compiler/destination.ts';
import { formatDiagnostics } from '../../compiler/diagnostic.ts';
import type { Format } from '../commands.ts';
import { countErrors, openPolicy } from '../compiling.ts';
import { SandlockError } from '../errors.ts';
import { printable, writeError, writeOutput } from '../standard-error.ts';
import { decideDestination, type Verdict } from '../verdicts.ts';

/** Nothing was refused, or something was. */
const EXIT_DENIED = 1;

/**
 * Prints a verdict for every destination and sets the exit status.
 * @throws SandlockError for a bad policy, table or destination.
 */
export async function checkDestinations(
  path: string,
  texts: readonly string[],
  format: Format,
): Promise<void> {
  const asked = parseAll(texts, format);
  const table = await openPolicy(path);
  const verdicts = asked.flatMap(({ text, destination }) =>
    decideDestination(table, text, destination),
  );
  writeOutput(
    format === 'json'
      ? `${JSON.stringify(verdicts, undefined, 2)}\n`
      : verdicts.map(formatVerdict).join(''),
  );
  if (verdicts.some(({ verdict }) => verdict === 'deny')) process.exitCode = EXIT_DENIED;
}

/** All destinations, or every mistake in all of them at once. */
function parseAll(
  texts: readonly string[],
  format: Format,
): readonly { readonly text: string; readonly destination: Destination }[] {
  const parsed = texts.map((text) => ({ text, result: parseDestination(text) }));
  const diagnostics = parsed.flatMap(({ result }) => (result.ok ? [] : result.diagnostics));
  if (diagnostics.length > 0) {
    const isJson = format === 'json';
    writeError(
      isJson ? `${JSON.stringify({ ok: false, diagnostics })}\n` : formatDiagnostics(diagnostics),
    );
    const message = isJson ? '' : `${countErrors(diagnostics)}; nothing was checked`;
    throw new SandlockError('policy', message);
  }
  return parsed.flatMap(({ text, result }) =>
    result.ok ? [{ text, destination: result.destination }] : [],
  );
}

/**
 * `allow tcp://10.1.2.3:443 — policy.toml:4 "tcp://10.0.0.0/8:443"` and a newline; the address follows the
 * destination where that was a name, and each further rule has a line of its own.
 */
export function formatVerdict(verdict: Verdict): string {
  const { destination, address, protocol, rules } = verdict;
  // A bind without an address is a bind to two, and `:5353` has a part in common with `::`.
  const isNamed = protocol.endsWith('-bind')
    ? /[:/]:[^:]*$/.test(destination)
    : !destination.includes(address);
  const what = isNamed ? `${destination} (${address})` : destination;
  const reasons = rules.map(({ text, source, line }) =>
    line > 0 ? `${source}:${line} "${text}"` : `${source} "${text}"`,
  );
  const [first = verdict.reason ?? 'no rule allows it', ...others] = reasons;
  const lines = [`${verdict.verdict.padEnd(5)} ${what} — ${first}`];
  for (const other of others) lines.push(`${' '.repeat(6 + what.length)} — ${other}`);
  return lines.map((line) => `${printable(line)}\n`).join('');
}
