/**
 * An explanation (explain.ts) in words, for every place that shows one: the lines of `check`, and the half line about a refused call. Texts of a
 * policy are quoted as they are; whoever prints them makes them fit for a terminal.
 */
import type { Explanation, Nearness, RuleRef, Suggestion } from './explain.ts';

/** `policy.toml:4:3 "tcp://10.0.0.0/8:443"`, or `--allow "…"` for a rule from an option. */
export function formatRule(rule: RuleRef): string {
  const known = texts.get(rule);
  if (known !== undefined) return known;
  const { text, source, line, column } = rule;
  const made = `${formatPlace(source, line, column)} ${JSON.stringify(text)}`;
  texts.set(rule, made);
  return made;
}

/** Texts of rules that were shown before: `check` shows one rule a million times. */
const texts = new WeakMap<RuleRef, string>();

function formatPlace(source: string, line: number, column: number): string {
  if (line === 0) return source;
  return column === 0 ? `${source}:${line}` : `${source}:${line}:${column}`;
}

const NEARNESS: Readonly<Record<Nearness, string>> = {
  port: 'same address, other port',
  protocol: 'same address, other protocol',
  address: 'same port, other address',
  prefix: 'other address nearby, other port',
  name: 'similar name',
};

/**
 * The explanation line by line, the deciding rule or the reason first:
 *
 *     no tcp rule for this address
 *     near: policy.toml:4:3 "tcp://10.0.0.0/8:443" (same port, other address)
 *     to allow: "11.0.0.1:443" in `allow`, after policy.toml:4
 */
export function formatExplanation(explanation: Explanation): readonly string[] {
  const { cause, rules, overruled, nearest, suggestion, reason } = explanation;
  const [first, ...others] = rules.map(formatRule);
  const lines = [first ?? reason];
  for (const other of others) lines.push(`also: ${other}`);
  if (cause === 'live-name') lines.push(reason);
  for (const rule of overruled) lines.push(`overrules: ${formatRule(rule)}`);
  for (const rule of nearest) lines.push(`near: ${formatRule(rule)} (${NEARNESS[rule.nearness]})`);
  if (suggestion !== undefined) lines.push(formatSuggestion(suggestion));
  return lines;
}

/** `no tcp rule for this address; to allow: "api.example.org:443"`, or the deny rule that decided; for the line about a refused call. */
export function formatHint({ rules, reason, suggestion }: Explanation): string {
  const [rule] = rules;
  if (rule !== undefined) return `by ${formatRule(rule)}`;
  if (suggestion === undefined) return reason;
  const { list, rule: text } = suggestion;
  const where = list === 'allow' ? '' : ` in ${list}`;
  return `${reason}; to allow: ${JSON.stringify(text)}${where}`;
}

function formatSuggestion({ list, rule, after }: Suggestion): string {
  const where = after === undefined ? '' : `, after ${formatPlace(after.source, after.line, 0)}`;
  return `to allow: ${JSON.stringify(rule)} in \`${list}\`${where}`;
}
