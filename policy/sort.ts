/**
 * Sorts entries (prefix.ts) by address, then by prefix length: every prefix comes right after the prefixes that contain it. Radix sort from
 * the lowest digit, 11 bits a digit; digits that are equal in all entries cost nothing, so IPv4 takes at most four passes. Stable, hence
 * deterministic. Input that is in order already (most set files) is only read once.
 *
 * The scratch list of a sort is large, and between two sorts nobody needs it: fold.ts puts its boundaries there.
 */
import { allocate } from './arena';
import { List, newList } from './list';
import { ENTRY, ENTRY_BITS, ENTRY_LO } from './prefix';

const DIGIT_BITS: u32 = 11;
const BUCKETS: u32 = 1 << DIGIT_BITS;

/** Cells of 24 bytes. What it holds is lost in the next sort. */
export const scratch: List = newList(ENTRY);
const counts: usize = allocate((<usize>BUCKETS) << 2);

/** Sorts the list in place. */
export function sortEntries(list: List): void {
  const count = list.count;
  if (count < 2) return;
  let varyHi: u64 = 0;
  let varyLo: u64 = 0;
  let varyBits: u32 = 0;
  let sorted = true;
  let before = list.at(0);
  for (let i: u32 = 1; i < count; i++) {
    const entry = list.at(i);
    varyHi |= load<u64>(entry) ^ load<u64>(before);
    varyLo |= load<u64>(entry, ENTRY_LO) ^ load<u64>(before, ENTRY_LO);
    varyBits |= <u32>load<u8>(entry, ENTRY_BITS) ^ <u32>load<u8>(before, ENTRY_BITS);
    if (sorted) sorted = !isAfter(before, entry);
    before = entry;
  }
  if (sorted) return;
  scratch.count = 0;
  // Boundaries are up to twice as many, and one more; a list that grows later would leave its memory unused.
  scratch.reserve(2 * count + 1);
  const own = list.ptr;
  if (varyBits != 0) pass(list, ENTRY_BITS, 0, 0xff);
  sortHalf(list, ENTRY_LO, varyLo);
  sortHalf(list, 0, varyHi);
  if (list.ptr == own) return;
  memory.copy(own, list.ptr, <usize>count * ENTRY);
  exchange(list);
}

/** Whether entry a belongs after entry b. */
function isAfter(a: usize, b: usize): bool {
  const hiA = load<u64>(a);
  const hiB = load<u64>(b);
  if (hiA != hiB) return hiA > hiB;
  const loA = load<u64>(a, ENTRY_LO);
  const loB = load<u64>(b, ENTRY_LO);
  if (loA != loB) return loA > loB;
  return load<u8>(a, ENTRY_BITS) > load<u8>(b, ENTRY_BITS);
}

function sortHalf(list: List, field: u32, vary: u64): void {
  for (let shift: u32 = 0; shift < 64; shift += DIGIT_BITS) {
    if (((vary >> <u64>shift) & (BUCKETS - 1)) != 0) pass(list, field, shift, BUCKETS - 1);
  }
}

/** One stable distribution by the digit `(u64 at field) >> shift & mask`; the list and the scratch list exchange their memory. */
function pass(list: List, field: u32, shift: u32, mask: u64): void {
  memory.fill(counts, 0, (<usize>BUCKETS) << 2);
  const from = list.ptr;
  const end = list.at(list.count);
  for (let entry = from; entry < end; entry += ENTRY) {
    const bucket = counts + ((<usize>((load<u64>(entry + field) >> <u64>shift) & mask)) << 2);
    store<u32>(bucket, load<u32>(bucket) + 1);
  }
  const to = scratch.ptr;
  let next: u32 = 0;
  for (let bucket = counts; bucket < counts + ((<usize>BUCKETS) << 2); bucket += 4) {
    const size = load<u32>(bucket);
    store<u32>(bucket, next);
    next += size;
  }
  for (let entry = from; entry < end; entry += ENTRY) {
    const bucket = counts + ((<usize>((load<u64>(entry + field) >> <u64>shift) & mask)) << 2);
    const index = load<u32>(bucket);
    store<u32>(bucket, index + 1);
    const cell = to + <usize>index * ENTRY;
    store<u64>(cell, load<u64>(entry));
    store<u64>(cell, load<u64>(entry, 8), 8);
    store<u64>(cell, load<u64>(entry, 16), 16);
  }
  exchange(list);
}

/** The list and the scratch list exchange their memory, of which only the scratch list knows the size meanwhile. */
function exchange(list: List): void {
  const ptr = list.ptr;
  list.ptr = scratch.ptr;
  scratch.ptr = ptr;
}
