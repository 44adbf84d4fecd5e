/**
 * Starts a command under a table from JavaScript, in the manner of node:child_process. The native library does what it does for the command
 * line, except that it touches nothing of this process: no signal dispositions, no terminal. Records come through a pipe that
 * the event loop reads; when this process or worker thread ends, the pipe ends, and with it the whole tree.
 */
import { EventEmitter } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { isMainThread } from 'node:worker_threads';
import { loadLibrary, type NativeLibrary, pinBinding } from './binding.ts';
import { type Decision, type Explained, NO_EXPLANATION, toDecision } from './decision.ts';
import { createDecisions, type Decisions } from './decisions.ts';
import { SandlockError } from './errors.ts';
import { createExplainer, type Explainer } from './explaining.ts';
import { isTable } from './files.ts';
import { decodeStatus, startFailure } from './outcome.ts';
import { createProbeFilter } from './probes.ts';
import {
  createRecordDecoder,
  type DecidedRecord,
  type ExecutorRecord,
  RECORD_BYTES,
} from './records.ts';
import { DEGRADATIONS, encodeRequest, FOREVER } from './request.ts';

/** What one of the command's standard streams is: a pipe to this process, this process's own, /dev/null, or a descriptor. */
export type Stdio = 'pipe' | 'inherit' | 'ignore' | number;

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

/** Events of {@link Sandboxed}. */
export interface SandboxedEvents {
  /** The command runs. */
  spawn: [];
  /** The command ended: its status, or the signal that ended it. Processes that it left behind may still run. */
  exit: [code: number | null, signal: NodeJS.Signals | null];
  /** The whole tree is gone and the streams have ended. The last event. */
  close: [code: number | null, signal: NodeJS.Signals | null];
  /** It could not be started (a {@link SandlockError}), or was aborted. */
  error: [error: Error];
  /** One decision; whoever listens here need not iterate over `decisions`. */
  decision: [decision: Decision];
}

/** A command under a policy. */
export interface Sandboxed extends EventEmitter<SandboxedEvents> {
  /** Process id of the command; undefined until `spawn`. */
  readonly pid: number | undefined;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Null until `exit`. */
  readonly exitCode: number | null;
  readonly signalCode: NodeJS.Signals | null;
  /** Refusals, and what else was asked for, as they happen; ends when the tree is gone. One reader. */
  readonly decisions: AsyncIterable<Decision>;
  /** Decisions that were lost: because nobody read them, or because they came faster than the library could tell them. */
  readonly dropped: number;
  /** Sends a signal to the command alone: SIGTERM if left out. False: it has ended. */
  kill(signal?: NodeJS.Signals | number): boolean;
  /** Ends the whole tree at once. */
  killAll(): void;
  /** Does not keep this process running; when it ends, so does the tree. */
  unref(): void;
  ref(): void;
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
  if (!isTable(bytes)) throw usage('the first argument is not a table; compile() makes one');
  if (command === '') throw usage('the command is empty');
  const lingerSeconds = toLinger(options.lingerSeconds ?? 10);
  const degraded = options.allowDegraded ?? [];
  const unknown = degraded.find((name) => !DEGRADATIONS.has(name));
  if (unknown !== undefined) throw usage(`allowDegraded does not know ${unknown}`);
  const library = loadLibrary();
  if (!isMainThread) pinBinding();
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
    return new Child(library, bytes, request, command, streams, options);
  } finally {
    for (const descriptor of streams.opened) closeSync(descriptor);
  }
}

class Child extends EventEmitter<SandboxedEvents> implements Sandboxed {
  pid: number | undefined;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  exitCode: number | null = null;
  signalCode: NodeJS.Signals | null = null;

  readonly #library: NativeLibrary;
  readonly #program: string;
  readonly #decode = createRecordDecoder();
  readonly #probes = createProbeFilter();
  readonly #decisions: Decisions;
  readonly #table: Buffer;
  #explainer: Explainer | undefined;
  #handle: number;
  #records: Socket | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #lost = 0;
  #hasFailed = false;
  #hasExited = false;
  #hold: NodeJS.Timeout | undefined;
  /** What has to end before `close`: the tree, and each stream. */
  #open = 1;
  #abort: (() => void) | undefined;

