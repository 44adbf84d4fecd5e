/**
 * Seeded randomness for tests: numbers, drafts of policies, and queries that sit on the edges of
 * what a draft mentions. The same seed gives the same sequence on every machine, so a failure names
 * its seed and can be run again.
 */
import type {
  AddressSet,
  Dns,
  Facts,
  PortRange,
  Prefix,
  Rule,
  TableDraft,
  UnixRule,
} from '../../compiler/model.ts';
import { FACTS, unixRule } from './drafts.ts';
import { PROTOCOLS, toNumber } from './model.ts';

/** A sequence of numbers. */
export interface Random {
  /** An integer 0..2³²−1. */
  next(): number;
  /** An integer 0..limit−1. */
  below(limit: number): number;
  /** True in one of `n` cases. */
  oneIn(n: number): boolean;
  /** One of the values. */
  pick<T>(values: readonly T[]): T;
}

/** The sequence of a seed (xorshift32 after mixing, so that neighbouring seeds differ at once). */
export function createRandom(seed: number): Random {
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ 0x5bd1e995) >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return Math.imul(state, 0x9e3779b1) >>> 0;
  };
  const below = (limit: number): number => Math.floor((next() / 2 ** 32) * limit);
  return {
    next,
    below,
    oneIn: (n) => below(n) === 0,
    pick: (values) => {
      const value = values[below(values.length)];
      if (value === undefined) throw new Error('nothing to pick from');
      return value;
    },
  };
}

const FAMILIES: Facts['families'] = [...FACTS.families, 'alg', 'unix/pair'];
const EDGE_PORTS = [0, 1, 22, 80, 443, 444, 1023, 1024, 32767, 32768, 65534, 65535] as const;
const MAPPED = 0xffffn << 32n;

/** A draft of `rules` rules over few addresses, so that prefixes nest, touch and repeat. */
export function randomDraft(random: Random, rules: number): TableDraft {
  const pool = randomPrefixes(random, 3 + random.below(2 + rules));
  const names = Array.from({ length: random.below(3) }, (_, i) => ({
    name: random.oneIn(4) ? `*.host${i}.example` : `host${i}.example`,
    addresses: [] as Uint8Array[],
  }));
  for (const { name, addresses } of names) {
    if (name.startsWith('*') || random.oneIn(4)) continue;
    for (let count = random.below(4); count >= 0; count--) {
      addresses.push(randomAddress(random, pool));
    }
  }
  const sets = Array.from({ length: random.below(4) }, (_, i) => randomSet(random, pool, i));
  return {
    facts: randomFacts(random),
    unixRules: Array.from({ length: random.below(4) }, (_, i) => randomUnixRule(random, i)),
    rules: Array.from({ length: rules }, (_, i) => randomRule(random, i, pool, { names, sets })),
    names: names.map((name) =>
      name.addresses.length === 0 && !name.name.startsWith('*') && random.oneIn(2)
        ? { ...name, atStart: true }
        : name,
    ),
    dns: randomDns(random),
    sets,
  };
}

const DRAWN_PROTOCOLS = ['tcp', 'tcp', 'tcp', 'udp', 'icmp', 'tcp-bind', 'udp-bind'] as const;

function randomFacts(random: Random): Facts {
  return {
    families: FAMILIES.filter(() => !random.oneIn(3)),
    allowUserns: random.oneIn(2),
  };
}

function randomDns(random: Random): Dns {
  return {
    resolve: random.pick(['exec', 'compile', 'live'] as const),
    pinnedAt: random.pick([0, 1, 2 ** 40]),
    maxAge: random.pick([0, 3600, 2 ** 32 - 1]),
    privateNames: Array.from({ length: random.below(3) }, (_, i) => ({
      name: `host${i}.example`,
      below: random.oneIn(2),
      line: i,
    })),
  };
}

function randomUnixRule(random: Random, index: number): UnixRule {
  const name = 'x'.repeat(random.pick([1, 8, 100]));
  return random.pick([
    unixRule('path', `/${name}`, index, 'unix.toml'),
    unixRule('directory', `/${name}`, index),
    unixRule('directory', '/', 0, ''),
    unixRule('abstract', `/${name}/`, index),
  ]);
}

function randomRule(
  random: Random,
  index: number,
  pool: readonly Prefix[],
  { names, sets }: Pick<TableDraft, 'names' | 'sets'>,
): Rule {
  const protocol = random.pick(DRAWN_PROTOCOLS);
  const bind = protocol.endsWith('-bind');
  const kind = random.below(12);
  let target: Rule['target'] = { kind: 'prefix', prefix: random.pick(pool) };
  if (kind === 0) target = { kind: 'any' };
  const name = kind === 1 && names.length > 0 && !bind ? random.pick(names) : undefined;
  if (name !== undefined) target = { kind: 'name', name: name.name };
  if (kind < 4 && kind > 1 && sets.length > 0)
    target = { kind: 'set', set: random.pick(sets).name };
  return {
    action: random.oneIn(3) && name?.addresses.length !== 0 ? 'deny' : 'allow',
    protocol,
    ports: protocol === 'icmp' ? [{ low: 0, high: 65535 }] : randomPorts(random),
    target,
    text: `rule ${index}`,
    source: random.oneIn(4) ? '--allow' : 'policy.toml',
    line: index + 1,
    column: 1 + random.below(80),
  };
}

