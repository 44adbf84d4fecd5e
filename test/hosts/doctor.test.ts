/**
 * `sandlock doctor` on hosts that have less: whatever is taken away it names, with what follows,
 * and its verdict is what `exec` does there.
 */
import { describe, expect, test } from 'vitest';
import {
  hasScopes,
  holdsTcp,
  holdsThreads,
  mayMount,
  waitsKillably,
  wakesSynchronously,
} from '../e2e/harness/kernel.ts';
import { policyOf, run, sandlock } from '../e2e/harness/run.ts';
import { launcher, type User, users } from '../e2e/harness/stage.ts';
import { type Host, landlock, noLandlock, noNamespaces, without } from './host.ts';

interface Finding {
  readonly name: string;
  readonly state: string;
  readonly found: string;
  readonly consequence: string;
  readonly option?: string;
  readonly stage?: string;
}

interface Report {
  readonly verdict: string;
  readonly options: readonly string[];
  readonly user: number;
  readonly findings: readonly Finding[];
}

async function examine(user: User, host: Host): Promise<{ status: number | null; report: Report }> {
  const { stdout, stderr, status } = await run(user, [...host, ...launcher, 'doctor', '--json']);
  expect(stderr).toBe('');
  return { status, report: JSON.parse(stdout) };
}

/** Every finding that is neither fine nor a note, as `state name`. */
function lacks({ findings }: Report): string[] {
  return findings
    .filter(({ state }) => state !== 'ok' && state !== 'note')
    .map(({ state, name }) => `${state} ${name}`)
    .sort();
}

/** What the kernel at hand lacks by itself. */
const LACKING: readonly string[] = [
  ...(holdsTcp ? [] : ['landlock-tcp']),
  ...(hasScopes ? [] : ['landlock-scopes']),
  ...(holdsThreads ? [] : ['pidfd-thread']),
  ...(waitsKillably ? [] : ['wait-killable']),
  ...(wakesSynchronously ? [] : ['sync-wake-up']),
].map((name) => `fallback ${name}`);

/** These lacks beside those that are taken away; one that is worse then is told once. */
function beside(taken: readonly string[]): string[] {
  const nameOf = (lack: string): string => lack.split(' ')[1] ?? '';
  const names = taken.map(nameOf);
  // Nothing is told of a listener that there is not.
  if (names.includes('seccomp-listener')) names.push('wait-killable', 'sync-wake-up');
  return [...taken, ...LACKING.filter((lack) => !names.includes(nameOf(lack)))].sort();
}

const FULL: readonly (readonly [string, Host, readonly string[]])[] = [
  ['this host', [], []],
  ['rings forbidden', without('io_uring_setup=EPERM'), ['fallback io-uring']],
  ['no SYNC_WAKE_UP', without('ioctl=EINVAL@1:0x40082104'), ['fallback sync-wake-up']],
  ['no WAIT_KILLABLE_RECV', without('seccomp=EINVAL&1:0x20'), ['fallback wait-killable']],
  ['no pidfds of threads', without('pidfd_open=EINVAL&1:0x80'), ['fallback pidfd-thread']],
  ['no sock_diag', without('socket=EPROTONOSUPPORT@2:4'), ['fallback sock-diag']],
  ['kcmp forbidden', without('kcmp=EPERM'), []],
  ['pidfd_getfd forbidden, as by Docker', without('pidfd_getfd=EPERM'), ['fallback pidfd-getfd']],
  ['process_vm_readv forbidden, as by Docker 20.10', without('process_vm_readv=EPERM'), []],
  ['Landlock 6', landlock(6), []],
  ['Landlock 5', landlock(5), ['fallback landlock-scopes']],
  ['Landlock 3', landlock(3), ['fallback landlock-scopes', 'fallback landlock-tcp']],
];

const IMPOSSIBLE: readonly (readonly [string, Host, readonly string[], readonly string[]])[] = [
  [
    'descriptors can be neither taken nor given',
    without('pidfd_getfd=EPERM', 'ioctl=EINVAL@1:0x40182103'),
    ['missing pidfd-getfd'],
    ['inspection'],
  ],
  [
    'memory can be read by neither way',
    without('process_vm_readv=EPERM', 'preadv=EPERM'),
    ['missing inspect-child', 'missing read-memory'],
    ['inspection'],
  ],
  ['no seccomp', without('seccomp=ENOSYS'), ['missing seccomp-listener'], ['seccomp']],
  ['no close_range', without('close_range=ENOSYS'), ['missing close-range'], ['close-range']],
  ['no CLOSE_RANGE_UNSHARE', without('close_range=EINVAL&2:2'), ['missing close-range'], ['spawn']],
  ['no subreaper', without('prctl=EPERM@0:36'), ['missing prepare'], ['prepare']],
  [
    'domains can be made and not entered',
    without('landlock_restrict_self=EPERM'),
    [
      ...(hasScopes ? ['missing landlock-scopes'] : []),
      ...(holdsTcp ? ['missing landlock-tcp'] : []),
      'missing other-processes',
    ],
    hasScopes ? ['domain', 'landlock'] : ['landlock'],
  ],
];

