/**
 * The form of a row: one way out of one program, first bare, then under the policy. Bare it must
 * arrive where the row says, with the nonce of that very run where bytes can be carried; under the
 * policy nothing may arrive anywhere, and every line of the program is compared.
 */
import { expect } from 'vitest';
import { type Outcome, policyOf, run, sandlock } from '../../e2e/harness/run.ts';
import { probe, type User } from '../../e2e/harness/stage.ts';
import { ALLOWED, type Witness } from './witness.ts';

/** A way out. */
export interface Row {
  /** Row of the catalogue, as README.md lists it. */
  readonly row: string;
  readonly program: string;
  readonly way: string;
  /** The places where it arrives without sandlock. */
  readonly leaks: readonly string[];
  /** It opens a connection or emits packets of the kernel's: bytes of the program do not go along. */
  readonly mute?: boolean;
  /** Complete lines under the policy, without the way's name where that is all: `-1 EACCES`. */
  readonly answers: readonly string[];
  /** Users that can do it at all without sandlock; both, unless it needs a capability. */
  readonly leaksFor?: readonly User['name'][];
  /** Rules in place of the suite's. */
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  /** A whole policy in place of rules. */
  readonly policy?: string;
  /**
   * Its streams are pipes as a shell makes them. Those of Node are sockets, and whoever is given
   * sockets may have one that is tied to a link.
   */
  readonly piped?: boolean;
  /** What takes something away from sandlock and the program: words before its command line. */
  readonly host?: readonly string[];
  /** Ends by this signal under the policy. */
  readonly signal?: NodeJS.Signals;
}

/** Shows the leak, then that it is closed. */
export async function judge(witness: Witness, user: User, row: Row): Promise<void> {
  const options = { env: { HOSTILE_DIRECTORY: witness.directory }, timeoutMs: 20_000 };
  const command = (nonce: string) => probe(`hostile-${row.program}`, nonce, row.way);
  if (row.leaksFor === undefined || row.leaksFor.includes(user.name)) {
    const nonce = await witness.begin();
    const bare = await run(user, command(nonce), options);
    const arrived = await witness.report();
    const places = arrived
      .filter(({ nonced }) => nonced > 0 || row.mute === true)
      .map(({ where }) => where);
    expect(
      row.leaks.filter((place) => !places.includes(place)),
      `must leak without sandlock; it said ${JSON.stringify(bare.stdout + bare.stderr)}, arrived: ${JSON.stringify(arrived)}`,
    ).toEqual([]);
  }
  const nonce = await witness.begin();
  const policy = row.policy ?? policyOf(row.allow ?? ALLOWED, row.deny);
  const sandboxed = [...(row.host ?? []), ...sandlock(policy, command(nonce))];
  const outcome = await run(user, row.piped === true ? piped(sandboxed) : sandboxed, options);
  const arrived = await witness.report();
  expect({ arrived, ...outcome }).toEqual({
    arrived: [],
    ...answered(row.answers.map((answer) => lineOf(row.way, answer))),
    ...(row.signal === undefined ? {} : { status: null, signal: row.signal }),
  });
}

function piped(command: readonly string[]): string[] {
  return ['bash', '-o', 'pipefail', '-c', '"$@" </dev/null 2>&1 | cat', 'bash', ...command];
}

/** The outcome of a program that printed these lines and ended well. */
export function answered(lines: readonly string[]): Outcome {
  return {
    stdout: lines.map((line) => `${line}\n`).join(''),
    stderr: '',
    status: 0,
    signal: null,
    timedOut: false,
  };
}

function lineOf(way: string, answer: string): string {
  return /^-?\d+ \S+$/.test(answer) ? `${way} ${answer}` : answer;
}
