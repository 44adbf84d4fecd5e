/**
 * Text for the user. `exec` shares its three standard streams with the command, and merely touching
 * process.stdout, process.stderr or console makes Node set O_NONBLOCK on the pipe or terminal behind
 * them, for every process that holds it. So everything is written to the descriptor itself.
 */
import { writeSync } from 'node:fs';
import { describeCause, SandlockError } from './errors.ts';

/**
 * Writes to descriptor 2 and reports nothing: a closed or full standard error (EPIPE, EBADF, EAGAIN)
 * must neither end nor delay the command.
 */
export function writeError(text: string): void {
  if (text === '') return;
  try {
    writeSync(2, text);
  } catch {
    // Nobody is left who could be told.
  }
}

/**
 * Writes all bytes to descriptor 1, waiting while a non-blocking reader is slow (EAGAIN).
 * @throws SandlockError (file) when the reader is gone or the disk is full.
 */
export function writeOutput(data: string | Uint8Array): void {
  let rest = typeof data === 'string' ? Buffer.from(data) : data;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EAGAIN') {
        const message = `can not write standard output: ${describeCause(cause)}`;
        throw new SandlockError('file', message, { cause });
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** Makes text from an untrusted source fit for a terminal: control and format characters become `?`. */
export function printable(text: string): string {
  if (/^[ -~]*$/.test(text)) return text;
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
}
