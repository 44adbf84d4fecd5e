// Starts the tests of restricted hosts: `node test/hosts/run.mjs [--json FILE] [vitest arguments]`. It adds the programs
// that make a host poorer, and the one that looks at what is still held, to the stage. Where and how the tests run is decided by
// test/fidelity/room.mjs.

import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runRoom } from '../fidelity/room.mjs';

runRoom('hosts', (root, stage) => {
  const flags = [
    '-O1',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-pthread',
    '-I',
    join(root, 'test/e2e/probes'),
  ];
  for (const from of [join(root, 'test/hosts/probes'), join(root, 'test/walls/probes')]) {
    for (const file of readdirSync(from).filter((name) => name.endsWith('.c'))) {
      const output = join(stage, 'bin', file.slice(0, -2));
      execFileSync('cc', [...flags, '-o', output, join(from, file)], { stdio: 'inherit' });
    }
  }
});
