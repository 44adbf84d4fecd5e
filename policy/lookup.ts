/**
 * Answers from an open table (docs/format.md §4–6): what is decided for an address and port, and
 * who is a member of a set. Reads only what verify.ts has checked, allocates nothing. Addresses
 * come as two 64-bit halves of the 16-byte form (IPv4 as ::ffff:a.b.c.d).
 *
 * A key is held top-aligned, IPv4 in the upper 32 bits of `hi`, so both families find their child by the same shift.
 */
import {
  backgroundOf,
  cellsOf,
  childOf,
  hasSpans,
  rootOf,
  startBytesOf,
  startsOf,
} from './descriptor';
import {
  ADDRESS_SET_TRIE,
  PORT_RANGE_BYTES,
  PORT_SET_BYTES,
  PROTOCOL_TCP_BIND,
  PROTOCOLS,
  SECTION_PORT_RANGES,
  SECTION_PORT_SETS,
  SECTION_TRIES,
  SET_BYTES,
  SPAN_BITS,
  SPAN_BYTES,
  TRIE_BYTES,
} from './format';
import { halfOfSet, hasMember } from './membership';
import { sectionOffset } from './section';

const LOOPBACK_V4: u64 = 0x7f000001;
/** ::ffff:0.0.0.0, lower half. */
const MAPPED: u64 = 0xffff00000000;

/** The table that is asked. */
export let table: usize = 0;
let tries: usize = 0;
let portSets: usize = 0;
let portRanges: usize = 0;

/** Makes a verified table the one that is asked. */
export function attach(verified: usize): void {
  table = verified;
  tries = verified + sectionOffset(verified, SECTION_TRIES);
  portSets = verified + sectionOffset(verified, SECTION_PORT_SETS);
  portRanges = verified + sectionOffset(verified, SECTION_PORT_RANGES);
}

/** 1 (allow) or 0 (deny) for an address to send to or to bind. An unknown protocol is denied. */
export function decide(protocol: u32, high: u64, low: u64, port: u32): u32 {
  if (protocol >= PROTOCOLS) return 0;
  // The canonical form, docs/format.md §6: as destinations, unspecified addresses are the loopback.
  let canonical = low;
  if (high == 0 && protocol < PROTOCOL_TCP_BIND) {
    if (low == 0) canonical = 1;
    else if (low == MAPPED) canonical = MAPPED | LOOPBACK_V4;
  }
  const isIpv4 = isMapped(high, canonical);
  const trie = tries + <usize>(isIpv4 ? 2 * protocol : 2 * protocol + 1) * TRIE_BYTES;
  return hasPort(findSet(trie, isIpv4 ? canonical << 32 : high, canonical), port);
}

/** Whether the address, in canonical form already, is in set `set`, which must exist. */
export function isIn(set: u32, high: u64, low: u64): u32 {
  const isIpv4 = isMapped(high, low);
  const half = halfOfSet(table, set, isIpv4 ? 0 : 1);
  const trie = tries + <usize>load<u32>(half, ADDRESS_SET_TRIE) * TRIE_BYTES;
  return hasMember(table, half, findSet(trie, isIpv4 ? low << 32 : high, low));
}

/** Whether a port is in port set `set`, which must exist. */
export function hasPort(set: u32, port: u32): u32 {
  const cell = portSets + <usize>set * PORT_SET_BYTES;
  let from = load<u32>(cell);
  let to = load<u32>(cell, PORT_SET_BYTES);
  const first = from;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (<u32>load<u16>(portRanges + <usize>middle * PORT_RANGE_BYTES) <= port) from = middle + 1;
    else to = middle;
  }
  if (from == first) return 0;
  return <u32>load<u16>(portRanges + <usize>(from - 1) * PORT_RANGE_BYTES, 2) >= port ? 1 : 0;
}

function isMapped(high: u64, low: u64): bool {
  return high == 0 && low >> 32 == 0xffff;
}

/** The port set that applies to a key, from the trie with that descriptor. */
function findSet(trie: usize, hi: u64, low: u64): u32 {
  const root = table + rootOf(trie) + ((<usize>childOf(trie, hi)) << 2);
  const starts = table + startsOf(trie);
  const first = load<u32>(root);
  let from = first;
  let to = load<u32>(root, 4);
  const startBytes = startBytesOf(trie);
  if (startBytes == 4) {
    const key = <u32>(hi >> 32);
    while (from < to) {
      const middle = (from + to) >> 1;
      if (load<u32>(starts + ((<usize>middle) << 2)) <= key) from = middle + 1;
      else to = middle;
    }
  } else if (startBytes == 2) {
    const key = <u32>(hi >> 32) & 0xffff;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (<u32>load<u16>(starts + ((<usize>middle) << 1)) <= key) from = middle + 1;
      else to = middle;
    }
  } else if (startBytes == 8) {
    while (from < to) {
      const middle = (from + to) >> 1;
      if (load<u64>(starts + ((<usize>middle) << 3)) <= hi) from = middle + 1;
      else to = middle;
    }
  } else {
    while (from < to) {
      const middle = (from + to) >> 1;
      const start = starts + ((<usize>middle) << 4);
      const startHi = load<u64>(start);
      if (startHi < hi || (startHi == hi && load<u64>(start, 8) <= low)) from = middle + 1;
      else to = middle;
    }
  }
  // Boundary 0 has key 0, so there is always one at or before the key.
  const boundary = <usize>(from - 1);
  const cells = table + cellsOf(trie);
  if (!hasSpans(trie)) return <u32>load<u16>(cells + boundary * SET_BYTES);
  const cell = cells + boundary * SPAN_BYTES;
  const bits = <u32>load<u8>(cell, SPAN_BITS);
  // A span lies in one child, so that of an earlier one does not reach here.
  const applies =
    bits == 0 ||
    (from != first && isInSpan(starts + boundary * startBytes, startBytes, bits, hi, low));
  return applies ? <u32>load<u16>(cell) : backgroundOf(trie);
}

/** Whether a key of the same child has the first `bits` bits of the start. */
function isInSpan(start: usize, startBytes: u32, bits: u32, hi: u64, low: u64): bool {
  // Narrow starts lack the bits that the root has consumed, which are equal.
  if (startBytes == 2)
    return ((<u32>(hi >> 32) ^ <u32>load<u16>(start)) & 0xffff) >> (32 - bits) == 0;
  if (startBytes == 4) return (<u32>(hi >> 32) ^ load<u32>(start)) >> (32 - bits) == 0;
  const upper = hi ^ load<u64>(start);
  if (bits <= 64) return upper >> <u64>(64 - bits) == 0;
  return upper == 0 && (low ^ load<u64>(start, 8)) >> <u64>(128 - bits) == 0;
}
