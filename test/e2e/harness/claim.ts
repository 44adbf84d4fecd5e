/**
 * The form of most end-to-end tests: one command is run twice, first bare and then under a policy. Bare, it must reach
 * every listener that the test names; so a claim that something was kept away has been seen to fail without
 * sandlock. Under the policy, what it prints and what each listener sees is compared as a whole.
 */
import { expect } from 'vitest';
import type { Listener } from './listen.ts';
import { type Outcome, policyOf, type RunOptions, run, runSandboxed } from './run.ts';
import type { User } from './stage.ts';

/** What is claimed of a command under a policy. */
export interface Claim extends RunOptions {
  readonly user: User;
  /** Rules of `allow`, or a whole policy as TOML text. */
  readonly policy: readonly string[] | string;
  readonly command: readonly string[];
  /** Complete lines of its standard output under the policy. */
  readonly prints: readonly string[];
  /** Listeners that see under the policy exactly what they see without it. */
  readonly reaches?: readonly Listener[];
  /** Listeners that see nothing under the policy, and something without it. */
  readonly misses?: readonly Listener[];
  /** A listener that sees something without the policy and exactly these arrivals under it. */
  readonly sees?: readonly (readonly [Listener, readonly string[]])[];
}

/** Runs the command both ways and compares; returns the outcome under the policy. */
export async function claim(claimed: Claim): Promise<Outcome> {
  const { user, command, reaches = [], misses = [], sees = [] } = claimed;
  const listeners = [...reaches, ...misses, ...sees.map(([listener]) => listener)];
  if (listeners.length > 0) await run(user, command, claimed);
  const before = await takeAll(listeners);
  for (const [i, seen] of before.entries()) {
    expect(seen, `without sandlock nothing reached ${listeners[i]?.rule}`).not.toEqual([]);
  }
  const text = typeof claimed.policy === 'string' ? claimed.policy : policyOf(claimed.policy);
  const outcome = await runSandboxed(user, text, command, claimed);
  const after = await takeAll(listeners);
  expect(outcome).toEqual({
    stdout: claimed.prints.map((line) => `${line}\n`).join(''),
    stderr: '',
    status: 0,
    signal: null,
    timedOut: false,
  });
  expect(after).toEqual([
    ...before.slice(0, reaches.length),
    ...misses.map(() => []),
    ...sees.map(([, arrivals]) => arrivals),
  ]);
  return outcome;
}

async function takeAll(listeners: readonly Listener[]): Promise<string[][]> {
  const all: string[][] = [];
  for (const listener of listeners) all.push(await listener.take());
  return all;
}
