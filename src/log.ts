/**
 * The log of decisions (docs/log.md): lines of JSON, appended to a file that others may rename,
 * delete or truncate meanwhile. Lines are collected while records keep coming and written together,
 * so that a busy program costs few writes.
 *
 * Before each write it is seen whether the path still leads to the open file; if not, it is opened
 * anew. So rotation needs no signal. A file that was truncated goes on at its new end (O_APPEND).
 */
import { closeSync, constants, fstatSync, openSync, statSync, writeSync } from 'node:fs';
import type { Decision } from './decision.ts';
import type { DeniedName } from './denied-names.ts';
import { describeCause, SandlockError } from './errors.ts';

/** A log that is written to. */
export interface Log {
  /** Adds a decision; it is in the file after `flush`, or earlier. */
  add(decision: Decision | DeniedName): void;
  /** Says that so many records were lost because they came faster than they were read. */
  addLost(count: number): void;
  /** Writes what was added. */
  flush(): void;
  /** Whether `flush` would write something. */
  readonly isPending: boolean;
}

const { O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants;

/** Collected bytes from which on they are written. */
const FLUSH_AT = 64 * 1024;

/**
 * Opens the file for appending, creating it. An error later is told to `onError` once, as a
 * sentence; from then on nothing is written.
 * @throws SandlockError (file)
 */
export function openLog(path: string, onError: (message: string) => void): Log {
  let file = open(path);
  let lines: string[] = [];
  let length = 0;
  let isBroken = false;
  const write = (): void => {
    const bytes = Buffer.from(lines.join(''));
    lines = [];
    length = 0;
    if (isBroken || bytes.length === 0) return;
    try {
      file = follow(path, file);
      for (let done = 0; done < bytes.length; ) done += writeSync(file.descriptor, bytes, done);
    } catch (error) {
      isBroken = true;
      closeSync(file.descriptor);
      onError(`the log ends here: ${path}: ${describeCause(error)}`);
    }
  };
  const add = (line: object): void => {
    const text = `${JSON.stringify(line)}\n`;
    lines.push(text);
    length += text.length;
    if (length >= FLUSH_AT) write();
  };
  return {
    add,
    addLost: (count) => add({ event: 'lost', time: new Date().toISOString(), count }),
    flush: write,
    get isPending() {
      return length > 0;
    },
  };
}

interface OpenFile {
  readonly descriptor: number;
  readonly device: number;
  readonly inode: number;
}

function open(path: string): OpenFile {
  try {
    return identify(openSync(path, 'a'));
  } catch (cause) {
    throw new SandlockError('file', `can not write ${path}: ${describeCause(cause)}`, { cause });
  }
}

function identify(descriptor: number): OpenFile {
  const { dev, ino } = fstatSync(descriptor);
  return { descriptor, device: dev, inode: ino };
}

/** `a` without waiting: a FIFO that nobody reads is ENXIO. */
const ANEW = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY;

/**
 * The file that the path leads to now. Where none can be opened there, the old one is written to:
 * nothing is lost. Nor is anything else than a regular file opened: the command may have put it
 * there, and we would wait for it.
 */
function follow(path: string, file: OpenFile): OpenFile {
  try {
    const now = statSync(path, { throwIfNoEntry: false });
    if (now?.dev === file.device && now.ino === file.inode) return file;
    if (now?.isFile() === false) return file;
    const descriptor = openSync(path, ANEW, 0o666);
    const isRegular = fstatSync(descriptor).isFile();
    closeSync(isRegular ? file.descriptor : descriptor);
    return isRegular ? identify(descriptor) : file;
  } catch {
    return file;
  }
}
