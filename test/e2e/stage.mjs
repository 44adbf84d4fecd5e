// The stage: a world-readable directory outside the repository with everything that a program under test may have to
// read, because the unprivileged user of the tests (uid 65534) may not be able to enter the repository. It holds the
// built command with its native library, ffi-rs, the compiled probes, and `tmp`, where each test makes its own
// directory. Knows nothing of the tests.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Makes the stage and returns its path; throws when a probe does not compile or nothing was built. */
export function prepareStage(/** @type {string} */ root) {
  const stage = mkdtempSync(join(tmpdir(), 'sandlock-e2e-'));
  try {
    fill(stage, root);
  } catch (error) {
    rmSync(stage, { recursive: true, force: true });
    throw error;
  }
  return stage;
}

/** @param {string} stage @param {string} root */
function fill(stage, root) {
  const dist = join(root, 'dist');
  if (existsSync(dist)) cpSync(dist, join(stage, 'dist'), { recursive: true });
  else if (!process.env.SANDLOCK_E2E_LAUNCHER) throw new Error('dist/ is missing: npm run build');
  for (const name of ['ffi-rs', '@yuuang']) {
    const from = join(root, 'node_modules', name);
    if (existsSync(from)) {
      cpSync(from, join(stage, 'node_modules', name), { recursive: true, dereference: true });
    }
  }
  compileProbes(join(root, 'test/e2e/probes'), join(stage, 'bin'));
  provideNode(join(stage, 'bin'));
  mkdirSync(join(stage, 'tmp'));
  execFileSync('chmod', ['-R', 'a+rX', stage]);
  chmodSync(join(stage, 'tmp'), 0o1777);
}

/** @param {string} from @param {string} to */
function compileProbes(from, to) {
  mkdirSync(to);
  for (const file of readdirSync(from)) {
    if (!file.endsWith('.c')) continue;
    const flags = ['-O1', '-Wall', '-Wextra', '-Werror', '-pthread'];
    execFileSync('cc', [...flags, '-o', join(to, file.slice(0, -2)), join(from, file)], {
      stdio: 'inherit',
    });
  }
}

/** A node below some user's home can not be run by another user: such a one is copied. */
function provideNode(/** @type {string} */ to) {
  if (process.getuid?.() !== 0) return;
  const trial = spawnSync(process.execPath, ['-v'], { uid: 65534, gid: 65534 });
  if (trial.status === 0) return;
  copyFileSync(process.execPath, join(to, 'node'));
  chmodSync(join(to, 'node'), 0o755);
}
