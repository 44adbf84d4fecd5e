/**
 * The only file that loads ffi-rs. It knows the functions of docs/native.md and their argument types,
 * checks every number before it crosses (ffi-rs truncates silently and aborts the process on an unknown
 * type), and turns results into values and errors. Only coarse calls go through here: a call costs
 * microseconds, and none is made per decision.
 *
 * `require` is that of the CommonJS bundle, the only form in which this file runs: making one by createRequire takes
 * half a millisecond, a hundredth of node's start.
 */
import type * as Ffi from 'ffi-rs';
import { describeCause, SandlockError } from './errors.ts';
import { findLibrary } from './library-path.ts';
import { RECORD_BYTES } from './records.ts';

/** The native interface, typed. A handle is what `start` returned. */
export interface NativeLibrary {
  /** Starts a command; a negative result is `-errno`. */
  start(table: Buffer, request: Buffer): number;
  /** Waits for the next record and writes it: 1, or 0 at the end, or `-errno`. Blocks the thread. */
  next(handle: number, record: Buffer): number;
  /** Tries what a sandbox needs, in throw-away processes; writes the answers and returns their number, or `-errno`. */
  probe(answers: Buffer): number;
  /** Ends the calling process by a signal; returns only when that is impossible. */
  raise(signal: number): void;
  /** Ends the calling process at once with a status; returns only when that is impossible. */
  exit(status: number): void;
}

/** Version of the interface that this file speaks. */
const ABI_VERSION = 1;

/** Name under which ffi-rs keeps the open library. */
const LIBRARY = 'sandlock';

/**
 * Loads the library and asks for its version first.
 * @throws SandlockError (library)
 */
export function loadLibrary(path: string = findLibrary()): NativeLibrary {
  const { open, load, DataType } = requireFfi();
  const { I32, U32, U64, U8Array, String: Text } = DataType;
  const call = (funcName: string, paramsType: Ffi.DataType[], paramsValue: unknown[]): number =>
    load({ library: LIBRARY, funcName, retType: I32, paramsType, paramsValue }) as number;

  let version: number;
  try {
    open({ library: LIBRARY, path });
    version = call('sl_abi_version', [], []);
  } catch (cause) {
    const message = `can not load ${path}: ${describeCause(cause)}`;
    throw new SandlockError('library', message, { cause });
  }
  if (version !== ABI_VERSION) {
    const message = `${path} speaks version ${version} of the native interface, ${ABI_VERSION} is needed`;
    throw new SandlockError('library', `${message}: rebuild or reinstall sandlock`);
  }
  return {
    start(table, request) {
      const types = [Text, U8Array, U64, U8Array, U64, U32];
      const values = [path, table, table.length, request, request.length, 0];
      return call('sl_start', types, values);
    },
    next(handle, record) {
      if (record.length !== RECORD_BYTES) throw new RangeError('a record has 64 bytes');
      return call('sl_next', [I32, U8Array, U32], [toInt32(handle), record, 0]);
    },
    probe(answers) {
      const types = [Text, U8Array, U64, U32];
      return call('sl_probe', types, [path, answers, answers.length, 0]);
    },
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

/**
 * Requires ffi-rs without the diagnostic report that it asks Node for, only to read which C library this is: 4 of the
 * 5 ms that loading it costs. With a wrong answer the platform package is not found, and then the real report decides.
 */
function requireFfi(): typeof Ffi {
  const { report } = process;
  const original = report.getReport;
  try {
    report.getReport = () => ({ header: { glibcVersionRuntime: '2' } });
    return require('ffi-rs') as typeof Ffi;
  } catch {
    report.getReport = original;
    try {
      return require('ffi-rs') as typeof Ffi;
    } catch (cause) {
      const message = `can not load ffi-rs: ${describeCause(cause)}; was it installed with --no-optional?`;
      throw new SandlockError('library', message, { cause });
    }
  } finally {
    report.getReport = original;
  }
}
