/**
 * Whether somebody watches. node:tty brings node:net and the streams along, which take a tenth of the time of Node's
 * own start, so it is asked about character devices only: a pipe and a file are no terminals.
 */
import { fstatSync } from 'node:fs';

/** Is that descriptor of this process a terminal? */
export function isTerminal(descriptor: number): boolean {
  try {
    if (!fstatSync(descriptor).isCharacterDevice()) return false;
  } catch {
    return false;
  }
  return process.getBuiltinModule('node:tty').isatty(descriptor);
}
