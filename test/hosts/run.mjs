// Starts the tests of restricted hosts: `node test/hosts/run.mjs [--json FILE] [vitest arguments]`.
// It adds the programs that make a host poorer, and the one that looks at what is still held, to
// the stage. Where and how the tests run is decided by test/setup/room.mjs.

import { join } from 'node:path';
import { runRoom } from '../setup/room.mjs';
import { compileEach } from '../setup/stage.mjs';

runRoom('hosts', (stage) => {
  compileEach(join(import.meta.dirname, 'probes'), stage);
  compileEach(join(import.meta.dirname, '../walls/probes'), stage);
});
