// Starts the tests of what users read: `node test/docs/run.mjs [--json FILE] [vitest arguments]`.
// They need dist/, and the shells and readers of manuals in packages.txt.

import { runPlain } from '../setup/run-plain.mjs';

runPlain('docs');
