/**
 * The command line of `exec`, taken apart by hand: loading a parser would cost more than everything else
 * that `exec` does in JavaScript. What stands before `--` is sandlock's, what follows is the command's and
 * is not looked at.
 */
import { SandlockError } from './errors.ts';
import { DEGRADATIONS, FOREVER } from './request.ts';

/** What `exec` was asked to do. At least one of `policy`, `allow` and `deny` is given. */
export interface ExecArguments {
  /** Path of a policy or of a table. */
  readonly policy: string | undefined;
  /** Rules of `--allow`, in order. */
  readonly allow: readonly string[];
  /** Rules of `--deny`, in order. */
  readonly deny: readonly string[];
  /** Print no denials. */
  readonly quiet: boolean;
  /** Look up again what is pinned in a table. */
  readonly refresh: boolean;
  /** File to which every refusal is appended as a line of JSON. */
  readonly log: string | undefined;
  /** Allowed calls go to the log as well. */
  readonly logAllowed: boolean;
  /** Print at the end what was reached and refused. */
  readonly summary: boolean;
  /** How long processes may outlive the command before they are ended, in seconds; FOREVER is without end. */
  readonly lingerSeconds: number;
  /** What the kernel may lack, by name. */
  readonly degraded: readonly string[];
  /** Look at every call, also where the kernel alone could hold the policy. */
  readonly supervise: boolean;
  /** Say at the end how many calls were looked at. */
  readonly stats: boolean;
  /** Program and arguments, at least the program. */
  readonly command: readonly string[];
}

/** Long enough for a program's own background work to finish, short enough that a daemon it leaves holds nobody up. */
const LINGER = '10';

const USAGE =
  'sandlock exec POLICY [--allow RULE] [--deny RULE] [--refresh] [--quiet] [--log FILE] [--linger TIME] -- COMMAND …';

/**
 * Parses the arguments after `exec`. Returns 'help' when help is asked for.
 * @throws SandlockError (usage) with the fix in its text.
 */
export function parseExecArguments(args: readonly string[]): ExecArguments | 'help' {
  const end = args.indexOf('--');
  const own = end === -1 ? args : args.slice(0, end);
  const policies: string[] = [];
  const allow: string[] = [];
  const deny: string[] = [];
  const logs: string[] = [];
  const lingers: string[] = [];
  const degraded: string[] = [];
  let quiet = false;
  let logAllowed = false;
  let summary = false;
  let supervise = false;
  let stats = false;
  let refresh = false;

  for (let index = 0; index < own.length; index += 1) {
    const argument = own[index] ?? '';
    const equals = argument.startsWith('--') ? argument.indexOf('=') : -1;
    const name = equals === -1 ? argument : argument.slice(0, equals);
    const value = (): string => {
      if (equals !== -1) return argument.slice(equals + 1);
      index += 1;
      const next = own[index];
      if (next === undefined) throw usage(`${name} needs a value`);
      return next;
    };
    if (name === '--allow') allow.push(value());
    else if (name === '--deny') deny.push(value());
    else if (name === '--log') logs.push(value());
    else if (name === '--allow-degraded') degraded.push(parseDegraded(value()));
    else if (name === '--linger') lingers.push(value());
    else if (argument === '--quiet' || argument === '-q') quiet = true;
    else if (argument === '--log-allowed') logAllowed = true;
    else if (argument === '--summary') summary = true;
    else if (argument === '--supervise') supervise = true;
    else if (argument === '--stats') stats = true;
    else if (argument === '--refresh') refresh = true;
    else if (argument === '--help' || argument === '-h') return 'help';
    else if (argument.startsWith('-')) throw unknownOption(argument, end !== -1);
    else policies.push(argument);
  }

  const [policy, ...rest] = policies;
  if (end === -1) throw missingSeparator(policies, allow.length + deny.length > 0);
  if (rest.length > 0) {
    throw usage(`one policy is needed and ${policies.length} are given: ${policies.join(', ')}`);
  }
  if (logs.length > 1) throw usage('--log is given twice');
  if (logAllowed && logs.length === 0) throw usage('--log-allowed needs --log FILE');
  if (lingers.length > 1) throw usage('--linger is given twice');
  const lingerSeconds = parseLinger(lingers[0] ?? LINGER);
  const command = args.slice(end + 1);
  if (command.length === 0) throw usage('no command after --');
  if (command[0] === '') throw usage('the command after -- is empty');
  if (policy === undefined && allow.length === 0 && deny.length === 0) {
    throw usage('no policy: name a file, or give rules by --allow; without any, nothing is run');
  }
  const log = logs[0];
  return {
    ...{ policy, allow, deny, refresh, quiet, log, logAllowed, summary, supervise, stats },
    ...{ lingerSeconds, degraded, command },
  };
}

function parseDegraded(name: string): string {
  if (DEGRADATIONS.has(name)) return name;
  const known = [...DEGRADATIONS.keys()].join(', ');
  throw usage(`--allow-degraded takes ${known}, not ${name}`);
}

/** Seconds, or `forever`. */
function parseLinger(text: string): number {
  if (text === 'forever') return FOREVER;
  const seconds = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(seconds)) {
    throw usage(`--linger takes whole seconds or forever, not ${text}`);
  }
  return seconds;
}

function usage(message: string): SandlockError {
  return new SandlockError('usage', `${message}\nusage: ${USAGE}`);
}

function unknownOption(argument: string, hasSeparator: boolean): SandlockError {
  const hint = hasSeparator ? '' : '; options of the command belong after --';
  return usage(`unknown option ${argument}${hint}`);
}

/** Suggests the line that was probably meant: the first word is the policy unless rules are given by option. */
function missingSeparator(words: readonly string[], hasRules: boolean): SandlockError {
  const command = hasRules && words.length === 1 ? words : words.slice(1);
  if (command.length === 0) return usage('no command: it follows after --');
  return usage(`put -- before the command: … -- ${command.join(' ')}`);
}
