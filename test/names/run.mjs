// Starts the tests of names: `node test/names/run.mjs [--json FILE] [vitest arguments]`. It adds
// one program for each resolver to the stage that no package brings. Where and how the tests run is
// decided by test/setup/room.mjs.

import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { runRoom } from '../setup/room.mjs';

/** Nothing is downloaded, and no cgo: the resolver is Go's own. */
const GO = { CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GO111MODULE: 'off' };

runRoom('names', (stage) => {
  const from = (/** @type {string} */ name) => join(import.meta.dirname, 'programs', name);
  const to = join(stage, 'bin');
  const make = (/** @type {string} */ program, /** @type {string[]} */ ...args) =>
    execFileSync(program, args, { stdio: 'inherit', env: { ...process.env, ...GO } });
  make(
    'musl-gcc',
    '-static',
    '-O1',
    '-Wall',
    '-Werror',
    '-o',
    join(to, 'musl-lookup'),
    from('lookup.c'),
  );
  make('go', 'build', '-o', join(to, 'go-lookup'), from('lookup.go'));
  make('javac', '-d', to, from('Lookup.java'));
  copyFileSync(from('receive.py'), join(to, 'receive.py'));
});
