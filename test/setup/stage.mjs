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
import { isHeld, root } from './start.mjs';

/** Probes of every room; those of others may include its headers. */
const PROBES = join(root, 'test/e2e/probes');

/** Makes the stage below `where` and returns its path; throws when a probe does not compile or nothing was built. */
export function prepareStage(where = tmpdir()) {
  const stage = mkdtempSync(join(where, 'sandlock-e2e-'));
  try {
    fill(stage);
  } catch (error) {
    rmSync(stage, { recursive: true, force: true });
    throw error;
  }
  return stage;
}

/** @param {string} stage */
function fill(stage) {
  const dist = join(root, 'dist');
  if (existsSync(dist)) cpSync(dist, join(stage, 'dist'), { recursive: true });
  else if (!process.env.SANDLOCK_E2E_LAUNCHER) throw new Error('dist/ is missing: npm run build');
  for (const name of ['ffi-rs', '@yuuang']) {
    const from = join(root, 'node_modules', name);
    if (existsSync(from)) {
      cpSync(from, join(stage, 'node_modules', name), { recursive: true, dereference: true });
    }
  }
  mkdirSync(join(stage, 'bin'));
  compileEach(PROBES, stage);
  if (isHeld) compile(join(stage, 'bin/without'), [join(root, 'test/hosts/probes/without.c')]);
  provideNode(join(stage, 'bin'));
  mkdirSync(join(stage, 'tmp'));
  execFileSync('chmod', ['-R', 'a+rX', stage]);
  chmodSync(join(stage, 'tmp'), 0o1777);
}

/** Makes a program of every C file of a folder: `bin/PREFIX` and the file's name without `.c`, in the stage. */
export function compileEach(/** @type {string} */ from, /** @type {string} */ stage, prefix = '') {
  for (const file of sourcesOf(from)) {
    compile(join(stage, 'bin', `${prefix}${file.slice(0, -2)}`), [join(from, file)]);
  }
}

/** Makes one program of all C files of a folder. */
export function compileTogether(/** @type {string} */ from, /** @type {string} */ program) {
  compile(
    program,
    sourcesOf(from).map((file) => join(from, file)),
  );
}

function sourcesOf(/** @type {string} */ folder) {
  return readdirSync(folder).filter((file) => file.endsWith('.c'));
}

/** @param {string} program @param {string[]} sources */
export function compile(program, sources) {
  const flags = ['-O1', '-Wall', '-Wextra', '-Werror', '-pthread', '-I', PROBES];
  execFileSync('cc', [...flags, '-o', program, ...sources], { stdio: 'inherit' });
  chmodSync(program, 0o755);
}

/** A node below some user's home can not be run by another user: such a one is copied. */
function provideNode(/** @type {string} */ to) {
  if (process.getuid?.() !== 0) return;
  const trial = spawnSync(process.execPath, ['-v'], { uid: 65534, gid: 65534 });
  if (trial.status === 0) return;
  copyFileSync(process.execPath, join(to, 'node'));
  chmodSync(join(to, 'node'), 0o755);
}
