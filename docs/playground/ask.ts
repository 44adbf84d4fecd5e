/**
 * The list of verdicts for the destinations that were typed. Verdict and explanation are those of
 * `sandlock check`; here is only their form.
 */
import { parseDestination } from '../../compiler/destination.ts';
import type { RuleRef } from '../../compiler/rule-ref.ts';
import type { Table } from '../../compiler/table.ts';
import { decideDestination, type Verdict } from '../../src/verdicts.ts';
import { button, element } from './dom.ts';

/** What a verdict can lead to. */
export interface Actions {
  /** Shows a place of the policy in the editor. */
  readonly goTo: (line: number, column: number, length: number) => void;
  /** Puts a rule into a list of the policy. */
  readonly add: (list: string, rule: string, after: number | undefined) => void;
}

/** Lines that are looked at; more are said to be left out. */
const MOST_LINES = 200;

/** One item a verdict, one for each address of a name; names of `assumed` have addresses that nobody said. */
export function showVerdicts(
  list: HTMLElement,
  text: string,
  table: Table,
  assumed: ReadonlySet<string>,
  actions: Actions,
): void {
  const asked = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const items = asked
    .slice(0, MOST_LINES)
    .flatMap((line) => itemsFor(line, table, assumed, actions));
  const left = asked.length - MOST_LINES;
  if (left > 0) items.push(item('error', '…', `${left} more lines were not looked at`));
  list.replaceChildren(...items);
}

function itemsFor(
  line: string,
  table: Table,
  assumed: ReadonlySet<string>,
  actions: Actions,
): HTMLElement[] {
  const parsed = parseDestination(line);
  if (!parsed.ok) {
    return parsed.diagnostics.map(({ message, expected, help }) => {
      const parts = [message, expected && `expected: ${expected}`, help];
      return item('error', line, parts.filter(Boolean).join(' · '));
    });
  }
  const { destination } = parsed;
  const name =
    'host' in destination && destination.host.kind === 'name' ? destination.host.name : undefined;
  const isAssumed = name !== undefined && assumed.has(name);
  return decideDestination(table, line, destination).map((verdict) =>
    verdictItem(verdict, isAssumed, actions),
  );
}

function verdictItem(verdict: Verdict, isAssumed: boolean, actions: Actions): HTMLElement {
  const { destination, address, rules, overruled, nearest, suggestion, reason } = verdict;
  const isNamed = address !== '' && !destination.includes(address);
  const what = isNamed ? `${destination} (${isAssumed ? 'assumed ' : ''}${address})` : destination;
  const made = item(verdict.verdict, what, rules.length === 0 ? reason : '');
  const line = (label: string, ...children: readonly (Node | string)[]): void => {
    made.append(element('span', 'why', label, ...children));
  };
  const link = (rule: RuleRef): HTMLElement => ruleLink(rule, actions);
  if (rules.length > 0) made.querySelector('.why')?.append(...joined(rules.map(link)));
  if (overruled.length > 0) line('overrules ', ...joined(overruled.map(link)));
  if (nearest.length > 0) line('near: ', ...joined(nearest.map(link)));
  if (suggestion !== undefined) {
    const { list, rule, after } = suggestion;
    const add = button('add', () => actions.add(list, rule, after?.line), 'Add');
    add.setAttribute('aria-label', `Add "${rule}" to ${list}`);
    line('to allow: ', element('code', '', `"${rule}"`), ` in ${list} `, add);
  }
  return made;
}

function ruleLink({ text, source, line, column }: RuleRef, { goTo }: Actions): HTMLElement {
  if (line === 0) return element('code', '', `${source} “${text}”`);
  // The column is that of the opening quote.
  return button('link', () => goTo(line, column, text.length + 2), `${source}:${line} “${text}”`);
}

function joined(parts: readonly HTMLElement[]): (HTMLElement | string)[] {
  return parts.flatMap((part, index) => (index > 0 ? [', ', part] : [part]));
}

function item(
  kind: 'allow' | 'deny' | 'unknown' | 'error',
  what: string,
  why: string,
): HTMLElement {
  return element(
    'li',
    kind,
    element('strong', '', kind === 'error' ? '?' : kind),
    element('span', 'what', what),
    element('span', 'why', why),
  );
}
