// Starts the end-to-end tests: `node test/e2e/run.mjs [--json FILE] [--native] [vitest arguments]`; with --native commands are run by the launcher
// without Node, from compiled tables. It prepares the stage
// (stage.mjs), then runs vitest's project `e2e` in a PID namespace of its own, so that a fault in anything that ends
// process trees can reach nothing but the tests. With --json, vitest's JSON report goes to FILE as well. Exit status:
// vitest's. Uses node's built-ins only. It knows nothing of what is tested.

import { spawn } from 'node:child_process';
import { readlinkSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { prepareStage } from './stage.mjs';

const root = join(import.meta.dirname, '../..');

const args = process.argv.slice(2);
const reporters = ['--reporter=default'];
const at = args.indexOf('--json');
if (at >= 0) {
  const [, file] = args.splice(at, 2);
  if (file === undefined) {
    console.error('--json needs a file name');
    process.exit(2);
  }
  reporters.push('--reporter=json', `--outputFile.json=${resolve(file)}`);
}

const native = args.indexOf('--native');
if (native >= 0) args.splice(native, 1);

const isRoot = process.getuid?.() === 0;
const unshare = isRoot ? [] : ['--user', '--map-root-user'];
const stage = prepareStage(root);

const child = spawn(
  'unshare',
  [
    ...unshare,
    ...['--pid', '--fork', '--kill-child', '--mount-proc', '--'],
    ...[process.execPath, join(root, 'node_modules/vitest/vitest.mjs')],
    ...['run', '--project=e2e', ...reporters, ...args],
  ],
  {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      SANDLOCK_E2E_STAGE: stage,
      SANDLOCK_E2E_NATIVE: native >= 0 ? '1' : '0',
      SANDLOCK_E2E_OUTER: readlinkSync('/proc/self/ns/pid'),
      SANDLOCK_E2E_USERS: isRoot ? 'root nobody' : 'root',
    },
  },
);
child.on('error', (error) => finish(127, `unshare: ${error.message}`));
child.on('close', (status, signal) => finish(status ?? 1, signal && `vitest: ${signal}`));

/** @param {number} status @param {string | null} [message] */
function finish(status, message) {
  rmSync(stage, { recursive: true, force: true });
  if (message) console.error(message);
  process.exit(status);
}
