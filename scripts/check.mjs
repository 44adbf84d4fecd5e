// `npm run check`: everything that can be said about the sources without running them. Runs every
// checker even after one has failed, so that one run shows all there is to repair.

import { spawnSync } from 'node:child_process';
import { GENERATORS } from './build.mjs';
import { install, main, root, ScriptError } from './setup.mjs';

const NODE = process.execPath;
const TSC = 'node_modules/typescript/bin/tsc';
const MANIFEST = '--manifest-path=executor/Cargo.toml';

/** @type {[string, string, ...string[]][]} */
const CHECKS = [
  [
    'format, lint and layers',
    NODE,
    'node_modules/@biomejs/biome/bin/biome',
    'check',
    '--error-on-warnings',
    '.',
  ],
  ['types', NODE, TSC, '-p', 'tsconfig.json'],
  ['types of the scripts', NODE, TSC, '-p', 'tsconfig.scripts.json'],
  ['types of policy/', NODE, TSC, '-p', 'policy'],
  ['rustfmt', 'cargo', 'fmt', MANIFEST, '--check'],
  [
    'clippy',
    'cargo',
    'clippy',
    MANIFEST,
    '--locked',
    '--quiet',
    '--all-targets',
    '--target-dir=executor/target',
    '--',
    '-D',
    'warnings',
  ],
  ...GENERATORS.map((name) => [`${name} is current`, NODE, `scripts/${name}.mjs`, '--check']),
];

await main(() => {
  install();
  const failed = CHECKS.filter(([title, command, ...args]) => {
    const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
    console.log(`${status === 0 ? 'ok    ' : 'FAILED'}  ${title}`);
    return status !== 0;
  });
  if (failed.length > 0)
    throw new ScriptError(`${failed.length} of ${CHECKS.length} checks failed`);
});