/** Ports of one rule: all, or some ranges that begin and end at edges. */
function randomPorts(random: Random): readonly PortRange[] {
  if (random.oneIn(5)) return [{ low: 0, high: 65535 }];
  const ranges: PortRange[] = [];
  let from = 0;
  for (let i = 1 + random.below(4); i > 0 && from <= 65535; i--) {
    const edges = EDGE_PORTS.filter((port) => port >= from);
    if (edges.length === 0) break;
    const low = random.pick(edges);
    const high = Math.min(65535, random.oneIn(2) ? low : low + random.below(600));
    ranges.push({ low, high });
    from = high + 2;
  }
  return ranges;
}

/** Prefixes that nest, touch, repeat and reach both ends of their space. */
function randomPrefixes(random: Random, count: number): readonly Prefix[] {
  const prefixes: Prefix[] = [randomPrefix(random)];
  while (prefixes.length < count) {
    const near = random.pick(prefixes);
    const longest = near.address.length * 8;
    const value = toNumber(near.address);
    const choice = random.below(8);
    if (choice < 2) {
      // Inside: some more bits.
      const bits = Math.min(longest, near.bits + 1 + random.below(9));
      prefixes.push(prefixOf(value | randomBits(random, longest - near.bits), longest, bits));
    } else if (choice === 2) {
      prefixes.push(prefixOf(value, longest, Math.max(0, near.bits - 1 - random.below(6))));
    } else if (choice === 3) {
      // Adjacent, of the same size.
      const size = 1n << BigInt(longest - near.bits);
      prefixes.push(prefixOf(random.oneIn(2) ? value + size : value - size, longest, near.bits));
    } else if (choice === 4) {
      prefixes.push(prefixOf(value | randomBits(random, longest - near.bits), longest, longest));
    } else {
      prefixes.push(randomPrefix(random));
    }
  }
  return prefixes;
}

const NOTABLE: readonly (readonly [bigint, number, number])[] = [
  [MAPPED, 32, 0],
  [0n, 128, 0],
  [MAPPED | 0x7f000001n, 32, 32],
  [1n, 128, 128],
  [MAPPED, 32, 32],
  [0n, 128, 128],
  [0n, 128, 96],
  [MAPPED, 32, 8],
  [MAPPED | 0xffffffffn, 32, 32],
  [(1n << 128n) - 1n, 128, 128],
  [MAPPED, 128, 96],
  [MAPPED | 0x0a000000n, 128, 104],
  [0x64ff9bn << 96n, 128, 96],
  [(0x64ff9bn << 96n) | 0x0a000000n, 128, 104],
  [0x2002n << 112n, 128, 16],
  [0x20020a00n << 96n, 128, 24],
  [0xfffen << 32n, 128, 95],
];

function randomPrefix(random: Random): Prefix {
  if (random.oneIn(5)) return prefixOf(...random.pick(NOTABLE));
  if (random.oneIn(2)) return prefixOf(MAPPED | BigInt(random.next()), 32, random.below(33));
  const top = 0x20010db8n << 96n;
  return prefixOf(top | randomBits(random, 96), 128, 1 + random.below(128));
}

function randomSet(random: Random, pool: readonly Prefix[], index: number): AddressSet {
  const own = Array.from({ length: 1 + random.below(20) }, () =>
    random.oneIn(2) ? random.pick(pool) : randomPrefix(random),
  );
  const v4 = own.filter(({ address }) => address.length === 4);
  const v6 = own.filter(({ address }) => address.length === 16);
  return {
    name: `set${index}`,
    prefixes: {
      v4: Uint32Array.from(v4, ({ address }) => Number(toNumber(address) & 0xffffffffn)),
      v4Bits: Uint8Array.from(v4, ({ bits }) => bits),
      v6: Uint8Array.from(v6.flatMap(({ address }) => [...address])),
      v6Bits: Uint8Array.from(v6, ({ bits }) => bits),
    },
  };
}

function randomAddress(random: Random, pool: readonly Prefix[]): Uint8Array {
  const { address, bits } = random.oneIn(2) ? random.pick(pool) : randomPrefix(random);
  const longest = address.length * 8;
  return prefixOf(toNumber(address) | randomBits(random, longest - bits), longest, longest).address;
}