describe.each(users)('as $name', (user) => {
  test.each(FULL)(
    '%s: runs fully, status 0, and says what it does instead',
    async (_, host, expected) => {
      const { status, report } = await examine(user, host);
      expect({ status, verdict: report.verdict, options: report.options }).toEqual({
        status: 0,
        verdict: 'full',
        options: [],
      });
      expect(report.user).toBe(user.uid);
      expect(lacks(report)).toEqual(beside(expected));
      const fallbacks = report.findings.filter(({ state }) => state === 'fallback');
      for (const { consequence } of fallbacks) expect(consequence).not.toBe('');
      expect(report.findings.at(-1)).toMatchObject({ name: 'self-test', state: 'ok' });
    },
  );

  test('namespaces forbidden: root has settings to give up, others do not', async () => {
    const { status, report } = await examine(user, noNamespaces);
    const note = report.findings.find(({ name }) => name === 'user-namespaces');
    expect(note).toMatchObject({ state: 'note', found: expect.stringContaining('EPERM') });
    const isRoot = user.uid === 0;
    expect(lacks(report)).toEqual(beside(isRoot ? ['degraded kernel-settings'] : []));
    expect(status).toBe(isRoot ? 1 : 0);
    expect(report.options).toEqual(isRoot ? ['--allow-degraded', 'kernel-settings'] : []);
  });

  test('Landlock 3: a domain of files, in which nobody mounts, as programs find under allow_userns', async () => {
    const note = async (host: Host) => {
      const { report } = await examine(user, host);
      return report.findings.find(({ name }) => name === 'user-namespaces');
    };
    expect(await note([])).toMatchObject({ state: mayMount ? 'ok' : 'note' });
    expect(await note(landlock(3))).toMatchObject({
      state: 'note',
      found: expect.stringContaining('EPERM'),
      consequence: expect.stringContaining('--allow-degraded other-processes'),
    });
  });

  test('no Landlock: other processes are to be given up', async () => {
    const { status, report } = await examine(user, noLandlock);
    const fallbacks = ['fallback landlock-scopes', 'fallback landlock-tcp'];
    expect(lacks(report)).toEqual(beside(['degraded other-processes', ...fallbacks]));
    expect(status).toBe(1);
    expect(report.options).toEqual(['--allow-degraded', 'other-processes']);
  });

  test.each(IMPOSSIBLE)(
    '%s: status 2, and exec refuses at the stage that is named',
    async (_, host, expected, stages) => {
      const { status, report } = await examine(user, host);
      expect({ status, verdict: report.verdict, options: report.options }).toEqual({
        status: 2,
        verdict: 'impossible',
        options: [],
      });
      expect(lacks(report)).toEqual(beside(expected));
      const named = report.findings.flatMap(({ stage }) => stage ?? []);
      expect([...new Set(named)].sort()).toEqual([...stages].sort());
      const { stderr, status: exit } = await run(user, [
        ...host,
        ...sandlock(policyOf([':*']), ['true']),
      ]);
      expect(exit).toBe(125);
      const [, stage] = /\((\S+): \w+\)\n$/.exec(stderr) ?? [];
      expect(stages).toContain(stage);
    },
  );

  test('inside a sandbox: can not run, because there is one', async () => {
    const { status, report } = await examine(user, sandlock(policyOf([':*']), []));
    expect(status).toBe(2);
    const found = report.findings.find(({ name }) => name === 'seccomp-listener');
    expect(found).toMatchObject({ state: 'missing', stage: 'nested' });
  });

  test('the report as text ends with the verdict', async () => {
    const { stdout, status } = await run(user, [...landlock(3), ...launcher, 'doctor']);
    expect(status).toBe(0);
    expect(stdout.split('\n').at(-2)).toBe('sandlock runs here, and every wall stands.');
    expect(stdout).toMatch(
      /^fallback {2}landlock-tcp {6}Landlock can not hold TCP here \(Linux 6\.7\)\n {28}→ /m,
    );
  });
});
