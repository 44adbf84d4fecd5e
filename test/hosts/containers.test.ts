/**
 * Containers: the system calls that Docker's default profile refuses, with and without
 * CAP_SYS_PTRACE, all capabilities dropped; calls that a profile may forbid; and a sandbox inside a
 * sandbox.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTcp } from '../e2e/harness/listen.ts';
import { policyOf, run, runSandboxed, sandlock } from '../e2e/harness/run.ts';
import { makeDirectory, probe, type User, users } from '../e2e/harness/stage.ts';
import { lines, network, type Step, stepsOf } from '../walls/steps.ts';
import { container, dropped, INSPECTION, READING, TAKING } from './docker.ts';
import {
  expectHolds,
  expectRefused,
  type Host,
  noLandlock,
  noNamespaces,
  unkept,
  unsealed,
  without,
} from './host.ts';

const OPEN_SETTINGS =
  "as root the command could write the kernel's settings (/proc/sys) and so run programs outside; run it as another user, or accept that by --allow-degraded kernel-settings; nothing was run (settings: EPERM)";

describe.each(users)('as $name', (user) => {
  test('a container with the calls of Docker’s default profile and SYS_PTRACE: runs, and every wall holds', async () => {
    await expectHolds(user, container(user), unsealed(user));
  });

  test.each([
    ['with the calls of Docker’s default profile', (user: User) => container(user)],
    ['without any capability', (user: User) => dropped(user)],
    ['that forbids namespaces', () => noNamespaces],
    ['that forbids mounts', () => without('mount=EPERM', 'mount_setattr=EPERM')],
  ] as const)(
    'a container %s, /proc/sys open to root: root is refused, any other user runs',
    async (_, host) => {
      if (user.uid === 0) await expectRefused(user, host(user), OPEN_SETTINGS);
      else await expectHolds(user, host(user));
    },
  );

  test('a container whose /proc/sys is read-only, as Docker’s is: nothing has to be accepted', async () => {
    const script = 'mount --bind -o ro /proc/sys /proc/sys && exec "$@"';
    const mounted = user.uid === 0 ? ['unshare', '-m', 'sh', '-c', script, 'sh'] : [];
    await expectHolds(user, [...mounted, ...container(user)]);
  });

  test('the same container: threads, programs with children and the exit status are as bare', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const script = `(echo hello > /dev/tcp/${a.at}); (echo hello > /dev/tcp/${b.at}) 2>/dev/null || echo no; sleep 0 & wait; exit 7`;
    const policy = policyOf([a.rule]);
    const outcome = await run(user, [
      ...container(user),
      ...sandlock(policy, ['bash', '-c', script], unsealed(user)),
    ]);
    expect(outcome).toEqual({
      stdout: 'no\n',
      stderr: '',
      status: 7,
      signal: null,
      timedOut: false,
    });
    expect([await a.take(), await b.take()]).toEqual([['hello\n'], []]);
    const thread = await run(user, [
      ...container(user),
      ...sandlock(policy, probe('thread', 'shared', a.at), unsealed(user)),
    ]);
    expect(thread.stdout).toBe('shared 0 -\n');
    expect(await a.take()).toEqual(['hello']);
  });

  test('a container without SYS_PTRACE: sockets are made by the supervisor, and every wall holds', async () => {
    await expectHolds(user, container(user, ...TAKING), unsealed(user));
  });

  test('a container of Docker 20.10, whose profile forbids process_vm_readv as well: every wall holds', async () => {
    await expectHolds(user, container(user, ...READING), unsealed(user));
    // By the call or by the file, which are two ways to read for one that takes descriptors too.
    await expectHolds(user, without('process_vm_readv=EPERM', 'process_vm_writev=EPERM'));
  });

  test('a container in which memory can not be read, or descriptors neither be taken nor given: refused, with the option that helps', async () => {
    const message =
      'the supervisor may not look into the command here: neither process_vm_readv nor /proc/PID/mem reads its memory, or pidfd_getfd is forbidden and what takes its place; a container allows all by --cap-add SYS_PTRACE; nothing was run (inspection: EPERM)';
    await expectRefused(user, container(user, ...INSPECTION), message, unsealed(user));
    await expectRefused(user, without('process_vm_readv=EPERM', 'preadv=EPERM'), message);
    const given = without('pidfd_getfd=EPERM', 'ioctl=EINVAL@1:0x40182103');
    await expectRefused(user, given, message);
  });

  test('a container in which nothing can be looked at, a policy that needs no inspection: runs, and the kernel holds it', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const [other] = await openTcp('127.0.0.1');
    const steps: readonly Step[] = [
      ['new a 2 1 0', '0'],
      [`connect a ${a.at}`, '0'],
      ['send a', '5'],
      ['new b 10 1 0', '0'],
      [`connect b ::ffff:${b.at}`, '0'],
      ['new c 2 1 0', '0'],
      [`connect c ${other.at}`, '0', 'EACCES'],
      ['new d 2 1 0', '0'],
      ['bind d 127.0.0.1/0', '0'],
      [`connect d ${a.at}`, '0'],
      ['new e 2 1 0', '0'],
      ['bind e 127.0.0.1/8098', '0', 'EACCES'],
      ['listen e', '0', 'EACCES'],
      ['new f 2 1 0', '0'],
      ['listen f', '0', 'EACCES'],
      ['new g 2 2 0', '0', 'EACCES'],
      ['new h 1 1 0', '0', 'EAFNOSUPPORT'],
      ['pair i j 1', '0'],
      ['send i', '5'],
      ['recv j', '5'],
    ];
    const print = (column: 1 | 2): string[] =>
      steps.map((step) => `${step[0]} = ${step[column] ?? step[1]}`);
    const bare = await run(user, stepsOf(steps));
    expect(lines(bare.stdout)).toEqual(print(1));
    expect(await other.take()).toEqual(['']);
    const families = ['inet', 'inet6', 'unix/pair', 'netlink/route'];
    const kernel = network({ allow: [`:${a.port}`], allow_families: families });
    const options = [...unsealed(user), '--stats'];
    const host = container(user, ...INSPECTION);
    const walled = await run(user, [...host, ...sandlock(kernel, stepsOf(steps), options)]);
    expect({ stdout: lines(walled.stdout), stderr: walled.stderr }).toEqual({
      stdout: print(2),
      stderr: 'sandlock: looked at 0 calls: 0 connects, 0 messages, 0 binds, 0 others\n',
    });
    expect(await other.take()).toEqual([]);
    // One rule more, and something would have to be looked at.
    const marker = join(makeDirectory(), 'was-run');
    for (const more of [
      { allow: [a.rule] },
      { allow: [`:${a.port}`], allow_bind: [':8098'] },
      { allow: [`:${a.port}`, 'udp://*:*'] },
      { allow: [`:${a.port}`], allow_families: ['inet', 'unix'] },
    ]) {
      const policy = network({ allow_families: families, ...more });
      const refused = await run(user, [
        ...host,
        ...sandlock(policy, ['touch', marker], unsealed(user)),
      ]);
      expect(refused).toMatchObject({
        status: 125,
        stderr: expect.stringContaining('(inspection: EPERM)'),
      });
    }
    const supervised = sandlock(kernel, ['touch', marker], [...unsealed(user), '--supervise']);
    expect((await run(user, [...host, ...supervised])).status).toBe(125);
    expect(existsSync(marker)).toBe(false);
  });

  test('a container that forbids seccomp: refused, the command is not run', async () => {
    const message =
      'the system call filter could not be installed; nothing was run (seccomp: EPERM)';
    await expectRefused(user, container(user, 'seccomp=EPERM'), message, unsealed(user));
  });

  test('a container that forbids Landlock: runs, the supervisor alone holds every wall', async () => {
    await expectHolds(
      user,
      [...container(user), ...noLandlock],
      [...unsealed(user), ...unkept],
      'EACCES',
    );
  });

  test.each([
    ['on a plain host', (): Host => [], () => ['--quiet']],
    ['in a container', (user: User) => container(user), unsealed],
  ] as const)(
    'a sandbox inside a sandbox, %s: says what it can not do',
    async (_, host, options) => {
      const marker = join(makeDirectory(), 'was-run');
      const inner = sandlock(policyOf([]), ['touch', marker], options(user));
      const outer = [
        ...host(user),
        ...sandlock(policyOf([':*', 'udp://:*']), inner, options(user)),
      ];
      expect(await run(user, outer)).toEqual({
        stdout: '',
        stderr:
          'sandlock: already inside a sandbox that supervises system calls; a second one can not start in it (nested: EBUSY)\n',
        status: 125,
        signal: null,
        timedOut: false,
      });
      expect((await runSandboxed(user, policyOf([]), ['ls', marker])).status).toBe(2);
    },
  );
});
