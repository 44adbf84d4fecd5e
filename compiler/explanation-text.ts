/**
 * An explanation (explain.ts) in words, for every place that shows one: the lines of `check`, and
 * the half line about a refused call. Texts of a policy are quoted as they are; whoever prints them
 * makes them fit for a terminal.
 */
import type { Explanation, Suggestion } from './explain.ts';
import { formatPlace } from './rule-ref.ts';

/**
 * The explanation line by line, the deciding rule or the reason first:
 *
 *     no tcp rule for this address
 *     near: policy.toml:4:3 "tcp://10.0.0.0/8:443" (same port, other address)
 *     to allow: "11.0.0.1:443" in `allow`, after policy.toml:4
 */
export function formatExplanation(explanation: Explanation): readonly string[] {
  const { cause, rules, overruled, nearest, suggestion, reason } = explanation;
  const lines = [rules[0]?.shown() ?? reason];
  for (let i = 1; i < rules.length; i++) lines.push(`also: ${rules[i]?.shown()}`);
  if (cause === 'live-name') lines.push(reason);
  for (const rule of overruled) lines.push(`overrules: ${rule.shown()}`);
  for (const rule of nearest) lines.push(rule.shown());
  if (suggestion !== undefined) lines.push(formatSuggestion(suggestion));
  return lines;
}

/**
 * `no tcp rule for this address; to allow: "api.example.org:443"`, or the deny rule that decided;
 * for the line about a refused call.
 */
export function formatHint({ rules, reason, suggestion }: Explanation): string {
  const [rule] = rules;
  if (rule !== undefined) return `by ${rule.shown()}`;
  if (suggestion === undefined) return reason;
  const { list, rule: text } = suggestion;
  const where = list === 'allow' ? '' : ` in ${list}`;
  return `${reason}; to allow: ${JSON.stringify(text)}${where}`;
}

function formatSuggestion({ list, rule, after }: Suggestion): string {
  const where = after === undefined ? '' : `, after ${formatPlace(after.source, after.line, 0)}`;
  return `to allow: ${JSON.stringify(rule)} in \`${list}\`${where}`;
}
