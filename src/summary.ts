/**
 * The summary at the end of a run: what was reached and what was refused, by program, destination
 * and rule, with counts. Bounded: of a program that scans addresses only the first are told apart.
 */
import { type Decision, formatUse } from './decision.ts';
import { printable } from './standard-error.ts';

/** Collects decisions. */
export interface Summary {
  add(decision: Decision): void;
  /** The text, lines with newlines. */
  format(): string;
}

/** Different lines that are counted apart. */
const MOST = 10_000;
/** Lines of each verdict that are shown, the most frequent. */
const SHOWN = 40;

interface Line {
  readonly verdict: Decision['verdict'];
  readonly text: string;
  count: number;
}

/** An empty summary. */
export function createSummary(): Summary {
  const lines = new Map<string, Line>();
  const others = { allow: 0, deny: 0 };
  return {
    add(decision) {
      const text = describe(decision);
      const key = `${decision.verdict} ${text}`;
      const line = lines.get(key);
      if (line !== undefined) line.count += 1;
      else if (lines.size < MOST) lines.set(key, { verdict: decision.verdict, text, count: 1 });
      else others[decision.verdict] += 1;
    },
    format() {
      const all = [...lines.values()].sort((a, b) => b.count - a.count);
      const part = (verdict: Decision['verdict'], word: string): string[] => {
        const own = all.filter((line) => line.verdict === verdict);
        const rest = own.slice(SHOWN).reduce((sum, { count }) => sum + count, others[verdict]);
        const shown = own.slice(0, SHOWN).map(({ text, count }) => `${word} ${count}× ${text}`);
        return rest === 0 ? shown : [...shown, `${word} ${rest}× others`];
      };
      const text = [...part('allow', 'reached'), ...part('deny', 'refused')];
      if (text.length === 0) text.push('no network call was made that a policy decides');
      return text.map((line) => `sandlock: ${line}\n`).join('');
    },
  };
}

function describe(decision: Decision): string {
  const { destination, name, program, rule, reason } = decision;
  const known = name === undefined ? '' : ` (${name})`;
  const place =
    rule === undefined || rule.line === 0 ? rule?.source : `${rule.source}:${rule.line}`;
  const why = rule === undefined ? reason : `${place} ${JSON.stringify(rule.text)}`;
  const text = `${formatUse(decision)} ${destination}${known} — ${program}${why === undefined ? '' : `: ${why}`}`;
  return printable(text);
}
