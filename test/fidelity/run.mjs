// Starts the fidelity tests: `node test/fidelity/run.mjs [--json FILE] [vitest arguments]`. It adds the one program they
// consist of to the stage, compiled from test/fidelity/probe.

import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runRoom } from './room.mjs';

runRoom('fidelity', (root, stage) => {
  const probe = join(root, 'test/fidelity/probe');
  const sources = readdirSync(probe).filter((file) => file.endsWith('.c'));
  const flags = ['-O1', '-Wall', '-Wextra', '-Werror', '-pthread'];
  const output = join(stage, 'bin/fidelity');
  execFileSync('cc', [...flags, '-o', output, ...sources], { cwd: probe, stdio: 'inherit' });
});
