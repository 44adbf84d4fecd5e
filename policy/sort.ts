/**
 * Sorts entries (prefix.ts) by address, then by prefix length: every prefix comes right after the
 * prefixes that contain it. Radix sort from the highest bit in which entries differ: a digit
 * distributes a run of entries to buckets, and each bucket is a run that is sorted by itself. A
 * digit is as wide as the run is long, so that after two of them most buckets hold an entry or two,
 * whatever is the width of an address. It is never less than four of the 136 bits, so the work is
 * linear for any input. Stable, hence deterministic. Input that is in order already (most set
 * files) is only read once.
 */
import { allocate, release } from './arena';
import { BLOCK_BYTES } from './block';
import { List } from './list';
import { ENTRY, ENTRY_BITS, ENTRY_LO } from './prefix';

/** Widest digit: as many places to write to as the caches near a processor have lines for. */
const DIGIT_BITS: u32 = 11;
/** Entries that insertion sorts faster than digits. */
const FEW: usize = 16;

/** Of each bucket: how many entries, then where its next one goes. */
const places: usize = allocate((<usize>1) << (DIGIT_BITS + 2));
/** Room for as many entries as are sorted. */
let room: usize = 0;

// What `compare` saw of a run: the bits in which entries differ, and whether they are in order.
let varyHi: u64 = 0;
let varyLo: u64 = 0;
let varyBits: u64 = 0;
let inOrder: bool = true;

/** Sorts the list in place. */
export function sortEntries(list: List): void {
  const first = list.ptr;
  const end = list.at(list.count);
  if (list.count < 2 || isSorted(first, end)) return;
  room = allocate(end - first);
  sortRun(first, end);
  release(room, end - first);
}

function sortRun(first: usize, end: usize): void {
  if (end - first <= FEW * ENTRY) {
    insert(first, end);
    return;
  }
  if (isSorted(first, end)) return;
  let field: u32 = ENTRY_BITS;
  let vary = varyBits;
  if (varyHi != 0) {
    field = 0;
    vary = varyHi;
  } else if (varyLo != 0) {
    field = ENTRY_LO;
    vary = varyLo;
  }
  const wide = min<u64>(31 - clz(<u32>((end - first) / ENTRY)), DIGIT_BITS);
  const top = 64 - clz(vary);
  const shift = top > wide ? top - wide : 0;
  const mask = ((<u64>1) << (top - shift)) - 1;
  distribute(first, end, field, shift, mask);
  while (first < end) {
    const next = bucketEnd(first, end, field, shift, mask);
    if (next - first > ENTRY) sortRun(first, next);
    first = next;
  }
}

/** Whether a run is in order, and in which bits its entries differ. */
function isSorted(first: usize, end: usize): bool {
  varyHi = 0;
  varyLo = 0;
  varyBits = 0;
  inOrder = true;
  let from = first + ENTRY;
  for (; end - from > BLOCK_BYTES; from += BLOCK_BYTES) compare(from, from + BLOCK_BYTES);
  compare(from, end);
  return inOrder;
}

/** Compares each entry with the one before it. */
function compare(first: usize, end: usize): void {
  let hi: u64 = 0;
  let lo: u64 = 0;
  let bits: u64 = 0;
  for (let entry = first; entry < end; entry += ENTRY) {
    const ownHi = load<u64>(entry);
    const ownLo = load<u64>(entry, ENTRY_LO);
    const ownBits = load<u8>(entry, ENTRY_BITS);
    const before = entry - ENTRY;
    hi |= ownHi ^ load<u64>(before);
    lo |= ownLo ^ load<u64>(before, ENTRY_LO);
    bits |= <u64>(ownBits ^ load<u8>(before, ENTRY_BITS));
    if (inOrder && isAfter(before, ownHi, ownLo, ownBits)) inOrder = false;
  }
  varyHi |= hi;
  varyLo |= lo;
  varyBits |= bits;
}

/** Whether the entry comes after that address and length. */
function isAfter(entry: usize, hi: u64, lo: u64, bits: u8): bool {
  const ownHi = load<u64>(entry);
  if (ownHi != hi) return ownHi > hi;
  const ownLo = load<u64>(entry, ENTRY_LO);
  if (ownLo != lo) return ownLo > lo;
  return load<u8>(entry, ENTRY_BITS) > bits;
}

/** Sorts a short run. */
function insert(first: usize, end: usize): void {
  for (let entry = first + ENTRY; entry < end; entry += ENTRY) {
    const hi = load<u64>(entry);
    const lo = load<u64>(entry, ENTRY_LO);
    const rest = load<u64>(entry, ENTRY_BITS);
    let to = entry;
    for (; to > first && isAfter(to - ENTRY, hi, lo, <u8>rest); to -= ENTRY) move(to, to - ENTRY);
    if (to == entry) continue;
    store<u64>(to, hi);
    store<u64>(to, lo, ENTRY_LO);
    store<u64>(to, rest, ENTRY_BITS);
  }
}

/** Brings a run into the order of its digit, `(u64 at field) >> shift & mask`; equal digits stay in their order. */
function distribute(first: usize, end: usize, field: u32, shift: u64, mask: u64): void {
  memory.fill(places, 0, (<usize>mask + 1) << 2);
  let from = first;
  for (; end - from > BLOCK_BYTES; from += BLOCK_BYTES) {
    countDigits(from, from + BLOCK_BYTES, field, shift, mask);
  }
  countDigits(from, end, field, shift, mask);
  let next = room;
  for (let place = places; place <= places + ((<usize>mask) << 2); place += 4) {
    const count = load<u32>(place);
    store<u32>(place, <u32>next);
    next += <usize>count * ENTRY;
  }
  from = first;
  for (; end - from > BLOCK_BYTES; from += BLOCK_BYTES) {
    moveOut(from, from + BLOCK_BYTES, field, shift, mask);
  }
  moveOut(from, end, field, shift, mask);
  memory.copy(first, room, end - first);
}

function countDigits(first: usize, end: usize, field: u32, shift: u64, mask: u64): void {
  for (let at = first + field; at < end; at += ENTRY) {
    const place = places + ((<usize>((load<u64>(at) >> shift) & mask)) << 2);
    store<u32>(place, load<u32>(place) + 1);
  }
}

function moveOut(first: usize, end: usize, field: u32, shift: u64, mask: u64): void {
  for (let entry = first; entry < end; entry += ENTRY) {
    const place = places + ((<usize>((load<u64>(entry + field) >> shift) & mask)) << 2);
    const to = <usize>load<u32>(place);
    store<u32>(place, <u32>to + ENTRY);
    move(to, entry);
  }
}

function move(to: usize, entry: usize): void {
  store<u64>(to, load<u64>(entry));
  store<u64>(to, load<u64>(entry, ENTRY_LO), ENTRY_LO);
  store<u64>(to, load<u64>(entry, ENTRY_BITS), ENTRY_BITS);
}

/** Where the entries end that have the digit of the first. */
function bucketEnd(first: usize, end: usize, field: u32, shift: u64, mask: u64): usize {
  const digit = (load<u64>(first + field) >> shift) & mask;
  let entry = first + ENTRY;
  while (entry < end && ((load<u64>(entry + field) >> shift) & mask) == digit) entry += ENTRY;
  return entry;
}
