/**
 * `sandlock check`: prints what would be decided for destinations, and why. Verdicts come from
 * verdicts.ts; here are only their form, the reading of standard input, and the exit status. Input
 * of any length takes the same memory: lines are answered as they come.
 */
import { type Destination, parseDestination } from '../../compiler/destination.ts';
import { type Diagnostic, formatDiagnostics } from '../../compiler/diagnostic.ts';
import { formatExplanation } from '../../compiler/explanation-text.ts';
import { parsePlain } from '../../compiler/plain-destination.ts';
import { countErrors, openPolicy } from '../compiling.ts';
import { SandlockError } from '../errors.ts';
import { readLines } from '../lines.ts';
import { createOutput, type Format, type Output } from '../output.ts';
import { formatDuration } from '../pins.ts';
import { printable, writeError } from '../standard-error.ts';
import { isTerminal } from '../terminal.ts';
import { decideDestination, type Verdict } from '../verdicts.ts';

/** Something was refused, or is not known. */
const EXIT_DENIED = 1;
/** Mistakes of standard input that are shown; the others are counted. */
const MOST_MISTAKES = 20;
const STDIN = 0;

/**
 * Prints a verdict for every destination and sets the exit status. Without destinations, and where
 * one is `-`, they are read from standard input, one a line; blank lines and what follows a `#` are
 * skipped.
 * @throws SandlockError for a bad policy, table or destination.
 */
export async function checkDestinations(
  path: string,
  texts: readonly string[],
  format: Format,
): Promise<void> {
  const fromInput = texts.length === 0 || texts.includes('-');
  if (texts.length === 0 && isTerminal(STDIN)) {
    throw new SandlockError('usage', 'no destination was given\nsee: sandlock check --help');
  }
  const mistakes = new Mistakes(format);
  const asked = new Map(texts.filter((text) => text !== '-').map((text) => [text, parse(text)]));
  for (const parsed of asked.values())
    if ('diagnostics' in parsed) mistakes.add(parsed.diagnostics);
  mistakes.end('nothing was checked');

  const table = await openPolicy(path);
  const output = createOutput();
  let denied = false;
  const answer: Answer = (text, destination) => {
    let answered = '';
    let isLasting = true;
    for (const verdict of decideDestination(table, text, destination)) {
      if (verdict.verdict !== 'allow') denied = true;
      // How long ago a name was pinned is another text in a second.
      if (verdict.pinnedAt !== undefined) isLasting = false;
      answered += format === 'json' ? `${JSON.stringify(verdict)}\n` : formatVerdict(verdict);
    }
    output.write(answered);
    return isLasting ? answered : undefined;
  };
  for (const text of fromInput && texts.length === 0 ? ['-'] : texts) {
    const parsed = asked.get(text);
    if (parsed === undefined) await checkInput(answer, output, mistakes);
    else if ('destination' in parsed) answer(text, parsed.destination);
  }
  output.end();
  if (denied) process.exitCode = EXIT_DENIED;
  mistakes.end('everything else was checked');
}

/** Prints the verdicts on a destination and returns what it printed, if it would print the same again. */
type Answer = (text: string, destination: Destination) => string | undefined;

/**
 * Answers that are kept for destinations that come again, as they do in logs. Few enough that
 * keeping them costs less than a tenth where none does.
 */
const MOST_KNOWN = 1024;

async function checkInput(answer: Answer, output: Output, mistakes: Mistakes): Promise<void> {
  const known = new Map<string, string>();
  let number = 0;
  for await (const lines of readLines(process.stdin)) {
    for (const line of lines) {
      number += 1;
      // An abstract socket may hold a `#`; a comment stands at the start or behind a blank.
      const text = (line.includes('#') ? line.replace(/(^|\s)#.*$/s, '') : line).trim();
      if (text === '') continue;
      const before = known.get(text);
      if (before !== undefined) {
        output.write(before);
        continue;
      }
      const parsed = parse(text);
      if ('destination' in parsed) {
        const answered = answer(text, parsed.destination);
        if (known.size === MOST_KNOWN) known.clear();
        if (answered !== undefined) known.set(text, answered);
      } else {
        mistakes.add(parsed.diagnostics.map((one) => ({ ...one, file: 'stdin', line: number })));
      }
    }
  }
}

type Parsed =
  | { readonly destination: Destination }
  | { readonly diagnostics: readonly Diagnostic[] };

function parse(text: string): Parsed {
  const destination = parsePlain(text);
  if (destination !== undefined) return { destination };
  const result = parseDestination(text);
  return result.ok ? result : { diagnostics: result.diagnostics };
}

/** Mistakes in destinations: shown as they are found, few enough to be read. */
class Mistakes {
  readonly #format: Format;
  #count = 0;

  constructor(format: Format) {
    this.#format = format;
  }

  add(diagnostics: readonly Diagnostic[]): void {
    const shown = diagnostics.slice(0, Math.max(0, MOST_MISTAKES - this.#count));
    this.#count += diagnostics.length;
    if (shown.length === 0) return;
    writeError(
      this.#format === 'json'
        ? `${JSON.stringify({ ok: false, diagnostics: shown })}\n`
        : formatDiagnostics(shown),
    );
  }

  /** @throws SandlockError (usage) when there was any. */
  end(consequence: string): void {
    if (this.#count === 0) return;
    const count = countErrors(this.#count);
    throw new SandlockError('usage', `${count} in destinations; ${consequence}`);
  }
}

/**
 * `allow tcp://10.1.2.3:443 — policy.toml:4:3 "tcp://10.0.0.0/8:443"` and a newline; the address
 * follows the destination where that was a name. What else there is to say has a line of its own
 * each (explanation-text.ts).
 */
export function formatVerdict(verdict: Verdict): string {
  const { destination, address, protocol } = verdict;
  // A bind without an address is a bind to two, and `:5353` has a part in common with `::`.
  const isNamed = protocol.endsWith('-bind')
    ? /[:/]:[^:]*$/.test(destination)
    : !destination.includes(address);
  const what = isNamed ? `${destination} (${address})` : destination;
  const lines = formatExplanation(verdict).map(printable);
  if (verdict.pinnedAt !== undefined) {
    const age = (Date.now() - Date.parse(verdict.pinnedAt)) / 1000;
    lines.push(`pinned ${formatDuration(Math.max(1, age))} ago`);
  }
  return `${verdict.verdict.padEnd(5)} ${printable(what)} — ${lines.join('\n      ')}\n`;
}
