// Starts the tests of honest programs: `node test/compat/run.mjs [--json FILE] [vitest arguments]`.
// The Debian packages they need are listed in packages.txt; a program of those that is missing
// fails its test. Go, Java and Chromium are too large to install for this: their tests run where
// they are found, and a line says where they are not.

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runRoom } from '../setup/room.mjs';

const LARGE = ['go', 'java', 'chromium'];

/** A program on the caller's path or where Go's own archive puts it. */
function find(/** @type {string} */ program) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/go/bin'];
  return directories
    .map((directory) => join(directory, program))
    .find((path) => path.startsWith('/') && existsSync(path));
}

const found = LARGE.map((program) => [program, find(program)]);
for (const [program, path] of found) {
  if (path === undefined) process.stderr.write(`${program} is not here: not tested\n`);
}
process.env.SANDLOCK_COMPAT_LARGE = JSON.stringify(Object.fromEntries(found));

runRoom('compat');
