// Starts the tests of the walls: `node test/walls/run.mjs [--json FILE] [vitest arguments]`. It adds the room's probes to
// the stage. Where and how the tests run is decided by test/fidelity/room.mjs.

import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runRoom } from '../fidelity/room.mjs';

runRoom('walls', (root, stage) => {
  const from = join(root, 'test/walls/probes');
  const flags = [
    '-O1',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-pthread',
    '-I',
    join(root, 'test/e2e/probes'),
  ];
  for (const file of readdirSync(from).filter((name) => name.endsWith('.c'))) {
    const output = join(stage, 'bin', file.slice(0, -2));
    execFileSync('cc', [...flags, '-o', output, join(from, file)], { stdio: 'inherit' });
  }
});
