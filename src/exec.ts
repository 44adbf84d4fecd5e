/**
 * `sandlock exec`: runs the command under a table and ends as it ended.
 *
 * With a compiled table everything here is synchronous and loads neither the compiler nor a parser
 * of command lines; a policy in TOML brings them in lazily, and so do a table with names that are
 * to be resolved first, and the first refusal. Signals, stops and the terminal are the library's.
 *
 * Must not: touch process.stdin, process.stdout, process.stderr or console (see standard-error.ts); run the command in
 * any way but through the library.
 */
import { loadLibrary } from './binding.ts';
import { EXIT, isSandlockError, SandlockError } from './errors.ts';
import { type ExecArguments, parseExecArguments } from './exec-arguments.ts';
import { isTable, readWhole } from './files.ts';
import { tellerFor } from './late-teller.ts';
import { describeAge, readPins } from './pins.ts';
import { encodeRequest, ownSource } from './request.ts';
import { leave, type RunEnd, runToEnd } from './run.ts';
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
  const pins = readPins(bytes);
  if (pins.areMissing || (parsed.refresh && pins.areThere)) return refreshAndRun(parsed, bytes);
  const age = describeAge(parsed.policy ?? '', pins, Date.now() / 1000);
  if (age !== undefined && !parsed.quiet) writeError(`sandlock: ${printable(age)}\n`);
  return run(bytes, parsed);
}

async function compileAndRun(parsed: ExecArguments, text: Buffer | undefined): Promise<void> {
  const { compileForExec } = await import('./compiling.ts');
  await run(await compileForExec(parsed, text), parsed);
}

async function refreshAndRun(parsed: ExecArguments, table: Buffer): Promise<void> {
  const { refreshForExec } = await import('./compiling.ts');
  await run(await refreshForExec(parsed.policy ?? '', table, parsed.refresh), parsed);
}

/** Returns only to say why the command did not run. */
function run(table: Buffer, parsed: ExecArguments): Promise<void> | undefined {
  const teller = tellerFor(table, parsed);
  const library = loadLibrary();
  const telling = parsed.logAllowed || parsed.summary ? 'all' : 'refused';
  const request = encodeRequest(ownSource({ ...parsed, telling }));
  const end = runToEnd(library, table, request, teller);
  teller.finish(end);
  const { failure, outcome } = end;
  if (failure === undefined && outcome !== undefined) return leave(library, outcome);
  return explainFailure(table, parsed, failure ?? { stage: 'supervisor', errno: 0 });
}

async function explainFailure(
  table: Buffer,
  { policy, command }: ExecArguments,
  { stage, errno }: NonNullable<RunEnd['failure']>,
): Promise<never> {
  if (stage === 'table') {
    // The executor says only that it refused the table; the other reader says where it is bad.
    const { describeDefect } = await import('./compiling.ts');
    const defect = describeDefect(policy ?? 'the table', table);
    if (defect !== undefined) throw defect;
  }
  const { startFailure } = await import('./start-failure.ts');
  throw startFailure(stage, errno, command[0] ?? '');
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
