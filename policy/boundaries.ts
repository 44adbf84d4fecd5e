/**
 * Reads a trie of an open table back into its boundaries (fold.ts has their form): for those who want to know what a table says as a whole
 * and not about one address. Trusts the table, as lookup.ts does; not used by it, so that look-ups stay as small as they are.
 */
import { BOUNDARY, BOUNDARY_BITS, BOUNDARY_LO, BOUNDARY_SET } from './fold';
import {
  SECTION_TRIES,
  SET_BYTES,
  SPAN_BITS,
  SPAN_BYTES,
  TRIE_BACKGROUND,
  TRIE_BYTES,
  TRIE_COUNT,
  TRIE_KEY_BITS,
  TRIE_ROOT,
  TRIE_ROOT_BITS,
  TRIE_SETS,
  TRIE_SPANS,
  TRIE_START_BYTES,
  TRIE_STARTS,
} from './format';
import { sectionOffset } from './section';

/** Boundaries of the trie with that number, as they are stored: one for a span. */
export function countBoundaries(table: usize, trie: u32): u32 {
  return load<u32>(descriptor(table, trie), TRIE_COUNT);
}

/** The port set that applies behind spans. */
export function readBackground(table: usize, trie: u32): u32 {
  return <u32>load<u16>(descriptor(table, trie), TRIE_BACKGROUND);
}

/**
 * Writes `count` boundaries from number `first` on to `out`, 24 bytes each: key as two u64, upper half first, port set u32, bits of the span
 * u32 (0: it is none). The key of IPv4 stands in the upper 32 bits of the first half.
 */
export function readBoundaries(table: usize, trie: u32, first: u32, count: u32, out: usize): void {
  const at = descriptor(table, trie);
  const spans = load<u8>(at, TRIE_SPANS) != 0;
  const cells = table + load<u32>(at, TRIE_SETS);
  let child = childOf(table, at, first);
  for (let i = first; i < first + count; i++) {
    while (rootCell(table, at, child + 1) <= i) child++;
    const to = out + <usize>(i - first) * BOUNDARY;
    const cell = cells + <usize>i * (spans ? SPAN_BYTES : SET_BYTES);
    store<u64>(to, keyHi(table, at, i, child));
    store<u64>(to, keyLo(table, at, i), BOUNDARY_LO);
    store<u32>(to, <u32>load<u16>(cell), BOUNDARY_SET);
    store<u32>(to, spans ? <u32>load<u8>(cell, SPAN_BITS) : 0, BOUNDARY_BITS);
  }
}

/** The number of the last boundary at or before a key; IPv4 in the upper 32 bits of `hi`. */
export function findBoundary(table: usize, trie: u32, hi: u64, lo: u64): u32 {
  const at = descriptor(table, trie);
  let from: u32 = 0;
  let to = load<u32>(at, TRIE_COUNT);
  while (from < to) {
    const middle = (from + to) >> 1;
    const key = keyHi(table, at, middle, childOf(table, at, middle));
    if (key < hi || (key == hi && keyLo(table, at, middle) <= lo)) from = middle + 1;
    else to = middle;
  }
  // Boundary 0 has key 0, so there is always one at or before the key.
  return from - 1;
}

function descriptor(table: usize, trie: u32): usize {
  return table + sectionOffset(table, SECTION_TRIES) + <usize>trie * TRIE_BYTES;
}

function rootCell(table: usize, at: usize, child: u32): u32 {
  return load<u32>(table + load<u32>(at, TRIE_ROOT) + ((<usize>child) << 2));
}

/** The child in whose run a boundary stands: the last whose run begins at or before it. */
function childOf(table: usize, at: usize, boundary: u32): u32 {
  let from: u32 = 0;
  let to: u32 = 1 << load<u8>(at, TRIE_ROOT_BITS);
  while (from < to) {
    const middle = (from + to) >> 1;
    if (rootCell(table, at, middle) <= boundary) from = middle + 1;
    else to = middle;
  }
  return from - 1;
}

function keyHi(table: usize, at: usize, boundary: u32, child: u32): u64 {
  const startBytes = <u32>load<u8>(at, TRIE_START_BYTES);
  const start = table + load<u32>(at, TRIE_STARTS) + <usize>boundary * startBytes;
  if (startBytes >= 8) return load<u64>(start);
  if (startBytes == 4) return (<u64>load<u32>(start)) << 32;
  // The root has consumed the bits above a start of two bytes.
  const rootBits = <u64>load<u8>(at, TRIE_ROOT_BITS);
  const keyBits = <u64>load<u8>(at, TRIE_KEY_BITS);
  const upper = (<u64>child) << (keyBits - rootBits);
  return ((upper & 0xffff0000) | <u64>load<u16>(start)) << 32;
}

function keyLo(table: usize, at: usize, boundary: u32): u64 {
  if (<u32>load<u8>(at, TRIE_START_BYTES) < 16) return 0;
  return load<u64>(table + load<u32>(at, TRIE_STARTS) + ((<usize>boundary) << 4), 8);
}
