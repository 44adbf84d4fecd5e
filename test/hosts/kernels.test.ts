/**
 * Kernels that lack something: without Landlock, or with an older one; without rings, close_range,
 * thread pidfds, newer flags of seccomp. Each runs with every wall, or refuses and names what is
 * missing.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openBacklog } from '../e2e/harness/backlog.ts';
import { holdsTcp, holdsThreads } from '../e2e/harness/kernel.ts';
import { openTcp } from '../e2e/harness/listen.ts';
import { policyOf, run, sandlock } from '../e2e/harness/run.ts';
import { launcher, makeDirectory, probe, users } from '../e2e/harness/stage.ts';
import {
  expectHolds,
  expectRefused,
  type Host,
  landlock,
  noLandlock,
  noNamespaces,
  unkept,
  unsealed,
  without,
} from './host.ts';

const UNKEPT =
  'the command could write to what other processes of its user have open and act as they: there is no Landlock here; run it as a user of its own, or accept it by --allow-degraded other-processes; nothing was run (processes: EPERM)';

const LESS: readonly (readonly [string, Host])[] = [
  ['without Landlock', noLandlock],
  ...[1, 2, 3, 4, 5].map((version) => [`with Landlock ABI ${version}`, landlock(version)] as const),
];

describe.each(users)('as $name', (user) => {
  test.each(LESS)('a kernel %s: runs, the supervisor alone holds every wall', async (_, host) => {
    // Without a scope the supervisor itself keeps to no abstract name at all.
    await expectHolds(user, host, host === noLandlock ? unkept : ['--quiet'], 'EACCES');
  });

  test.each([6, 7])(
    'a kernel with Landlock ABI %i: runs, and abstract names are kept by the kernel, if it can',
    async (version) => {
      await expectHolds(user, landlock(version));
    },
  );

  /** A command line run beside a process of the same user outside, whose number is `$other`. */
  const beside = (command: readonly string[]): string[] => {
    // Somebody outside without capabilities: root's others are kept by those.
    const bare = user.uid === 0 ? 'setpriv --bounding-set=-all --inh-caps=-all ' : '';
    const outside = `${bare}sleep 60 & export other=$!; while ! grep -q sleep /proc/$other/comm; do :; done; "$@"; kill $other`;
    return ['sh', '-c', outside, 'sh', ...command];
  };

  test.each([1, 2, 3, 4, 5, 6, 7])(
    'a kernel with Landlock ABI %i: the memory of a process outside is not opened by its file',
    async (version) => {
      const opens = ['sh', '-c', 'exec 3<>/proc/$other/mem && echo opened'];
      expect((await run(user, beside(opens))).stdout).toBe('opened\n');
      const held = [...landlock(version), ...sandlock(policyOf([':*']), opens)];
      expect((await run(user, beside(held))).stdout).toBe('');
    },
  );

  test('with any Landlock the processes of the command are open to each other, others to none of them', async () => {
    const [program = ''] = probe('walls');
    const policy = policyOf([':*']);
    const answers = async (way: string, host: Host, options: readonly string[] = ['--quiet']) => {
      const command = ['sh', '-c', `exec "$0" ${way}-inside ${way}-outside=$other`, program];
      const bare = await run(user, beside([...host, ...command]));
      const held = await run(user, beside([...host, ...sandlock(policy, command, options)]));
      return [bare.stdout, held.stdout].map((text) => text.replaceAll(`${way}-`, ''));
    };
    const all = 'inside 0 -\noutside 0 -\n';
    for (const version of [1, 2, 3, 4, 5, 6, 7]) {
      const kept = [all, 'inside 0 -\noutside -1 EPERM\n'];
      expect(await answers('take', landlock(version)), `ABI ${version}`).toEqual(kept);
    }
    const none = [all, 'inside -1 EPERM\noutside -1 EPERM\n'];
    // What is given up is not half kept: the domain that there is before ABI 4 is for that alone.
    expect(await answers('take', landlock(3), unkept)).toEqual(none);
    expect(await answers('take', noLandlock, unkept)).toEqual(none);
    const [, traced] = await answers('trace', noLandlock, unkept);
    expect(traced).toBe('inside -1 EPERM\noutside -1 EPERM\n');
  });

  test('a kernel without Landlock: nothing is run unless the user accepts it', async () => {
    await expectRefused(user, noLandlock, UNKEPT);
  });

  test('there learn is refused as well, and takes the same option', async () => {
    const [a] = await openTcp('127.0.0.1');
    const file = join(makeDirectory(), 'policy.toml');
    const learn = (...options: string[]) => {
      const command = ['bash', '-c', `(echo hello > /dev/tcp/${a.at})`];
      const learning = [...launcher, 'learn', '-o', file, ...options, '--', ...command];
      return run(user, [...noLandlock, ...learning]);
    };
    const refused = await learn();
    expect(refused).toMatchObject({ status: 125, stderr: `sandlock: ${UNKEPT}\n` });
    const unknown =
      'sandlock: --allow-degraded takes kernel-settings, other-processes, not walls\n';
    expect(await learn('--allow-degraded', 'walls')).toMatchObject({ status: 2, stderr: unknown });
    expect([existsSync(file), await a.take()]).toEqual([false, []]);
    expect(await learn('--allow-degraded', 'other-processes')).toMatchObject({ status: 0 });
    expect(readFileSync(file, 'utf8')).toContain(`"${a.rule}"`);
    expect(await a.take()).toEqual(['hello\n']);
  });

  test.each([2, 3])(
    'a kernel with Landlock ABI %i: files still move between directories',
    async (version) => {
      const moves =
        'mkdir a b && echo x > a/f && i=$(stat -c %i a/f) && mv a/f b/f && ln b/f a/g && [ $i = $(stat -c %i a/g) ] && echo moved';
      const command = sandlock(policyOf([':*']), ['sh', '-c', moves]);
      const cwd = makeDirectory();
      expect((await run(user, [...landlock(version), ...command], { cwd })).stdout).toBe('moved\n');
    },
  );

  const WORKS: readonly (readonly [string, Host])[] = [
    ['that forbids rings (EPERM)', without('io_uring_setup=EPERM')],
    [
      'without rings (ENOSYS)',
      without('io_uring_setup=ENOSYS', 'io_uring_enter=ENOSYS', 'io_uring_register=ENOSYS'),
    ],
    ['without SYNC_WAKE_UP (before 6.6)', without('ioctl=EINVAL@1:0x40082104')],
    ['without WAIT_KILLABLE_RECV (before 5.19)', without('seccomp=EINVAL&1:0x20')],
    ['without pidfds of threads (before 6.9)', without('pidfd_open=EINVAL&1:0x80')],
    ['without clone3 (before 5.3)', without('clone3=ENOSYS')],
    [
      'without all of these at once',
      without(
        ...['io_uring_setup=ENOSYS', 'ioctl=EINVAL@1:0x40082104', 'seccomp=EINVAL&1:0x20'],
        ...['pidfd_open=EINVAL&1:0x80', 'clone3=ENOSYS'],
      ),
    ],
  ];
  test.each(WORKS)('a kernel %s: runs, and every wall holds', async (_, host) => {
    await expectHolds(user, host);
  });

  test('without rings: 200 connects that hang keep no thread each, another is made at once, another refused at once', async () => {
    const hung = await openBacklog();
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const command = probe('hang', 'many', '200', hung.at, a.at, b.at);
    const outcome = await run(user, [
      ...without('io_uring_setup=EPERM'),
      ...sandlock(policyOf([a.rule, `127.0.0.1:${hung.port}`]), command),
    ]);
    // Threads that have begun a connect and wait for the next one are kept, eight at most.
    expect(outcome.stdout).toBe(
      'good 0 -\nquick\nbad -1 ECONNREFUSED\nquick\nthreads of the parent: some\n',
    );
    expect(await a.take()).toEqual(['hello']);
    expect(await b.take()).toEqual([]);
  });

  test('a kernel that forbids namespaces: every wall holds, and root has accepted its open settings', async () => {
    await expectHolds(user, noNamespaces, unsealed(user));
  });

  test('without pidfds of threads: a thread of the shared table is served, one with a table of its own refused', async () => {
    const [a] = await openTcp('127.0.0.1');
    const policy = policyOf([a.rule]);
    const own: [string, string[]] = holdsThreads ? ['own 0 -', ['hello']] : ['own -1 EPERM', []];
    const rows: readonly (readonly [Host, string, string, string[]])[] = [
      [[], 'shared', 'shared 0 -', ['hello']],
      [[], 'own', ...own],
      [without('pidfd_open=EINVAL&1:0x80'), 'shared', 'shared 0 -', ['hello']],
      [without('pidfd_open=EINVAL&1:0x80'), 'own', 'own -1 EPERM', []],
      // Whether the tables are the same can not be asked either.
      [without('pidfd_open=EINVAL&1:0x80', 'kcmp=EPERM'), 'shared', 'shared -1 EPERM', []],
    ];
    for (const [host, form, line, arrived] of rows) {
      const command = probe('thread', form, a.at);
      expect((await run(user, [...host, ...command])).stdout).toBe(`${form} 0 -\n`);
      expect(await a.take()).toEqual(['hello']);
      expect((await run(user, [...host, ...sandlock(policy, command)])).stdout).toBe(`${line}\n`);
      expect(await a.take()).toEqual(arrived);
    }
  });

  const REFUSED: readonly (readonly [string, Host, string])[] = [
    [
      'without pidfd_getfd (before 5.6)',
      without('pidfd_getfd=ENOSYS', 'ioctl=EINVAL@1:0x40182103'),
      'this kernel is too old: pidfd_getfd (Linux 5.6) is needed; nothing was run (inspection: ENOSYS)',
    ],
    [
      'without listeners in seccomp (before 5.0)',
      without('seccomp=EINVAL&1:0x28'),
      'this kernel lacks a seccomp feature that is needed; nothing was run (seccomp: EINVAL)',
    ],
    [
      'without seccomp',
      without('seccomp=ENOSYS'),
      'this kernel lacks a seccomp feature that is needed; nothing was run (seccomp: ENOSYS)',
    ],
    [
      'without close_range (before 5.9)',
      without('close_range=ENOSYS'),
      'this kernel is too old: close_range (Linux 5.9) is needed; nothing was run (close-range: ENOSYS)',
    ],
    [
      'without CLOSE_RANGE_UNSHARE',
      without('close_range=EINVAL&2:2'),
      'the sandbox could not be started; nothing was run (spawn: EINVAL)',
    ],
    [
      'that forbids to become a subreaper',
      without('prctl=EPERM@0:36'),
      'the sandbox could not be started; nothing was run (prepare: EPERM)',
    ],
    [
      'without pidfd_open (before 5.3)',
      without('pidfd_open=ENOSYS'),
      'this kernel is too old: pidfd_getfd (Linux 5.6) is needed; nothing was run (inspection: ENOSYS)',
    ],
  ];
  test.each(REFUSED)(
    'a kernel %s: refused by name, and the command is not run',
    async (_, host, message) => {
      await expectRefused(user, host, message);
    },
  );
});

