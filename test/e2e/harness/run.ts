/**
 * Running a program: bare, or under sandlock with a policy. Each run has a time limit after which its whole process
 * group is killed; a run that met it says so, so that no test mistakes a hang for an answer. It judges nothing.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { environment, isNative, launcher, makeFile, native, patience, type User } from './stage.ts';

/** How a program ended and what it wrote. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit status, or null when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The time limit ended it. */
  readonly timedOut: boolean;
}

/** What a run may vary. */
export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  /** Options of `sandlock exec` in place of `--quiet`. */
  readonly options?: readonly string[];
}

/** A policy of TCP, UDP and ICMP rules as TOML. `sets` is the text of the [sets] table. */
export function policyOf(
  allow: readonly string[],
  deny: readonly string[] = [],
  sets: string = '',
): string {
  const lines = ['[network]', `allow = ${JSON.stringify(allow)}`, `deny = ${JSON.stringify(deny)}`];
  if (sets !== '') lines.push('[sets]', sets);
  return `${lines.join('\n')}\n`;
}

/**
 * The command line that runs `command` under a policy: TOML text, or `{ file }` for one already
 * written. By `sandlock exec`, or by the launcher where all are (`isNative`).
 */
export function sandlock(
  policy: string | { readonly file: string },
  command: readonly string[],
  options: readonly string[] = ['--quiet'],
): string[] {
  const file = typeof policy === 'string' ? makeFile('policy.toml', policy) : policy.file;
  if (isNative) return sandlockExec(file, command, options);
  return [...launcher, 'exec', file, ...options, '--', ...command];
}

/** The same by the launcher; a policy is compiled first. */
export function sandlockExec(
  policy: string,
  command: readonly string[],
  options: readonly string[] = ['--quiet'],
): string[] {
  const table = policy.endsWith('.toml') ? compiled(policy) : policy;
  return [native, table, ...options, '--', ...command];
}

/** The table of a policy's file. */
export function compiled(file: string): string {
  const [program = '', ...args] = [...launcher, 'compile', file, '-o', '-'];
  return makeFile('policy.bin', execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** Runs a program under a policy to its end. */
export function runSandboxed(
  user: User,
  policy: string | { readonly file: string },
  command: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  return run(user, sandlock(policy, command, options.options), options);
}

/** Runs a program to its end. */
export function run(
  user: User,
  command: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  const child = start(user, command, options);
  child.stdin?.end(options.input ?? '');
  return finished(child, options.timeoutMs);
}

/** Starts a program in a process group and session of its own; its three streams are pipes. */
export function start(
  user: User,
  command: readonly string[],
  options: RunOptions = {},
): ChildProcess {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    detached: true,
    env: { ...environment, ...options.env },
    cwd: options.cwd ?? environment.HOME,
    ...(user.uid === process.getuid?.() ? {} : { uid: user.uid, gid: user.uid }),
  });
  // A program that ends before it has read its input is no fault of the test.
  child.stdin?.on('error', () => {});
  return child;
}

/** Collects what a started program writes until it and everything that holds its streams has ended. */
export function finished(child: ChildProcess, timeoutMs: number = 20_000): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    let timedOut = false;
    const limit = setTimeout(() => {
      timedOut = true;
      if (child.pid !== undefined) killGroup(child.pid);
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, timeoutMs * patience);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status, signal) => {
      clearTimeout(limit);
      resolve({ stdout, stderr, status, signal, timedOut });
    });
  });
}

/** SIGKILL to a process group; one that is already gone is what was wanted. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
