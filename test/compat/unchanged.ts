/**
 * The form of every test of an honest program: a script is run bare and then under a policy that names what it needs.
 * Both runs have to print exactly what the test says and end alike; so a program that does not work here at all is told
 * from one that sandlock disturbs. It knows nothing of the programs.
 */
import { expect } from 'vitest';
import { run, runSandboxed } from '../e2e/harness/run.ts';
import { environment, makeDirectory, type User } from '../e2e/harness/stage.ts';

/** A program at work. */
export interface Program {
  readonly user: User;
  /** TOML, or rules of `allow`; `PORT` in it stands for the test's own port. */
  readonly policy: string | readonly string[];
  /** For bash, with `set -eu`; `$PORT` is the test's own port, the working directory and `$HOME` a new one. */
  readonly script: string;
  /** Its whole standard output. */
  readonly prints: string | RegExp;
  /** Its whole standard error, if not empty; a server's log lines may differ from run to run. */
  readonly complains?: RegExp;
  readonly env?: Readonly<Record<string, string>>;
  readonly status?: number;
  /** The port, where something outside already listens on it. */
  readonly port?: number;
}

let ports = 10_000;

/** A port that no other test uses; the network is the tests' own. */
export function ownPort(): number {
  return ++ports;
}

/** Runs the script both ways and compares. */
export async function unchanged(program: Program): Promise<void> {
  await judge(program, 'bare');
  await judge(program, 'sandboxed');
}

async function judge(program: Program, kind: 'bare' | 'sandboxed'): Promise<void> {
  const { user, script, status = 0, complains = /^$/ } = program;
  const port = program.port ?? ownPort();
  const cwd = makeDirectory();
  const command = ['bash', '-c', `set -eu\n${script}`];
  const options = {
    cwd,
    timeoutMs: 40_000,
    env: {
      HOME: cwd,
      TMPDIR: cwd,
      PORT: String(port),
      PATH: `${environment.PATH}:/usr/local/go/bin`,
      ...program.env,
    },
  };
  const policy = textOf(program.policy).replaceAll('PORT', String(port));
  const outcome =
    kind === 'bare'
      ? await run(user, command, options)
      : await runSandboxed(user, policy, command, options);
  const { stdout, stderr, ...end } = outcome;
  expect({ kind, ...end, stderr: complains.test(stderr) ? '' : stderr }).toEqual({
    ...{ kind, status, signal: null, timedOut: false, stderr: '' },
  });
  if (typeof program.prints === 'string') expect(stdout).toBe(program.prints);
  else expect(stdout).toMatch(program.prints);
}

function textOf(policy: string | readonly string[]): string {
  return typeof policy === 'string' ? policy : `[network]\nallow = ${JSON.stringify(policy)}\n`;
}
