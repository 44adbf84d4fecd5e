/**
 * Rules that do nothing, or more than they seem to: warnings, because such a policy is enforced as
 * it stands and only says something else than its author may think. Asked of the finished tables,
 * so that what is called without effect has none:
 *
 *   - a rule is a duplicate, or covered: another single rule does all it does (lint-cover.ts; of UNIX rules
 *     lint-unix.ts);
 *   - an allow rule is unreachable: of its addresses and ports the table opens nothing, so deny rules take all of it;
 *   - a deny rule has no effect: of its addresses and ports the table of the allow rules alone opens nothing;
 *   - an allow rule is broad: it is about every address there is;
 *   - a public name is pinned to an address of the inside.
 *
 * Never quadratic: each rule looks at a bounded part of the tries and at a bounded number of other
 * rules, and what could not be looked at is not called anything.
 */
import { formatAddress } from './address.ts';
import { isInsideAddress } from './inside-addresses.ts';
import { type Area, areasOf, carriedAreas } from './lint-area.ts';
import { findCovers } from './lint-cover.ts';
import type { Action, PortRange, Rule } from './model.ts';
import type { Placed } from './placed.ts';
import { formatPorts } from './port-text.ts';
import { mayBePrivate } from './private-answers.ts';
import { formatRule } from './rule-ref.ts';
import { isBind } from './stored-address.ts';
import type { Table } from './table.ts';
import type { TargetFault, WrittenRule } from './written-rules.ts';

/** Stretches of a trie that are looked at for one rule. */
const MOST_STRETCHES = 256;
/** Warnings of one code that are shown; the last says how many more there are. */
const MOST_OF_A_CODE = 50;

/** What is wrong with the rule of a number. */
export interface Finding {
  readonly rule: number;
  readonly fault: TargetFault;
  readonly note?: string;
}

/**
 * Warnings about the rules of a table, `written` being where they stand, in the same order.
 * `allowsOnly` is the table of the same policy without its deny rules; undefined when there are
 * none.
 */
export function lintRules(
  written: readonly WrittenRule[],
  table: Table,
  allowsOnly: Table | undefined,
): readonly Placed[] {
  const rules = written.map(({ rule }, number) => asStored(rule, number, table));
  const covers = findCovers(table, rules);
  const findings: Finding[] = [];
  rules.forEach((rule, number) => {
    if (written[number]?.isImplied === true) return;
    const cover = covers.get(number);
    const isJudged = allowsOnly !== undefined && cover?.isEqual !== true;
    if (isJudged && rule.action === 'allow' && isClosed(table, rule, areasOf(table, rule))) {
      findings.push({ rule: number, fault: UNREACHABLE });
    } else if (isJudged && rule.action === 'deny' && !hasEffect(allowsOnly, table, rule)) {
      findings.push({ rule: number, fault: WITHOUT_EFFECT });
    } else if (cover !== undefined) {
      const other = rules[cover.by];
      const note = other === undefined ? '' : formatRule(other);
      findings.push(describeCover(number, rule.action, cover.isEqual, note));
    }
    const breadth =
      rule.action === 'allow' && cover === undefined ? describeBreadth(rule) : undefined;
    if (breadth !== undefined) findings.push({ rule: number, fault: breadth });
  });
  findings.push(...findInsidePins(table, rules));
  return placeFindings(findings, written);
}

/** The findings where their rules stand, as warnings; of one code not too many. */
export function placeFindings(
  findings: readonly Finding[],
  written: readonly Pick<WrittenRule, 'place'>[],
): readonly Placed[] {
  return limit(findings).flatMap(({ rule, fault, note }) => {
    const placed = written[rule]?.place(fault, {
      severity: 'warning',
      ...(note === undefined ? {} : { note }),
    });
    return placed === undefined ? [] : [placed];
  });
}

/**
 * A rule as the table has it. Most are there as they were written, and to read 100,000 back took a
 * seventh of compiling them: only the addresses that have another form there are read.
 */
function asStored(rule: Rule, number: number, table: Table): Rule {
  if (rule.target.kind !== 'prefix') return rule;
  const { address } = rule.target.prefix;
  const hasOtherForm = address.length !== 4 || address[0] === 0;
  return hasOtherForm ? table.rule(number) : rule;
}

const UNREACHABLE: TargetFault = {
  code: 'SL3103',
  message: 'nothing that this rule allows can be reached: deny rules refuse all of it',
  help: 'remove it, or narrow the deny rules',
};

const WITHOUT_EFFECT: TargetFault = {
  code: 'SL3104',
  message: 'nothing that this rule denies is allowed by another',
  help: 'remove it: what no rule allows is refused anyway',
};