function randomBits(random: Random, bits: number): bigint {
  let value = 0n;
  for (let i = 0; i < 4; i++) value = (value << 32n) | BigInt(random.next());
  return BigInt.asUintN(bits, value);
}

/** The prefix of a 128-bit number (IPv4 mapped), bits below it cleared, wrapped into its family's space. */
function prefixOf(value: bigint, longest: number, bits: number): Prefix {
  const host = BigInt(longest - bits);
  const own = (BigInt.asUintN(longest, value) >> host) << host;
  const address = new Uint8Array(longest / 8);
  for (let i = 0; i < address.length; i++) {
    address[i] = Number((own >> BigInt(longest - 8 - 8 * i)) & 0xffn);
  }
  return { address, bits };
}

/** A question to a table. `address` is 128-bit; `family` 4 asks for its lower 32 bits as IPv4. */
export interface Query {
  readonly protocol: number;
  readonly family: 4 | 6;
  readonly address: bigint;
  readonly port: number;
}

/** Queries on and beside the edges of everything that a draft mentions, also in the forms that carry IPv4. */
export function randomQueries(random: Random, draft: TableDraft, count: number): readonly Query[] {
  const edges = edgesOf(draft);
  const ports = [
    ...EDGE_PORTS,
    ...draft.rules.flatMap(({ ports }) =>
      ports.flatMap(({ low, high }) => [low - 1, low, high, high + 1]),
    ),
  ].filter((port) => port >= 0 && port <= 65535);
  return Array.from({ length: count }, () => {
    const protocol = random.pick([0, 0, 0, 1, 1, 2, 3, 3, 4]);
    const port = protocol === 2 ? 0 : random.pick(ports);
    const edge = random.oneIn(8) ? randomBits(random, 128) : random.pick(edges);
    const moved = BigInt.asUintN(128, edge + BigInt(random.below(3) - 1));
    const low = moved & 0xffffffffn;
    switch (random.below(8)) {
      case 0:
        return { protocol, family: 6, address: (0x64ff9bn << 96n) | low, port };
      case 1:
        return { protocol, family: 6, address: (0x2002n << 112n) | (low << 80n) | 5n, port };
      case 2:
        return { protocol, family: 6, address: MAPPED | low, port };
      case 3:
        return { protocol, family: 4, address: MAPPED | low, port };
      default:
        return moved >> 32n === 0xffffn
          ? { protocol, family: random.oneIn(2) ? 4 : 6, address: moved, port }
          : { protocol, family: 6, address: moved, port };
    }
  });
}

/** First and last addresses of all prefixes and pinned addresses, and the ends of both spaces. */
function edgesOf({ rules, names, sets }: TableDraft): readonly bigint[] {
  const edges = [0n, 1n, MAPPED, MAPPED | 0xffffffffn, (1n << 128n) - 1n, MAPPED | 0x7f000001n];
  const add = (low: bigint, longest: number, bits: number): void => {
    edges.push(low, low + (1n << BigInt(longest - bits)) - 1n);
  };
  for (const { target } of rules) {
    if (target.kind !== 'prefix') continue;
    const { address, bits } = target.prefix;
    add(toNumber(address), address.length * 8, bits);
  }
  for (const { addresses } of names) edges.push(...addresses.map(toNumber));
  for (const { prefixes } of sets) {
    prefixes.v4.forEach((key, i) => {
      add(MAPPED | BigInt(key), 32, prefixes.v4Bits[i] ?? 0);
    });
    prefixes.v6Bits.forEach((bits, i) => {
      add(toNumber(prefixes.v6.subarray(i * 16, i * 16 + 16)), 128, bits);
    });
  }
  return edges;
}

/** The record of batch look-ups (docs/native.md), 24 bytes a query. */
export function encodeQueries(queries: readonly Query[]): Uint8Array {
  const bytes = new Uint8Array(queries.length * 24);
  const view = new DataView(bytes.buffer);
  queries.forEach(({ protocol, family, address, port }, i) => {
    const at = i * 24;
    bytes[at] = protocol;
    bytes[at + 1] = family;
    view.setUint16(at + 2, port, true);
    if (family === 4) {
      view.setUint32(at + 8, Number(address & 0xffffffffn));
    } else {
      view.setBigUint64(at + 8, address >> 64n);
      view.setBigUint64(at + 16, BigInt.asUintN(64, address));
    }
  });
  return bytes;
}

/** The bytes of a query's address. */
export function addressOf({ family, address }: Query): Uint8Array {
  return prefixOf(address, family === 4 ? 32 : 128, family === 4 ? 32 : 128).address;
}

/** Text for failures. */
export function describeQuery({ protocol, family, address, port }: Query): string {
  return `${PROTOCOLS[protocol]} IPv${family} 0x${address.toString(16)} port ${port}`;
}
