/**
 * The rules of a policy as written: from the four lists of `[network]` in the order of the file, then from options.
 * Parses each and keeps where it came from, so that later stages can point at it. Knows nothing of sets' contents or
 * addresses of names.
 */
import { parseBindRule } from './bind-rules.ts';
import type { Fault } from './diagnostic.ts';
import type { Action, Protocol, Rule } from './model.ts';
import { type Extra, type Placed, placeInOption, placeInString } from './placed.ts';
import { ALL_PORTS } from './ports.ts';
import { type Progress, TELL_EVERY, untold } from './progress.ts';
import { type ParsedRule, parseRule } from './rules.ts';
import { createSource, type Source } from './source.ts';
import type { TomlEntry, TomlScalar, TomlTable } from './toml-tree.ts';

/** What is wrong with a rule's target; the rule knows where that stands. */
export type TargetFault = Omit<Fault, 'start' | 'end'>;

/** A rule that parsed, and how to point at its target. */
export interface WrittenRule {
  readonly rule: Rule;
  /** Nobody wrote it: `deny_bind` implies it. */
  readonly isImplied?: true;
  /** Makes the diagnostic of something wrong with the rule's target. */
  place(fault: TargetFault, extra?: Extra): Placed;
}

/** Good rules in source order, and what is wrong with the others. */
export interface WrittenRules {
  readonly rules: readonly WrittenRule[];
  readonly errors: readonly Placed[];
}

interface RuleList {
  readonly action: Action;
  parse(text: string): ParsedRule;
}

const LISTS: ReadonlyMap<string, RuleList> = new Map([
  ['allow', { action: 'allow', parse: (text) => parseRule(text, 'allow') }],
  ['deny', { action: 'deny', parse: (text) => parseRule(text, 'deny') }],
  ['allow_bind', { action: 'allow', parse: parseBindRule }],
  ['deny_bind', { action: 'deny', parse: parseBindRule }],
]);

/** Reads the lists of `[network]`. Values of a wrong type are passed over; the schema reports them. */
export function readFileRules(
  network: TomlTable | undefined,
  source: Source,
  progress: Progress = untold,
): WrittenRules {
  const rules: WrittenRule[] = [];
  const errors: Placed[] = [];
  for (const [key, entry] of network?.keys ?? []) {
    const list = LISTS.get(key);
    if (list === undefined || entry.node.kind !== 'array') continue;
    if (key === 'deny_bind') rules.push(...implyBinds(entry, source));
    for (const [index, item] of entry.node.items.entries()) {
      if ((index + 1) % TELL_EVERY === 0) {
        progress(`reading ${source.fileName}`, index / entry.node.items.length);
      }
      if (item.kind !== 'string') continue;
      const text = String(item.value);
      const parsed = list.parse(text);
      if (!parsed.ok) {
        for (const fault of parsed.faults) errors.push(placeInString(source, item, fault));
        continue;
      }
      const { protocol, target, ports, targetStart, targetEnd } = parsed.content;
      const { line, column } = source.position(item.start);
      const rule: Rule = {
        action: list.action,
        protocol,
        ports,
        target,
        text,
        source: source.fileName,
        line,
        column,
      };
      rules.push(new FileRule(rule, source, item, targetStart, targetEnd));
    }
  }
  return { rules, errors };
}

/** What `deny_bind` means apart from its rules: everything else may be bound. */
function implyBinds(entry: TomlEntry, source: Source): WrittenRule[] {
  const { line, column } = source.position(entry.start);
  const protocols: readonly Protocol[] = ['tcp-bind', 'udp-bind'];
  return protocols.map((protocol) => ({
    rule: {
      action: 'allow',
      protocol,
      ports: ALL_PORTS,
      target: { kind: 'any' },
      text: 'deny_bind',
      source: source.fileName,
      line,
      column,
    },
    isImplied: true,
    place: (fault, extra) => {
      const span = { start: entry.start, end: entry.end };
      return { at: entry.start, diagnostic: source.diagnose({ ...fault, ...span }, extra) };
    },
  }));
}

/** Reads the rules of one option, which does what the list of `[network]` does. */
export function readOptionRules(
  list: 'allow' | 'deny' | 'allow_bind',
  texts: readonly string[],
): WrittenRules {
  const rules: WrittenRule[] = [];
  const errors: Placed[] = [];
  const action = list === 'deny' ? 'deny' : 'allow';
  const option = `--${list.replace('_', '-')}`;
  for (const text of texts) {
    const source = createSource(option, text, 'option');
    const place = (fault: Fault, extra?: Extra) => placeInOption(source, fault, extra);
    const parsed = list === 'allow_bind' ? parseBindRule(text) : parseRule(text, action);
    if (!parsed.ok) {
      for (const fault of parsed.faults) errors.push(place(fault));
      continue;
    }
    const { protocol, target, ports, targetStart: start, targetEnd: end } = parsed.content;
    const rule: Rule = {
      action,
      protocol,
      ports,
      target,
      text,
      source: option,
      line: 0,
      column: 0,
    };
    rules.push({ rule, place: (fault, extra) => place({ ...fault, start, end }, extra) });
  }
  return { rules, errors };
}

/** A class, because a policy may have 100,000 of these and a closure each would cost more. */
class FileRule implements WrittenRule {
  readonly rule: Rule;
  readonly #source: Source;
  readonly #item: TomlScalar;
  readonly #start: number;
  readonly #end: number;

  constructor(rule: Rule, source: Source, item: TomlScalar, start: number, end: number) {
    this.rule = rule;
    this.#source = source;
    this.#item = item;
    this.#start = start;
    this.#end = end;
  }

  place(fault: TargetFault, extra?: Extra): Placed {
    const within = { ...fault, start: this.#start, end: this.#end };
    return placeInString(this.#source, this.#item, within, extra);
  }
}
