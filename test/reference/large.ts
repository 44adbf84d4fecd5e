/**
 * Large policies that no scan of rules could judge in time, and their own judge: prefixes of each
 * length in a hash map, asked for every length. Made so that IPv4 needs the wide root (two-byte
 * starts) and IPv6 has boundaries in its lower half.
 */
import type { PortRange, TableDraft } from '../../compiler/model.ts';
import { DNS, FACTS } from './drafts.ts';
import { createRandom, type Query, type Random } from './random.ts';

const MAPPED = 0xffffn << 32n;
const TOP = 0x20010db8n << 96n;
const PORTS: readonly PortRange[] = [
  { low: 443, high: 443 },
  { low: 80, high: 90 },
  { low: 0, high: 65535 },
];

/** Bits below an IPv6 prefix, to pick from. */
type Hosts = readonly number[];
const LONG: Hosts = [0, 0, 1, 32, 64, 64, 80];
/** Boundaries in the upper half only, hence starts of 8 bytes. */
export const UPPER: Hosts = [64, 64, 65, 72, 80];

/** A large draft, queries about it, and what they must give. */
export interface Large {
  readonly draft: TableDraft;
  /** Queries at the edges of prefixes, half of them in IPv4. */
  queries(count: number): readonly Query[];
  /** Whether the rules allow it, by trying all lengths of prefix. */
  allows(query: Query): boolean;
}

/** Prefixes of one set: number of bits and 128-bit address, IPv4 mapped (bits + 96). */
type Prefixes = readonly (readonly [bits: number, address: bigint])[];

/**
 * Three sets of `size` prefixes each: tcp may reach the first on port 443 and the second on 80–90,
 * but nothing of the third.
 */
export function createLargeDraft(seed: number, size: number, ipv6Hosts: Hosts = LONG): Large {
  const random = createRandom(seed);
  const sets = PORTS.map((_, i) => randomPrefixes(random, i === 2 ? size >> 2 : size, ipv6Hosts));
  const draft: TableDraft = {
    facts: FACTS,
    unixRules: [],
    rules: sets.map((_, i) => ({
      action: i === 2 ? 'deny' : 'allow',
      protocol: 'tcp',
      ports: PORTS.slice(i, i + 1),
      target: { kind: 'set', set: `set${i}` },
      text: `@set${i}`,
      source: 'policy.toml',
      line: i + 1,
      column: 1,
    })),
    names: [],
    dns: DNS,
    sets: sets.map((prefixes, i) => toSet(`set${i}`, prefixes)),
  };
  const byBits = sets.map(groupByBits);
  return {
    draft,
    queries: (count) => Array.from({ length: count }, () => randomQuery(random, sets)),
    allows({ address, port }) {
      const [a, b, denied] = byBits.map((groups) => covers(groups, address));
      if (denied || carried(address).some((v4) => covers(byBits[2] ?? new Map(), v4))) return false;
      return (a === true && port === 443) || (b === true && port >= 80 && port <= 90);
    },
  };
}

function randomPrefixes(random: Random, count: number, ipv6Hosts: Hosts): Prefixes {
  return Array.from({ length: count }, () => {
    const ipv4 = random.oneIn(2);
    const host = random.pick(ipv4 ? [0, 0, 0, 1, 4, 8, 12, 16] : ipv6Hosts);
    const low = ipv4
      ? MAPPED | BigInt(random.next())
      : TOP | (BigInt(random.next()) << 64n) | BigInt(random.next());
    return [128 - host, (low >> BigInt(host)) << BigInt(host)] as const;
  });
}

function toSet(name: string, prefixes: Prefixes): TableDraft['sets'][number] {
  const v4 = prefixes.filter(([, address]) => address >> 32n === 0xffffn);
  const v6 = prefixes.filter(([, address]) => address >> 32n !== 0xffffn);
  const bytes = new DataView(new ArrayBuffer(v6.length * 16));
  v6.forEach(([, address], i) => {
    bytes.setBigUint64(i * 16, address >> 64n);
    bytes.setBigUint64(i * 16 + 8, BigInt.asUintN(64, address));
  });
  return {
    name,
    prefixes: {
      v4: Uint32Array.from(v4, ([, address]) => Number(address & 0xffffffffn)),
      v4Bits: Uint8Array.from(v4, ([bits]) => bits - 96),
      v6: new Uint8Array(bytes.buffer),
      v6Bits: Uint8Array.from(v6, ([bits]) => bits),
    },
  };
}

function groupByBits(prefixes: Prefixes): ReadonlyMap<number, ReadonlySet<bigint>> {
  const groups = new Map<number, Set<bigint>>();
  for (const [bits, address] of prefixes) {
    const group = groups.get(bits) ?? new Set();
    groups.set(bits, group.add(address));
  }
  return groups;
}

function covers(groups: ReadonlyMap<number, ReadonlySet<bigint>>, address: bigint): boolean {
  for (const [bits, group] of groups) {
    const host = BigInt(128 - bits);
    if (group.has((address >> host) << host)) return true;
  }
  return false;
}

/** The IPv4 address that NAT64 or 6to4 carry. */
function carried(address: bigint): readonly bigint[] {
  if (address >> 32n === 0x64ff9bn << 64n) return [MAPPED | (address & 0xffffffffn)];
  if (address >> 112n === 0x2002n) return [MAPPED | ((address >> 80n) & 0xffffffffn)];
  return [];
}

function randomQuery(random: Random, sets: readonly Prefixes[]): Query {
  const [bits, low] = random.pick(random.pick(sets));
  const edge = random.oneIn(2) ? low : low + (1n << BigInt(128 - bits)) - 1n;
  const address = edge + BigInt(random.below(3) - 1);
  const family = address >> 32n === 0xffffn ? 4 : 6;
  return { protocol: 0, family, address, port: random.pick([443, 79, 80, 90, 91, 22]) };
}