  constructor(
    library: NativeLibrary,
    table: Buffer,
    request: Buffer,
    program: string,
    { ours }: Streams,
    { signal, maxDecisions = 1024 }: SpawnOptions,
  ) {
    super();
    this.#library = library;
    this.#program = program;
    this.#table = table;
    this.#decisions = createDecisions(maxDecisions);
    this.stdin = ours[0] ?? null;
    this.stdout = ours[1] ?? null;
    this.stderr = ours[2] ?? null;
    for (const stream of ours) {
      if (stream === undefined) continue;
      this.#open += 1;
      stream.once('close', () => this.#ended());
    }
    this.#handle = library.start(table, request);
    if (this.#handle < 0) {
      const failure = startFailure('front', -this.#handle, program);
      process.nextTick(() => {
        this.#fail(failure);
        this.#finish();
      });
      return;
    }
    const descriptor = library.events(this.#handle);
    this.#records = new Socket({ fd: descriptor, readable: true, writable: false });
    this.#records.on('data', (chunk: Buffer) => this.#read(chunk));
    this.#records.on('error', () => this.#finish());
    this.#records.once('close', () => this.#finish());
    if (signal !== undefined) this.#obey(signal);
  }

  get decisions(): AsyncIterable<Decision> {
    return this.#decisions;
  }

  get dropped(): number {
    return this.#lost + this.#decisions.dropped;
  }

  kill(signal: NodeJS.Signals | number = 'SIGTERM'): boolean {
    const number = typeof signal === 'number' ? signal : constants.signals[signal];
    if (!Number.isInteger(number) || number < 1 || number > 64) {
      throw usage(`${signal} is no signal`);
    }
    if (this.#handle < 0 || this.exitCode !== null || this.signalCode !== null) return false;
    return this.#library.signal(this.#handle, number) === 0;
  }

  killAll(): void {
    // EPIPE: the tree is gone.
    if (this.#handle >= 0) this.#library.kill(this.#handle);
  }

  ref(): void {
    this.#records?.ref();
  }

  unref(): void {
    this.#records?.unref();
  }

  #obey(signal: AbortSignal): void {
    const abort = (): void => {
      this.killAll();
      this.#fail(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    };
    if (signal.aborted) {
      process.nextTick(abort);
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    this.#abort = () => signal.removeEventListener('abort', abort);
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = bytes.length - (bytes.length % RECORD_BYTES);
    for (let at = 0; at < end; at += RECORD_BYTES) {
      const record = this.#decode(bytes.subarray(at, at + RECORD_BYTES));
      if (record !== undefined) this.#take(record);
    }
    this.#rest = Buffer.from(bytes.subarray(end));
  }

  #take(record: ExecutorRecord): void {
    if ('dropped' in record) this.#lost = Math.max(this.#lost, record.dropped);
    switch (record.kind) {
      case 'started':
        this.pid = record.pid;
        this.emit('spawn');
        break;
      case 'denied':
      case 'allowed':
        this.#probes.push(record).forEach(this.#tell, this);
        this.#rearm();
        break;
      case 'name':
        this.#explain()?.learn(record);
        break;
      case 'exited':
        this.#exited(record.status);
        break;
      case 'failed':
        this.#fail(startFailure(record.stage, record.errno, this.#program));
        break;
      case 'ended':
        this.#records?.destroy();
        break;
    }
  }

  #exited(status: number): void {
    this.#hasExited = true;
    const outcome = decodeStatus(status);
    if ('exit' in outcome) this.exitCode = outcome.exit;
    else this.signalCode = signalName(outcome.signal);
    this.emit('exit', this.exitCode, this.signalCode);
  }

  /** Refused connects that may be probes are told after a moment also when no record follows. */
  #rearm(): void {
    clearTimeout(this.#hold);
    const { nextMs } = this.#probes;
    if (nextMs === undefined) return;
    this.#hold = setTimeout(
      () => {
        this.#probes.due(Date.now()).forEach(this.#tell, this);
        this.#rearm();
      },
      Math.max(1, nextMs - Date.now() + 1),
    );
    this.#hold.unref();
  }

  #tell(record: DecidedRecord): void {
    const explained: Explained = this.#explain()?.explain(record) ?? NO_EXPLANATION;
    const decision = toDecision(record, explained);
    this.#decisions.push(decision);
    this.emit('decision', decision);
  }

  /** Undefined where this reader refuses the table, which the executor then does as well. */
  #explain(): Explainer | undefined {
    try {
      this.#explainer ??= createExplainer(this.#table);
    } catch {
      return undefined;
    }
    return this.#explainer;
  }

  #fail(error: Error): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.emit('error', error);
  }

