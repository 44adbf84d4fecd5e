/**
 * A chroot whose root is no mount point: what is mounted there can not be kept from the host. Every
 * wall holds, root does not write the kernel's settings, and the host's mounts stay as they were.
 */
import { describe, expect, test } from 'vitest';
import { openWeb } from '../e2e/harness/http.ts';
import { policyOf, run, sandlock } from '../e2e/harness/run.ts';
import { users } from '../e2e/harness/stage.ts';
import { compile } from '../names/table.ts';
import { expectHolds, type Host } from './host.ts';

/**
 * Runs what follows as `uid` in such a chroot, with shared mounts as systemd has them, and prints
 * every mount of the host that has changed.
 */
function chroot(uid: number): Host {
  const script = [
    'mount --make-rshared / && image=$(mktemp -d) && cd "$image" && chmod 755 .',
    'mkdir -p usr etc proc sys dev tmp var/tmp && ln -s usr/bin usr/sbin usr/lib usr/lib64 .',
    'for name in usr etc proc sys dev var/tmp; do mount --rbind "/$name" "$name"; done',
    'cat /proc/self/mountinfo > tmp/before',
    `user="setpriv --reuid ${uid} --regid ${uid} --clear-groups"`,
    '{ chroot "$image" $user "$@"; status=$?; diff tmp/before /proc/self/mountinfo; exit $status; }',
  ];
  return ['unshare', '-m', 'sh', '-c', script.join(' && '), 'sh'];
}

describe.each(users.filter(({ uid }) => uid === 0))('as $name', (root) => {
  test.each([0, 65534])('as uid %i: runs, and every wall holds', async (uid) => {
    await expectHolds(root, chroot(uid));
  });

  test('root does not write the settings', async () => {
    const writes = [
      ...['sh', '-c', 'cat $0 > /dev/null && { true 2> /dev/null >> $0 && echo yes || echo no; }'],
      '/proc/sys/kernel/core_pattern',
    ];
    expect((await run(root, [...chroot(0), ...writes])).stdout).toBe('yes\n');
    const walled = await run(root, [...chroot(0), ...sandlock(policyOf([]), writes)]);
    expect(walled).toMatchObject({ stdout: 'no\n', stderr: '', status: 0 });
  });

  test('pinned names are found, by the resolver alone', async () => {
    const web = await openWeb(['127.0.0.1'], () => 'served');
    const text = `[network]\nallow = ["two.test:${web.port}"]\n[dns]\nresolve = "compile"\nprivate = ["*.test"]\n`;
    const file = compile(text, ['127.0.0.1 two.test']);
    const curl = ['curl', '-sS', `http://two.test:${web.port}/`];
    const outcome = await run(root, [...chroot(0), ...sandlock({ file }, curl)]);
    expect(outcome).toMatchObject({ stdout: 'served', stderr: '', status: 0 });
  });
});
