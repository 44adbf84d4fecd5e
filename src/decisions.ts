/**
 * A queue of decisions between a run, which never waits, and one reader, who may: bounded, and what
 * does not fit is dropped and counted.
 */
import type { Decision } from './decision.ts';

/** The queue; iterating takes decisions out of it. */
export interface Decisions extends AsyncIterable<Decision> {
  push(decision: Decision): void;
  /** Nothing follows: readers end when they have read what is there. */
  end(): void;
  readonly isEnded: boolean;
  readonly dropped: number;
}

/** An empty queue for at most `most` decisions that nobody has read yet. */
export function createDecisions(most: number): Decisions {
  const waiting: Decision[] = [];
  let readers: ((result: IteratorResult<Decision, undefined>) => void)[] = [];
  let isEnded = false;
  let dropped = 0;
  const done = { done: true, value: undefined } as const;
  const next = (): Promise<IteratorResult<Decision, undefined>> => {
    const value = waiting.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (isEnded) return Promise.resolve(done);
    return new Promise((resolve) => readers.push(resolve));
  };
  return {
    push(decision) {
      const reader = readers.shift();
      if (reader !== undefined) reader({ done: false, value: decision });
      else if (waiting.length < most) waiting.push(decision);
      else dropped += 1;
    },
    end() {
      isEnded = true;
      for (const reader of readers) reader(done);
      readers = [];
    },
    get isEnded() {
      return isEnded;
    },
    get dropped() {
      return dropped;
    },
    [Symbol.asyncIterator]: () => ({ next, return: () => Promise.resolve(done) }),
  };
}
