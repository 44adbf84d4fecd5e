// What every run.mjs of a suite shares: its command line, `[--json FILE] [vitest arguments]`, and
// vitest as its last act. It knows nothing of what is tested, and nothing of where.

import { spawn } from 'node:child_process';
import { existsSync, readlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const root = join(import.meta.dirname, '../..');

/**
 * Namespaces belong to root: anyone else is made root of a user namespace, in which there is no second user to test as.
 */
const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? [] : ['--user', '--map-root-user'];

/** The group that the unprivileged user of the tests has, in the namespace. */
export const lastGroup = isRoot ? 65534 : 0;

/**
 * With --held, sandlock runs as in a container that forbids to take descriptors: sockets are made
 * for the command and held (docs/enforcement.md §7).
 */
export const isHeld = flag('held');

/** In a container (scripts/docker.mjs) the tests are apart as they are, and may make no namespaces. */
export const isApart = process.env.SANDLOCK_E2E_APART === '1';

/** What the tests have to know of the room they run in. A container says itself which users it has. */
export function surroundings(/** @type {string} */ stage) {
  return {
    SANDLOCK_E2E_USERS: isRoot ? 'root nobody' : 'root',
    ...(isApart ? process.env : {}),
    ...(isHeld ? held(stage) : {}),
    SANDLOCK_E2E_STAGE: stage,
    SANDLOCK_E2E_OUTER: isApart ? '' : readlinkSync('/proc/self/ns/pid'),
  };
}

/** The command under test with what stands before it; words are parted by blanks. */
function held(/** @type {string} */ stage) {
  const staged = join(stage, 'bin/node');
  const node = existsSync(staged) ? staged : process.execPath;
  const forbidden = 'pidfd_getfd=EPERM io_uring_setup=EPERM';
  const launcher = `${stage}/bin/without ${forbidden} -- ${node} ${stage}/dist/sandlock.cjs`;
  return { SANDLOCK_E2E_HELD: '1', SANDLOCK_E2E_LAUNCHER: launcher };
}

/**
 * Runs what follows in a PID namespace of its own, so that a fault in anything that ends process
 * trees reaches nothing but the tests; `--net` gives it a network of its own as well.
 * @param {...('--net')} more
 */
export function apart(...more) {
  if (isApart) return [];
  return ['unshare', ...asRoot, ...more, '--pid', '--fork', '--kill-child', '--mount-proc', '--'];
}

/** Takes `--NAME` off the command line; whether it was there. */
export function flag(/** @type {string} */ name) {
  const at = process.argv.indexOf(`--${name}`, 2);
  return at >= 0 && process.argv.splice(at, 1).length > 0;
}

/**
 * Runs vitest with `options`, by way of the program and arguments in `through`, and ends with its
 * status; `over` is called before. With --json, its report goes to FILE as well.
 * @param {{ through?: string[], options: string[], env?: Record<string, string>, over?: () => void }} how
 */
export function startVitest({ through = [], options, env = {}, over = () => {} }) {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const [program = process.execPath, ...args] = [
    ...through,
    ...[process.execPath, vitest, 'run', ...options, ...commandLine()],
  ];
  const child = spawn(program, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  });
  /** @param {number} status @param {string | null} [message] */
  const finish = (status, message) => {
    over();
    if (message) process.stderr.write(`${message}\n`);
    process.exit(status);
  };
  child.on('error', (error) => finish(127, `${program}: ${error.message}`));
  child.on('close', (status, signal) => finish(status ?? 1, signal && `vitest: ${signal}`));
}

/** The caller's arguments as vitest's. */
function commandLine() {
  const args = process.argv.slice(2);
  const at = args.indexOf('--json');
  if (at < 0) return ['--reporter=default', ...args];
  const [, file] = args.splice(at, 2);
  if (file === undefined) {
    process.stderr.write('--json needs a file name\n');
    process.exit(2);
  }
  return ['--reporter=default', '--reporter=json', `--outputFile.json=${resolve(file)}`, ...args];
}
