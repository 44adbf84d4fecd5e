/**
 * Files as the commands need them: a policy or table read whole, an output replaced whole or not at all, and
 * the parts that lie beside the program.
 */
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describeCause, SandlockError } from './errors.ts';

/** First bytes of a table (docs/format.md §2). */
const MAGIC = 'SANDLOCK';

/** Is this a compiled table, whatever its file is called? */
export function isTable(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, MAGIC.length) === MAGIC;
}

/**
 * Reads a file whole.
 * @throws SandlockError (file) that names the path and the reason.
 */
export function readWhole(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new SandlockError('file', `can not read ${path}: ${describeCause(cause)}`, { cause });
  }
}

/**
 * Refuses a path at which something is that no compile has made: most often the policy itself, named twice.
 * @throws SandlockError (file)
 */
export function mayBecomeTable(path: string): void {
  const old = existsSync(path) ? statSync(path) : undefined;
  // What is empty may be mktemp's.
  if (old === undefined || !old.isFile() || old.size === 0 || isTable(readWhole(path))) return;
  const fix = 'name another file, or delete it first';
  throw new SandlockError('file', `${path} is there and is no table; it is not replaced: ${fix}`);
}

/**
 * Replaces a file as a whole: writes beside it, flushes to the disk and renames. A reader sees the old or the
 * new contents; on any error the old file is untouched. A link is followed, the mode of a file that
 * exists is kept, and what is not a regular file (/dev/null, a FIFO) is written to as it is.
 * @throws SandlockError (file)
 */
export function replaceFile(path: string, contents: Uint8Array): void {
  try {
    const target = existsSync(path) ? realpathSync(path) : path;
    const old = statSync(target, { throwIfNoEntry: false });
    if (old !== undefined && !old.isFile()) {
      writeFileSync(target, contents);
      return;
    }
    const beside = join(dirname(target), `.${basename(target)}.${process.pid}.tmp`);
    try {
      writeDurably(beside, contents, old?.mode);
      renameSync(beside, target);
    } catch (error) {
      rmSync(beside, { force: true });
      throw error;
    }
    flush(dirname(target));
  } catch (cause) {
    throw new SandlockError('file', `can not write ${path}: ${describeCause(cause)}`, { cause });
  }
}

/**
 * Path of a file that is shipped beside the program, or in dist/ of a source tree.
 * @throws SandlockError (library) when it was not built.
 */
export function shippedFile(name: string, folder: string = import.meta.dirname): string {
  const found = [join(folder, name), join(folder, '../dist', name)].find((path) =>
    existsSync(path),
  );
  if (found !== undefined) return found;
  const message = `${name} is not in ${folder}: in a source tree, run \`npm run build\``;
  throw new SandlockError('library', message);
}

function writeDurably(path: string, contents: Uint8Array, mode: number | undefined): void {
  const descriptor = openSync(path, 'wx');
  try {
    writeFileSync(descriptor, contents);
    if (mode !== undefined) fchmodSync(descriptor, mode & 0o7777);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes the rename durable; some file systems can not flush a directory, which costs only durability. */
function flush(folder: string): void {
  try {
    const descriptor = openSync(folder, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // EINVAL, EACCES: the new file is complete all the same.
  }
}
