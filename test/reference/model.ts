/**
 * The golden model of a table: the rules as an array, scanned one by one, addresses as BigInt. Slow
 * and plain on purpose, written from docs/format.md §6 alone and sharing no code with policy/,
 * compiler/ or executor/; whoever differs from it is wrong.
 */
import type { Rule, TableDraft } from '../../compiler/model.ts';

/** Numbers of the protocols in queries. */
export const PROTOCOLS = ['tcp', 'udp', 'icmp', 'tcp-bind', 'udp-bind'] as const;

/** The protocols whose addresses are bound: nothing is carried in another address, and 0.0.0.0 is what it says. */
const isBind = (protocol: Rule['protocol']): boolean => protocol.endsWith('-bind');

const MAPPED = 0xffffn << 32n;
const NAT64 = 0x64ff9bn << 96n;
const SIX_TO_FOUR = 0x2002n << 112n;

/** A rule as intervals of 128-bit addresses, both ends included. */
interface ScannedRule {
  readonly rule: Rule;
  readonly index: number;
  readonly intervals: readonly (readonly [bigint, bigint])[];
}

/** Answers of the model. Addresses are 128-bit, IPv4 as ::ffff:a.b.c.d. */
export interface Model {
  /** Whether the destination is allowed. */
  allows(protocol: number, address: bigint, port: number): boolean;
  /** Indices of the rules that decide. */
  deciding(protocol: number, address: bigint, port: number): readonly number[];
}

/** The 128-bit number of an address of 4 or 16 bytes. */
export function toNumber(address: Uint8Array): bigint {
  const value = address.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return address.length === 4 ? MAPPED | value : value;
}

/** The model of a draft. */
export function createModel(draft: TableDraft): Model {
  const scanned = draft.rules.map((rule, index) => ({
    rule,
    index,
    intervals: intervalsOf(rule, draft),
  }));
  const byProtocol = PROTOCOLS.map((protocol) =>
    scanned.filter(({ rule }) => rule.protocol === protocol),
  );
  const matching = (protocol: number, address: bigint, port: number): readonly ScannedRule[] => {
    const canonical = protocol > 2 ? address : loopback(address);
    return (byProtocol[protocol] ?? []).filter(
      ({ rule, intervals }) =>
        rule.ports.some(({ low, high }) => low <= port && port <= high) &&
        intervals.some(([low, high]) => low <= canonical && canonical <= high),
    );
  };
  return {
    allows(protocol, address, port) {
      const actions = matching(protocol, address, port).map(({ rule }) => rule.action);
      return actions.includes('allow') && !actions.includes('deny');
    },
    deciding(protocol, address, port) {
      const found = matching(protocol, address, port);
      const action = this.allows(protocol, address, port) ? 'allow' : 'deny';
      return found.filter(({ rule }) => rule.action === action).map(({ index }) => index);
    },
  };
}

function intervalsOf(rule: Rule, draft: TableDraft): readonly (readonly [bigint, bigint])[] {
  const own = ownIntervals(rule, draft);
  if (rule.action === 'allow') return own;
  const isIpv4 = ([low, high]: readonly [bigint, bigint]): boolean =>
    low >> 32n === 0xffffn && high >> 32n === 0xffffn;
  if (isBind(rule.protocol)) {
    // 0.0.0.0 and :: listen on every IPv4 address, :: on every IPv6 address as well.
    const every = own.length > 0 ? [[0n, 0n] as const] : [];
    return [...own, ...every, ...(own.some(isIpv4) ? [[MAPPED, MAPPED] as const] : [])];
  }
  // A denied IPv4 address is denied in the IPv6 forms that carry it, too.
  return own.flatMap(([low, high]) => {
    if (!isIpv4([low, high])) return [[low, high]];
    const [first, last] = [low & 0xffffffffn, high & 0xffffffffn];
    return [
      [low, high],
      [NAT64 | first, NAT64 | last],
      [SIX_TO_FOUR | (first << 80n), SIX_TO_FOUR | (last << 80n) | ((1n << 80n) - 1n)],
    ];
  });
}

function ownIntervals(rule: Rule, draft: TableDraft): readonly (readonly [bigint, bigint])[] {
  const { target } = rule;
  // Sets and names serve all protocols and are kept as destinations.
  const as = isBind(rule.protocol) ? (address: bigint): bigint => address : loopback;
  switch (target.kind) {
    case 'any':
      return [[MAPPED, MAPPED | 0xffffffffn], ...outsideMapped(0n, (1n << 128n) - 1n)];
    case 'prefix':
      return interval(
        toNumber(target.prefix.address),
        target.prefix.bits,
        target.prefix.address,
        as,
      );
    case 'name': {
      const pinned = draft.names.find(({ name }) => name === target.name);
      return (pinned?.addresses ?? []).flatMap((address) =>
        interval(toNumber(address), address.length * 8, address, loopback),
      );
    }
    case 'set': {
      const prefixes = draft.sets.find(({ name }) => name === target.set)?.prefixes;
      if (prefixes === undefined) return [];
      const four = Uint8Array.of(0, 0, 0, 0);
      const v4 = Array.from(prefixes.v4, (key, i) =>
        interval(MAPPED | BigInt(key), prefixes.v4Bits[i] ?? 0, four, loopback),
      );
      const v6 = Array.from(prefixes.v6Bits, (bits, i) => {
        const address = prefixes.v6.subarray(i * 16, i * 16 + 16);
        return interval(toNumber(address), bits, address, loopback);
      });
      return [...v4, ...v6].flat();
    }
  }
}

/** A destination as Linux takes it: the unspecified addresses are the loopback. */
function loopback(address: bigint): bigint {
  if (address === 0n) return 1n;
  return address === MAPPED ? MAPPED | 0x7f000001n : address;
}

/** The intervals of a prefix; `address` says the family by its length, `as` what a single address stands for. */
function interval(
  low: bigint,
  bits: number,
  address: Uint8Array,
  as: (address: bigint) => bigint,
): readonly (readonly [bigint, bigint])[] {
  const size = 1n << BigInt(address.length * 8 - bits);
  if (size === 1n) return [[as(low), as(low)]];
  const high = low + size - 1n;
  if (low >> 32n === 0xffffn && high >> 32n === 0xffffn) return [[low, high]];
  return outsideMapped(low, high);
}

/** An interval of IPv6 addresses without ::ffff:0:0/96: those are IPv4 addresses. */
function outsideMapped(low: bigint, high: bigint): readonly (readonly [bigint, bigint])[] {
  if (high < MAPPED || low > (MAPPED | 0xffffffffn)) return [[low, high]];
  return [
    [low, MAPPED - 1n],
    [(MAPPED | 0xffffffffn) + 1n, high],
  ];
}
