/**
 * Builds what the tests load, so that `npx vitest` tests the sources as they are. `npm test` has
 * already built and says so by SANDLOCK_BUILT.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Runs the build once before the first test file; throws when it fails. */
export function setup(): void {
  if (process.env.SANDLOCK_BUILT === '1') return;
  const root = join(import.meta.dirname, '../..');
  const { status } = spawnSync(process.execPath, ['scripts/build.mjs'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('the build failed; its message is above');
}
