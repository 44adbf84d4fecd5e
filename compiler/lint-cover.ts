/**
 * Rules of which another single rule does all they do: same action and protocol, all their addresses, all their ports. Names are covered by rules
 * on every address and by others on the same name only, since their addresses change; and they cover nothing else.
 *
 * Rules are sorted into buckets of one target. A rule asks the bucket of each shorter prefix, of every address, and of a few sets, and of each
 * bucket only the rules with the most ports: the others cover less.
 */
import { formatAddress, fromNumber, maskAddress } from './address.ts';
import { prefixArea, setAreas } from './lint-area.ts';
import type { PortRange, Prefix, Rule, Target } from './model.ts';
import { formatPorts } from './port-text.ts';
import { holdsPorts } from './ports.ts';
import type { Table } from './table.ts';

/** The rule that covers another; `isEqual` when it says the same and stands before it. */
export interface Cover {
  readonly by: number;
  readonly isEqual: boolean;
}

/** Rules of a bucket that are compared with another rule. */
const MOST_OF_A_BUCKET = 16;
/** Sets that are asked about a prefix. */
const MOST_SETS = 16;

/** Rules with one target and some of the longest lists of ports. */
interface Bucket {
  readonly target: Target;
  readonly rules: number[];
}

/** The covered rules with what covers them. */
export function findCovers(table: Table, rules: readonly Rule[]): ReadonlyMap<number, Cover> {
  const covers = new Map<number, Cover>();
  const buckets = new Map<string, Bucket>();
  const seen = new Map<string, number>();
  const lengths = new Map<string, Set<number>>();
  rules.forEach((rule, number) => {
    const { target } = rule;
    const key = keyOf(rule, target);
    const whole = `${key} ${formatPorts(rule.ports)}`;
    const equal = seen.get(whole);
    if (equal !== undefined) {
      covers.set(number, { by: equal, isEqual: true });
      return;
    }
    seen.set(whole, number);
    const bucket = buckets.get(key);
    if (bucket === undefined) buckets.set(key, { target, rules: [number] });
    else bucket.rules.push(number);
    if (target.kind !== 'prefix') return;
    const group = `${rule.action} ${rule.protocol} ${target.prefix.address.length}`;
    const known = lengths.get(group);
    if (known === undefined) lengths.set(group, new Set([target.prefix.bits]));
    else known.add(target.prefix.bits);
  });
  for (const { rules: numbers } of buckets.values()) keepWidest(numbers, rules);
  const sets = [...buckets.values()].filter(({ target }) => target.kind === 'set');

  rules.forEach((rule, number) => {
    if (covers.has(number)) return;
    for (const key of shorterTargets(table, rule, lengths)) {
      const by = widest(buckets.get(key), rule, number, rules);
      if (by === undefined) continue;
      covers.set(number, { by, isEqual: false });
      return;
    }
    const by = coverBySet(table, rule, rules, sets);
    if (by !== undefined) covers.set(number, { by, isEqual: false });
  });
  return covers;
}

/** The buckets of targets that hold all of a rule's target, its own included. */
function* shorterTargets(
  table: Table,
  rule: Rule,
  lengths: ReadonlyMap<string, ReadonlySet<number>>,
): Iterable<string> {
  const { target, action, protocol } = rule;
  yield keyOf(rule, target);
  if (target.kind !== 'any') yield keyOf(rule, { kind: 'any' });
  const around = surroundingPrefix(table, target);
  if (around === undefined) return;
  const { address, bits } = around;
  for (const shorter of lengths.get(`${action} ${protocol} ${address.length}`) ?? []) {
    if (shorter > bits) continue;
    const prefix = { address: maskAddress(address, shorter), bits: shorter };
    yield keyOf(rule, { kind: 'prefix', prefix });
  }
}

/** The longest prefix that holds all of a target of one family. */
function surroundingPrefix(table: Table, target: Target): Prefix | undefined {
  if (target.kind === 'prefix') return target.prefix;
  const areas = target.kind === 'set' ? setAreas(table, target.set) : undefined;
  const [first, last] = [areas?.[0], areas?.at(-1)];
  if (first === undefined || last === undefined || first.family !== last.family) return undefined;
  const width = first.family === 4 ? 32 : 128;
  const different = first.low ^ last.high;
  const bits = different === 0n ? width : width - different.toString(2).length;
  return { address: maskAddress(fromNumber(first.low, first.family === 4 ? 4 : 16), bits), bits };
}

function keyOf({ action, protocol }: Rule, target: Target): string {
  const group = `${action} ${protocol}`;
  switch (target.kind) {
    case 'any':
      return `${group} *`;
    case 'prefix':
      return `${group} ${formatAddress(target.prefix.address)}/${target.prefix.bits}`;
    case 'name':
      return `${group} name ${target.name}`;
    case 'set':
      return `${group} @${target.set}`;
  }
}

function countPorts(ports: readonly PortRange[]): number {
  return ports.reduce((sum, { low, high }) => sum + high - low + 1, 0);
}

/** Sorts a bucket by number of ports and leaves the first few. */
function keepWidest(numbers: number[], rules: readonly Rule[]): void {
  if (numbers.length < 2) return;
  const ports = new Map(numbers.map((number) => [number, countPorts(rules[number]?.ports ?? [])]));
  numbers.sort((a, b) => (ports.get(b) ?? 0) - (ports.get(a) ?? 0) || a - b);
  numbers.length = Math.min(numbers.length, MOST_OF_A_BUCKET);
}

/** The rule of a bucket whose ports hold those of another rule. */
function widest(
  bucket: Bucket | undefined,
  { ports }: Rule,
  own: number,
  rules: readonly Rule[],
): number | undefined {
  return bucket?.rules.find(
    (number) => number !== own && holdsPorts(rules[number]?.ports ?? [], ports),
  );
}

/** A rule on a set that holds all of a prefix, or all of a smaller set. */
function coverBySet(
  table: Table,
  rule: Rule,
  rules: readonly Rule[],
  sets: readonly Bucket[],
): number | undefined {
  const { target } = rule;
  if (target.kind !== 'prefix' && target.kind !== 'set') return undefined;
  const group = keyOf(rule, { kind: 'any' });
  const asked = sets
    .filter((bucket) => {
      const [first = -1] = bucket.rules;
      const other = rules[first];
      return other !== undefined && keyOf(other, { kind: 'any' }) === group;
    })
    .slice(0, MOST_SETS);
  if (asked.length === 0) return undefined;
  const areas =
    target.kind === 'prefix'
      ? [prefixArea(target.prefix.address, target.prefix.bits)]
      : setAreas(table, target.set);
  if (areas === undefined) return undefined;
  for (const bucket of asked) {
    if (bucket.target.kind !== 'set') continue;
    if (target.kind === 'set' && target.set === bucket.target.set) continue;
    const by = widest(bucket, rule, -1, rules);
    const set = table.setNumber(bucket.target.set);
    if (by === undefined || set === undefined) continue;
    const holdsAll = areas.every(({ family, low, high }) => {
      const stretch = table.tries().ofSet(set, family).stretch(low);
      return stretch.set === 1 && stretch.end >= high;
    });
    if (holdsAll) return by;
  }
  return undefined;
}
