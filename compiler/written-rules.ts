/**
 * The rules of a policy as written: from `[network] allow` and `deny` in the order of the file, then from options.
 * Parses each and keeps where it came from, so that later stages can point at it. Knows nothing of sets' contents or
 * addresses of names.
 */
import type { Fault } from './diagnostic.ts';
import type { Action, Rule } from './model.ts';
import { type Placed, placeInString } from './placed.ts';
import { parseRule } from './rules.ts';
import { createSource, type Source } from './source.ts';
import type { TomlScalar, TomlTable } from './toml-tree.ts';

/** What is wrong with a rule's target; the rule knows where that stands. */
export type TargetFault = Omit<Fault, 'start' | 'end'>;

/** A rule that parsed, and how to point at its target. */
export interface WrittenRule {
  readonly rule: Rule;
  /** Makes the diagnostic of something wrong with the rule's target. */
  place(fault: TargetFault, severity?: 'warning'): Placed;
}

/** Good rules in source order, and what is wrong with the others. */
export interface WrittenRules {
  readonly rules: readonly WrittenRule[];
  readonly errors: readonly Placed[];
}

/** Reads both lists of `[network]`. Values of a wrong type are passed over; the schema reports them. */
export function readFileRules(network: TomlTable | undefined, source: Source): WrittenRules {
  const rules: WrittenRule[] = [];
  const errors: Placed[] = [];
  const sourceName = source.name.replace(/^.*\//, '');
  for (const [key, entry] of network?.keys ?? []) {
    if ((key !== 'allow' && key !== 'deny') || entry.node.kind !== 'array') continue;
    for (const item of entry.node.items) {
      if (item.kind !== 'string') continue;
      const text = String(item.value);
      const parsed = parseRule(text, key);
      if (!parsed.ok) {
        for (const fault of parsed.faults) errors.push(placeInString(source, item, fault));
        continue;
      }
      const { protocol, target, ports, targetStart, targetEnd } = parsed.content;
      const { line, column } = source.position(item.start);
      const rule: Rule = {
        action: key,
        protocol,
        ports,
        target,
        text,
        source: sourceName,
        line,
        column,
      };
      rules.push(new FileRule(rule, source, item, targetStart, targetEnd));
    }
  }
  return { rules, errors };
}

/** Reads the rules of one option, `--allow` or `--deny`. Offsets of `Placed` lie behind those of any file. */
export function readOptionRules(action: Action, texts: readonly string[]): WrittenRules {
  const rules: WrittenRule[] = [];
  const errors: Placed[] = [];
  for (const text of texts) {
    const option = `--${action}`;
    const source = createSource(option, text, 'option');
    const at = Number.MAX_SAFE_INTEGER;
    const place = (fault: Fault, severity?: 'warning'): Placed => ({
      at,
      diagnostic: source.diagnose(fault, severity === undefined ? {} : { severity }),
    });
    const parsed = parseRule(text, action);
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
    rules.push({ rule, place: (fault, severity) => place({ ...fault, start, end }, severity) });
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

  place(fault: TargetFault, severity?: 'warning'): Placed {
    const within = { ...fault, start: this.#start, end: this.#end };
    return placeInString(this.#source, this.#item, within, severity);
  }
}
