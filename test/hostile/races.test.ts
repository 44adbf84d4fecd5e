/**
 * Rows B: races. Each is first run under a supervisor that checks and then lets the kernel look
 * again (programs/naive.c): how often it gets past that one says how sharp it is. Then it runs
 * under sandlock until it would have got past the other thousands of times, and nothing may arrive.
 * SANDLOCK_HOSTILE_SECONDS makes each last that long instead (scripts/soak.mjs).
 */
import { describe, expect, test } from 'vitest';
import { policyOf, run, runSandboxed } from '../e2e/harness/run.ts';
import { probe, type User, users } from '../e2e/harness/stage.ts';
import { ALLOWED, openWitness } from './harness/witness.ts';

/** Times that the unprotected supervisor would have been passed. */
const WANTED_HITS = 2000;
/** What a busy machine may come to in the time there is; below it the race counts as not shown. */
const LEAST_HITS = 500;
const LEAST_TRIES = 5000;
const LEAST_LEAKS = 50;
const NAIVE_SECONDS = 0.4;
const MOST_SECONDS = 6;
const soakSeconds = Number(process.env.SANDLOCK_HOSTILE_SECONDS ?? 0);

/**
 * What tries come to under sandlock: `both` of allowed and refused, or no allowed one because the
 * address is always a denied one.
 */
type Outcomes = 'both' | 'refused only';

const RACES: readonly (readonly [row: string, way: string, outcomes: Outcomes])[] = [
  ['B2', 'connect-port', 'both'],
  ['B2', 'connect-host', 'both'],
  ['B1', 'connect-family-none', 'both'],
  ['B1', 'connect-family-unix', 'refused only'],
  ['B1', 'connect-family-netlink', 'refused only'],
  ['B2', 'connect-stream', 'both'],
  ['B2', 'sendto-port', 'both'],
  ['B2', 'sendto-host', 'both'],
  ['B5', 'sendmsg-name', 'both'],
  ['B3', 'sendmsg-no-name', 'both'],
  ['B3', 'sendmsg-no-length', 'both'],
  ['B5', 'sendmmsg-name', 'both'],
  ['B5', 'sendmsg-parts', 'refused only'],
  ['B8', 'page-protected', 'refused only'],
  ['B8', 'page-unmapped', 'refused only'],
  ['B8', 'page-exchanged', 'both'],
  ['B4', 'swap-unix-udp', 'refused only'],
  ['B4', 'swap-stream-udp', 'refused only'],
  ['B4', 'swap-shared-table', 'refused only'],
  ['B4', 'swap-udp-tcp', 'both'],
  ['B6', 'split-table', 'refused only'],
];

/**
 * Messages that are let run while their process stands still (docs/enforcement.md §3). Standing
 * still takes its time, so there are fewer tries; and in `swap-*` above each of them is a refusal
 * the program asked for, here about half are sent.
 */
const FROZEN_RACES: readonly (readonly [way: string, outcomes: Outcomes])[] = [
  ['swap-ending', 'refused only'],
  ['swap-fresh', 'refused only'],
  ['credentials-swap', 'both'],
  ['credentials-swap-many', 'both'],
  ['credentials-reopen', 'both'],
  ['credentials-receive', 'both'],
  ['credentials-relay', 'both'],
  ['credentials-stopped', 'both'],
  ['credentials-shared-table', 'refused only'],
];
const LEAST_FROZEN_LEAKS = 5;
const LEAST_FROZEN_HITS = 10;

/** The program that knows a way: what changes is memory, or the socket behind a number. */
const programOf = (way: string): string =>
  /^(swap|split|credentials)-/.test(way) ? 'hostile-swaps' : 'hostile-races';

/** How often a race is run at most, for what is expected of it. */
const MOST_RUNS = 6;

const witness = openWitness();

/** A race: how often it leaks a try without sandlock, how many leaks that is to make, and the limits of one run. */
interface Race {
  readonly rate: number;
  readonly hits: number;
  readonly tries: number;
  readonly seconds: number;
}

interface Count {
  readonly tries: number;
  readonly done: number;
  readonly refused: number;
}