  /** No record follows. */
  #finish(): void {
    if (this.#decisions.isEnded) return;
    clearTimeout(this.#hold);
    this.#probes.flush().forEach(this.#tell, this);
    // The tree was ended before the command's own end was seen.
    if (this.pid !== undefined && !this.#hasExited) this.#exited(constants.signals.SIGKILL);
    this.#abort?.();
    this.#decisions.end();
    if (this.#handle >= 0) this.#library.close(this.#handle);
    this.#handle = -1;
    this.stdin?.destroy();
    this.#ended();
  }

  #ended(): void {
    this.#open -= 1;
    if (this.#open === 0) this.emit('close', this.exitCode, this.signalCode);
  }
}

/** The command's standard streams. */
interface Streams {
  /** Descriptors for the command. */
  readonly theirs: [number, number, number];
  /** This process's ends of pipes. */
  readonly ours: readonly [Writable | undefined, Readable | undefined, Readable | undefined];
  /** Descriptors that are to be closed once the command has them. */
  readonly opened: readonly number[];
}

function openStreams(library: NativeLibrary, stdio: NonNullable<SpawnOptions['stdio']>): Streams {
  const wanted: readonly Stdio[] = typeof stdio === 'object' ? stdio : [stdio, stdio, stdio];
  if (wanted.length !== 3) throw usage('stdio takes one value or three');
  const opened: number[] = [];
  const ours: (Socket | undefined)[] = [];
  const theirs = wanted.map((kind, number) => {
    ours[number] = undefined;
    if (kind === 'inherit') return number;
    if (typeof kind === 'number') return kind;
    if (kind === 'ignore') {
      const descriptor = openSync('/dev/null', number === 0 ? 'r' : 'w');
      opened.push(descriptor);
      return descriptor;
    }
    if (kind !== 'pipe') throw usage(`stdio does not know ${String(kind)}`);
    const [read, write] = library.pipe();
    const isInput = number === 0;
    opened.push(isInput ? read : write);
    ours[number] = new Socket({
      fd: isInput ? write : read,
      readable: !isInput,
      writable: isInput,
    });
    return isInput ? read : write;
  });
  return {
    theirs: [theirs[0] ?? 0, theirs[1] ?? 1, theirs[2] ?? 2],
    ours: [ours[0], ours[1], ours[2]],
    opened,
  };
}

/** Arguments and environment are the caller's strings, not those this process was started with. */
function notOurs(): never {
  throw new Error('not asked for');
}

function toLinger(seconds: number): number {
  if (seconds === Number.POSITIVE_INFINITY) return FOREVER;
  if (Number.isInteger(seconds) && seconds >= 0 && seconds < FOREVER) return seconds;
  throw usage(`lingerSeconds takes whole seconds or Infinity, not ${seconds}`);
}

function definedOnly(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const entries = Object.entries(environment).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Record<string, string>;
}

function signalName(number: number): NodeJS.Signals {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return (found?.[0] ?? `SIG${number}`) as NodeJS.Signals;
}

function usage(message: string): SandlockError {
  return new SandlockError('usage', message);
}
