// Runs a suite that needs no room of its own: `runPlain('playground')` from its run.mjs, with `[--json FILE] [vitest arguments]` on the command line.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** Runs the tests in test/NAME by its vitest.config.mjs and ends with their status. */
export function runPlain(name) {
  const args = process.argv.slice(2);
  const json = args.indexOf('--json');
  const report = json === -1 ? [] : args.splice(json, 2).slice(1);
  const reporters = report.flatMap((file) => ['--reporter=json', `--outputFile.json=${file}`]);
  const { status } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      `--config=${join(root, 'test', name, 'vitest.config.mjs')}`,
      '--reporter=default',
      ...reporters,
      ...args,
    ],
    { cwd: root, stdio: 'inherit' },
  );
  process.exit(status ?? 1);
}
