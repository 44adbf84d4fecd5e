/**
 * `allow_unix`: the UNIX sockets outside the sandbox that may be reached.
 * A path, a directory (a final `/`), or `@` and an abstract name. Decides what may be written and in which form it goes
 * into the table. What a path leads to is compared at run time; only its shortest form is accepted, because behind a
 * symbolic link `..` is another directory than it seems; and none below /proc, where it would be the supervisor's own
 * files that a path leads to. Does not look whether a socket exists.
 */
import type { Fault } from './diagnostic.ts';
import type { UnixName, UnixRule } from './model.ts';
import { type Extra, type Placed, placeInOption, placeInString } from './placed.ts';
import { createSource, type Source } from './source.ts';
import type { TomlNode } from './toml-tree.ts';
import type { TargetFault } from './written-rules.ts';

/** `sun_path` of unix(7) has 108 bytes; one is the NUL behind a path, or before an abstract name. */
const LONGEST_BYTES = 107;

/** A rule that parsed, and how to point at it. */
export interface WrittenUnixRule {
  readonly rule: UnixRule;
  /** Makes the diagnostic of something wrong with the rule. */
  place(fault: TargetFault, extra?: Extra): Placed;
}

/** Reads the list, then what `--allow-unix` adds. Values of a wrong type are passed over; the schema reports them. */
export function readUnixRules(
  list: TomlNode | undefined,
  source: Source,
  added: readonly string[],
): { readonly rules: readonly WrittenUnixRule[]; readonly errors: readonly Placed[] } {
  const rules: WrittenUnixRule[] = [];
  const errors: Placed[] = [];
  for (const item of list?.kind === 'array' ? list.items : []) {
    if (item.kind !== 'string') continue;
    const parsed = parseUnixRule(String(item.value));
    if ('code' in parsed) errors.push(placeInString(source, item, parsed));
    else {
      const rule = { ...parsed, source: source.fileName, ...source.position(item.start) };
      const span = { start: 0, end: String(item.value).length };
      rules.push({
        rule,
        place: (fault, extra) => placeInString(source, item, { ...fault, ...span }, extra),
      });
    }
  }
  for (const text of added) {
    const parsed = parseUnixRule(text);
    const option = createSource('--allow-unix', text, 'option');
    if ('code' in parsed) errors.push(placeInOption(option, parsed));
    else {
      const span = { start: 0, end: text.length };
      rules.push({
        rule: { ...parsed, source: option.name, line: 0, column: 0 },
        place: (fault, extra) => placeInOption(option, { ...fault, ...span }, extra),
      });
    }
  }
  return { rules, errors };
}

/** What a rule says, or the first thing that is wrong with it. Offsets count from the start of `text`. */
export function parseUnixRule(text: string): UnixName | Fault {
  const whole = { start: 0, end: text.length };
  if (text === '') {
    const message = 'the socket is missing';
    return { code: 'SL2021', message, ...whole, expected: FORM };
  }
  const nul = text.indexOf('\0');
  if (nul >= 0) return refuseNul(text, nul);
  const glob = /[*?]/.exec(text);
  if (glob !== null) return refuseGlob(text, glob.index);
  if (text.startsWith('@')) return parseAbstract(text);
  if (!text.startsWith('/')) return refuseRelative(text);
  const straight = straighten(text);
  if (straight !== text) {
    const message = `\`${text}\` is not the shortest form of its path`;
    return { code: 'SL2021', message, ...whole, help: `did you mean ${straight}?` };
  }
  const own = /^\/(?:proc|dev\/fd)(?=\/|$)/.exec(text);
  if (own !== null) {
    const message = `\`${own[0]}\` is another for each process that looks: no socket is known by a path there`;
    return { code: 'SL2021', message, ...whole, help: 'write the path to which it leads' };
  }
  const kind = text.endsWith('/') ? 'directory' : 'path';
  const path = kind === 'directory' && text !== '/' ? text.slice(0, -1) : text;
  return tooLong(text, path, 0) ?? { kind, text: path };
}

const FORM = 'an absolute path, a directory with a final `/`, or `@` and an abstract name';

function parseAbstract(text: string): UnixName | Fault {
  const name = text.slice(1);
  if (name === '') {
    const message = 'the abstract name is missing behind `@`';
    return { code: 'SL2021', message, start: 0, end: 1, expected: FORM };
  }
  return tooLong(text, name, 1) ?? { kind: 'abstract', text: name };
}

function tooLong(text: string, stored: string, start: number): Fault | undefined {
  const bytes = new TextEncoder().encode(stored).length;
  if (bytes <= LONGEST_BYTES) return undefined;
  const what = start === 1 ? 'the abstract name' : 'the path';
  const message = `${what} has ${bytes} bytes, at most ${LONGEST_BYTES} are possible`;
  const fault: Fault = { code: 'SL2021', message, start, end: text.length };
  const slash = start === 1 ? -1 : stored.lastIndexOf('/', LONGEST_BYTES);
  // A program gets to such a socket by a relative path; the directory above it can be named.
  return slash <= 0
    ? fault
    : { ...fault, help: `allow a directory above it: ${text.slice(0, slash + 1)}` };
}

function refuseNul(text: string, nul: number): Fault {
  const message = 'a socket can not hold a NUL';
  const fault: Fault = { code: 'SL2021', message, start: nul, end: nul + 1, expected: FORM };
  const name = text.slice(1);
  if (nul > 0 || name === '' || name.includes('\0')) return fault;
  return { ...fault, help: `did you mean @${name}?` };
}

function refuseGlob(text: string, at: number): Fault {
  const message = `\`${text[at]}\` is no wildcard here: names are compared as they are`;
  const fault: Fault = { code: 'SL2021', message, start: at, end: at + 1, expected: FORM };
  const slash = text.lastIndexOf('/', at);
  if (!text.startsWith('/') || slash < 0) return fault;
  const directory = text.slice(0, slash + 1);
  return { ...fault, help: `write ${directory} for every socket below that directory` };
}

function refuseRelative(text: string): Fault {
  const message = `\`${text}\` is not an absolute path`;
  const fault: Fault = { code: 'SL2021', message, start: 0, end: text.length, expected: FORM };
  if (/^[~$%]/.test(text)) {
    return { ...fault, help: 'write the path in full: `~` and variables are not expanded' };
  }
  const [, rest] = /^\s*(?:unix:)?(?:\/\/)?([/@].*)$/s.exec(text) ?? [];
  if (rest !== undefined) return { ...fault, help: `did you mean ${rest}?` };
  if (/^\.{1,2}(\/|$)/.test(text)) return { ...fault, help: 'write the path from the root' };
  return { ...fault, help: `did you mean /${text}, or @${text} (abstract)?` };
}

/** The path without empty, `.` and `..` steps; a final `/` stays, and follows a final `.` or `..`. */
function straighten(path: string): string {
  const steps: string[] = [];
  for (const step of path.split('/')) {
    if (step === '..') steps.pop();
    else if (step !== '' && step !== '.') steps.push(step);
  }
  const isDirectory = /\/\.{0,2}$/.test(path);
  return steps.length === 0 ? '/' : `/${steps.join('/')}${isDirectory ? '/' : ''}`;
}
