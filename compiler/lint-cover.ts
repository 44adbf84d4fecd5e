/**
 * Rules of which another single rule does all they do: same action and protocol, all their
 * addresses, all their ports. Names are covered by rules on every address and by others on the same
 * name only, since their addresses change; and they cover nothing else.
 *
 * Rules are sorted into buckets of one target. A rule asks the bucket of each shorter prefix, of
 * every address, and of a few sets, and of each bucket only the rules with the most ports: the
 * others cover less.
 */
import { formatAddress, fromNumber, ipv4Value, maskAddress } from './address.ts';
import { Ipv4Index } from './ipv4-index.ts';
import { prefixArea, setAreas } from './lint-area.ts';
import type { PortRange, Prefix, Rule, Target } from './model.ts';
import { PROTOCOL_NUMBERS } from './numbers.ts';
import { formatPorts } from './port-text.ts';
import { holdsPorts } from './ports.ts';
import type { Table } from './table.ts';

/** The rule that covers another; `isEqual` when it says the same and stands before it. */
export interface Cover {
  readonly by: number;
  readonly isEqual: boolean;
}

const NO_RULES: readonly number[] = [];
/** Rules of a bucket that are compared with another rule. */
const MOST_OF_A_BUCKET = 16;
/** Sets that are asked about a prefix. */
const MOST_SETS = 16;

/** Rules with one target and some of the longest lists of ports. */
interface Bucket {
  readonly target: Target;
  readonly rules: number[];
  /** The rules by their ports, once there are several. */
  byPorts?: Map<string, number>;
}

/**
 * Buckets by action, protocol and target, in the order in which they came. IPv4 prefixes stand in an index of their
 * own, because of 100,000 rules each asks for ten of them.
 */
class Buckets {
  readonly #all: Bucket[] = [];
  readonly #ipv4: Ipv4Index;
  readonly #others = new Map<string, Bucket>();
  /** Those of every address, by group. */
  readonly #any: (Bucket | undefined)[] = [];
  /** Lengths of the prefixes, by group and family, in the order in which they came. */
  readonly #lengths: number[][] = [];

  /** Buckets for at most so many targets. */
  constructor(count: number) {
    this.#ipv4 = new Ipv4Index(count);
  }

  get(rule: Rule): Bucket | undefined {
    const { target } = rule;
    if (target.kind === 'any') return this.getAny(rule);
    if (target.kind === 'prefix') return this.getPrefix(rule, target.prefix);
    return this.#others.get(keyOf(rule, target));
  }

  getAny(rule: Rule): Bucket | undefined {
    return this.#any[groupOf(rule)];
  }

  getPrefix(rule: Rule, prefix: Prefix): Bucket | undefined {
    const { address, bits } = prefix;
    if (address.length === 4) return this.getIpv4(groupOf(rule), ipv4Value(address), bits);
    return this.#others.get(keyOf(rule, { kind: 'prefix', prefix }));
  }

  /** The bucket of the first `bits` of an address; a rule's group is known to who asks for many lengths. */
  getIpv4(group: number, address: number, bits: number): Bucket | undefined {
    const found = this.#ipv4.get(lengthIndex(group, bits), maskIpv4(address, bits));
    return found === undefined ? undefined : this.#all[found];
  }

  add(rule: Rule, number: number): void {
    const { target } = rule;
    const bucket = { target, rules: [number] };
    const place = this.#all.push(bucket) - 1;
    if (target.kind === 'any') this.#any[groupOf(rule)] = bucket;
    else if (target.kind !== 'prefix') this.#others.set(keyOf(rule, target), bucket);
    else {
      const { address, bits } = target.prefix;
      const lengths = this.lengths(rule, target.prefix);
      if (!lengths.includes(bits)) lengths.push(bits);
      if (address.length !== 4) this.#others.set(keyOf(rule, target), bucket);
      else {
        const index = lengthIndex(groupOf(rule), bits);
        this.#ipv4.set(index, maskIpv4(ipv4Value(address), bits), place);
      }
    }
  }

