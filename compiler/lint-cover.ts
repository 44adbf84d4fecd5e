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
 * Buckets by action, protocol and target. IPv4 prefixes have maps by number, because of 100,000
 * rules each asks for ten of them.
 */
class Buckets {
  /** By action, protocol and length: buckets by network, as a signed number of 32 bits. */
  readonly #ipv4: Map<number, Bucket>[] = [];
  readonly #others = new Map<string, Bucket>();

  get(rule: Rule, target: Target): Bucket | undefined {
    if (target.kind !== 'prefix' || target.prefix.address.length !== 4) {
      return this.#others.get(keyOf(rule, target));
    }
    const { address, bits } = target.prefix;
    return this.getIpv4(rule, ipv4Value(address), bits);
  }

  /** The bucket of the first `bits` of an address. */
  getIpv4(rule: Rule, address: number, bits: number): Bucket | undefined {
    return this.#ipv4[lengthIndex(rule, bits)]?.get(maskIpv4(address, bits));
  }

  add(rule: Rule, number: number): void {
    const { target } = rule;
    const bucket = { target, rules: [number] };
    if (target.kind !== 'prefix' || target.prefix.address.length !== 4) {
      this.#others.set(keyOf(rule, target), bucket);
      return;
    }
    const { address, bits } = target.prefix;
    const index = lengthIndex(rule, bits);
    const known = this.#ipv4[index] ?? new Map<number, Bucket>();
    this.#ipv4[index] = known.set(maskIpv4(ipv4Value(address), bits), bucket);
  }

  *all(): Iterable<Bucket> {
    for (const buckets of this.#ipv4) if (buckets !== undefined) yield* buckets.values();
    yield* this.#others.values();
  }
}

function lengthIndex({ action, protocol }: Rule, bits: number): number {
  return (2 * PROTOCOL_NUMBERS[protocol] + (action === 'allow' ? 1 : 0)) * 33 + bits;
}

function maskIpv4(address: number, bits: number): number {
  return bits === 0 ? 0 : address & (-1 << (32 - bits));
}

/** The covered rules with what covers them. */
export function findCovers(table: Table, rules: readonly Rule[]): ReadonlyMap<number, Cover> {
  const covers = new Map<number, Cover>();
  const buckets = new Buckets();
  const lengths = new Map<string, Set<number>>();
  rules.forEach((rule, number) => {
    const { target } = rule;
    const bucket = buckets.get(rule, target);
    if (bucket === undefined) buckets.add(rule, number);
    else {
      const equal = addToBucket(bucket, number, rules);
      if (equal !== undefined) {
        covers.set(number, { by: equal, isEqual: true });
        return;
      }
    }
    if (target.kind !== 'prefix') return;
    const group = lengthGroup(rule, target.prefix);
    const known = lengths.get(group);
    if (known === undefined) lengths.set(group, new Set([target.prefix.bits]));
    else known.add(target.prefix.bits);
  });
  for (const { rules: numbers } of buckets.all()) keepWidest(numbers, rules);
  const sets = [...buckets.all()].filter(({ target }) => target.kind === 'set');

  rules.forEach((rule, number) => {
    if (covers.has(number)) return;
    for (const bucket of bucketsAround(table, rule, buckets, lengths)) {
      const by = widest(bucket, rule, number, rules);
      if (by === undefined) continue;
      covers.set(number, { by, isEqual: false });
      return;
    }
    const by = coverBySet(table, rule, rules, sets);
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

function lengthGroup({ action, protocol }: Rule, { address }: Prefix): string {
  return `${action} ${protocol} ${address.length}`;
}

/** The buckets of targets that hold all of a rule's target, its own included. */
function* bucketsAround(
  table: Table,
  rule: Rule,
  buckets: Buckets,
  lengths: ReadonlyMap<string, ReadonlySet<number>>,
): Iterable<Bucket | undefined> {
  const { target } = rule;
  yield buckets.get(rule, target);
  if (target.kind !== 'any') yield buckets.get(rule, { kind: 'any' });
  const around = surroundingPrefix(table, target);
  if (around === undefined) return;
  const { address, bits } = around;
  const value = address.length === 4 ? ipv4Value(address) : undefined;
  for (const shorter of lengths.get(lengthGroup(rule, around)) ?? []) {
    if (shorter > bits) continue;
    if (value !== undefined) yield buckets.getIpv4(rule, value, shorter);
    else {
      const prefix = { address: maskAddress(address, shorter), bits: shorter };
      yield buckets.get(rule, { kind: 'prefix', prefix });
    }
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
