// Runs the tests of one folder below test/ where they may do as they like: in a PID namespace (whatever ends process
// trees reaches nothing but the tests) and a network namespace of their own (ports are free, and nothing leaves), with a
// /tmp and an /etc/hosts of their own (the repository is seen where it is, also if that is below /tmp). The loopback is up; every group may open ping sockets. `runRoom(folder)` takes
// `[--json FILE] [vitest arguments]` from the command line; exit status: vitest's. Knows nothing of what is tested.

import { spawn } from 'node:child_process';
import { readlinkSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { prepareStage } from '../e2e/stage.mjs';

const root = join(import.meta.dirname, '../..');

/** Brings up the namespaces' own network and its names, then becomes the command it is given. */
const ENTER = `set -e
  ip link set lo up
  echo "0 $0" > /proc/sys/net/ipv4/ping_group_range
  printf '127.0.0.1 localhost\\n::1 localhost\\n' > "$SANDLOCK_E2E_STAGE/hosts"
  mount --bind "$SANDLOCK_E2E_STAGE/hosts" /etc/hosts
  mkdir "$SANDLOCK_E2E_STAGE/repository"
  mount --bind "$PWD" "$SANDLOCK_E2E_STAGE/repository"
  mount -t tmpfs -o mode=1777 tmpfs /tmp
  case "$PWD" in /tmp/*)
    mkdir -p "$PWD"
    mount --bind "$SANDLOCK_E2E_STAGE/repository" "$PWD"
    cd "$PWD"
  esac
  umount "$SANDLOCK_E2E_STAGE/repository"
  exec "$@"`;

/**
 * Starts vitest on `test/<folder>`; `prepare` may add programs to the stage first.
 * @param {string} folder
 * @param {(root: string, stage: string) => void} [prepare]
 */
export function runRoom(folder, prepare) {
  const args = process.argv.slice(2);
  const reporters = ['--reporter=default'];
  const at = args.indexOf('--json');
  if (at >= 0) {
    const [, file] = args.splice(at, 2);
    if (file === undefined) {
      process.stderr.write('--json needs a file name\n');
      process.exit(2);
    }
    reporters.push('--reporter=json', `--outputFile.json=${resolve(file)}`);
  }
  const isRoot = process.getuid?.() === 0;
  // Not below /tmp, which is hidden from the tests.
  process.env.TMPDIR = '/var/tmp';
  const stage = prepareStage(root);
  delete process.env.TMPDIR;
  prepare?.(root, stage);
  const child = spawn(
    'unshare',
    [
      ...(isRoot ? [] : ['--user', '--map-root-user']),
      ...['--pid', '--net', '--fork', '--kill-child', '--mount-proc', '--'],
      ...['sh', '-c', ENTER, isRoot ? '65534' : '0'],
      ...[process.execPath, join(root, 'node_modules/vitest/vitest.mjs'), 'run'],
      ...['--config', join(import.meta.dirname, 'vitest.config.mjs'), '--configLoader=native'],
      ...['--root', join(root, 'test', folder), ...reporters, ...args],
    ],
    {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...process.env,
        SANDLOCK_E2E_STAGE: stage,
        SANDLOCK_E2E_OUTER: readlinkSync('/proc/self/ns/pid'),
        SANDLOCK_E2E_USERS: isRoot ? 'root nobody' : 'root',
      },
    },
  );
  /** @param {number} status @param {string | null} [message] */
  const finish = (status, message) => {
    rmSync(stage, { recursive: true, force: true });
    if (message) process.stderr.write(`${message}\n`);
    process.exit(status);
  };
  child.on('error', (error) => finish(127, `unshare: ${error.message}`));
  child.on('close', (status, signal) => finish(status ?? 1, signal && `vitest: ${signal}`));
}
