/**
 * One line on a terminal that says which names are still being resolved: written when that takes
 * longer than a moment, kept current, and gone at the end. Where standard error is no terminal
 * nothing is written.
 */
import type { ResolveProgress } from '../compiler/resolve.ts';
import { printable, writeError } from './standard-error.ts';
import { isTerminal } from './terminal.ts';

/** File descriptor of standard error. */
const STDERR = 2;

/** A wait that nobody needs explained. */
const PATIENCE_MS = 700;

/** Names shown of those that are being asked. */
const SHOWN = 3;

/** Cells of a line on the smallest of terminals, less the one in which some of them wrap. */
const WIDTH = 79;

/** Back to the beginning of the line, and erase it. */
export const ERASE_LINE = '\r\x1b[K';

/** `resolving names: 12 of 40, asking a.example, b.example, c.example …`, cut to a width. */
export function formatProgress(
  done: number,
  all: number,
  asked: readonly string[],
  width: number,
): string {
  const names = asked.slice(0, SHOWN).join(', ');
  const more = asked.length > SHOWN ? ' …' : '';
  const line = printable(`resolving names: ${done} of ${all}, asking ${names}${more}`);
  return line.length > width ? `${line.slice(0, Math.max(0, width - 1))}…` : line;
}

/** A reporter for one compilation, on standard error if that is a terminal, which is asked about after the wait. */
export function createProgress(
  isWatched: () => boolean = () => isTerminal(STDERR),
  write: (text: string) => void = writeError,
): ResolveProgress {
  let line = '';
  let isShown = false;
  let timer: NodeJS.Timeout | undefined;
  const show = (): void => {
    isShown ||= isWatched();
    if (isShown) write(ERASE_LINE + line);
  };
  return (done, all, asked) => {
    line = formatProgress(done, all, asked, WIDTH);
    if (done === all) {
      clearTimeout(timer);
      if (isShown) write(ERASE_LINE);
      isShown = false;
    } else if (isShown) show();
    else timer ??= setTimeout(show, PATIENCE_MS).unref();
  };
}
