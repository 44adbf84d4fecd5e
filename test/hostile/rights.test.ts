/**
 * Rows D6, I, J3 and J4: what sockets there are at all, namespaces, rights, set-user-id programs,
 * typing into the user's terminal, and calls that make the kernel do things. Nothing of it sends by
 * itself; what is compared is what the kernel answers, bare and under the policy.
 */
import { chmodSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { policyOf, run, runSandboxed, sandlock } from '../e2e/harness/run.ts';
import { makeDirectory, probe, type User, users } from '../e2e/harness/stage.ts';
import { answered } from './harness/row.ts';
import { ALLOWED } from './harness/witness.ts';

const NAMESPACES = ['user', 'net', 'mount', 'pid', 'ipc', 'uts', 'cgroup'];

/** One way, bare and under the policy; bare also where only one of the users can do it. */
interface Right {
  readonly way: string;
  readonly bare: readonly string[] | Readonly<Record<User['name'], readonly string[]>>;
  readonly under: readonly string[];
}

const done = (way: string): string[] => [`${way} 0 -`];
const refused = (way: string, errno = 'EPERM'): string[] => [`${way} -1 ${errno}`];
const forRoot = (way: string, errno = 'EPERM'): Right['bare'] => ({
  root: done(way),
  nobody: refused(way, errno),
});

const RIGHTS: readonly Right[] = [
  {
    way: 'unshare',
    bare: NAMESPACES.map((name) => `unshare-${name} 0 -`),
    under: NAMESPACES.map((name) => `unshare-${name} -1 EPERM`),
  },
  {
    way: 'clone',
    bare: NAMESPACES.map((name) => `clone-${name} 0 -`),
    under: NAMESPACES.map((name) => `clone-${name} -1 EPERM`),
  },
  {
    way: 'clone3',
    bare: NAMESPACES.map((name) => `clone3-${name} 0 -`),
    under: NAMESPACES.map((name) => `clone3-${name} -1 ENOSYS`),
  },
  { way: 'setns', bare: forRoot('setns'), under: refused('setns') },
  {
    way: 'capabilities',
    bare: {
      root: ['no-new-privs 0 -', 'capabilities 1 -'],
      nobody: ['no-new-privs 0 -', 'capabilities 0 -'],
    },
    under: ['no-new-privs 1 -', 'capabilities 0 -'],
  },
  { way: 'mount', bare: forRoot('mount'), under: refused('mount') },
  { way: 'chroot', bare: forRoot('chroot'), under: refused('chroot') },
  { way: 'bpf', bare: forRoot('bpf'), under: refused('bpf') },
  { way: 'perf', bare: done('perf'), under: refused('perf') },
  { way: 'userfaultfd', bare: done('userfaultfd'), under: refused('userfaultfd') },
  { way: 'add-key', bare: done('add-key'), under: refused('add-key') },
  { way: 'keyctl', bare: done('keyctl'), under: refused('keyctl') },
  { way: 'request-key', bare: done('request-key'), under: refused('request-key') },
  { way: 'sock-diag', bare: done('sock-diag'), under: refused('sock-diag', 'EPROTONOSUPPORT') },
  {
    way: 'generic-netlink',
    bare: done('generic-netlink'),
    under: refused('generic-netlink', 'EPROTONOSUPPORT'),
  },
];

const isByUser = (bare: Right['bare']): bare is Readonly<Record<User['name'], readonly string[]>> =>
  !Array.isArray(bare);

describe.each(users)('as $name', (user) => {
  test.each(RIGHTS)('$way: there bare, not under the policy', async ({ way, bare, under }) => {
    const command = probe('hostile-rights', 'N0', way);
    const expected = isByUser(bare) ? bare[user.name] : bare;
    expect(await run(user, command)).toEqual(answered(expected));
    expect(await runSandboxed(user, policyOf(ALLOWED), command)).toEqual(answered(under));
  });

  test('D6 of all families and types, in any thread: TCP, UDP, unix and the routing netlink', async () => {
    const bare = (await run(user, probe('hostile-families'))).stdout.trimEnd().split('\n');
    const { stdout } = await runSandboxed(user, policyOf(ALLOWED), probe('hostile-families'));
    const under = stdout.trimEnd().split('\n');
    expect(under).toEqual([
      ...['1/1', '1/2', '1/3', '1/5', '2/1', '2/2', '10/1', '10/2', '16/2', '16/3'],
    ]);
    expect(bare).toEqual(expect.arrayContaining(under));
    // At least AF_VSOCK or AF_ALG on every kernel there is: a matrix without more would show nothing.
    expect(bare.length).toBeGreaterThan(under.length);
  });

  test('J3 typing into the terminal: the next shell would read it bare, never under the policy', async () => {
    for (const way of ['types', 'types-rubbish']) {
      const command = probe('hostile-rights', 'N0', way);
      const terminal = probe('hostile-terminal');
      expect(await run(user, [...terminal, ...command])).toMatchObject({
        stdout: `${way} 0 -\ntyped owned\n`,
      });
      const under = sandlock(policyOf(ALLOWED), command);
      expect(await run(user, [...terminal, ...under])).toMatchObject({
        stdout: `${way} -1 EPERM\ntyped nothing\n`,
      });
    }
  });
});

describe.each(users.filter(({ name }) => name === 'nobody'))('as $name alone', (nobody) => {
  test('I2 a set-user-id program of root: root bare, nobody under the policy', async () => {
    const file = join(makeDirectory(), 'set-user-id');
    copyFileSync(probe('hostile-rights')[0] ?? '', file);
    chmodSync(file, 0o4755);
    const options = { env: { HOSTILE_SETUID: file } };
    const command = probe('hostile-rights', 'N0', 'set-user-id');
    expect(await run(nobody, command, options)).toEqual(answered(['who 1 -']));
    expect(await runSandboxed(nobody, policyOf(ALLOWED), command, options)).toEqual(
      answered(['who 0 -']),
    );
  });
});

/**
 * Files of the kernel by which root changes what it runs outside, and whom it lets run at all; `:`
 * opens them and writes nothing.
 */
const SETTINGS = [
  '/proc/sys/kernel/core_pattern',
  '/proc/sys/net/ipv4/ip_forward',
  '/proc/self/oom_score_adj',
];

test('J4: the settings of the kernel, opened for writing by root: only outside', async () => {
  const open = SETTINGS.map((path) => `(: >>${path}) 2>/dev/null && echo open || echo closed`);
  const command = ['sh', '-c', open.join('; ')];
  const root = users.find(({ name }) => name === 'root');
  if (root === undefined) throw new Error('needs root');
  expect((await run(root, command)).stdout).toBe('open\nopen\nopen\n');
  expect(await runSandboxed(root, policyOf(ALLOWED), command)).toMatchObject({
    stdout: 'closed\nclosed\nclosed\n',
    status: 0,
  });
});
