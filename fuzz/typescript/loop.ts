/**
 * The loop: pick an input, change it, run the target, keep what reached something new. Reached is a
 * counter of instrument.ts in a class of hits (1, 2, 3, 4–7, 8–15, …), as AFL counts. Decides
 * nothing about what a target demands: it throws. An input that is slower than it may be is a
 * finding as well; one that never ends is for the watchdog of main.ts, which finds it in `current`.
 */
import type { Random } from '../../test/reference/random.ts';
import { mutateInput } from './mutate.ts';

declare global {
  /** Hits by counter, of one run; 255 stands for more. */
  var fuzzCounters: Uint8ClampedArray;
}

/** What is to be demanded of an input; throws when it does not hold. */
export type Target = (input: Uint8Array) => void | Promise<void>;

/** An input that a target objects to. */
export interface Finding {
  readonly input: Uint8Array;
  readonly error: Error;
}

/** How a loop went. */
export interface Result {
  readonly runs: number;
  /** Counters that were hit at all. */
  readonly covered: number;
  /** Inputs, each of which reached something that those before it did not, shortest first. */
  readonly corpus: readonly Uint8Array[];
  readonly finding?: Finding;
}

/** Milliseconds for an input of at most 4 KiB; two orders above what the slowest needs. */
const SLOW_MS = 2000;

/**
 * Runs until `deadline` (milliseconds as Date.now counts) or the first finding; `before` is told
 * each input. Without a deadline only the seeds are run, and of them few are kept: hits are not
 * counted.
 */
export async function fuzz(
  target: Target,
  seeds: readonly Uint8Array[],
  words: readonly Uint8Array[],
  random: Random,
  deadline: number | undefined,
  before: (input: Uint8Array) => void,
): Promise<Result> {
  const seen = new Uint8Array(fuzzCounters.length);
  const corpus: Uint8Array[] = [];
  let runs = 0;
  const result = (finding?: Finding): Result => ({
    runs,
    covered: seen.reduce((sum, classes) => sum + (classes === 0 ? 0 : 1), 0),
    corpus: [...corpus],
    ...(finding === undefined ? {} : { finding }),
  });
  const run = async (input: Uint8Array): Promise<Finding | undefined> => {
    runs++;
    before(input);
    fuzzCounters.fill(0);
    const start = performance.now();
    try {
      const pending = target(input);
      if (pending !== undefined) await pending;
      const took = performance.now() - start;
      if (took > SLOW_MS) throw new Error(`took ${Math.round(took)} ms`);
    } catch (error) {
      return { input, error: error instanceof Error ? error : new Error(String(error)) };
    }
    if (isNew(seen, deadline !== undefined)) corpus.push(input);
    return undefined;
  };

  for (const seed of [...seeds].sort((a, b) => a.length - b.length)) {
    const finding = await run(seed);
    if (finding !== undefined) return result(finding);
  }
  if (deadline === undefined) return result();
  if (corpus.length === 0) corpus.push(new Uint8Array());
  while (runs % 64 !== 0 || Date.now() < deadline) {
    // Half of the picks are among the latest: what is new leads on.
    const late = random.oneIn(2) ? Math.max(0, corpus.length - 16) : 0;
    const input = corpus[late + random.below(corpus.length - late)] ?? new Uint8Array();
    const finding = await run(mutateInput(random, input, random.pick(corpus), words));
    if (finding !== undefined) return result(finding);
  }
  return result();
}

/** Notes the classes of hits of the last run, or that there were any; whether something was new. */
function isNew(seen: Uint8Array, counting: boolean): boolean {
  let found = false;
  const counters = fuzzCounters;
  for (let i = 0; i < counters.length; i++) {
    const hits = counters[i] ?? 0;
    if (hits === 0) continue;
    const before = seen[i] ?? 0;
    const after = before | (counting ? 1 << classOf(hits) : 1);
    if (after === before) continue;
    seen[i] = after;
    found = true;
  }
  return found;
}

/** 0 to 7 for 1, 2, 3, 4–7, 8–15, 16–31, 32–63 and more hits. */
function classOf(hits: number): number {
  return hits < 4 ? hits - 1 : Math.min(7, 32 - Math.clz32(hits));
}
