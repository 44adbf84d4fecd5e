/**
 * Builds what the tests load, so that a bare `npx vitest` tests the sources as they are. A part that can
 * not be built is reported and left as it was: tests of other rooms still run, and those that load the
 * part judge what they find. `npm test` builds by itself, fails when it can not, and says so by SANDLOCK_BUILT.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Runs once before the first test file. */
export function setup(): void {
  if (process.env.SANDLOCK_BUILT === '1') return;
  const cwd = join(import.meta.dirname, '../..');
  for (const part of ['policy', 'native', 'bundle']) {
    const build = spawnSync(process.execPath, ['scripts/build.mjs', part], {
      cwd,
      encoding: 'utf8',
    });
    if (build.status !== 0) process.stderr.write(`${part} was not built:\n${build.stderr}\n`);
  }
}
