/**
 * Row N: what the sandboxed program can use up. Under each load an honest call of another process
 * in the same sandbox stays quick, the supervisor stays small, nothing leaves, and ending the whole
 * takes less than a second.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parentOf, processesWith, until } from '../e2e/harness/processes.ts';
import { policyOf, run, sandlock, start } from '../e2e/harness/run.ts';
import { isHeld, patience, probe, type User, users } from '../e2e/harness/stage.ts';
import { answered } from './harness/row.ts';
import { ALLOWED, openWitness } from './harness/witness.ts';

/** The supervisor's own memory, at its highest. */
const MOST_KIB = 64 * 1024;
/** How much slower the median call may get; see also LOADS. */
const MOST_TIMES = 10;
/**
 * Longest single call. Some 20 ms here; a machine that is shared with others may stand still for a second by itself.
 */
const WORST_US = 5_000_000;
const SECONDS = 1.5;

/** The load, and what is never too slow under it: callers stand in one line, and a bomb puts 200 of them there. */
const LOADS = [
  ['hang', 5000],
  ['storm', 5000],
  ['send-big', 5000],
  // Its threads send messages on a pair, which are refused where sockets are held.
  ...(isHeld
    ? []
    : ([
        ['hang-big', 5000],
        ['hang-parts', 15_000],
      ] as const)),
  ['hang-datagrams', 5000],
  ['hang-receives', 15_000],
  ['use-descriptors', 5000],
  ['bomb', 60_000],
  ['short-lived', 15_000],
] as const;

const witness = openWitness();

describe.each(users)('as $name', (user) => {
  let idle: Measured | undefined;

  test('N bare: what the calls of a storm try to reach is reached', async () => {
    const nonce = await witness.begin();
    const child = start(user, probe('hostile-exhaust', nonce, 'short-lived', '0.2'));
    onTestFinished(() => endAll(nonce));
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    endAll(nonce);
    expect((await witness.report()).map(({ where }) => where)).toEqual(['udp 127.0.0.1:7004']);
  });

  test.each(LOADS)(
    'N %s: others stay quick, the supervisor stays small, its end is quick',
    async (load, floorUs) => {
      idle ??= await underLoad(user, 'idle', 1);
      const loaded = await underLoad(user, load, SECONDS);
      process.stdout.write(`    ${user.name} ${idle.text}, ${loaded.text}, ${loaded.kib} KiB\n`);
      expect(loaded.errors).toBe(0);
      expect(loaded.kib).toBeLessThan(MOST_KIB);
      expect(loaded.median).toBeLessThan(Math.max(MOST_TIMES * idle.median, floorUs * patience));
      expect(loaded.worst).toBeLessThan(WORST_US * patience);
    },
  );

  test('N leave: calls to an abstract name outside end with their callers, and by signals', async () => {
    const nonce = await witness.begin();
    const daemon = start(user, probe('hostile-exhaust', nonce, 'shut-daemon', '0'));
    onTestFinished(() => endAll(nonce));
    await new Promise((resolve) => daemon.stdout?.once('data', resolve));
    const command = probe('hostile-exhaust', nonce, 'leave', '0');
    // Nobody takes the first out of the queue again, whoever it was.
    const bare = await run(user, command, { input: 'x' });
    expect(bare).toEqual(answered(['connected 1 -', 'interrupted -1 EINTR']));
    const policy = `${policyOf(ALLOWED)}allow_unix = ["@${nonce}"]\n`;
    const child = start(user, sandlock(policy, command));
    let text = '';
    await new Promise<void>((resolve) => {
      child.stdout?.on('data', (piece) => {
        text += String(piece);
        if (text.includes('interrupted')) resolve();
      });
    });
    const inside = processesWith(nonce).find((pid) => parentOf(parentOf(pid)) === child.pid) ?? 0;
    const threads = () =>
      Number(
        /^Threads:\s*(\d+)$/m.exec(readFileSync(`/proc/${parentOf(inside)}/status`, 'utf8'))?.[1],
      );
    await until('no thread waits for a caller that is gone', () => threads() < 30, 2000);
    child.stdin?.end('x');
    expect(text).toBe('connected 0 -\ninterrupted -1 EINTR\n');
  });

  test('N: bare, the fork bomb is one: more than a hundred processes', async () => {
    const nonce = await witness.begin();
    const child = start(user, probe('hostile-exhaust', nonce, 'bomb', '0.5'));
    onTestFinished(() => endAll(nonce));
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    expect(processesWith(nonce).length).toBeGreaterThan(100);
  });
});

// Root is not bound by the limit, which counts all processes of a user: this one has no others.
const ALONE = users.filter(({ uid }) => uid !== 0).map((user) => ({ ...user, uid: 64_981 }));
describe.each(ALONE)('as a user alone', (alone) => {
  test('N no thread can be made: the supervisor lives, and what waits for one goes on when there is room', async () => {
    const nonce = await witness.begin();
    const limited = (command: readonly string[]) => ['prlimit', '--nproc=80', ...command];
    const command = probe('hostile-exhaust', nonce, 'no-threads', '0');
    const lines = ['before 0 -', 'fork -1 EAGAIN', 'meanwhile 0 -', 'after 0 -'];
    expect(await run(alone, limited(command))).toEqual(answered(lines));
    expect(await run(alone, limited(sandlock(policyOf(ALLOWED), command)))).toEqual(
      answered(lines),
    );
  });
});

interface Measured {
  readonly text: string;
  readonly median: number;
  readonly worst: number;
  readonly errors: number;
  /** Peak memory of the supervisor. */
  readonly kib: number;
}

async function underLoad(user: User, load: string, seconds: number): Promise<Measured> {
  const nonce = await witness.begin();
  const child = start(
    user,
    sandlock(policyOf(ALLOWED), probe('hostile-exhaust', nonce, load, String(seconds))),
  );
  onTestFinished(() => {
    child.kill('SIGKILL');
    endAll(nonce);
  });
  const text = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (line) => resolve(String(line).trim()));
    child.on('exit', () => reject(new Error(`${load} ended early`)));
  });
  const inside = processesWith(nonce).find((pid) => parentOf(parentOf(pid)) === child.pid) ?? 0;
  const status = readFileSync(`/proc/${parentOf(inside)}/status`, 'utf8');
  const kib = Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]);
  child.kill('SIGKILL');
  await until(`${load}: all is gone`, () => processesWith(nonce).length === 0, 1000);
  expect(await witness.report()).toEqual([]);
  const found = /^\S+ calls \d+ median (\d+) worst (\d+) errors (\d+)$/.exec(text);
  if (!found) throw new Error(`not a measurement: ${text}`);
  const [median = 0, worst = 0, errors = 0] = found.slice(1).map(Number);
  return { text, median, worst, errors, kib };
}

/** Ends even those that fork meanwhile: stopped ones can not. */
function endAll(mark: string): void {
  for (let left = processesWith(mark); left.length > 0; left = processesWith(mark)) {
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const) {
      for (const pid of left) endOne(pid, signal);
    }
  }
}

function endOne(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
