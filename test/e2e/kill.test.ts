/**
 * Whatever dies, nothing survives it: a command with a child and an orphan in a session of its own, both ignoring every
 * signal, both reaching an allowed listener 50 times a second, until Node, the supervisor or both are killed.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Listener, openTcp } from './harness/listen.ts';
import { parentOf, processesWith, readProc, sleep, until } from './harness/processes.ts';
import { finished, killGroup, policyOf, sandlock, start } from './harness/run.ts';
import { makeDirectory, probe, type User, users } from './harness/stage.ts';

interface Running {
  readonly child: ChildProcess;
  /** In every command line of the tree below the launcher, and nowhere else. */
  readonly mark: string;
  readonly files: readonly string[];
  readonly listener: Listener;
}

describe.each(users)('as $name', (user) => {
  test('the same tree without sandlock: the orphan outlives its process group and reaches on', async () => {
    const running = await startTree(user, (command) => command);
    killGroup(running.child.pid ?? 0);
    await sleep(300);
    expect(processesWith(running.mark).length).toBeGreaterThan(0);
    await running.listener.take();
    await sleep(200);
    expect(await running.listener.take()).not.toEqual([]);
    endAll(running.mark);
  });

  test('Node is killed: the tree is gone and nothing arrives any more', async () => {
    const running = await startSandboxed(user);
    running.child.kill('SIGKILL');
    await expectGone(running);
  });

  test('the supervisor is killed: the tree is gone, sandlock says so with status 125', async () => {
    const running = await startSandboxed(user);
    const outcome = finished(running.child);
    process.kill(supervisorOf(running), 'SIGKILL');
    await expectGone(running);
    expect(await outcome).toEqual({
      stdout: '',
      stderr:
        "sandlock: the supervisor died; the command's processes were ended, or have no network any more (supervisor: EOWNERDEAD)\n",
      status: 125,
      signal: null,
      timedOut: false,
    });
  });

  test('the supervisor is killed while nobody reads what sandlock has to say: the tree is gone', async () => {
    const refused = ': < /dev/tcp/127.0.0.1/$((++port))';
    const fill = `head -c 99999999 /dev/zero >&2 & while :; do ${refused}; sleep 0.01; done 2> /dev/null &`;
    const running = await startTree(user, (command, listener) => [
      ...['bash', '-c', 'exec "$@" 2> >(exec sleep 30)', 'unread'],
      ...sandlock(
        policyOf([listener.rule]),
        ['bash', '-c', `${fill} exec "$@"`, 'fill', ...command],
        [],
      ),
    ]);
    onTestFinished(() => killGroup(running.child.pid ?? 0));
    const pid = running.child.pid ?? 0;
    await sleep(500);
    process.kill(supervisorOf(running), 'SIGKILL');
    // Its own command line is that of the tree as well.
    const isAlone = () => processesWith(running.mark).every((other) => other === pid);
    await until('nobody else is left', isAlone, 3000);
    await until('it waits for room, for good', waitsFor(pid));
    const ended = new Promise((resolve) =>
      running.child.on('exit', (_, signal) => resolve(signal)),
    );
    process.kill(pid, 'SIGTERM');
    expect(await ended).toBe('SIGTERM');
  });

  test('the command has filled standard error: the log goes on, and what waits for room can be ended', async () => {
    const log = join(makeDirectory(), 'log');
    const fill = 'head -c 99999999 /dev/zero >&2 & sleep 0.5';
    const refused = 'for port in 1 2 3 4 5 6 7 8; do : < /dev/tcp/127.0.0.1/$port; sleep 0.1; done';
    const child = start(user, [
      ...['bash', '-c', 'exec "$@" 2> >(exec sleep 30)', 'unread'],
      ...sandlock(
        policyOf([]),
        ['bash', '-c', `${fill}; { ${refused}; } 2> /dev/null; kill $!; exit 7`],
        ['--log', log],
      ),
    ]);
    onTestFinished(() => killGroup(child.pid ?? 0));
    const count = () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0);
    await until('all refusals are in the log', () => count() === 8, 12_000);
    await until('it waits for room, for good', waitsFor(child.pid ?? 0));
    const ended = new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal)));
    child.kill('SIGTERM');
    expect(await ended).toBe('SIGTERM');
  });

  test("Node's process group is killed, the command with it: the rest of the tree is gone", async () => {
    const running = await startSandboxed(user);
    killGroup(running.child.pid ?? 0);
    await expectGone(running);
  });

  test('Node is stopped and then killed: the tree is gone', async () => {
    const running = await startSandboxed(user);
    running.child.kill('SIGSTOP');
    running.child.kill('SIGKILL');
    await expectGone(running);
  });

  test('the supervisor is stopped while Node is killed: gone once it goes on', async () => {
    const running = await startSandboxed(user);
    const supervisor = supervisorOf(running);
    process.kill(supervisor, 'SIGSTOP');
    running.child.kill('SIGKILL');
    process.kill(supervisor, 'SIGCONT');
    await expectGone(running);
  });

  test('Node and the supervisor are killed in the same instant: nothing arrives any more', async () => {
    const running = await startSandboxed(user);
    const supervisor = supervisorOf(running);
    process.kill(supervisor, 'SIGKILL');
    running.child.kill('SIGKILL');
    await sleep(300);
    await running.listener.take();
    await sleep(300);
    expect(await running.listener.take()).toEqual([]);
    // Who ends survivors when both are gone at once is not promised; that they reach nothing is.
    endAll(running.mark);
  });

  test.each(['Node', 'the supervisor'])(
    'chains of processes that fork and end all the time: none is left when %s is killed',
    async (whom) => {
      const mark = makeDirectory();
      const child = start(user, sandlock(policyOf([]), probe('chains', '6', mark)));
      onTestFinished(() => {
        child.kill('SIGKILL');
        endAll(mark);
      });
      await new Promise((resolve) => child.stdout?.once('data', resolve));
      await sleep(100);
      const command = processesWith(`${probe('chains')[0]} 6 ${mark}`).find((pid) => {
        return parentOf(parentOf(pid)) === child.pid;
      });
      const victim = whom === 'Node' ? (child.pid ?? 0) : parentOf(command ?? 0);
      expect(victim).toBeGreaterThan(1);
      process.kill(victim, 'SIGKILL');
      await until('no process is left', () => processesWith(mark).length === 0, 3000);
      await sleep(200);
      expect(processesWith(mark)).toEqual([]);
    },
  );

  test('a termination signal after the command has ended: ends the orphans it left', async () => {
    const [listener] = await openTcp('127.0.0.1');
    const file = join(makeDirectory(), 'orphan');
    const child = start(
      user,
      sandlock(policyOf([listener.rule]), probe('heartbeat', file, listener.at, 'orphan')),
    );
    const running = { child, mark: file, files: [file], listener };
    onTestFinished(() => endAll(file));
    await until('one process is left', () => isBeating(file) && processesWith(file).length === 2);
    child.kill('SIGTERM');
    await expectGone(running);
  });
});

