/**
 * `[program] allow_userns`: namespaces only under it; and then nothing is reached from inside them that was not before.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { mayMount } from '../e2e/harness/kernel.ts';
import { openTcp } from '../e2e/harness/listen.ts';
import { finished, run, runSandboxed, start } from '../e2e/harness/run.ts';
import { makeDirectory, users } from '../e2e/harness/stage.ts';
import { openDaemon } from './others.ts';
import { expectSteps, network, type Step } from './steps.ts';

const USER = 0x10000000;
const NETWORK = 0x40000000;
const MOUNT = 0x20000;
const USERNS = '[program]\nallow_userns = true';

/**
 * What root's unshare(1) says under every policy: /proc is read-only for root's commands, so no ids
 * can be mapped. Any other user maps its own as ever.
 */
const SEALED = {
  stdout: '',
  stderr: 'unshare: cannot open /proc/self/uid_map: Read-only file system\n',
  status: 1,
  signal: null,
  timedOut: false,
};

/** What a domain of files answers to who would change how mounts spread. */
const UNMOUNTED = {
  ...SEALED,
  stderr: 'unshare: cannot change root filesystem propagation: Operation not permitted\n',
};

describe.each(users)('as $name', (user) => {
  test('unshare(1) and every flag of unshare(2): work only under allow_userns', async () => {
    const command = ['unshare', '-Ur', 'true'];
    const works = { status: 0, stderr: '' };
    const bare = await run(user, command);
    expect(bare).toMatchObject(works);
    const allowed = await runSandboxed(user, network({ allow: [':*'] }, USERNS), command);
    expect(allowed).toEqual(user.uid === 0 ? SEALED : bare);
    expect(await runSandboxed(user, network({ allow: [':*'] }), command)).toMatchObject({
      status: 1,
      stderr: 'unshare: unshare failed: Operation not permitted\n',
    });
    // Mount, cgroup, UTS, IPC, user, PID, network, time; each beside a user namespace, which gives the right to it.
    for (const flag of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0, 0x20000000, NETWORK, 0x80]) {
      const step = `unshare ${USER | flag}`;
      await expectSteps(user, network({ allow: [] }), [[step, '0', 'EPERM']]);
    }
    await expectSteps(user, network({ allow: [] }, USERNS), [
      [`unshare ${USER | NETWORK | MOUNT}`, '0'],
    ]);
  });

  test('inside a new user and network namespace: no destination is reached, allowed or not', async () => {
    const [allowed, denied] = await openTcp('127.0.0.1', '127.0.0.2');
    const policy = network(
      { allow: [allowed.rule, `udp://${allowed.rule}`], allow_bind: [allowed.rule] },
      USERNS,
    );
    await expectSteps(user, policy, [
      // A socket from before belongs to the network it was made in, and is held to the rules as ever.
      ['new a 2 1 0', '0'],
      ['new b 2 1 0', '0'],
      [`unshare ${USER | NETWORK}`, '0'],
      [`connect a ${allowed.at}`, '0'],
      ['send a', '5'],
      [`connect b ${denied.at}`, '0', 'ECONNREFUSED'],
      ['send b', '5', 'EPIPE'],
      ['new c 2 1 0', '0'],
      [`connect c ${allowed.at}`, 'ENETUNREACH'],
      ['new d 2 2 0', '0'],
      [`sendto d ${allowed.at}`, 'ENETUNREACH'],
      ['new d 2 2 0', '0'],
      [`bind d ${allowed.at}`, '0', 'EACCES'],
      // Its capabilities are those of root in there; the kinds of sockets are the same as ever.
      ['new e 2 3 1', '0', 'EPROTONOSUPPORT'],
      ['new e 17 3 768', '0', 'EAFNOSUPPORT'],
      ['new e 16 3 12', '0', 'EPROTONOSUPPORT'],
    ]);
    expect(await allowed.take()).toEqual(['hello', 'hello']);
    expect(await denied.take()).toEqual(['hello']);
  });

  test('inside a namespace in a namespace: the same calls are looked at as before', async () => {
    const [allowed, denied] = await openTcp('127.0.0.1', '127.0.0.2');
    await expectSteps(user, network({ allow: [allowed.rule] }, USERNS), [
      [`unshare ${USER}`, '0'],
      [`unshare ${USER | MOUNT}`, 'EPERM'],
      ['new a 2 1 0', '0'],
      [`connect a ${allowed.at}`, '0'],
      ['send a', '5'],
      ['new b 2 1 0', '0'],
      [`connect b ${denied.at}`, '0', 'ECONNREFUSED'],
      ['new c 10 1 0', '0'],
      [`connect c ::ffff:${denied.at}`, '0', 'ECONNREFUSED'],
    ]);
    expect(await allowed.take()).toEqual(['hello', 'hello']);
    expect(await denied.take()).toEqual(['', '']);
    const nested = [
      'unshare',
      '-Ur',
      'unshare',
      '-Urmn',
      '--fork',
      '--pid',
      'sh',
      '-c',
      'echo in; exec ip link show dev lo',
    ];
    const bare = await run(user, nested);
    expect(bare.stdout).toContain('in\n1: lo: <LOOPBACK> mtu 65536');
    const walled = await runSandboxed(user, network({ allow: [':*'] }, USERNS), nested);
    expect(walled).toEqual(user.uid === 0 ? SEALED : mayMount ? bare : UNMOUNTED);
  });

  test('a program with mounts or a root of its own: no socket on a path, of its own or allowed, is bound or reached', async () => {
    const root = makeDirectory();
    const outside = join(root, 'outside');
    const daemon = await openDaemon(outside);
    const steps: Step[] = [
      ['new a 1 1 0', '0'],
      [`bind a {}/own`, '0'],
      ['listen a', '0'],
      ['new b 1 1 0', '0'],
      [`connect b ${outside}`, '0'],
      ['new b 1 1 0', '0'],
      ['connect b {}/own', '0'],
      [`unshare ${USER | MOUNT}`, '0'],
      // What a path leads to is no longer what it leads to outside, so none is believed.
      ['new b 1 1 0', '0'],
      [`connect b ${outside}`, '0', 'EACCES'],
      ['new b 1 1 0', '0'],
      ['connect b {}/own', '0', 'EACCES'],
      ['new b 1 1 0', '0'],
      ['bind b {}/later', '0', 'EACCES'],
      ['unlink {}/later', '0', 'ENOENT'],
      [`chroot ${root}`, '0'],
      ['new c 1 1 0', '0'],
      ['connect c /outside', '0', 'EACCES'],
      ['new d 1 1 0', '0'],
      ['bind d auto', '0'],
      ['new e 1 1 0', '0'],
      [`bind e /bound-${user.name}`, '0', 'EACCES'],
      [`unlink /bound-${user.name}`, '0', 'ENOENT'],
      ['pair f g 1', '0'],
      ['send f', '5'],
      ['recv g', '5'],
    ];
    await expectSteps(user, network({ allow: [], allow_unix: [outside] }, USERNS), steps, {
      inDirectory: true,
    });
    // Bare three times, and once under the policy before it had mounts of its own.
    expect(await daemon()).toEqual(['path 4 0', 'abstract 0 0']);
  });

  test('a program with mounts of its own: no outside socket is reached below a directory of allow_unix', async () => {
    const top = makeDirectory();
    const run = join(top, 'run');
    mkdirSync(run);
    writeFileSync(join(run, 'place'), '');
    const outside = await openDaemon(join(top, 'outside'));
    const allowed = await openDaemon(join(run, 'allowed'));
    await expectSteps(user, network({ allow: [], allow_unix: [`${run}/`] }, USERNS), [
      ['new a 1 1 0', '0'],
      [`connect a ${run}/allowed`, '0'],
      ['new b 1 1 0', '0'],
      [`connect b ${top}/outside`, '0', 'EACCES'],
      [`unshare ${USER | MOUNT}`, '0'],
      [`mount ${top}/outside ${run}/place`, '0', mayMount ? '0' : 'EPERM'],
      [`chdir ${run}`, '0'],
      ['new c 1 1 0', '0'],
      ['connect c ./place', '0', 'EACCES'],
      ['send c', '5', 'ENOTCONN'],
    ]);
    expect(await outside()).toEqual(['path 2 0', 'abstract 0 0']);
    expect(await allowed()).toEqual(['path 2 0', 'abstract 0 0']);
  });

  test('a process of another namespace outside: neither entered nor reached', async () => {
    const other = start(user, ['unshare', '-Urn', 'sleep', '30']);
    const ended = finished(other, 60_000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const enter = [
      'nsenter',
      '-t',
      String(other.pid),
      '-U',
      '-n',
      '--preserve-credentials',
      'true',
    ];
    expect(await run(user, enter)).toMatchObject({ status: 0, stderr: '' });
    for (const rest of ['', USERNS]) {
      const outcome = await runSandboxed(user, network({ allow: [':*'] }, rest), enter);
      expect(outcome.status).toBe(1);
      expect(outcome.stderr).toMatch(/(Permission denied|Operation not permitted)\n$/);
    }
    other.kill('SIGKILL');
    await ended;
  });
});
