/**
 * `sandlock exec`: runs the command under a table and ends as it ended.
 *
 * With a compiled table everything here is synchronous and loads neither the compiler nor a parser of command lines;
 * a policy in TOML brings them in lazily. While the command runs, this thread sits in one native call that waits
 * for the next record: no event loop, no libuv. Signals, stops and the terminal are the library's.
 *
 * Must not: touch process.stdin, process.stdout, process.stderr or console (see standard-error.ts); run the command in
 * any way but through the library.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { loadLibrary, type NativeLibrary } from './binding.ts';
import { createDenialReporter, formatLogLine, formatLostLine } from './denials.ts';
import { describeCause, EXIT, isSandlockError, SandlockError } from './errors.ts';
import { type ExecArguments, parseExecArguments } from './exec-arguments.ts';
import { isTable, readWhole } from './files.ts';
import { decodeStatus, type Outcome, startFailure } from './outcome.ts';
import { type DeniedRecord, decodeRecord, RECORD_BYTES } from './records.ts';
import { encodeRequest, ownSource } from './request.ts';
import { printable, writeError } from './standard-error.ts';

/**
 * Runs `sandlock exec` with the arguments that follow it. Ends the process; only for a TOML policy or for help it
 * returns a promise first.
 * @throws SandlockError for whatever keeps the command from running.
 */
export function exec(args: readonly string[]): Promise<void> | undefined {
  const parsed = parseExecArguments(args);
  if (parsed === 'help') return import('./commands.ts').then(({ printHelp }) => printHelp('exec'));
  const bytes = parsed.policy === undefined ? undefined : readWhole(parsed.policy);
  if (bytes === undefined || !isTable(bytes)) return compileAndRun(parsed, bytes);
  if (parsed.allow.length + parsed.deny.length > 0) {
    const fix = 'give --allow and --deny together with the TOML policy';
    throw new SandlockError('usage', `${parsed.policy} is compiled and can not be changed: ${fix}`);
  }
  return run(bytes, parsed);
}

async function compileAndRun(parsed: ExecArguments, text: Buffer | undefined): Promise<void> {
  const { compileForExec } = await import('./compiling.ts');
  await run(await compileForExec(parsed, text), parsed);
}

/** Returns only to say why the table is bad. */
function run(table: Buffer, parsed: ExecArguments): Promise<void> | undefined {
  const log = openLog(parsed.log);
  const library = loadLibrary();
  const program = parsed.command[0] ?? '';
  const handle = library.start(table, encodeRequest(ownSource(parsed)));
  if (handle < 0) throw startFailure('front', -handle, program);
  const denials = createDenialReporter();
  const end = follow(library, handle, {
    onDenied(record) {
      if (!parsed.quiet) writeError(denials.report(record));
      log?.(formatLogLine(record));
    },
    onOpaque({ program: name, pid }) {
      if (!parsed.quiet) writeError(formatOpaque(name, pid));
    },
  });
  if (!parsed.quiet) writeError(denials.finish(end.dropped));
  if (end.dropped > 0) log?.(formatLostLine(end.dropped));
  if (end.killed > 0 && !parsed.quiet) writeError(formatKilled(end.killed));
  if (end.failure?.stage === 'table') return explainTable(table, parsed, end.failure.errno);
  if (end.failure !== undefined) throw startFailure(end.failure.stage, end.failure.errno, program);
  if (end.outcome === undefined) throw startFailure('supervisor', 0, program);
  return leave(library, end.outcome);
}

function formatKilled(count: number): string {
  const what = count === 1 ? '1 process' : `${count} processes`;
  return `sandlock: ended ${what} that outlived the command (see --linger)\n`;
}

function formatOpaque(name: string, pid: number): string {
  const reason = 'its program file is not readable, so its network calls fail';
  return `sandlock: can not look into ${printable(name)}[${pid}]: ${reason}\n`;
}

interface Listeners {
  readonly onDenied: (record: DeniedRecord) => void;
  readonly onOpaque: (record: { readonly program: string; readonly pid: number }) => void;
}

interface End {
  readonly outcome: Outcome | undefined;
  readonly failure: { readonly stage: string; readonly errno: number } | undefined;
  readonly dropped: number;
  /** How many processes outlived the command and had to be ended. */
  readonly killed: number;
}

/** Waits for every record until the whole tree is gone. */
function follow(library: NativeLibrary, handle: number, { onDenied, onOpaque }: Listeners): End {
  const bytes = Buffer.alloc(RECORD_BYTES);
  let outcome: Outcome | undefined;
  let failure: End['failure'];
  let dropped = 0;
  for (;;) {
    const result = library.next(handle, bytes, -1);
    if (result < 0) failure = { stage: 'front', errno: -result };
    if (result <= 0) return { outcome, failure, dropped, killed: 0 };
    const record = decodeRecord(bytes);
    if (record === undefined) continue;
    if ('dropped' in record) dropped = Math.max(dropped, record.dropped);
    if (record.kind === 'denied') onDenied(record);
    else if (record.kind === 'opaque') onOpaque(record);
    else if (record.kind === 'exited') outcome = decodeStatus(record.status);
    else if (record.kind === 'failed') failure ??= record;
    // The tree is gone; what the library still has to put away goes with this process.
    else if (record.kind === 'ended') return { outcome, failure, dropped, killed: record.killed };
  }
}

/**
 * Ends as the command ended. Not by process.exit: it sets the terminal back to what it was, so that `stty` as a command
 * would do nothing. And a shell's loop goes on after Ctrl-C if it only sees a status of 130.
 */
function leave(library: NativeLibrary, outcome: Outcome): never {
  if ('exit' in outcome) {
    library.exit(outcome.exit);
    process.exit(outcome.exit);
  }
  library.raise(outcome.signal);
  process.exit(128 + outcome.signal);
}

/** The executor says only that it refused the table; the other reader says where it is bad. */
async function explainTable(table: Buffer, parsed: ExecArguments, errno: number): Promise<never> {
  const { describeDefect } = await import('./compiling.ts');
  const defect = describeDefect(parsed.policy ?? 'the table', table);
  throw defect ?? startFailure('table', errno, parsed.command[0] ?? '');
}

/** Opens the log before anything starts; a line that can not be written later is reported once. */
function openLog(path: string | undefined): ((line: string) => void) | undefined {
  if (path === undefined) return undefined;
  let descriptor: number;
  try {
    descriptor = openSync(path, 'a');
  } catch (cause) {
    throw new SandlockError('file', `can not write ${path}: ${describeCause(cause)}`, { cause });
  }
  let isBroken = false;
  return (line) => {
    if (isBroken) return;
    try {
      writeSync(descriptor, line);
    } catch (error) {
      isBroken = true;
      closeSync(descriptor);
      writeError(`sandlock: the log ends here: ${path}: ${describeCause(error)}\n`);
    }
  };
}

/** Prints an error as one message and returns the exit status that belongs to it. */
export function reportFailure(error: unknown): number {
  if (isSandlockError(error)) {
    const text = error.message.split('\n').map(printable).join('\n');
    if (text !== '') writeError(`sandlock: ${text}\n`);
    return error.status;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  writeError(`sandlock: internal error: ${text}\n`);
  return EXIT.failed;
}
