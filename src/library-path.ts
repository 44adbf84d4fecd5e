/**
 * Where the native half lies: the library at SANDLOCK_LIBRARY, else beside the bundle, else in
 * dist/ of a source tree; the program that the supervisor is, beside the library. Paths are
 * absolute: the directory may change before the program is started.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { SandlockError } from './errors.ts';

/** File name of the library. */
const LIBRARY_NAME = 'libsandlock.so';

/** File name of the program. */
const PROGRAM_NAME = 'sandlock-exec';

/** The program that belongs to that library. Whether it is there, its start tells. */
export function programBeside(library: string): string {
  return `${library.slice(0, library.lastIndexOf('/') + 1)}${PROGRAM_NAME}`;
}

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
  const candidates = [`${folder}/${LIBRARY_NAME}`, `${folder}/../dist/${LIBRARY_NAME}`];
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new SandlockError(
    'library',
    `${LIBRARY_NAME} is not in ${folder}: in a source tree, run \`npm run build\`; an installed ` +
      'package has it for linux on x64 and arm64 only',
  );
}
