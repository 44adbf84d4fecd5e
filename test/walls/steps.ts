/**
 * The form of the tests in this room: system calls as rows of text, each with its answer bare and its answer under a
 * policy. Both runs are made and compared as a whole, so a row that says "refused" has been seen to work. Knows the
 * program that makes the calls (probes/steps.c), no policy.
 */
import { expect } from 'vitest';
import { finished, policyOf, run, runSandboxed, sandlock, start } from '../e2e/harness/run.ts';
import { makeDirectory, probe, type User } from '../e2e/harness/stage.ts';

/**
 * One call: the statement, its answer bare and its answer under the policy when that is another. An answer is what
 * steps.c prints: a number, a name, or an errno.
 */
export type Step = readonly [statement: string, bare: string, walled?: string];

/** A policy of `[network]` keys; values are written as JSON, which for lists of strings is TOML. */
export function network(
  keys: Readonly<Record<string, readonly string[]>>,
  rest: string = '',
): string {
  const lines = Object.entries(keys).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  return ['[network]', ...lines, rest, ''].join('\n');
}

/** The command that makes the calls. */
export function stepsOf(steps: readonly Step[]): string[] {
  return probe('steps', ...steps.map(([statement]) => statement));
}

function answers(steps: readonly Step[], isWalled: boolean): string[] {
  return steps.map(
    ([statement, bare, walled = bare]) => `${statement} = ${isWalled ? walled : bare}`,
  );
}

/** Options of {@link expectSteps}. */
export interface StepOptions {
  /** Replaces `{}` in the statements by a fresh directory for each run. */
  readonly inDirectory?: boolean;
  /** Called between the bare run and the other, which must find the same world. */
  readonly between?: () => Promise<void> | void;
}

/** Makes the calls bare and under the policy: rules of `allow`, or TOML text. */
export async function expectSteps(
  user: User,
  policy: readonly string[] | string,
  steps: readonly Step[],
  options: StepOptions = {},
): Promise<void> {
  const text = typeof policy === 'string' ? policy : policyOf(policy);
  const placed = (): readonly Step[] => {
    if (options.inDirectory !== true) return steps;
    const directory = makeDirectory();
    return steps.map(([statement, bare, walled = bare]) => {
      const put = (part: string): string => part.replaceAll('{}', directory);
      return [put(statement), put(bare), put(walled)];
    });
  };
  const before = placed();
  const bare = await run(user, stepsOf(before));
  expect({ lines: lines(bare.stdout), stderr: bare.stderr }).toEqual({
    lines: answers(before, false),
    stderr: '',
  });
  await options.between?.();
  const after = placed();
  const walled = await runSandboxed(user, text, stepsOf(after));
  expect({ ...walled, stdout: lines(walled.stdout) }).toEqual({
    stdout: answers(after, true),
    stderr: '',
    status: 0,
    signal: null,
    timedOut: false,
  });
}

/** What a program that waits for others printed, and what the others got from it. */
export interface Served {
  readonly lines: readonly string[];
  readonly got: readonly string[];
}

/**
 * Starts the calls, bare when there is no policy, and calls each of `others` as soon as a line is printed that begins
 * with `after`; returns both sides' words.
 */
export async function serveSteps(
  user: User,
  policy: string | undefined,
  steps: readonly string[],
  after: string,
  others: readonly (() => Promise<string>)[],
): Promise<Served> {
  const command = probe('steps', ...steps);
  const child = start(user, policy === undefined ? command : sandlock(policy, command));
  child.stdin?.end();
  const outcome = finished(child);
  await new Promise<void>((resolve) => {
    let text = '';
    child.stdout?.on('data', (chunk: string | Buffer) => {
      text += String(chunk);
      if (lines(text).some((line) => line.startsWith(after))) resolve();
    });
    child.on('close', () => resolve());
  });
  const got: string[] = [];
  for (const other of others) got.push(await other());
  return { lines: lines((await outcome).stdout), got };
}

/** Complete lines of a text. */
export function lines(text: string): string[] {
  return text.split('\n').slice(0, -1);
}
