/**
 * What becomes reachable and what no longer is when one table takes the place of another: not which
 * rules differ, but what they let through. The tries of both are walked side by side, boundary by
 * boundary, so the answer is exact and takes no longer than reading them.
 */
import { formatAddress, fromNumber } from './address.ts';
import { type Area, aggregate, type Interval } from './aggregate.ts';
import { coversSocket, formatUnixRule } from './explain-unix.ts';
import { familiesFor } from './families.ts';
import type { FamilyName, PortRange, Protocol } from './model.ts';
import { PROTOCOL_NUMBERS } from './numbers.ts';
import { formatPorts, subtractPorts } from './port-text.ts';
import { mergeRanges } from './ports.ts';
import { isBind } from './stored-address.ts';
import type { Trie } from './stored-tries.ts';
import type { Table } from './table.ts';

/** Addresses of a protocol and their ports. */
export interface Reach {
  readonly protocol: Protocol;
  /** `10.0.0.0/8`, `2001:db8::/32`; a name that is asked for while the command runs, or `*.` and the name above it. */
  readonly target: string;
  /** `443`, `80,8000-8010`, `*`; of ICMP `*`. */
  readonly ports: string;
}

/** One direction of a difference. */
export interface Change {
  readonly reach: readonly Reach[];
  /** UNIX sockets as `allow_unix` has them. */
  readonly unix: readonly string[];
  readonly families: readonly FamilyName[];
  readonly userns: boolean;
}

/** What the second table allows and the first does not, and the reverse. */
export interface Difference {
  readonly gained: Change;
  readonly lost: Change;
}

/** Compares two tables. */
export function diffTables(a: Table, b: Table): Difference {
  const gained: Reach[] = [];
  const lost: Reach[] = [];
  for (const protocol of Object.keys(PROTOCOL_NUMBERS) as Protocol[]) {
    for (const family of [4, 6] as const) {
      const sides = [sideOf(a, protocol, family), sideOf(b, protocol, family)] as const;
      const intervals = walk(...sides, holesOf(protocol, family));
      gained.push(...toReach(protocol, family, intervals.gained));
      lost.push(...toReach(protocol, family, intervals.lost));
    }
    gained.push(...namesMissing(protocol, a, b));
    lost.push(...namesMissing(protocol, b, a));
  }
  return {
    gained: { reach: gained, ...wallsMissing(a, b) },
    lost: { reach: lost, ...wallsMissing(b, a) },
  };
}

/** Whether nothing changed. */
export function isSame({ gained, lost }: Difference): boolean {
  return [gained, lost].every(
    ({ reach, unix, families, userns }) =>
      reach.length + unix.length + families.length === 0 && !userns,
  );
}

/** One table's view of a protocol and family; without a socket that could use it everything is closed. */
interface Side {
  readonly trie: Trie | undefined;
  ports(set: number): readonly PortRange[];
}

function sideOf(table: Table, protocol: Protocol, family: 4 | 6): Side {
  const { families } = table.facts();
  const isUsable = familiesFor(protocol, family).some((one) => families.includes(one));
  return {
    trie: isUsable ? table.tries().ofProtocol(protocol, family) : undefined,
    ports: (set) => table.ports(set),
  };
}

interface Walked {
  readonly gained: readonly Interval[];
  readonly lost: readonly Interval[];
}

/** Two sets of ports compared, made once for each pair of port sets. */
interface Pair {
  readonly gained: readonly PortRange[];
  readonly lost: readonly PortRange[];
}

/** The intervals between the boundaries of both tries in which one side has ports that the other lacks. */
function walk(a: Side, b: Side, holes: readonly Hole[]): Walked {
  const width = BigInt((a.trie ?? b.trie)?.family === 6 ? 128 : 32);
  const pairs = new Map<number, Pair>();
  const pairOf = (setA: number, setB: number): Pair => {
    const key = setA * 65536 + setB;
    const known = pairs.get(key);
    if (known !== undefined) return known;
    const [portsA, portsB] = [a.ports(setA), b.ports(setB)];
    const pair = { gained: subtractPorts(portsB, portsA), lost: subtractPorts(portsA, portsB) };
    pairs.set(key, pair);
    return pair;
  };
  const all: { low: bigint; high: bigint; pair: Pair }[] = [];
  for (const { start, setA, setB } of mergeBoundaries(a.trie, b.trie)) {
    const last = all.at(-1);
    if (last !== undefined) last.high = start - 1n;
    all.push({ low: start, high: (1n << width) - 1n, pair: pairOf(setA, setB) });
  }
  const filled = fillHoles(all, holes);
  const side = (key: keyof Pair): Interval[] =>
    filled.flatMap(({ low, high, pair }) =>
      pair[key].length === 0 ? [] : [{ low, high, ports: pair[key] }],
    );
  return { gained: side('gained'), lost: side('lost') };
}

interface MergedBoundary {
  readonly start: bigint;
  readonly setA: number;
  readonly setB: number;
}

/**
 * The boundaries of both in one order, with the port sets that apply from there on. A trie that is missing is closed.
 */
