/**
 * Why a UNIX socket outside the sandbox may be reached or not. Sockets are compared by their text;
 * links are followed only when a program runs. The answer has the form of explain.ts.
 */
import type { UnixDestination } from './destination.ts';
import { type Explanation, missingFamily } from './explain.ts';
import type { UnixName, UnixRule } from './model.ts';
import { nearest } from './nearest.ts';
import { NearRef, RuleRef } from './rule-ref.ts';
import type { Table } from './table.ts';

/** Explains what the table decides about a socket. */
export function explainUnix(table: Table, socket: UnixDestination): Explanation {
  const missing = missingFamily(table, ['unix/stream', 'unix/dgram', 'unix/seqpacket']);
  if (missing !== undefined) return missing;
  const all = table.unixRules();
  const rules = all.filter((rule) => coversSocket(rule, socket)).map(refOfUnixRule);
  const nothing = { overruled: [], nearest: [], suggestion: undefined };
  if (rules.length > 0) {
    return { verdict: 'allow', cause: 'allow-rule', reason: 'a rule allows it', rules, ...nothing };
  }
  const text = formatUnixRule(socket);
  const close = nearest(text, all.map(formatUnixRule));
  const similar = all.filter((rule) => formatUnixRule(rule) === close).slice(0, 1);
  const last = all.at(-1);
  return {
    verdict: 'deny',
    cause: all.length === 0 ? 'protocol' : 'address',
    reason: all.length === 0 ? 'no rule allows a unix socket' : 'no unix rule for this socket',
    rules,
    ...nothing,
    nearest: similar.map((rule) => new NearRef(refOfUnixRule(rule), 'name')),
    suggestion: {
      list: 'allow_unix',
      rule: text,
      after: last === undefined ? undefined : { source: last.source, line: last.line },
    },
  };
}

/** A rule as explanations tell it. */
export function refOfUnixRule(rule: UnixRule): RuleRef {
  return new RuleRef({ ...rule, action: 'allow', text: formatUnixRule(rule) });
}

/** A rule or socket as it is written: `/run/x.sock`, `/run/dir/`, `@name`. */
export function formatUnixRule({ kind, text }: UnixName): string {
  if (kind === 'abstract') return `@${text}`;
  return kind === 'directory' && text !== '/' ? `${text}/` : text;
}

/** Whether a rule allows a socket, or everything that another rule allows. */
export function coversSocket(rule: UnixName, { kind, text }: UnixName): boolean {
  if (rule.kind !== 'directory') return rule.kind === kind && rule.text === text;
  if (kind === 'abstract') return false;
  return (
    text.startsWith(rule.text === '/' ? '/' : `${rule.text}/`) ||
    (kind === 'directory' && text === rule.text)
  );
}
