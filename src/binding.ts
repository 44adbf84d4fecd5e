/**
 * The only file that loads ffi-rs. It knows the functions of docs/native.md and their argument types,
 * checks every number before it crosses (ffi-rs truncates silently and aborts the process on an unknown
 * type), and turns results into values and errors. Only coarse calls go through here: a call costs
 * microseconds, and none is made per decision.
 *
 * `require` is that of the CommonJS bundle, the only form in which this file runs: making one by createRequire takes
 * half a millisecond, a hundredth of node's start.
 */

import { errnoName } from './errno.ts';
import { describeCause, SandlockError } from './errors.ts';
import { findLibrary, programBeside } from './library-path.ts';
import { ABI_VERSION, type Binding, type Call, dlopen, loadNearby, openLibrary } from './native.ts';
import { RECORD_BYTES } from './records.ts';

/** The native interface, typed. A handle is what `start` returned. */
export interface NativeLibrary {
  /**
   * Becomes the launcher with this table and these arguments, each ended by a NUL: this process is another program then.
   * Returns only when that is impossible: `-errno`.
   */
  become(table: Buffer, words: Buffer): number;
  /** Starts a command; a negative result is `-errno`. */
  start(table: Buffer, request: Buffer): number;
  /** Tries what a sandbox needs, in throw-away processes; writes the answers and returns their number, or `-errno`. */
  probe(answers: Buffer): number;
  /**
   * Waits for the next record, at most `timeoutMs` (-1: for ever), and writes it: 1, or 0 at the end, or `-errno`
   * (EAGAIN: the time is over). Blocks the thread.
   */
  next(handle: number, record: Buffer, timeoutMs: number): number;
  /** The descriptor to read the records from instead of `next`, the caller's; or `-errno`. */
  events(handle: number): number;
  /** A pipe for stdio: [read end, write end]. */
  pipe(): readonly [number, number];
  /** Sends a signal to the command. */
  signal(handle: number, signal: number): number;
  /** Ends the whole tree. */
  kill(handle: number): number;
  /** Gives the handle up; a running tree is ended. */
  close(handle: number): number;
  /** Ends the calling process by a signal; returns only when that is impossible. */
  raise(signal: number): void;
  /** Ends the calling process at once with a status; returns only when that is impossible. */
  exit(status: number): void;
}

/**
 * Loads the library and asks for its version first.
 * @throws SandlockError (library)
 */
export function loadLibrary(path: string = findLibrary()): NativeLibrary {
  const ffi = loadFfi();
  const { I32, U32, U64, U8Array, String: Text } = ffi.DataType;
  let call: Call;
  let version: number;
  try {
    call = openLibrary(ffi, path);
    version = call('sl_abi_version', [], []);
  } catch (cause) {
    const message = `can not load ${path}: ${describeCause(cause)}`;
    throw new SandlockError('library', message, { cause });
  }
  if (version !== ABI_VERSION) {
    const message = `${path} speaks version ${version} of the native interface, ${ABI_VERSION} is needed`;
    throw new SandlockError('library', `${message}: rebuild or reinstall sandlock`);
  }
  const program = programBeside(path);
  return {
    become(table, words) {
      const types = [Text, U8Array, U64, U8Array, U64, U32];
      const values = [program, table, table.length, words, words.length, 0];
      return call('sl_become', types, values);
    },
    start(table, request) {
      const types = [Text, U8Array, U64, U8Array, U64, U32];
      const values = [program, table, table.length, request, request.length, 0];
      return call('sl_start', types, values);
    },
    next(handle, record, timeoutMs) {
      if (record.length !== RECORD_BYTES) throw new RangeError('a record has 64 bytes');
      const values = [toInt32(handle), record, toInt32(timeoutMs), 0];
      return call('sl_next', [I32, U8Array, I32, U32], values);
    },
    probe(answers) {
      const types = [Text, U8Array, U64, U32];
      return call('sl_probe', types, [program, answers, answers.length, 0]);
    },
    events: (handle) => call('sl_events', [I32, U32], [toInt32(handle), 0]),
    pipe() {
      const ends = Buffer.alloc(8);
      const result = call('sl_pipe', [U8Array, U32], [ends, 0]);
      if (result < 0) {
        throw new SandlockError('kernel', `can not make a pipe: ${errnoName(-result)}`);
      }
      return [ends.readInt32LE(0), ends.readInt32LE(4)];
    },
    signal: (handle, signal) =>
      call('sl_signal', [I32, I32, U32], [toInt32(handle), toInt32(signal), 0]),
    kill: (handle) => call('sl_kill', [I32, U32], [toInt32(handle), 0]),
    close: (handle) => call('sl_close', [I32, U32], [toInt32(handle), 0]),
    raise(signal) {
      call('sl_raise', [I32, U32], [toInt32(signal), 0]);
    },
    exit(status) {
      call('sl_exit', [I32, U32], [toInt32(status), 0]);
    },
  };
}

function toInt32(value: number): number {
  if ((value | 0) !== value) throw new RangeError(`${value} is not a 32-bit integer`);
  return value;
}

/** ffi-rs decides where its native half is not where `require` would look, or can not be loaded: another C library. */
function loadFfi(): Binding {
  const nearby = loadNearby(require.resolve.paths('ffi-rs') ?? []);
  if (nearby !== undefined) return nearby;
  try {
    require('ffi-rs');
    const path = Object.keys(require.cache).find((file) => /ffi-rs[^/]*\.node$/.test(file));
    return path === undefined ? (require('ffi-rs') as Binding) : dlopen(path);
  } catch (cause) {
    const message = `can not load ffi-rs: ${describeCause(cause)}; was it installed with --no-optional?`;
    throw new SandlockError('library', message, { cause });
  }
}
