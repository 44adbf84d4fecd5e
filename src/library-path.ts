/**
 * Where the native library lies: SANDLOCK_LIBRARY, else beside the bundle, else in dist/ of a source tree.
 * The path is absolute, because the supervisor is started from the same file.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SandlockError } from './errors.ts';

/** File name of the library. */
export const LIBRARY_NAME = 'libsandlock.so';

/**
 * Finds the library.
 * @throws SandlockError (library) that names the likely cause.
 */
export function findLibrary(
  override: string | undefined = process.env.SANDLOCK_LIBRARY,
  folder: string = import.meta.dirname,
): string {
  if (override !== undefined && override !== '') {
    const path = resolve(override);
    if (existsSync(path)) return path;
    throw new SandlockError('library', `SANDLOCK_LIBRARY names ${path}, which does not exist`);
  }
  const candidates = [join(folder, LIBRARY_NAME), join(folder, '../dist', LIBRARY_NAME)];
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new SandlockError(
    'library',
    `${LIBRARY_NAME} is not in ${folder}: in a source tree, run \`npm run build\`; an installed ` +
      'package has it for linux on x64 and arm64 only',
  );
}
