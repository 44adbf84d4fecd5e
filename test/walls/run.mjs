// Starts the tests of the walls: `node test/walls/run.mjs [--json FILE] [vitest arguments]`. It
// adds the room's probes to the stage. Where and how the tests run is decided by
// test/setup/room.mjs.

import { join } from 'node:path';
import { runRoom } from '../setup/room.mjs';
import { compileEach } from '../setup/stage.mjs';

runRoom('walls', (stage) => compileEach(join(import.meta.dirname, 'probes'), stage));
