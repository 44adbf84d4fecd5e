/**
 * `sandlock exec`: gets the table and becomes the launcher (docs/commands.md, sandlock-exec), which runs the command
 * under it, tells what is refused, and ends as the command ended. Nothing of Node is left then.
 *
 * With a compiled table everything here is synchronous and loads neither the compiler nor a parser
 * of command lines; a policy in TOML brings them in lazily, and so does a table with names that are
 * to be resolved first.
 *
 * Must not: touch process.stdin, process.stdout, process.stderr or console (see standard-error.ts); run the command in
 * any way but through the launcher.
 */
import { loadLibrary } from './binding.ts';
import { EXIT, isSandlockError, SandlockError } from './errors.ts';
import { type ExecArguments, hasRules, parseExecArguments } from './exec-arguments.ts';
import { isTable, readWhole } from './files.ts';
import { describeAge, readPins } from './pins.ts';
import { encodeArguments } from './raw-arguments.ts';
import { printable, writeError } from './standard-error.ts';

/**
 * Runs `sandlock exec` with the arguments that follow it. Does not return, but for a TOML policy or for help, where it
 * returns a promise first.
 * @throws SandlockError for whatever keeps the command from running.
 */
export function exec(args: readonly string[]): Promise<void> | undefined {
  const parsed = parseExecArguments(args);
  if (parsed === 'help') return import('./commands.ts').then(({ printHelp }) => printHelp('exec'));
  const bytes = parsed.policy === undefined ? undefined : readWhole(parsed.policy);
  if (bytes === undefined || !isTable(bytes)) return compileAndRun(parsed, bytes);
  if (hasRules(parsed)) {
    const fix = 'give rules by options together with the TOML policy';
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
function run(table: Buffer, { launcher }: ExecArguments): Promise<void> {
  const errno = -loadLibrary().become(table, encodeArguments(launcher));
  return import('./start-failure.ts').then(({ startFailure }) => {
    throw startFailure('front', errno, '');
  });
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
