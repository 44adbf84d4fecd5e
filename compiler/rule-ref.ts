/**
 * What is told of a rule in an explanation: how it was written and where, the same object each
 * time, with its text: a million verdicts may be about one rule, and one verdict about any of a
 * hundred thousand.
 */
import type { Action, Rule } from './model.ts';

/** What a rule has that explanations tell. */
type Written = Pick<Rule, 'action' | 'text' | 'source' | 'line' | 'column'>;

/** A rule as it was written and where: `line` and `column` are 1-based, 0 when it came from an option. */
export class RuleRef {
  readonly action: Action;
  readonly text: string;
  /** File name without directories, or the option that gave the rule. */
  readonly source: string;
  readonly line: number;
  readonly column: number;
  #shown: string | undefined;

  constructor({ action, text, source, line, column }: Written) {
    this.action = action;
    this.text = text;
    this.source = source;
    this.line = line;
    this.column = column;
  }

  /** `policy.toml:4:3 "tcp://10.0.0.0/8:443"`, or `--allow "…"` for a rule from an option. */
  shown(): string {
    this.#shown ??= formatRule(this);
    return this.#shown;
  }
}

/**
 * How a rule comes close: it allows the same address on another `port` or by another `protocol`,
 * the same port of a near `address`, or only the address is near (`prefix`). Of host names and UNIX
 * sockets: it is spelt almost alike (`name`).
 */
export type Nearness = 'port' | 'protocol' | 'address' | 'prefix' | 'name';

/** A rule that comes close. */
export class NearRef extends RuleRef {
  readonly nearness: Nearness;
  #shown: string | undefined;

  constructor(rule: Written, nearness: Nearness) {
    super(rule);
    this.nearness = nearness;
  }

  /** `near: policy.toml:4:3 "tcp://10.0.0.0/8:443" (same port, other address)`. */
  override shown(): string {
    this.#shown ??= `near: ${super.shown()} (${NEARNESS[this.nearness]})`;
    return this.#shown;
  }
}

const NEARNESS: Readonly<Record<Nearness, string>> = {
  port: 'same address, other port',
  protocol: 'same address, other protocol',
  address: 'same port, other address',
  prefix: 'other address nearby, other port',
  name: 'similar name',
};

/** See {@link RuleRef.shown}. */
export function formatRule({ text, source, line, column }: Omit<Written, 'action'>): string {
  return `${formatPlace(source, line, column)} ${JSON.stringify(text)}`;
}

/** `policy.toml:4:3`; what came from an option has no line, and who means the whole line gives no column. */
export function formatPlace(source: string, line: number, column: number): string {
  if (line === 0) return source;
  return column === 0 ? `${source}:${line}` : `${source}:${line}:${column}`;
}

/** The rules of one table by their numbers. */
export interface RuleRefs {
  of(rule: number): RuleRef;
  near(rule: number, nearness: Nearness): NearRef;
}

/** The rules of a table as they are told; `rule` reads one by its number. */
export function createRuleRefs(rule: (number: number) => Rule): RuleRefs {
  const refs = new Map<number, RuleRef>();
  const nears: Readonly<Record<Nearness, Map<number, NearRef>>> = {
    port: new Map(),
    protocol: new Map(),
    address: new Map(),
    prefix: new Map(),
    name: new Map(),
  };
  return {
    of(number) {
      const known = refs.get(number) ?? new RuleRef(rule(number));
      refs.set(number, known);
      return known;
    },
    near(number, nearness) {
      const known = nears[nearness].get(number) ?? new NearRef(rule(number), nearness);
      nears[nearness].set(number, known);
      return known;
    },
  };
}
