/**
 * Row G: what the sandboxed program can do to processes above and beside it: a bystander of the
 * same user, the supervisor, and the process that started sandlock. Judged from outside: by what
 * /proc says of them afterwards, and by the signals the bystander counted.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { hasScopes } from '../e2e/harness/kernel.ts';
import { parentOf, processesWith, until } from '../e2e/harness/processes.ts';
import { finished, policyOf, run, sandlock, start } from '../e2e/harness/run.ts';
import { probe, type User, users } from '../e2e/harness/stage.ts';
import { answered } from './harness/row.ts';
import { ALLOWED, openWitness } from './harness/witness.ts';

/**
 * Ways that reach every process of the user in this namespace: bare and as root, that would be the tests themselves.
 */
const WIDE = 'user-nice,user-io-priority';

/** Bare, the errors there are: rights that only root has, and what is no error of rights. */
const BARE_ERRORS = {
  root: [],
  nobody: ['advise -1 EPERM', 'timer-slack -1 EPERM'],
} as const;

/** One by each of five ways, and one more by the owned pipe, when its writer ends. */
const SIGNALS = 6;

const ALL_BUT_ORDER = [
  ...['limit', 'limit-files', 'limit-read', 'nice', 'nice-group', 'user-nice', 'affinity'],
  ...['attributes', 'scheduler', 'io-priority', 'user-io-priority', 'seize', 'read-memory'],
  ...['write-memory', 'memory', 'environment', 'maps', 'descriptors', 'reopen'],
  ...['take-descriptor', 'advise', 'timer-slack', 'owner', 'queue', 'pidfd', 'tgkill', 'kill'],
].join(',');

const witness = openWitness();

describe.each(users)('as $name', (user) => {
  test('G bare: a process of the same user is signalled, limited, slowed, traced and read', async () => {
    await witness.begin();
    const bystander = await startBystander(user);
    const before = stateOf(bystander.pid);
    const skipped = user.name === 'root' ? WIDE : '-';
    const intruder = start(user, probe('hostile-intruder', skipped, String(bystander.pid)));
    intruder.stdin?.end('go');
    const { stdout } = await finished(intruder);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.filter((line) => !/^\S+ 0 -$/.test(line))).toEqual(BARE_ERRORS[user.name]);
    expect(lines.length).toBe(user.name === 'root' ? 26 : 28);
    expect(await bystander.signals()).toBe(SIGNALS);
    const after = stateOf(bystander.pid);
    const changed = Object.keys(before).filter((key) => before[key] !== after[key]);
    expect(changed).toEqual(['limits', 'nice', 'policy', 'cpus', 'oom']);
  });

  test('G: bystander, supervisor and host are not to be touched from inside', async () => {
    await witness.begin();
    const bystander = await startBystander(user);
    const command = probe('hostile-intruder', 'first-to-die', String(bystander.pid), '0', '-1');
    const host = start(user, sandlock(policyOf(ALLOWED), command));
    onTestFinished(() => void host.kill('SIGKILL'));
    const inside = await pidOf(command.join(' '), host.pid ?? 0);
    const pids = [bystander.pid, parentOf(inside), parentOf(parentOf(inside))];
    expect(pids[2]).toBe(host.pid);
    const before = pids.map(stateOf);
    let stdout = '';
    host.stdout?.on('data', (text) => {
      stdout += text;
    });
    host.stdin?.write('g');
    await until('all ways were tried', () => stdout.split('\n').length > 3 * 27, 10_000);
    expect(pids.map(stateOf)).toEqual(before);
    expect(await bystander.signals()).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    // Setting the owner of a descriptor works where the signal is kept from it by the kernel.
    const reached = lines.filter((line) => !/^\S+ -1 (EPERM|EACCES|ENOENT|EROFS)$/.test(line));
    expect(reached).toEqual(hasScopes ? ['owner 0 -', 'owner 0 -', 'owner 0 -'] : []);
    host.stdin?.end('g');
    expect(await finished(host)).toMatchObject({ status: 0, signal: null });
  });

  // As any user but root it can be changed for processes of the same user: whoever is ended first
  // takes the sandbox with it (SECURITY.md).
  test('G3: the order in which the kernel ends processes when memory is short: never the supervisor’s, and none as root', async () => {
    await witness.begin();
    const bystander = await startBystander(user);
    const command = probe('hostile-intruder', ALL_BUT_ORDER, String(bystander.pid), '0', '-1');
    const host = start(user, sandlock(policyOf(ALLOWED), command));
    onTestFinished(() => void host.kill('SIGKILL'));
    host.stdin?.write('g');
    const answers = await new Promise<string>((resolve) => {
      let stdout = '';
      host.stdout?.on('data', (text) => {
        stdout += text;
        if (stdout.split('\n').length > 3) resolve(stdout);
      });
    });
    const inside = await pidOf(command.join(' '), host.pid ?? 0);
    const pids = [bystander.pid, parentOf(inside), host.pid ?? 0];
    const isRoot = user.name === 'root';
    expect({ answers, order: pids.map((pid) => stateOf(pid).oom) }).toEqual({
      answers: isRoot
        ? 'first-to-die -1 EROFS\n'.repeat(3)
        : 'first-to-die 0 -\nfirst-to-die -1 EACCES\nfirst-to-die 0 -\n',
      order: isRoot ? ['0', '0', '0'] : ['999', '0', '999'],
    });
  });

  test('G4 the group of the host, and of who started it, does not own a descriptor', async () => {
    const command = probe('hostile-owners');
    // The shell is of the same group, outside.
    const shell = ['bash', '-c', 'trap "echo reached" USR1; "$@"; echo over', 'bash'];
    const ways = ['own', 'own-kind', 'own-fio', 'own-sio'];
    const lines = (answer: string) => ways.map((way) => `${way} ${answer}`);
    const bare = await run(user, [...shell, ...command]);
    expect(bare).toEqual(answered([...lines('0 -'), 'reached', 'over']));
    const inside = await run(user, [...shell, ...sandlock(policyOf(ALLOWED), command)]);
    expect(inside).toEqual(answered([...lines('-1 EPERM'), 'over']));
  });

  test('G an orphan that gets the number of the command ends as an orphan: the status stays', async () => {
    beginNumbersAnew();
    const command = sandlock(policyOf(ALLOWED), probe('hostile-namesake'), [
      ...['--quiet', '--linger', '30'],
    ]);
    expect(await run(user, command, { timeoutMs: 40_000 })).toEqual(answered(['again 0 -']));
  });
});

