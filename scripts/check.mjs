// `npm run check`: everything that can be said about the sources without running them. Runs every
// checker even after one has failed, so that one run shows all there is to repair.

import { spawnSync } from 'node:child_process';
import { GENERATORS } from './build.mjs';
import { install, main, root, ScriptError } from './setup.mjs';

const TSC = 'node_modules/typescript/bin/tsc';

const CARGO = ['--manifest-path=executor/Cargo.toml'];
const FUZZ = ['--manifest-path=fuzz/Cargo.toml'];
// With the feature `fuzz`, so that what only harnesses and measurements use is looked at as well.
const CLIPPY = [
  ...CARGO,
  '--locked',
  '--quiet',
  '--all-targets',
  '--features=fuzz',
  '--target-dir=executor/target',
];

const CHECKS = [
  byNode(
    'format, lint, layers',
    'node_modules/@biomejs/biome/bin/biome',
    'check',
    '--error-on-warnings',
    '.',
  ),
  byNode('types', TSC, '-p', 'tsconfig.json'),
  byNode('types of the scripts', TSC, '-p', 'tsconfig.scripts.json'),
  byNode('types of policy/', TSC, '-p', 'policy'),
  byNode('types of the playground', TSC, '-p', 'docs/playground'),
  byNode('types of the fuzzers', TSC, '-p', 'fuzz'),
  { title: 'rustfmt', command: 'cargo', args: ['fmt', ...CARGO, '--check'] },
  { title: 'rustfmt of the fuzzers', command: 'cargo', args: ['fmt', ...FUZZ, '--check'] },
  { title: 'clippy', command: 'cargo', args: ['clippy', ...CLIPPY, '--', '-D', 'warnings'] },
  ...GENERATORS.map((name) => byNode(`${name} is current`, `scripts/${name}.mjs`, '--check')),
];

await main(() => {
  install();
  const failed = CHECKS.filter(({ title, command, args }) => {
    const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
    console.log(`${status === 0 ? 'ok    ' : 'FAILED'}  ${title}`);
    return status !== 0;
  });
  if (failed.length > 0)
    throw new ScriptError(`${failed.length} of ${CHECKS.length} checks failed`);
});

function byNode(title, ...args) {
  return { title, command: process.execPath, args };
}
