// What the generators have in common: a file is written, or with `--check` compared with what would be written.

import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root } from './setup.mjs';

/**
 * Writes a generated file; with `--check` on the command line it writes nothing, and the exit
 * status is 1 when the file is another or missing.
 *
 * @param {string} file from the root of the repository
 * @param {string} text what it is to hold
 */
export function generated(file, text) {
  const path = join(root, file);
  if (!process.argv.includes('--check')) {
    writeFileSync(path, text);
    return;
  }
  if (current(path) === text) return;
  console.error(`${file} is not current: run node scripts/${basename(process.argv[1] ?? '')}`);
  process.exitCode = 1;
}

/** @param {string} path */
function current(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // missing is as stale as different
  }
}