/** Process numbers of this namespace end soon and begin anew; below 300 none is given twice. */
function beginNumbersAnew(): void {
  const most = '/proc/sys/kernel/pid_max';
  const before = readFileSync(most, 'utf8');
  onTestFinished(() => writeFileSync(most, before));
  writeFileSync(most, '2000');
  writeFileSync('/proc/sys/kernel/ns_last_pid', '1000');
}

interface Bystander {
  readonly pid: number;
  /** Signals that reached it. */
  signals(): Promise<number>;
}

async function startBystander(user: User): Promise<Bystander> {
  const child = start(user, probe('hostile-bystander'));
  onTestFinished(() => void child.kill('SIGKILL'));
  expect(await lineOf(child)).toBe('ready\n');
  return {
    pid: child.pid ?? 0,
    async signals() {
      child.stdin?.write('?\n');
      return Number((await lineOf(child)).split(' ')[1]);
    },
  };
}

function lineOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => child.stdout?.once('data', (text) => resolve(String(text))));
}

/** The process with that command line which is not the host's. */
async function pidOf(commandLine: string, host: number): Promise<number> {
  const find = () =>
    processesWith(commandLine).find((pid) => pid !== host && parentOf(parentOf(pid)) === host);
  await until('the command runs', () => find() !== undefined);
  return find() ?? 0;
}

/** What others could have changed of a process. */
function stateOf(pid: number): Record<string, string> {
  const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8');
  const stat = read('stat')
    .replace(/^.*\) /s, '')
    .split(' ');
  const status = read('status');
  return {
    limits: read('limits'),
    nice: stat[16] ?? '',
    policy: stat[38] ?? '',
    cpus: /^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '',
    tracer: /^TracerPid:\s*(.*)$/m.exec(status)?.[1] ?? '',
    oom: read('oom_score_adj').trim(),
  };
}
