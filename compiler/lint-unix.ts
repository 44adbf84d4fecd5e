/**
 * UNIX rules that do nothing: one that stands elsewhere, and one below a directory that another
 * rule opens whole; and one that opens all there are. Names are compared as they are written; where
 * links lead is not asked.
 */
import { formatUnixRule } from './explain-unix.ts';
import { describeCover, type Finding, placeFindings } from './lint.ts';
import type { UnixRule } from './model.ts';
import type { Placed } from './placed.ts';
import { formatRule } from './rule-ref.ts';
import type { WrittenUnixRule } from './unix-rules.ts';
import type { TargetFault } from './written-rules.ts';

/** Warnings about the UNIX rules of a policy. */
export function lintUnixRules(written: readonly WrittenUnixRule[]): readonly Placed[] {
  const rules = written.map(({ rule }) => rule);
  const firsts = new Map<string, UnixRule>();
  for (const rule of rules) {
    const text = formatUnixRule(rule);
    if (!firsts.has(text)) firsts.set(text, rule);
  }
  const findings = rules.flatMap((rule, number): Finding[] => {
    const first = firsts.get(formatUnixRule(rule));
    const isEqual = first !== rule;
    const other = isEqual ? first : directoryAbove(rule, firsts);
    if (other === undefined) return isEverywhere(rule) ? [{ rule: number, fault: BROAD }] : [];
    const note = formatRule({ ...other, text: formatUnixRule(other) });
    return [describeCover(number, 'allow', isEqual, note)];
  });
  return placeFindings(findings, written);
}

const BROAD: TargetFault = {
  code: 'SL3105',
  message: 'this rule allows every socket that has a path',
  help: 'name the sockets that are meant, or write `# sandlock-ignore SL3105` behind the rule',
};

function isEverywhere({ kind, text }: UnixRule): boolean {
  return kind === 'directory' && text === '/';
}

/** The rule on the nearest directory above; a path has at most 107 bytes, so there are few to ask for. */
function directoryAbove(
  { kind, text }: UnixRule,
  rules: ReadonlyMap<string, UnixRule>,
): UnixRule | undefined {
  if (kind === 'abstract' || text === '/') return undefined;
  for (let end = text.lastIndexOf('/'); end >= 0; end = text.lastIndexOf('/', end - 1)) {
    const found = rules.get(text.slice(0, end + 1));
    if (found !== undefined || end === 0) return found;
  }
  return undefined;
}
