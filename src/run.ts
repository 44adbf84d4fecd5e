/**
 * A run of `learn`, from the request to the last record. This thread sits in one native
 * call that waits for the next record: no event loop, no libuv. It hands records on and knows what
 * they say about the run itself; what is learnt of the others is the listener's affair.
 */
import type { NativeLibrary } from './binding.ts';
import { decodeStatus, type Outcome } from './outcome.ts';
import {
  createRecordDecoder,
  type DecidedRecord,
  type NameRecord,
  RECORD_BYTES,
} from './records.ts';

/** Is told of a run while it goes on. */
export interface RunListener {
  decided(record: DecidedRecord): void;
  named(record: NameRecord): void;
}

/** How a run ended. */
export interface RunEnd {
  readonly outcome: Outcome | undefined;
  readonly failure: { readonly stage: string; readonly errno: number } | undefined;
  /** Records that were lost because they came faster than they were read. */
  readonly dropped: number;
}

/**
 * Starts a command and returns when its whole tree is gone, or with what kept it from starting.
 */
export function runToEnd(
  library: NativeLibrary,
  table: Buffer,
  request: Buffer,
  listener: RunListener,
): RunEnd {
  const handle = library.start(table, request);
  const decode = createRecordDecoder();
  const bytes = Buffer.alloc(RECORD_BYTES);
  let outcome: Outcome | undefined;
  let failure: RunEnd['failure'];
  let dropped = 0;
  if (handle < 0) return { outcome, failure: { stage: 'front', errno: -handle }, dropped };
  for (;;) {
    const result = library.next(handle, bytes, -1);
    if (result < 0) failure = { stage: 'front', errno: -result };
    if (result <= 0) return { outcome, failure, dropped };
    const record = decode(bytes);
    if (record === undefined) continue;
    if ('dropped' in record) dropped = Math.max(dropped, record.dropped);
    if (record.kind === 'denied' || record.kind === 'allowed') listener.decided(record);
    else if (record.kind === 'name') listener.named(record);
    else if (record.kind === 'exited') outcome = decodeStatus(record.status);
    else if (record.kind === 'failed') failure ??= record;
    // The tree is gone; what the library still has to put away goes with this process.
    else if (record.kind === 'ended') return { outcome, failure, dropped };
  }
}

/**
 * Ends as the command ended. Not by process.exit: it sets the terminal back to what it was, so that `stty` as a command
 * would do nothing. And a shell's loop goes on after Ctrl-C if it only sees a status of 130.
 */
export function leave(library: NativeLibrary, outcome: Outcome): never {
  if ('exit' in outcome) {
    library.exit(outcome.exit);
    process.exit(outcome.exit);
  }
  library.raise(outcome.signal);
  process.exit(128 + outcome.signal);
}
