/**
 * Address prefixes as the builder holds them, one form for both families, so that there is one sort
 * and one fold: the address is a number of 128 bits in two halves, IPv4 standing in its top 32
 * bits.
 *
 *     10.0.0.0/8     hi = 0x0a00000000000000  lo = 0  bits = 8
 *     2001:db8::/32  hi = 0x20010db800000000  lo = 0  bits = 32
 *
 * An entry is a prefix with what a rule does there: hi u64, lo u64, bits u8, action u8, unused u16,
 * tag u32 (tags.ts; 24 bytes). Knows nothing of rules; decides the canonical form of addresses
 * (docs/format.md §6).
 */
import { List } from './list';

export const ENTRY: u32 = 24;
export const ENTRY_LO: u32 = 8;
export const ENTRY_BITS: u32 = 16;
export const ENTRY_ACTION: u32 = 17;
export const ENTRY_TAG: u32 = 20;

const ALL: u64 = 0xffffffffffffffff;
const LOOPBACK_V4: u32 = 0x7f000001;
/** 64:ff9b::/96, RFC 6052 §2.1. */
const NAT64_HI: u64 = 0x0064ff9b00000000;
/** 2002::/16, RFC 3056 §2. */
const SIX_TO_FOUR_HI: u64 = 0x2002000000000000;

/** Appends an entry. */
export function addEntry(list: List, hi: u64, lo: u64, bits: u32, action: u32, tag: u32): void {
  const entry = list.push();
  store<u64>(entry, hi);
  store<u64>(entry, lo, ENTRY_LO);
  store<u32>(entry, bits | (action << 8), ENTRY_BITS);
  store<u32>(entry, tag, ENTRY_TAG);
}

/** Appends the IPv4 prefix `key`/`bits` in canonical form: 0.0.0.0/32 is 127.0.0.1/32, where Linux connects it to. */
export function addIpv4(list: List, key: u32, bits: u32, action: u32, tag: u32): void {
  const address = bits == 32 && key == 0 ? LOOPBACK_V4 : key;
  addEntry(list, (<u64>address) << 32, 0, bits, action, tag);
}

/** Appends the IPv6 forms that carry the IPv4 prefix `key`/`bits` (top-aligned in `hi`): NAT64 and 6to4. */
export function addEmbedded(list: List, hi: u64, bits: u32, action: u32, tag: u32): void {
  addEntry(list, NAT64_HI, hi >> 32, 96 + bits, action, tag);
  addEntry(list, SIX_TO_FOUR_HI | (hi >> 16), 0, 16 + bits, action, tag);
}

/** Whether the prefix lies in ::ffff:0:0/96 and therefore is an IPv4 prefix. */
export function isMapped(hi: u64, lo: u64, bits: u32): bool {
  return bits >= 96 && hi == 0 && lo >> 32 == 0xffff;
}

/** The last address of a prefix, upper half. */
export function lastHi(hi: u64, bits: u32): u64 {
  if (bits >= 64) return hi;
  return hi | (ALL >> <u64>bits);
}

/** The last address of a prefix, lower half. */
export function lastLo(lo: u64, bits: u32): u64 {
  if (bits <= 64) return ALL;
  if (bits >= 128) return lo;
  return lo | (ALL >> <u64>(bits - 64));
}

/** Whether any bit below the prefix is set. */
export function hasHostBits(hi: u64, lo: u64, bits: u32): bool {
  const hostHi = lastHi(0, bits);
  const hostLo = lastLo(0, bits);
  return ((hi & hostHi) | (lo & hostLo)) != 0;
}
