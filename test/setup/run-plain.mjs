// Runs a suite that needs no room of its own: `runPlain('playground')` from its run.mjs.

import { join } from 'node:path';
import { root, startVitest } from './start.mjs';

/** Runs the tests in test/NAME by its vitest.config.mjs and ends with their status. */
export function runPlain(/** @type {string} */ name) {
  startVitest({ options: [`--config=${join(root, 'test', name, 'vitest.config.mjs')}`] });
}
