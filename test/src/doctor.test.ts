import { describe, expect, it } from 'vitest';
import { formatReport } from '../../src/commands/doctor.ts';
import { decodeAnswers } from '../../src/doctor/answers.ts';
import { type Finding, judge } from '../../src/doctor/findings.ts';
import { lookAround, type Surroundings } from '../../src/doctor/surroundings.ts';

function around(files: Readonly<Record<string, string>> = {}, environment = {}): Surroundings {
  return lookAround((path) => files[path], environment);
}

function named(findings: readonly Finding[], name: string): Finding | undefined {
  return findings.find((finding) => finding.name === name);
}

const WORKING = new Map(
  [
    ...[
      'landlock-tcp',
      'landlock-scopes',
      'kernel-settings',
      'other-processes',
      'seccomp-listener',
      'pidfd-open',
    ],
    ...['pidfd-getfd', 'read-memory', 'inspect-child', 'close-range', 'prepare', 'memory-file'],
    ...['wait-killable', 'sync-wake-up', 'pidfd-thread', 'kcmp', 'io-uring', 'sock-diag'],
    'user-namespaces',
  ].map((name) => [name, 0]),
).set('landlock-abi', 7);

describe('decodeAnswers', () => {
  it('reads names and signed values', () => {
    const bytes = Buffer.alloc(48);
    bytes.write('landlock-abi', 0);
    bytes.writeInt32LE(7, 20);
    bytes.write('a-name-of-20-letters', 24);
    bytes.writeInt32LE(-38, 44);
    expect([...decodeAnswers(bytes, 2)]).toEqual([
      ['landlock-abi', 7],
      ['a-name-of-20-letters', -38],
    ]);
    expect(decodeAnswers(bytes, 1).size).toBe(1);
  });
});

describe('lookAround', () => {
  it('reads limits of both versions of control groups, the narrowest on the way up', () => {
    const files = {
      '/proc/self/cgroup': '4:memory:/a\n0::/x/y\n',
      '/sys/fs/cgroup/memory/a/memory.limit_in_bytes': '9223372036854771712\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '1048576\n',
      '/sys/fs/cgroup/x/y/pids.max': 'max\n',
      '/sys/fs/cgroup/x/pids.max': '20\n',
      '/sys/fs/cgroup/x/y/memory.max': '5000\n',
      '/proc/self/limits':
        'Max open files            1024                 4096                 files\n',
    };
    const { limits, tight } = around(files);
    expect(limits).toEqual(['memory.max = 5000', 'pids.max = 20', 'open files = 4096']);
    expect(tight).toEqual(['pids.max = 20']);
  });

  it('tells containers, filters and settings', () => {
    expect(around().container).toBeUndefined();
    expect(around({ '/.dockerenv': '' }).container).toBe('Docker');
    expect(around({ '/run/.containerenv': '' }).container).toBe('Podman');
    expect(around({}, { KUBERNETES_SERVICE_HOST: '10.0.0.1' }).container).toBe('Kubernetes');
    const status = 'CapEff:\t00000000a80425fb\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n';
    expect(around({ '/proc/self/status': status })).toMatchObject({
      capabilities: '00000000a80425fb',
      filters: 3,
      noNewPrivileges: true,
    });
    expect(around({ '/proc/self/status': 'Seccomp:\t0\n' }).filters).toBe(0);
    expect(around({ '/proc/self/status': 'Seccomp:\t2\n' }).filters).toBe(1);
    const settings = {
      '/proc/sys/kernel/yama/ptrace_scope': '2\n',
      '/proc/sys/kernel/io_uring_disabled': '2\n',
      '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1\n',
      '/proc/sys/user/max_user_namespaces': '7000\n',
    };
    expect(around(settings)).toMatchObject({
      yamaScope: 2,
      ringsDisabled: 2,
      namespaceLimits: ['kernel.apparmor_restrict_unprivileged_userns = 1'],
    });
  });
});

describe('judge', () => {
  it('finds nothing wrong where everything works', () => {
    const states = judge(WORKING, around()).map(({ state }) => state);
    expect(new Set(states)).toEqual(new Set(['ok', 'note']));
  });

  it('takes a missing answer for a missing feature', () => {
    const findings = judge(new Map(), around());
    expect(named(findings, 'landlock-tcp')).toMatchObject({
      state: 'fallback',
      found: 'Landlock can not hold TCP here (Linux 6.7)',
    });
    expect(named(findings, 'prepare')).toMatchObject({ state: 'missing', stage: 'prepare' });
  });

  it('names Yama, AppArmor and the switch of io_uring where they are the cause', () => {
    const answers = new Map([
      ...WORKING,
      ['inspect-child', -1],
      ['io-uring', -1],
      ['user-namespaces', -1],
    ]);
    const findings = judge(
      answers,
      around({
        '/proc/sys/kernel/yama/ptrace_scope': '3\n',
        '/proc/sys/kernel/io_uring_disabled': '2\n',
        '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1\n',
      }),
    );
    expect(named(findings, 'inspect-child')).toMatchObject({
      state: 'missing',
      stage: 'inspection',
    });
    expect(named(findings, 'inspect-child')?.consequence).toContain('ptrace_scope is 3');
    expect(named(findings, 'io-uring')?.consequence).toContain('io_uring_disabled = 2');
    expect(named(findings, 'user-namespaces')?.consequence).toContain('apparmor');
  });

  it('does not take a domain that lets calls pass for one', () => {
    const findings = judge(new Map([...WORKING, ['landlock-scopes', -71]]), around());
    expect(named(findings, 'landlock-scopes')).toMatchObject({ state: 'missing', stage: 'domain' });
  });

  it('lets the memory of other processes be given up, but not a domain that can not be entered', () => {
    const found = (answer: number): Finding | undefined =>
      named(judge(new Map([...WORKING, ['other-processes', answer]]), around()), 'other-processes');
    expect(found(-71)).toMatchObject({ state: 'degraded', option: 'other-processes' });
    expect(found(-1)).toMatchObject({ state: 'missing', stage: 'landlock' });
  });
});

describe('formatReport', () => {
  it('says at which stages exec refuses', () => {
    const findings = judge(new Map([...WORKING, ['close-range', -38], ['prepare', -1]]), around());
    const { kernel, architecture, node, user } = around();
    const about = { version: '1.2.3', kernel, architecture, node, user, options: [] };
    const text = formatReport({ ...about, verdict: 'impossible', findings });
    expect(text).toMatch(
      /\nsandlock can not run here; exec refuses at: close-range \(close-range\), prepare \(prepare\)\n$/,
    );
    expect(text).toContain('→ this kernel is too old (Linux 5.9), or a filter forbids it\n');
  });
});
