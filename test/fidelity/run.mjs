// Starts the fidelity tests:
// `node test/fidelity/run.mjs [--json FILE] [--held] [vitest arguments]`. It adds the one program
// they consist of to the stage, compiled from test/fidelity/probe.

import { join } from 'node:path';
import { runRoom } from '../setup/room.mjs';
import { compileTogether } from '../setup/stage.mjs';

runRoom('fidelity', (stage) => {
  compileTogether(join(import.meta.dirname, 'probe'), join(stage, 'bin/fidelity'));
});
