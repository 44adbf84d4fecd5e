/**
 * Shows on a terminal how far long work is: one line that is rewritten and goes away in the end. Nothing is written
 * to anything but a terminal, and nothing about work that is done in half a second.
 */
import type { Progress } from '../compiler/progress.ts';
import { ERASE_LINE } from './progress.ts';
import { printable, writeError } from './standard-error.ts';
import { isTerminal } from './terminal.ts';

/** File descriptor of standard error. */
const STDERR = 2;
const FIRST_AFTER_MS = 500;
const AGAIN_AFTER_MS = 100;

/** Tells, and takes what it wrote away again. */
export interface ShownWork {
  readonly tell: Progress;
  end(): void;
}

/** Progress on standard error, if that is a terminal, which is asked about after the first while. */
export function showWork(
  isWatched: () => boolean = () => isTerminal(STDERR),
  write: (text: string) => void = writeError,
  // Not `performance`, which Node loads when it is first named.
  now: () => number = () => process.uptime() * 1000,
): ShownWork {
  let next = now() + FIRST_AFTER_MS;
  let isShown = false;
  return {
    tell(work, done) {
      if (now() < next) return;
      isShown ||= isWatched();
      next = isShown ? now() + AGAIN_AFTER_MS : Number.POSITIVE_INFINITY;
      if (!isShown) return;
      const share = done === undefined ? '' : ` ${Math.floor(done * 100)} %`;
      write(`${ERASE_LINE}${printable(work)} …${share}`);
    },
    end() {
      if (isShown) write(ERASE_LINE);
      isShown = false;
    },
  };
}
