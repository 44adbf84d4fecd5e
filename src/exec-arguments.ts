/**
 * The command line of `exec`, taken apart by hand: loading a parser would cost more than everything else
 * that `exec` does in JavaScript. What stands before `--` is sandlock's, what follows is the command's and
 * is not looked at. Most of it is the launcher's to act on, which gets it as it is; it is checked here in the same
 * words (test/command-lines.txt), so that a mistake is told before a policy is compiled.
 */
import { nearest } from '../compiler/nearest.ts';
import { SandlockError } from './errors.ts';
import type { Words } from './raw-arguments.ts';
import { unknownDegradation } from './request.ts';

/** What `exec` was asked to do. A policy is given, or a rule. */
export interface ExecArguments {
  /** Path of a policy or of a table. */
  readonly policy: string | undefined;
  /** Rules of `--allow`, in order. */
  readonly allow: readonly string[];
  /** Rules of `--deny`, in order. */
  readonly deny: readonly string[];
  /** Bind rules of `--allow-bind`, in order. */
  readonly allowBind: readonly string[];
  /** Sockets of `--allow-unix`, in order. */
  readonly allowUnix: readonly string[];
  /** Print no denials. */
  readonly quiet: boolean;
  /** Look up again what is pinned in a table. */
  readonly refresh: boolean;
  /** What the launcher gets: a name of the table, options that are not about the table, and the command. */
  readonly launcher: Words;
}

/** What messages call a table that is of options alone. */
const NAMELESS = 'the table';

type RulesGiven = Pick<ExecArguments, 'allow' | 'deny' | 'allowBind' | 'allowUnix'>;

/** Options that add rules, in the order of {@link RulesGiven}. */
const RULE_OPTIONS = ['--allow', '--deny', '--allow-bind', '--allow-unix'];

/** All that may be meant by what is none. */
const OPTIONS = [
  ...RULE_OPTIONS,
  ...['--refresh', '--quiet', '--log', '--log-allowed', '--summary', '--linger', '--supervise'],
  ...['--stats', '--allow-degraded', '--help'],
];

const USAGE = 'sandlock exec POLICY [options] -- COMMAND …\nsee: sandlock exec --help';

/**
 * Parses the arguments after `exec`. Returns 'help' when help is asked for.
 * @throws SandlockError (usage) with the fix in its text.
 */
export function parseExecArguments(args: readonly string[]): ExecArguments | 'help' {
  const end = args.indexOf('--');
  const own = end === -1 ? args : args.slice(0, end);
  const policies: string[] = [];
  const rules = new Map<string, string[]>(RULE_OPTIONS.map((option) => [option, []]));
  const counts = { logs: 0, lingers: 0 };
  /** Of the launcher, by their place. */
  const chosen: number[] = [];
  let quiet = false;
  let logAllowed = false;
  let refresh = false;

  for (let index = 0; index < own.length; index += 1) {
    const start = index;
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
    const list = rules.get(name);
    if (list !== undefined) {
      list.push(value());
      continue;
    }
    if (argument === '--refresh') {
      refresh = true;
      continue;
    }
    if (name === '--log') {
      value();
      counts.logs += 1;
    } else if (name === '--linger') {
      checkLinger(value());
      counts.lingers += 1;
    } else if (name === '--allow-degraded') checkDegraded(value());
    else if (argument === '--quiet' || argument === '-q') quiet = true;
    else if (argument === '--log-allowed') logAllowed = true;
    else if (argument === '--help' || argument === '-h') return 'help';
    else if (argument === '--summary' || argument === '--supervise' || argument === '--stats') {
      // The launcher's alone.
    } else if (argument.startsWith('-')) throw unknownOption(argument, end !== -1);
    else policies.push(argument);
    for (let place = start; place <= index; place += 1) chosen.push(place);
  }

  const [policy, ...rest] = policies;
  const [allow = [], deny = [], allowBind = [], allowUnix = []] = rules.values();
  const given = { allow, deny, allowBind, allowUnix };
  if (end === -1) throw missingSeparator(policies, hasRules(given));
  if (rest.length > 0) {
    throw usage(`one policy is needed and ${policies.length} are given: ${policies.join(', ')}`);
  }
  if (policy === undefined && !hasRules(given)) {
    throw usage('no policy: name a file, or give rules by --allow; without any, nothing is run');
  }
  if (counts.logs > 1) throw usage('--log is given twice');
  if (logAllowed && counts.logs === 0) throw usage('--log-allowed needs --log FILE');
  if (counts.lingers > 1) throw usage('--linger is given twice');
  if (end + 1 === args.length) throw usage('no command after --');
  if (args[end + 1] === '') throw usage('the command after -- is empty');
  for (let place = end; place < args.length; place += 1) chosen.push(place);
  const launcher = { last: args, chosen, ...(policy === undefined ? { first: NAMELESS } : {}) };
  return { policy, ...given, refresh, quiet, launcher };
}

/** Whether rules are given by options. */
export function hasRules({ allow, deny, allowBind, allowUnix }: RulesGiven): boolean {
  return allow.length + deny.length + allowBind.length + allowUnix.length > 0;
}

function checkDegraded(name: string): void {
  const fault = unknownDegradation(name);
  if (fault !== undefined) throw usage(fault);
}

/** Seconds, or `forever`. */
function checkLinger(text: string): void {
  if (text !== 'forever' && !/^[0-9]{1,9}$/.test(text)) {
    throw usage(`--linger takes whole seconds or forever, not ${text}`);
  }
}

function usage(message: string): SandlockError {
  return new SandlockError('usage', `${message}\nusage: ${USAGE}`);
}

function unknownOption(argument: string, hasSeparator: boolean): SandlockError {
  const hint = hasSeparator ? '' : '; options of the command belong after --';
  const meant = nearest(argument.replace(/=.*$/s, '').replaceAll('_', '-'), OPTIONS);
  const suggestion = meant === undefined ? '' : `\n(Did you mean ${meant}?)`;
  return usage(`unknown option ${argument}${hint}${suggestion}`);
}

/** Suggests the line that was probably meant: the first word is the policy unless rules are given by option. */
function missingSeparator(words: readonly string[], hasRules: boolean): SandlockError {
  const command = hasRules && words.length === 1 ? words : words.slice(1);
  if (command.length === 0) return usage('no command: it follows after --');
  return usage(`put -- before the command: … -- ${command.join(' ')}`);
}