/** That another rule, the note, says the same or more. */
export function describeCover(
  rule: number,
  action: Action,
  isEqual: boolean,
  note: string,
): Finding {
  if (isEqual) {
    const help = 'remove one of the two';
    const message = 'the same rule stands elsewhere';
    return { rule, fault: { code: 'SL3101', message, help }, note };
  }
  const verb = action === 'allow' ? 'allows' : 'denies';
  const message = `another rule ${verb} all that this one ${verb}`;
  const help = 'remove it, or narrow the other';
  return { rule, fault: { code: 'SL3102', message, help }, note };
}

/** Whether a table opens nothing of a rule's ports in some areas; false when there are too many to look at. */
function isClosed(
  table: Table,
  { protocol, ports }: Rule,
  areas: readonly Area[] | undefined,
): boolean {
  if (areas === undefined) return false;
  let steps = MOST_STRETCHES;
  for (const { family, low, high } of areas) {
    const trie = table.tries().ofProtocol(protocol, family);
    for (let at = low; at <= high; ) {
      if (steps-- === 0) return false;
      const { end, set } = trie.stretch(at);
      if (set !== 0 && overlap(table.ports(set), ports)) return false;
      at = end + 1n;
    }
  }
  return true;
}

/**
 * Whether a deny rule takes something away. Names count as if they could be anywhere: their
 * addresses change, and to hold them then may be what the rule is for.
 */
function hasEffect(allowsOnly: Table, table: Table, rule: Rule): boolean {
  const isNamed = allowsOnly.names().length > 0 && namesOverlap(allowsOnly, rule);
  if (isNamed) return true;
  const own = areasOf(table, rule);
  const areas = own === undefined ? undefined : [...own, ...carriedAreas(rule, own)];
  return areas === undefined || !isClosed(allowsOnly, rule, areas);
}

function namesOverlap(table: Table, { protocol, ports }: Rule): boolean {
  const { named } = table.index().group('allow', protocol);
  return named.some((number) => overlap(table.rule(number).ports, ports));
}

function overlap(a: readonly PortRange[], b: readonly PortRange[]): boolean {
  return a.some(({ low, high }) => b.some((other) => other.low <= high && low <= other.high));
}

/** A bind rule on every address is what most servers are; only one on every port as well is broad. */
function describeBreadth({ protocol, target, ports }: Rule): TargetFault | undefined {
  const isEverywhere =
    target.kind === 'any' || (target.kind === 'prefix' && target.prefix.bits === 0);
  if (!isEverywhere) return undefined;
  const all = formatPorts(ports) === '*';
  if (isBind(protocol) && !all) return undefined;
  const family = target.kind === 'any' ? '' : ` IPv${target.prefix.address.length === 4 ? 4 : 6}`;
  const where = all ? '' : `, on port ${formatPorts(ports)}`;
  const message = isBind(protocol)
    ? 'this rule allows every port of every address to be bound'
    : `this rule allows every${family} address by ${protocol}${where}`;
  const help = 'name the hosts that are meant, or write `# sandlock-ignore SL3105` behind the rule';
  return { code: 'SL3105', message, help };
}

/** Public names with an address of the inside that was pinned because other rules open it as well; once a name. */
function findInsidePins(table: Table, rules: readonly Rule[]): readonly Finding[] {
  const { privateNames } = table.dns();
  return table.names().flatMap(({ name, addresses }) => {
    const inside = addresses.filter(isInsideAddress);
    if (inside.length === 0 || mayBePrivate(name, privateNames)) return [];
    const rule = rules.findIndex(({ target }) => target.kind === 'name' && target.name === name);
    const shown = inside.slice(0, 4).map(formatAddress).join(', ');
    const message = `\`${name}\` is pinned to an address of the inside: ${shown}`;
    const help = `if this is meant, add \`[dns] private = ["${name}"]\``;
    return [{ rule, fault: { code: 'SL4005', message, help } }];
  });
}

/** At most so many of a code; the last one tells of the others. */
function limit(findings: readonly Finding[]): readonly Finding[] {
  const byCode = new Map<string, Finding[]>();
  for (const finding of findings) {
    const known = byCode.get(finding.fault.code);
    if (known === undefined) byCode.set(finding.fault.code, [finding]);
    else known.push(finding);
  }
  return [...byCode.values()].flatMap((all) => {
    const shown = all.slice(0, MOST_OF_A_CODE);
    const more = all.length - shown.length;
    const last = shown.at(-1);
    if (more === 0 || last === undefined) return shown;
    const note = `${more} more ${more === 1 ? 'rule is' : 'rules are'} like this`;
    return [...shown.slice(0, -1), { ...last, note }];
  });
}
