/**
 * Starts a command under a table from JavaScript, in the manner of node:child_process. The native
 * library does what it does for the command line, except that it touches nothing of this process:
 * no signal dispositions, no terminal. Decides what the options mean; what the running command is,
 * is sandboxed.ts's.
 */
import { closeSync } from 'node:fs';
import { loadLibrary } from './binding.ts';
import { usageError } from './errors.ts';
import { isTable } from './files.ts';
import { DEGRADATIONS, encodeRequest, FOREVER } from './request.ts';
import { Child, type Sandboxed } from './sandboxed.ts';
import { openStreams, type Stdio } from './streams.ts';

/** Options of {@link spawn}; those that node:child_process has mean the same. */
export interface SpawnOptions {
  /** Directory to start in. */
  readonly cwd?: string;
  /** Environment; `process.env` if left out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** One for all, or input, output and error. `pipe` if left out. */
  readonly stdio?: Stdio | readonly [Stdio, Stdio, Stdio];
  /** Ends the whole tree when it is aborted; `error` is then emitted with its reason. */
  readonly signal?: AbortSignal;
  /** How long processes may outlive the command before they are ended: 10 seconds, or Infinity. */
  readonly lingerSeconds?: number;
  /** Allowed calls are told as well; otherwise refusals only. */
  readonly allowed?: boolean;
  /** Refuse nothing by the table, only tell what it would decide. */
  readonly observe?: boolean;
  /** Decisions that wait to be read before further ones are dropped and counted: 1024. */
  readonly maxDecisions?: number;
  /** What the kernel may lack: names of `--allow-degraded`. */
  readonly allowDegraded?: readonly string[];
}

/**
 * Starts `command` under `table`. Returns at once; what goes wrong is an `error` event.
 *
 *     const child = spawn(table, 'curl', ['-sS', 'https://api.example.com/']);
 *     for await (const { verdict, destination } of child.decisions) console.log(verdict, destination);
 *
 * @throws SandlockError (usage) for arguments that can not be meant, (library) without the native library.
 */
export function spawn(
  table: Uint8Array,
  command: string,
  args: readonly string[] = [],
  options: SpawnOptions = {},
): Sandboxed {
  const bytes = Buffer.from(table.buffer, table.byteOffset, table.byteLength);
  if (!isTable(bytes)) throw usageError('the first argument is not a table; compile() makes one');
  if (command === '') throw usageError('the command is empty');
  const lingerSeconds = toLinger(options.lingerSeconds ?? 10);
  const degraded = options.allowDegraded ?? [];
  const unknown = degraded.find((name) => !DEGRADATIONS.has(name));
  if (unknown !== undefined) throw usageError(`allowDegraded does not know ${unknown}`);
  const library = loadLibrary();
  const streams = openStreams(library, options.stdio ?? 'pipe');
  try {
    const request = encodeRequest({
      command: [command, ...args],
      environment: definedOnly(options.env ?? process.env),
      lingerSeconds,
      degraded,
      telling: options.observe ? 'observe' : options.allowed ? 'all' : 'refused',
      terminal: false,
      stdio: streams.theirs,
      directory: options.cwd ?? '',
      readRaw: notOurs,
    });
    return new Child(library, bytes, request, command, streams.ours, options);
  } finally {
    for (const descriptor of streams.opened) closeSync(descriptor);
  }
}

/** Arguments and environment are the caller's strings, not those this process was started with. */
function notOurs(): never {
  throw new Error('not asked for');
}

function toLinger(seconds: number): number {
  if (seconds === Number.POSITIVE_INFINITY) return FOREVER;
  if (Number.isInteger(seconds) && seconds >= 0 && seconds < FOREVER) return seconds;
  throw usageError(`lingerSeconds takes whole seconds or Infinity, not ${seconds}`);
}

function definedOnly(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const entries = Object.entries(environment).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Record<string, string>;
}
