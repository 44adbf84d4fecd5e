/**
 * Runs one section of the fidelity program bare and under a policy, each against a server of its own, and compares line
 * by line. What differs must be on the list of deviations, with both answers, and what is on the list must differ: a
 * deviation that is mended has to be taken off. It decides nothing about which deviations are right.
 */
import { expect } from 'vitest';
import { finished, killGroup, run, sandlock, start } from '../e2e/harness/run.ts';
import { isHeld, probe, type User } from '../e2e/harness/stage.ts';
import { held } from './held.ts';

/** Lines that differ, and why that is so. */
export interface Deviation {
  /** Matches the line's label, the text before its last `: `. */
  readonly lines: RegExp;
  /** What Linux answers. */
  readonly bare: RegExp | string;
  /** What is answered under sandlock. */
  readonly sandboxed: RegExp | string;
  /** Why that is accepted. */
  readonly reason: string;
  /** It is not seen in every run. */
  readonly isOccasional?: true;
}

/** A line that differs. */
interface Difference {
  readonly label: string;
  readonly bare: string;
  readonly sandboxed: string;
}

let ports = 2000;

/** Runs the section both ways and compares; `policy` gives the policy's text for the server's first port. */
export async function compare(
  user: User,
  section: string,
  policy: (base: number) => string,
  usual: readonly Deviation[],
): Promise<void> {
  const deviations = isHeld ? [...usual, ...(held[section] ?? [])] : usual;
  const [bare, sandboxed] = await Promise.all([
    withServer(user, (base) => run(user, probe('fidelity', section, String(base)), LIMITS)),
    withServer(user, (base) => {
      const command = probe('fidelity', section, String(base));
      return run(user, sandlock(policy(base), command), LIMITS);
    }),
  ]);
  expect({ ...bare, stdout: '' }).toEqual(ENDED);
  expect({ ...sandboxed, stdout: '' }).toEqual(ENDED);
  const differences = differ(bare.stdout, sandboxed.stdout);
  expect(differences.filter((line) => !deviations.some((known) => isKnown(known, line)))).toEqual(
    [],
  );
  // What is not made on behalf there is as without sandlock.
  if (isHeld) return;
  const unseen = deviations.filter((known) => !differences.some((line) => isKnown(known, line)));
  expect(unseen.filter((known) => !known.isOccasional)).toEqual([]);
}

const LIMITS = { timeoutMs: 45_000 };
const ENDED = { stdout: '', stderr: '', status: 0, signal: null, timedOut: false };

/** Keeps `fidelity serve` running, with a hundred ports from a number of its own. */
async function withServer<Result>(
  user: User,
  use: (base: number) => Promise<Result>,
): Promise<Result> {
  ports += 100;
  const base = ports;
  const server = start(user, probe('fidelity', 'serve', String(base)));
  const end = finished(server, 60_000);
  try {
    await new Promise<void>((resolve, reject) => {
      server.stdout?.once('data', () => resolve());
      server.once('close', () => reject(new Error('the server of the fidelity program ended')));
    });
    return await use(base);
  } finally {
    if (server.pid !== undefined) killGroup(server.pid);
    await end;
  }
}

/** The lines that differ. The program prints as many lines, with the same labels, whatever is answered. */
function differ(bare: string, sandboxed: string): Difference[] {
  const left = bare.split('\n').map(parted);
  const right = sandboxed.split('\n').map(parted);
  expect(left.length).toBeGreaterThan(10);
  expect(right.map(([label]) => label)).toEqual(left.map(([label]) => label));
  return left.flatMap(([label, value], i) => {
    const other = right[i]?.[1] ?? '';
    return other === value ? [] : [{ label, bare: value, sandboxed: other }];
  });
}

function parted(line: string): readonly [label: string, value: string] {
  const at = line.lastIndexOf(': ');
  return [line.slice(0, at), line.slice(at + 2)];
}

function isKnown(known: Deviation, { label, bare, sandboxed }: Difference): boolean {
  const fits = (pattern: RegExp | string, text: string) =>
    typeof pattern === 'string' ? pattern === text : pattern.test(text);
  return known.lines.test(label) && fits(known.bare, bare) && fits(known.sandboxed, sandboxed);
}
