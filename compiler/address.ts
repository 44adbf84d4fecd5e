/**
 * IPv4 and IPv6 addresses: strict parsers, canonical form (docs/format.md §6) and text.
 * IPv4 is four decimal octets and nothing else; IPv6 is RFC 4291 §2.2 (embedded IPv4 included, zone ids not).
 * Parsers are quick and only say yes or no; explain-address.ts says why not.
 */
import type { Prefix } from './model.ts';

const DOT = 0x2e;
const ZERO = 0x30;

/** Parses four decimal octets to a host-order integer 0..2³²−1. */
export function parseIpv4(text: string): number | undefined {
  let value = 0;
  let octets = 0;
  let at = 0;
  while (octets < 4) {
    const first = text.charCodeAt(at);
    let octet = 0;
    let digits = 0;
    for (; digits < 4; digits++) {
      const digit = text.charCodeAt(at) - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
      octet = octet * 10 + digit;
      at++;
    }
    if (digits === 0 || octet > 255 || (digits > 1 && first === ZERO)) return undefined;
    value = value * 256 + octet;
    octets++;
    if (octets < 4 && text.charCodeAt(at++) !== DOT) return undefined;
  }
  return at === text.length ? value : undefined;
}

/** Parses an IPv6 address without brackets to its 16 bytes. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const given = head.length + tail.length;
  // `::` stands for one group of zeros at least (RFC 4291 §2.2).
  if (halves.length === 2 ? given > 7 : given !== 8) return undefined;
  const bytes = new Uint8Array(16);
  head.forEach((group, i) => {
    writeGroup(bytes, i, group);
  });
  tail.forEach((group, i) => {
    writeGroup(bytes, 8 - tail.length + i, group);
  });
  return bytes;
}

function writeGroup(bytes: Uint8Array, index: number, group: number): void {
  bytes[2 * index] = group >> 8;
  bytes[2 * index + 1] = group & 0xff;
}

/** Groups between colons; `last` says that the address ends here, where embedded IPv4 may stand. */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (last && i === parts.length - 1 && part.includes('.')) {
      const embedded = parseIpv4(part);
      if (embedded === undefined) return undefined;
      groups.push(embedded >>> 16, embedded & 0xffff);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

/** The four bytes of a host-order IPv4 address, network order. */
export function ipv4Bytes(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** The host-order integer of four bytes in network order. */
export function ipv4Value(bytes: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/** The number that 4 or 16 bytes in network order stand for. */
export function toNumber(bytes: Uint8Array): bigint {
  if (bytes.length === 4) return BigInt(ipv4Value(bytes));
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

/** The 4 or 16 bytes of a number, network order. */
export function fromNumber(value: bigint, length: 4 | 16): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = length - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}

/** Whether 16 bytes lie in ::ffff:0:0/96, the IPv4-mapped addresses. */
export function isMapped(bytes: Uint8Array): boolean {
  if (bytes[10] !== 0xff || bytes[11] !== 0xff) return false;
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return true;
}

/**
 * Canonical form of an address of 4 or 16 bytes (docs/format.md §6): IPv4-mapped becomes IPv4; 0.0.0.0 and :: become
 * the loopback that Linux connects them to.
 */
export function canonicalAddress(bytes: Uint8Array): Uint8Array {
  const address = bytes.length === 16 && isMapped(bytes) ? bytes.slice(12) : bytes;
  if (address.some((byte) => byte !== 0)) return address;
  if (address.length === 4) return ipv4Bytes(0x7f000001);
  const loopback = new Uint8Array(16);
  loopback[15] = 1;
  return loopback;
}

/** A prefix by the address family that it is about: those below ::ffff:0:0/96 are IPv4. This is the form of binds. */
export function narrowPrefix(prefix: Prefix): Prefix {
  const { address, bits } = prefix;
  return address.length === 16 && bits >= 96 && isMapped(address)
    ? { address: address.slice(12), bits: bits - 96 }
    : prefix;
}

/** Whether a prefix is 0.0.0.0/32 or ::/128: to a bind every address of the machine, to a destination the loopback. */
export function isUnspecified({ address, bits }: Prefix): boolean {
  return bits === address.length * 8 && address.every((byte) => byte === 0);
}

/** Canonical form of a prefix of destinations: as {@link narrowPrefix}, and unspecified addresses are the loopback. */
export function canonicalPrefix(prefix: Prefix): Prefix {
  const narrow = narrowPrefix(prefix);
  if (!isUnspecified(narrow)) return narrow;
  return { address: canonicalAddress(narrow.address), bits: narrow.bits };
}

/** Text of an address of 4 or 16 bytes; IPv6 as RFC 5952 recommends. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return formatIpv4(bytes);
  if (isMapped(bytes)) return `::ffff:${formatIpv4(bytes.subarray(12))}`;
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  let bestStart = 0;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > bestLength) {
      bestStart = start;
      bestLength = end - start;
    }
  }
  const text = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  if (bestLength < 2) return text(groups);
  return `${text(groups.slice(0, bestStart))}::${text(groups.slice(bestStart + bestLength))}`;
}

/** A quarter of the time of `join`. */
function formatIpv4(bytes: Uint8Array): string {
  return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
}

/** Clears the bits of an address beyond the first `bits`. */
export function maskAddress(address: Uint8Array, bits: number): Uint8Array {
  return address.map((byte, i) => {
    const kept = Math.min(8, Math.max(0, bits - 8 * i));
    return byte & (0xff << (8 - kept));
  });
}