/** Starts the tree and waits until both of its members have reached the listener. */
async function startTree(
  user: User,
  wrap: (command: string[], listener: Listener) => string[],
): Promise<Running> {
  const [listener] = await openTcp('127.0.0.1');
  const mark = makeDirectory();
  const files = [join(mark, 'orphan'), join(mark, 'child')] as const;
  const beat = probe('heartbeat')[0] ?? '';
  const script = '"$0" "$1" "$3" orphan; exec "$0" "$2" "$3"';
  const command = ['bash', '-c', script, beat, ...files, listener.at];
  const child = start(user, wrap(command, listener));
  onTestFinished(() => {
    child.kill('SIGKILL');
    endAll(mark);
  });
  await until('both members beat', () => files.every(isBeating));
  return { child, mark, files, listener };
}

function startSandboxed(user: User): Promise<Running> {
  return startTree(user, (command, listener) => sandlock(policyOf([listener.rule]), command));
}

/** The process that started the command. */
function supervisorOf({ child, files }: Running): number {
  const beats = probe('heartbeat')[0] ?? '';
  const command = processesWith(`${beats} ${files[1]}`).find((pid) => pid !== child.pid) ?? 0;
  const supervisor = parentOf(command);
  expect(supervisor).toBeGreaterThan(1);
  expect(supervisor).not.toBe(child.pid);
  return supervisor;
}

/** Whether a process's first thread stays in write(2) to standard error: while the command runs it is cut. */
function waitsFor(pid: number): () => boolean {
  let looks = 0;
  return () => {
    const [number, descriptor] = readProc(String(pid), 'syscall').split(' ');
    const isWriting = number === (process.arch === 'x64' ? '1' : '64') && descriptor === '0x2';
    looks = isWriting ? looks + 1 : 0;
    return looks > 10;
  };
}

async function expectGone({ mark, files, listener }: Running): Promise<void> {
  await until('no process is left', () => processesWith(mark).length === 0, 3000);
  await listener.take();
  const sizes = files.map((file) => statSync(file).size);
  await sleep(200);
  expect(await listener.take()).toEqual([]);
  expect(files.map((file) => statSync(file).size)).toEqual(sizes);
}

function isBeating(file: string): boolean {
  return existsSync(file) && statSync(file).size > 0;
}

function endAll(mark: string): void {
  for (const pid of processesWith(mark)) process.kill(pid, 'SIGKILL');
}
