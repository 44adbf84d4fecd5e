// Starts the tests of the playground:
// `node test/playground/run.mjs [--json FILE] [vitest arguments]`. They need dist/ and Debian's
// chromium, and a server of their own on the loopback.

import { runPlain } from '../setup/run-plain.mjs';

runPlain('playground');
