/**
 * The kill matrix: SIGKILL, SIGSTOP for three seconds and running out of descriptors, for the
 * supervisor and for its host, in four states of a tree that tries to reach the denied place all
 * the time and to take the supervisor's part when it is gone (programs/held.c). The tree is gone
 * within a second, and nothing ever arrives.
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parentOf, processesWith, sleep, until } from '../e2e/harness/processes.ts';
import { policyOf, run, runSandboxed, sandlock, start } from '../e2e/harness/run.ts';
import { makeDirectory, probe, type User, users } from '../e2e/harness/stage.ts';
import { ALLOWED, openWitness } from './harness/witness.ts';

const STATES = ['idle', 'connect', 'sendmsg', 'threads'] as const;
const VICTIMS = ['supervisor', 'host'] as const;

/** A limit below which every descriptor is in use, and which poll(2) still takes for the few that are watched. */
const FULL = 5;

interface Held {
  readonly child: ChildProcess;
  readonly mark: string;
  readonly victims: Readonly<Record<(typeof VICTIMS)[number], number>>;
}

const witness = openWitness();

describe.each(users)('as $name', (user) => {
  test('G1 under a naive supervisor that is killed: the tree takes its part and reaches out', async () => {
    const nonce = await witness.begin();
    const [naive = ''] = probe('hostile-naive');
    const child = start(user, [naive, ...probe('hostile-held', nonce, 'idle')]);
    onTestFinished(() => endAll(nonce));
    await held(child);
    expect(await witness.report()).toEqual([]);
    child.kill('SIGKILL');
    await sleep(500);
    expect(processesWith(nonce).length).toBeGreaterThan(0);
    endAll(nonce);
    expect((await witness.report()).map(({ where }) => where)).toEqual(['udp 127.0.0.1:7004']);
  });

  test.each(VICTIMS)('SIGKILL of the %s, in every state: gone within a second', async (victim) => {
    for (const state of STATES) {
      const nonce = await witness.begin();
      const tree = await startHeld(user, state, nonce);
      process.kill(tree.victims[victim], 'SIGKILL');
      await until(`${state}: the tree is gone`, () => processesWith(nonce).length === 0, 1000);
      expect(await witness.report(), state).toEqual([]);
    }
  });

  test.each(VICTIMS)(
    'SIGSTOP of the %s for 3 s, in every state: nothing passes, then it goes on',
    async (victim) => {
      const nonce = await witness.begin();
      const trees = await Promise.all(STATES.map((state) => startHeld(user, state, nonce)));
      for (const tree of trees) process.kill(tree.victims[victim], 'SIGSTOP');
      await sleep(3000);
      expect(await witness.report()).toEqual([]);
      for (const tree of trees) process.kill(tree.victims[victim], 'SIGCONT');
      await sleep(200);
      for (const [i, tree] of trees.entries()) {
        expect(processesWith(`${nonce} ${STATES[i]}`).length, STATES[i]).toBeGreaterThan(2);
        tree.child.kill('SIGTERM');
      }
      for (const tree of trees) tree.child.kill('SIGKILL');
      await until('the trees are gone', () => processesWith(nonce).length === 0, 2000);
      expect(await witness.report()).toEqual([]);
    },
  );

  test.each(VICTIMS)(
    'no descriptor left for the %s, in every state: calls fail, and it ends as before',
    async (victim) => {
      const nonce = await witness.begin();
      const trees = await Promise.all(STATES.map((state) => startHeld(user, state, nonce)));
      for (const tree of trees) limitFiles(user, tree.victims[victim], FULL);
      await sleep(500);
      expect(await witness.report()).toEqual([]);
      for (const state of STATES) {
        expect(processesWith(`${nonce} ${state}`).length, state).toBeGreaterThan(2);
      }
      for (const tree of trees) tree.child.kill('SIGKILL');
      await until('the trees are gone', () => processesWith(nonce).length === 0, 1000);
      expect(await witness.report()).toEqual([]);
    },
  );

  test('no descriptor left for the supervisor: an allowed call fails with ENOBUFS, and works again later', async () => {
    const nonce = await witness.begin();
    const command = probe('hostile-exhaust', nonce, 'good-calls', '2');
    const child = start(user, sandlock(policyOf(ALLOWED), command));
    let stdout = '';
    child.stdout?.on('data', (text) => {
      stdout += text;
    });
    const line = ` ${nonce} good-calls`;
    const inside = () => processesWith(line).find((pid) => parentOf(parentOf(pid)) === child.pid);
    await until('it runs', () => inside() !== undefined);
    await sleep(300);
    const supervisor = parentOf(inside() ?? 0);
    limitFiles(user, supervisor, FULL);
    await sleep(500);
    limitFiles(user, supervisor, 1024);
    await new Promise((resolve) => child.on('close', resolve));
    expect(stdout).toMatch(/^good 0 -\n(good -1 ENOBUFS\n)good 0 -\n$/);
  });

  test('G7 a program that may not be read (mode 0111): its calls fail, also the allowed ones', async () => {
    const file = join(makeDirectory(), 'unreadable');
    copyFileSync(probe('hostile-calls')[0] ?? '', file);
    chmodSync(file, 0o111);
    const nonce = await witness.begin();
    expect((await run(user, [file, nonce, 'plain'])).stdout).toBe('plain 0 -\n');
    expect((await witness.report()).map(({ where }) => where)).toEqual(['tcp 127.0.0.1:7003']);
    await witness.begin();
    const policy = policyOf(['tcp://127.0.0.1:7003']);
    const outcome = await runSandboxed(user, policy, [file, nonce, 'plain']);
    expect(outcome.stdout).toBe('plain -1 EPERM\n');
    const told = await run(user, sandlock(policy, [file, nonce, 'plain'], []));
    expect(told.stderr).toMatch(
      /^sandlock: can not look into unreadable\[\d+\]: its program file is not readable, so its network calls fail\n$/,
    );
    expect(await witness.report()).toEqual([]);
    const readable = await runSandboxed(user, policy, probe('hostile-calls', nonce, 'plain'));
    expect(readable.stdout).toBe('plain 0 -\n');
  });
});

/** Starts a tree in a state, sandboxed, and waits until it is in it. */
async function startHeld(user: User, state: string, nonce: string): Promise<Held> {
  const command = probe('hostile-held', nonce, state);
  const child = start(user, sandlock(policyOf(ALLOWED), command));
  onTestFinished(() => {
    child.kill('SIGKILL');
    endAll(nonce);
  });
  await held(child);
  const [inside = 0] = processesWith(command.join(' ')).filter(
    (pid) => parentOf(parentOf(pid)) === child.pid,
  );
  const victims = { supervisor: parentOf(inside), host: child.pid ?? 0 };
  expect(victims.supervisor).toBeGreaterThan(1);
  return { child, mark: nonce, victims };
}

function held(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let stdout = '';
    child.stdout?.on('data', (text) => {
      stdout += text;
      if (stdout.includes('held 0 -\n')) resolve();
    });
    child.on('exit', () => reject(new Error(`it ended; it said ${stdout}`)));
  });
}

/** Sets the soft limit of a process; as its own user, since root may lack the capability. */
function limitFiles({ uid }: User, pid: number, limit: number): void {
  execFileSync('prlimit', [`--pid=${pid}`, `--nofile=${limit}:`], { uid, gid: uid });
}

function endAll(mark: string): void {
  for (const pid of processesWith(mark)) process.kill(pid, 'SIGKILL');
}