describe.each(users)('as $name', (user) => {
  test.each(RACES)('%s %s: passes a naive supervisor at once, sandlock never', async (...race) => {
    const [, way, outcomes] = race;
    const rate = await passNaive(user, way);
    const wanted = Math.max(Math.ceil(WANTED_HITS / rate), LEAST_TRIES);
    const [tries, seconds] = soakSeconds > 0 ? [1e12, soakSeconds] : [wanted, MOST_SECONDS];
    await outlast(user, way, outcomes, { rate, hits: LEAST_HITS, tries, seconds });
  });

  test.each(FROZEN_RACES)('B9 %s: the same for calls that are let run', async (way, outcomes) => {
    const rate = await passNaive(user, way, LEAST_FROZEN_LEAKS);
    const seconds = soakSeconds || MOST_SECONDS / 2;
    await outlast(user, way, outcomes, { rate, hits: LEAST_FROZEN_HITS, tries: 1e12, seconds });
  });

  // Nothing passes a naive supervisor here: the kernel drops the answer to a caller that exec has
  // swept away. What is shown is that such callers confuse nothing.
  test.each([
    ['B7', 'exec-takeover'],
    ['B9', 'credentials-exec'],
  ])(
    '%s %s: callers swept away by exec, and the program after it is still refused',
    async (_, way) => {
      const count = await runRace(user, way, 1e6, soakSeconds || 2);
      expect(count.tries).toBeGreaterThan(20);
      expect(count.refused).toBe(count.tries);
      expect(count.done).toBe(0);
    },
  );
});

/** Leaks per try. */
async function passNaive(user: User, way: string, least: number = LEAST_LEAKS): Promise<number> {
  const [naive = ''] = probe('hostile-naive');
  let [leaks, tries, said] = [0, 0, ''];
  for (let runs = 0; runs < MOST_RUNS && leaks < least; runs++) {
    const nonce = await witness.begin();
    const race = probe(programOf(way), nonce, way, '1000000000', String(NAIVE_SECONDS));
    const { stdout, stderr } = await run(user, [naive, ...race]);
    leaks += (await witness.report()).reduce((sum, { count }) => sum + count, 0);
    tries += countOf(stdout).tries;
    said += stdout + stderr;
  }
  expect(leaks, `leaks in ${said}`).toBeGreaterThanOrEqual(least);
  process.stdout.write(`    ${user.name} ${way} passes naive ${leaks} times in ${tries} tries\n`);
  return leaks / tries;
}

/**
 * Runs the race under sandlock until a naive supervisor would have leaked `hits` times, which takes
 * more than one run on a machine that is busy, and until it came to all that it should come to.
 */
async function outlast(user: User, way: string, outcomes: Outcomes, race: Race): Promise<void> {
  let [tries, done, refused] = [0, 0, 0];
  const isEnough = (): boolean =>
    tries * race.rate > race.hits && refused > 0 && (done > 0 || outcomes === 'refused only');
  for (let runs = 0; runs < MOST_RUNS && !isEnough(); runs++) {
    const count = await runRace(user, way, race.tries, race.seconds);
    tries += count.tries;
    done += count.done;
    refused += count.refused;
  }
  expect(
    isEnough(),
    `${tries} tries, ${done} done, ${refused} refused; ${race.rate} leaks a try`,
  ).toBe(true);
}

/** Runs the race under sandlock and sees to it that nothing arrives. */
async function runRace(user: User, way: string, tries: number, seconds: number): Promise<Count> {
  const nonce = await witness.begin();
  const race = probe(programOf(way), nonce, way, String(tries), String(seconds));
  const timeoutMs = seconds * 1000 + 20_000;
  const outcome = await runSandboxed(user, policyOf(ALLOWED), race, { timeoutMs });
  const arrived = await witness.report();
  expect({ ...outcome, stdout: '', arrived }).toEqual({
    stdout: '',
    stderr: '',
    status: 0,
    signal: null,
    timedOut: false,
    arrived: [],
  });
  const count = countOf(outcome.stdout);
  process.stdout.write(`    ${user.name} ${outcome.stdout.trim()}\n`);
  return count;
}

function countOf(line: string): Count {
  const found = /^\S+ tries (\d+) done (\d+) refused (\d+) other \d+\n$/.exec(line);
  if (!found) throw new Error(`not a count: ${JSON.stringify(line)}`);
  return { tries: Number(found[1]), done: Number(found[2]), refused: Number(found[3]) };
}
