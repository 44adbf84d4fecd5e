// Runs the tests of one folder below test/ where they may do as they like: in a PID namespace
// (whatever ends process trees reaches nothing but the tests) and a network namespace of their own
// (ports are free, and nothing leaves), with a /tmp and an /etc/hosts of their own (the repository
// is seen where it is, also if that is below /tmp). The loopback is up; every group may open ping
// sockets. Knows nothing of what is tested.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { prepareStage } from './stage.mjs';
import { apart, isApart, lastGroup, root, startVitest, surroundings } from './start.mjs';

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
 * @param {(stage: string) => void} [prepare]
 */
export function runRoom(folder, prepare) {
  // Not below /tmp, which is hidden from the tests.
  const stage = prepareStage('/var/tmp');
  prepare?.(stage);
  startVitest({
    through: isApart ? [] : [...apart('--net'), 'sh', '-c', ENTER, String(lastGroup)],
    options: [
      `--config=${join(import.meta.dirname, 'room-config.mjs')}`,
      '--configLoader=native',
      `--root=${join(root, 'test', folder)}`,
    ],
    env: surroundings(stage),
    over: () => rmSync(stage, { recursive: true, force: true }),
  });
}
