// Starts the tests of the playground: `node test/playground/run.mjs [--json FILE] [vitest arguments]`. They need dist/ and Debian's chromium, and a
// server of their own on the loopback.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const args = process.argv.slice(2);
const json = args.indexOf('--json');
const report = json === -1 ? [] : args.splice(json, 2).slice(1);
const reporters = report.flatMap((file) => ['--reporter=json', `--outputFile.json=${file}`]);
const { status } = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    `--config=${join(import.meta.dirname, 'vitest.config.mjs')}`,
    '--reporter=default',
    ...reporters,
    ...args,
  ],
  { cwd: root, stdio: 'inherit' },
);
process.exit(status ?? 1);
