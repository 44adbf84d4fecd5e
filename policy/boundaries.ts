/**
 * Reads a trie of an open table back into its boundaries (fold.ts has their form): for those who
 * want to know what a table says as a whole and not about one address. Trusts the table, as
 * lookup.ts does; not used by it, so that look-ups stay as small as they are.
 */
import {
  backgroundOf,
  cellBytesOf,
  cellsOf,
  childOf,
  countOf,
  descriptor,
  hasSpans,
  rootBitsOf,
  rootOf,
  startBytesOf,
  startHi,
  startLo,
  startsOf,
} from './descriptor';
import { BOUNDARY, BOUNDARY_BITS, BOUNDARY_LO, BOUNDARY_TAG } from './fold';
import { SPAN_BITS } from './format';

/** Boundaries of the trie with that number, as they are stored: one for a span. */
export function countBoundaries(table: usize, trie: u32): u32 {
  return countOf(descriptor(table, trie));
}

/** The port set that applies behind spans. */
export function readBackground(table: usize, trie: u32): u32 {
  return backgroundOf(descriptor(table, trie));
}

/**
 * Writes `count` boundaries from number `first` on to `out`, 24 bytes each: key as two u64, upper
 * half first, port set u32, bits of the span u32 (0: it is none). The key of IPv4 stands in the
 * upper 32 bits of the first half.
 */
export function readBoundaries(table: usize, trie: u32, first: u32, count: u32, out: usize): void {
  const at = descriptor(table, trie);
  const spans = hasSpans(at);
  const cellBytes = cellBytesOf(at);
  let child = childWith(table, at, first);
  for (let i = first; i < first + count; i++) {
    while (rootCell(table, at, child + 1) <= i) child++;
    const to = out + <usize>(i - first) * BOUNDARY;
    const start = startAt(table, at, i);
    const cell = table + cellsOf(at) + <usize>i * cellBytes;
    store<u64>(to, startHi(at, start, child));
    store<u64>(to, startLo(at, start), BOUNDARY_LO);
    store<u32>(to, <u32>load<u16>(cell), BOUNDARY_TAG);
    store<u32>(to, spans ? <u32>load<u8>(cell, SPAN_BITS) : 0, BOUNDARY_BITS);
  }
}

/** The number of the last boundary at or before a key; IPv4 in the upper 32 bits of `hi`. */
export function findBoundary(table: usize, trie: u32, hi: u64, lo: u64): u32 {
  const at = descriptor(table, trie);
  const child = childOf(at, hi);
  let from = rootCell(table, at, child);
  let to = rootCell(table, at, child + 1);
  while (from < to) {
    const middle = (from + to) >> 1;
    const start = startAt(table, at, middle);
    const key = startHi(at, start, child);
    if (key < hi || (key == hi && startLo(at, start) <= lo)) from = middle + 1;
    else to = middle;
  }
  // Boundary 0 has key 0, so there is always one at or before the key, perhaps of an earlier child.
  return from - 1;
}

/** Index of the first boundary of a child. */
export function rootCell(table: usize, at: usize, child: u32): u32 {
  return load<u32>(table + rootOf(at) + ((<usize>child) << 2));
}

/** Address of the start of a boundary. */
export function startAt(table: usize, at: usize, boundary: u32): usize {
  return table + startsOf(at) + <usize>boundary * startBytesOf(at);
}

/** The child in whose run a boundary stands: the last whose run begins at or before it. */
export function childWith(table: usize, at: usize, boundary: u32): u32 {
  let from: u32 = 0;
  let to: u32 = 1 << rootBitsOf(at);
  while (from < to) {
    const middle = (from + to) >> 1;
    if (rootCell(table, at, middle) <= boundary) from = middle + 1;
    else to = middle;
  }
  return from - 1;
}