  /** Lengths of the prefixes of a rule's kind and an address's family. */
  lengths(rule: Rule, { address }: Prefix): number[] {
    const group = 2 * groupOf(rule) + (address.length === 4 ? 0 : 1);
    const known = this.#lengths[group];
    if (known !== undefined) return known;
    const lengths: number[] = [];
    this.#lengths[group] = lengths;
    return lengths;
  }

  all(): readonly Bucket[] {
    return this.#all;
  }
}

function groupOf({ action, protocol }: Rule): number {
  return 2 * PROTOCOL_NUMBERS[protocol] + (action === 'allow' ? 1 : 0);
}

function lengthIndex(group: number, bits: number): number {
  return group * 33 + bits;
}

function maskIpv4(address: number, bits: number): number {
  return bits === 0 ? 0 : address & (-1 << (32 - bits));
}

/** The covered rules with what covers them. */
export function findCovers(table: Table, rules: readonly Rule[]): ReadonlyMap<number, Cover> {
  const covers = new Map<number, Cover>();
  const buckets = new Buckets(rules.length);
  rules.forEach((rule, number) => {
    const bucket = buckets.get(rule);
    if (bucket === undefined) buckets.add(rule, number);
    else {
      const equal = addToBucket(bucket, number, rules);
      if (equal !== undefined) covers.set(number, { by: equal, isEqual: true });
    }
  });
  for (const { rules: numbers } of buckets.all()) keepWidest(numbers, rules);
  const sets = buckets.all().filter(({ target }) => target.kind === 'set');

  rules.forEach((rule, number) => {
    if (covers.has(number)) return;
    const by =
      coverAround(table, rule, number, rules, buckets) ?? coverBySet(table, rule, rules, sets);
    if (by !== undefined) covers.set(number, { by, isEqual: false });
  });
  return covers;
}

/**
 * Adds a rule to a bucket that is not empty; returns the rule with the same ports if there is one,
 * and adds nothing then.
 */
function addToBucket(bucket: Bucket, number: number, rules: readonly Rule[]): number | undefined {
  const portsOf = (rule: number): string => formatPorts(rules[rule]?.ports ?? []);
  bucket.byPorts ??= new Map(bucket.rules.map((rule) => [portsOf(rule), rule]));
  const ports = portsOf(number);
  const equal = bucket.byPorts.get(ports);
  if (equal !== undefined) return equal;
  bucket.byPorts.set(ports, number);
  bucket.rules.push(number);
  return undefined;
}

/** A rule on the same target, on every address, or on a prefix that holds all of a rule's target. */
function coverAround(
  table: Table,
  rule: Rule,
  number: number,
  rules: readonly Rule[],
  buckets: Buckets,
): number | undefined {
  const { target } = rule;
  const same = widest(buckets.get(rule), rule, number, rules);
  if (same !== undefined) return same;
  const any = target.kind === 'any' ? undefined : widest(buckets.getAny(rule), rule, number, rules);
  if (any !== undefined) return any;
  const around = surroundingPrefix(table, target);
  if (around === undefined) return undefined;
  const { address, bits } = around;
  const group = groupOf(rule);
  const value = address.length === 4 ? ipv4Value(address) : undefined;
  for (const shorter of buckets.lengths(rule, around)) {
    if (shorter > bits) continue;
    const bucket =
      value !== undefined
        ? buckets.getIpv4(group, value, shorter)
        : buckets.getPrefix(rule, { address: maskAddress(address, shorter), bits: shorter });
    const by = widest(bucket, rule, number, rules);
    if (by !== undefined) return by;
  }
  return undefined;
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
  for (const number of bucket?.rules ?? NO_RULES) {
    if (number !== own && holdsPorts(rules[number]?.ports ?? [], ports)) return number;
  }
  return undefined;
}

/** A rule on a set that holds all of a prefix, or all of a smaller set. */
function coverBySet(
  table: Table,
  rule: Rule,
  rules: readonly Rule[],
  sets: readonly Bucket[],
): number | undefined {
  const { target } = rule;
  if (sets.length === 0 || (target.kind !== 'prefix' && target.kind !== 'set')) return undefined;
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