/**
 * A kernel with Yama in that scope, as far as its setting tells, for root; the command line runs as
 * `uid`. Nothing else of /proc/sys/kernel is there.
 */
function yama(scope: number, uid: number): Host {
  const script = [
    'mount -t tmpfs none /proc/sys/kernel && mkdir /proc/sys/kernel/yama',
    `echo core > /proc/sys/kernel/core_pattern && echo ${scope} > /proc/sys/kernel/yama/ptrace_scope`,
    `exec setpriv --reuid ${uid} --regid ${uid} --clear-groups "$@"`,
  ];
  return ['unshare', '-m', 'sh', '-c', script.join(' && '), 'sh'];
}

describe.each(users.filter(({ uid }) => uid === 0))('as $name', (root) => {
  test.each([1, 2, 3])(
    'with Yama in scope 1 and Landlock ABI %i: what a process outside reads is not written by its link in /proc',
    async (version) => {
      const outside =
        'tail -f /dev/null | cat >got & other=$!; while ! grep -q cat /proc/$other/comm; do :; done; "$@"; sleep 0.2; cat got; kill $other';
      const writes = ['sh', '-c', 'echo written >/proc/$other/fd/0'];
      const beside = async (command: readonly string[]): Promise<string> => {
        const host = [...yama(1, 65534), 'sh', '-c', `export other; ${outside}`, 'sh'];
        return (await run(root, [...host, ...command], { cwd: makeDirectory() })).stdout;
      };
      expect(await beside(writes)).toBe('written\n');
      expect(await beside([...landlock(version), ...sandlock(policyOf([':*']), writes)])).toBe('');
    },
  );

  test('with Yama in scope 1 and without Landlock: nothing is run unless that is accepted', async () => {
    await expectRefused(root, [...yama(1, 65534), ...noLandlock], UNKEPT);
  });

  test.each([
    ['root', 0],
    ['nobody', 65534],
  ] as const)(
    'with Yama, as %s: from scope 2 on refused by name, unless nothing is looked at',
    async (_, uid) => {
      const message =
        'kernel.yama.ptrace_scope is 2 or 3, which keeps the supervisor out of the command; 1 is enough; nothing was run (inspection: EACCES)';
      const closed = '[network]\nallow = []\nallow_families = ["inet/stream", "unix/pair"]\n';
      for (const scope of [0, 1, 2, 3]) {
        const host = yama(scope, uid);
        const [looks, looksNot] = await Promise.all(
          [policyOf([':*']), closed].map((policy) =>
            run(root, [...host, ...sandlock(policy, ['echo', 'ran'], unsealed(root))]),
          ),
        );
        const ran = { stdout: 'ran\n', stderr: '', status: 0 };
        const refused = { stdout: '', stderr: `sandlock: ${message}\n`, status: 125 };
        // Where Landlock can not hold TCP, connects are looked at under every policy.
        expect(looksNot).toMatchObject(scope < 2 || holdsTcp ? ran : refused);
        expect(looks).toMatchObject(scope < 2 ? ran : refused);
      }
    },
  );
});
