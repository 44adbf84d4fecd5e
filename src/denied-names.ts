/**
 * What is told of names that were denied: a line on the terminal, a line of the log. The executor
 * tells each name once in ten seconds; here each is told once, and of many only the first and their
 * number.
 */
import type { NameRecord } from './records.ts';
import { printable } from './standard-error.ts';

/** A denied name as a line of the log (docs/log.md). */
export interface DeniedName {
  readonly event: 'name';
  /** When, in UTC. */
  readonly time: string;
  readonly verdict: 'deny';
  readonly pid: number;
  readonly tid: number;
  readonly program: string;
  /** Lower case, without final dot. */
  readonly name: string;
  /** Of `inside`: the address that was left out of the answer. */
  readonly address?: string;
  readonly reason: 'unlisted' | 'inside' | 'limit';
}

/** Turns denied names into lines for the terminal, each ending in a newline; '' when there is nothing to say. */
export interface NameReporter {
  report(name: DeniedName): string;
  /** What is still to be said at the end. */
  finish(): string;
}

/** Names that are told by themselves. */
const MOST_LINES = 20;
/** Names that are told apart. */
const MOST = 1000;

/** The denied name of a record; undefined: it was answered. */
export function toDeniedName(record: NameRecord): DeniedName | undefined {
  const { timeMs, pid, tid, program, name, address, reason } = record;
  if (reason === 'answered') return undefined;
  return {
    event: 'name',
    time: new Date(timeMs).toISOString(),
    verdict: 'deny',
    pid,
    tid,
    program,
    name,
    ...(address === undefined ? {} : { address }),
    reason,
  };
}

/** A reporter that has told nothing yet. */
export function createNameReporter(): NameReporter {
  const told = new Set<string>();
  let others = 0;
  return {
    report(denied) {
      const key = `${denied.reason} ${denied.name}`;
      if (told.has(key)) return '';
      if (told.size < MOST) told.add(key);
      if (told.size > MOST_LINES) {
        others += 1;
        return '';
      }
      return formatDeniedName(denied);
    },
    finish: () => (others === 0 ? '' : `sandlock: … ${others} more names denied\n`),
  };
}

/** `sandlock: denied name db.example.com — curl[4711]; no rule names it` and a newline. */
export function formatDeniedName(denied: DeniedName): string {
  const name = printable(denied.name);
  const who = `${printable(denied.program)}[${denied.pid}]`;
  return `sandlock: denied name ${name} — ${who}; ${why(denied, name)}\n`;
}

function why({ reason, address }: DeniedName, name: string): string {
  if (reason === 'unlisted') return 'no rule names it';
  if (reason === 'limit')
    return 'it is too long, or too many new names below a wildcard were asked for';
  return `it has the address ${address} of the inside; if this is meant, add \`[dns] private = ["${name}"]\``;
}
