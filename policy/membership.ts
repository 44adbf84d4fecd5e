/**
 * The members of a set in an open table (docs/format.md §5): which of a trie's port sets they have,
 * and the trie read as those who are in the set and those who are not. Trusts the table, as
 * lookup.ts does. A half is what a set says of one family.
 */
import { childWith, rootCell, startAt } from './boundaries';
import {
  backgroundOf,
  cellBytesOf,
  cellsOf,
  countOf,
  descriptor,
  hasSpans,
  startHi,
  startLo,
} from './descriptor';
import {
  ADDRESS_SET_BYTES,
  ADDRESS_SET_COUNT,
  ADDRESS_SET_FAMILY_BYTES,
  ADDRESS_SET_FIRST,
  ADDRESS_SET_TRIE,
  MEMBER_BYTES,
  SECTION_MEMBERS,
  SECTION_SETS,
  SPAN_BITS,
} from './format';
import { lastHi, lastLo } from './prefix';
import { sectionOffset } from './section';

const KEY: u32 = 16;
const NONE: u32 = 0xffffffff;

/** The half of a set for a family, 0 for IPv4, 1 for IPv6. */
export function halfOfSet(table: usize, set: u32, family: u32): usize {
  const sets = table + sectionOffset(table, SECTION_SETS);
  return sets + <usize>set * ADDRESS_SET_BYTES + <usize>family * ADDRESS_SET_FAMILY_BYTES;
}

/** 1 when a port set of the trie of a half is one of its members. */
export function hasMember(table: usize, half: usize, portSet: u32): u32 {
  const members = table + sectionOffset(table, SECTION_MEMBERS);
  let from = load<u32>(half, ADDRESS_SET_FIRST);
  let to = from + load<u32>(half, ADDRESS_SET_COUNT);
  while (from < to) {
    const middle = (from + to) >> 1;
    const member = <u32>load<u16>(members + <usize>middle * MEMBER_BYTES);
    if (member == portSet) return 1;
    if (member < portSet) from = middle + 1;
    else to = middle;
  }
  return 0;
}

/** The boundary at which the next `readChanges` goes on; all ones when all is told. */
export let nextBoundary: u32 = 0;

// Where the next change goes, and who is in the set up to there.
let to: usize = 0;
let isInside: bool = false;

/**
 * Writes where those who are in the set begin and end, alternately: up to `most` keys of two u64,
 * upper half first, IPv4 in the upper 32 bits of that. Goes on at boundary `first`; `inside` is
 * whether the last key written was a beginning. `most` is at least three. Returns how many.
 */
export function readChanges(
  table: usize,
  set: u32,
  family: u32,
  first: u32,
  inside: bool,
  most: u32,
  out: usize,
): u32 {
  const half = halfOfSet(table, set, family);
  const trie = descriptor(table, load<u32>(half, ADDRESS_SET_TRIE));
  const count = countOf(trie);
  const behindSpans = hasMember(table, half, backgroundOf(trie)) != 0;
  to = out;
  isInside = inside;
  let i = first;
  let child: u32 = 0;
  let isMember = false;
  let portSet: u32 = NONE;
  // Of the boundary before; no span has 0 bits.
  let bits: u32 = 0;
  let endHi: u64 = 0;
  let endLo: u64 = 0;
  if (first != 0) {
    i -= 1;
    child = childWith(table, trie, i);
  }
  for (; i < count && to + 3 * KEY <= out + <usize>most * KEY; i++) {
    while (rootCell(table, trie, child + 1) <= i) child++;
    const start = startAt(table, trie, i);
    const hi = startHi(trie, start, child);
    const lo = startLo(trie, start);
    const cell = table + cellsOf(trie) + <usize>i * cellBytesOf(trie);
    if (bits != 0 && (endHi < hi || (endHi == hi && endLo < lo))) change(endHi, endLo, behindSpans);
    if (<u32>load<u16>(cell) != portSet) {
      portSet = <u32>load<u16>(cell);
      isMember = hasMember(table, half, portSet) != 0;
    }
    if (i >= first) change(hi, lo, isMember);
    bits = hasSpans(trie) ? <u32>load<u8>(cell, SPAN_BITS) : 0;
    endLo = lastLo(lo, bits) + 1;
    endHi = lastHi(hi, bits) + (endLo == 0 ? 1 : 0);
  }
  nextBoundary = i == count ? NONE : i;
  // Nothing is behind the last address of all.
  if (i == count && bits != 0 && (endHi | endLo) != 0) change(endHi, endLo, behindSpans);
  return <u32>((to - out) / KEY);
}

function change(hi: u64, lo: u64, inside: bool): void {
  if (inside == isInside) return;
  isInside = inside;
  store<u64>(to, hi);
  store<u64>(to, lo, 8);
  to += KEY;
}
