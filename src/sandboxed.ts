/**
 * A running command as JavaScript sees it: what the library's records say becomes events, in the
 * manner of node:child_process. Records come through a pipe that the event loop reads; when this
 * process or worker thread ends, the pipe ends, and with it the whole tree.
 */
import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import type { NativeLibrary } from './binding.ts';
import { type Decision, type Explained, NO_EXPLANATION, toDecision } from './decision.ts';
import { createDecisions, type Decisions } from './decisions.ts';
import { usageError } from './errors.ts';
import { createExplainer, type Explainer } from './explaining.ts';
import { decodeStatus } from './outcome.ts';
import { createProbeFilter } from './probes.ts';
import {
  createRecordDecoder,
  type DecidedRecord,
  type ExecutorRecord,
  RECORD_BYTES,
} from './records.ts';
import { startFailure } from './start-failure.ts';
import type { Streams } from './streams.ts';

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
  /**
   * Decisions that were lost: because nobody read them, or because they came faster than the library could tell them.
   */
  readonly dropped: number;
  /** Sends a signal to the command alone: SIGTERM if left out. False: it has ended. */
  kill(signal?: NodeJS.Signals | number): boolean;
  /** Ends the whole tree at once. */
  killAll(): void;
  /** Does not keep this process running; when it ends, so does the tree. */
  unref(): void;
  ref(): void;
}

/** What of the options concerns a running command. */
interface ChildOptions {
  readonly signal?: AbortSignal;
  readonly maxDecisions?: number;
}

/** See {@link Sandboxed}; it is started by being made. */
export class Child extends EventEmitter<SandboxedEvents> implements Sandboxed {
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
    ours: Streams['ours'],
    { signal, maxDecisions = 1024 }: ChildOptions,
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
      throw usageError(`${signal} is no signal`);
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

function signalName(number: number): NodeJS.Signals {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return (found?.[0] ?? `SIG${number}`) as NodeJS.Signals;
}