function* mergeBoundaries(a: Trie | undefined, b: Trie | undefined): Iterable<MergedBoundary> {
  const left = (a?.boundaries() ?? CLOSED)[Symbol.iterator]();
  const right = (b?.boundaries() ?? CLOSED)[Symbol.iterator]();
  let [nextA, nextB] = [left.next(), right.next()];
  let [setA, setB] = [0, 0];
  while (nextA.done !== true || nextB.done !== true) {
    const startA = nextA.done === true ? undefined : nextA.value.start;
    const startB = nextB.done === true ? undefined : nextB.value.start;
    const start =
      startB === undefined || (startA !== undefined && startA < startB) ? startA : startB;
    if (start === undefined) return;
    if (nextA.done !== true && startA === start) {
      setA = nextA.value.set;
      nextA = left.next();
    }
    if (nextB.done !== true && startB === start) {
      setB = nextB.value.set;
      nextB = right.next();
    }
    yield { start, setA, setB };
  }
}

const CLOSED = [{ start: 0n, set: 0 }];

/**
 * Keys that no look-up asks for (docs/format.md §6): what stands there is no difference, but may be
 * part of one around it.
 */
interface Hole {
  readonly low: bigint;
  readonly high: bigint;
}

const MAPPED: Hole = { low: 0xffff00000000n, high: 0xffffffffffffn };
const UNSPECIFIED: Hole = { low: 0n, high: 0n };

function holesOf(protocol: Protocol, family: 4 | 6): readonly Hole[] {
  const holes = isBind(protocol) ? [] : [UNSPECIFIED];
  return family === 6 ? [...holes, MAPPED] : holes;
}

interface Compared {
  readonly low: bigint;
  readonly high: bigint;
  readonly pair: Pair;
}

/**
 * Gives a hole what stands behind it, if that also stands before it or there is nothing before it; else no difference.
 */
function fillHoles(all: readonly Compared[], holes: readonly Hole[]): readonly Compared[] {
  return holes.reduce<readonly Compared[]>((intervals, { low, high }) => {
    const first = intervals.findIndex((one) => one.high >= low);
    const last = intervals.findLastIndex((one) => one.low <= high);
    const [from, to] = [intervals[first], intervals[last]];
    if (from === undefined || to === undefined) return intervals;
    const before = from.low < low ? from : intervals[first - 1];
    const behind = to.high > high ? to : intervals[last + 1];
    const isIn = before === undefined ? isLong(behind) : before.pair === behind?.pair;
    const pair = isIn && behind !== undefined ? behind.pair : SAME;
    return [
      ...intervals.slice(0, first),
      ...(from.low < low ? [{ ...from, high: low - 1n }] : []),
      { low, high, pair },
      ...(to.high > high ? [{ ...to, low: high + 1n }] : []),
      ...intervals.slice(last + 1),
    ];
  }, all);
}

/** Whether a neighbour is more than a few addresses such as ::1, which are told better by themselves. */
function isLong(interval: Compared | undefined): boolean {
  return interval !== undefined && interval.high >= 0xffn;
}

const SAME: Pair = { gained: [], lost: [] };

function toReach(protocol: Protocol, family: 4 | 6, intervals: readonly Interval[]): Reach[] {
  const width = family === 4 ? 32 : 128;
  return aggregate(intervals, width).map(({ start, bits, ports }: Area) => {
    const address = formatAddress(fromNumber(start, family === 4 ? 4 : 16));
    const target = bits === width ? address : `${address}/${bits}`;
    return { protocol, target, ports: formatPorts(ports) };
  });
}

/** What rules on names without pins allow in `b` and not in `a`. */
function namesMissing(protocol: Protocol, a: Table, b: Table): Reach[] {
  const known = livePorts(a, protocol);
  return [...livePorts(b, protocol)].flatMap(([target, ports]) => {
    const missing = subtractPorts(mergeRanges(ports), mergeRanges(known.get(target) ?? []));
    return missing.length === 0 ? [] : [{ protocol, target, ports: formatPorts(missing) }];
  });
}

/** Ports by name, of names that become addresses only while the command runs. */
function livePorts(table: Table, protocol: Protocol): ReadonlyMap<string, readonly PortRange[]> {
  const live = new Set(
    table.names().flatMap(({ name, addresses }) => (addresses.length === 0 ? [name] : [])),
  );
  const ports = new Map<string, PortRange[]>();
  if (live.size === 0) return ports;
  for (const rule of table.rules()) {
    const { target } = rule;
    if (rule.protocol !== protocol || target.kind !== 'name' || !live.has(target.name)) continue;
    ports.set(target.name, [...(ports.get(target.name) ?? []), ...rule.ports]);
  }
  return ports;
}

/** UNIX sockets, families and namespaces that `b` allows and `a` does not. */
function wallsMissing(a: Table, b: Table): Omit<Change, 'reach'> {
  const { families, allowUserns } = a.facts();
  const facts = b.facts();
  const unix = b
    .unixRules()
    .filter((rule) => !a.unixRules().some((other) => coversSocket(other, rule)))
    .map(formatUnixRule);
  return {
    unix: [...new Set(unix)],
    families: facts.families.filter((family) => !families.includes(family)),
    userns: facts.allowUserns && !allowUserns,
  };
}
