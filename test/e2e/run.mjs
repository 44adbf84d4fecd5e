// Starts the end-to-end tests: `node test/e2e/run.mjs [--json FILE] [--native] [vitest arguments]`;
// with --native commands are run by the launcher without Node, from compiled tables. It prepares
// the stage (setup/stage.mjs), then runs vitest's project `e2e` in a PID namespace of its own.

import { rmSync } from 'node:fs';
import { prepareStage } from '../setup/stage.mjs';
import { apart, flag, startVitest, surroundings } from '../setup/start.mjs';

const isNative = flag('native');
const stage = prepareStage();
startVitest({
  through: apart(),
  options: ['--project=e2e'],
  env: { ...surroundings(stage), SANDLOCK_E2E_NATIVE: isNative ? '1' : '0' },
  over: () => rmSync(stage, { recursive: true, force: true }),
});
