/**
 * The command's standard streams: pipes to this process, this process's own, /dev/null, or
 * descriptors of the caller's. Decides who has to close what.
 */
import { openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { NativeLibrary } from './binding.ts';
import { usageError } from './errors.ts';

/**
 * What one of the command's standard streams is: a pipe to this process, this process's own,
 * /dev/null, or a descriptor.
 */
export type Stdio = 'pipe' | 'inherit' | 'ignore' | number;

/** The command's standard streams. */
export interface Streams {
  /** Descriptors for the command. */
  readonly theirs: [number, number, number];
  /** This process's ends of pipes. */
  readonly ours: readonly [Writable | undefined, Readable | undefined, Readable | undefined];
  /** Descriptors that are to be closed once the command has them. */
  readonly opened: readonly number[];
}

/** @throws SandlockError (usage) for what is no value of `stdio`. */
export function openStreams(
  library: NativeLibrary,
  stdio: Stdio | readonly [Stdio, Stdio, Stdio],
): Streams {
  const wanted: readonly Stdio[] = typeof stdio === 'object' ? stdio : [stdio, stdio, stdio];
  if (wanted.length !== 3) throw usageError('stdio takes one value or three');
  const opened: number[] = [];
  const ours: (Socket | undefined)[] = [];
  const theirs = wanted.map((kind, number) => {
    ours[number] = undefined;
    if (kind === 'inherit') return number;
    if (typeof kind === 'number') return kind;
    if (kind === 'ignore') {
      const descriptor = openSync('/dev/null', number === 0 ? 'r' : 'w');
      opened.push(descriptor);
      return descriptor;
    }
    if (kind !== 'pipe') throw usageError(`stdio does not know ${String(kind)}`);
    const [read, write] = library.pipe();
    const isInput = number === 0;
    opened.push(isInput ? read : write);
    ours[number] = new Socket({
      fd: isInput ? write : read,
      readable: !isInput,
      writable: isInput,
    });
    return isInput ? read : write;
  });
  return {
    theirs: [theirs[0] ?? 0, theirs[1] ?? 1, theirs[2] ?? 2],
    ours: [ours[0], ours[1], ours[2]],
    opened,
  };
}
