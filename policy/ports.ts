/**
 * Port sets while a table is built: every set is stored once and has an id, so equality is equality
 * of ids. A set is a run of ranges `low | high << 16`, ascending, disjoint, not adjacent. Union and
 * difference of two ids are remembered. These ids are the builder's own; tags.ts numbers the port
 * sets that a table really holds, and keeps sets of other numbers of 16 bits here.
 *
 *     {22, 80–81} = [0x00160016, 0x00510050]
 *
 * Knows nothing of rules or addresses.
 */
import { allocate, fail } from './arena';
import { FAILURE_DRAFT, FAILURE_TOO_LARGE } from './format';
import { List, newList } from './list';
import { Memo, mix, newMemo, recall, remember } from './memo';

/** No port; also the id of the empty set in the table. */
export const EMPTY: u32 = 0;
/** 0–65535. */
export const FULL: u32 = 1;
const FULL_RANGE: u32 = 0xffff0000;

/**
 * Ranges of all sets together, kept or not: 64 MiB, on average 256 for each of 65,535 sets. Bounds
 * the time of hostile policies.
 */
const RANGES_MAX: u32 = 1 << 24;
/** One bit a port. */
const BITMAP_BYTES: u32 = 8192;

// Set: first range u32, count u32, next set with the same hash + 1 u32.
const SET: u32 = 12;
const sets: List = newList(SET);
const ranges: List = newList(4);
const byHash: Memo = newMemo();
const unions: Memo = newMemo();
const differences: Memo = newMemo();

/** Defines the two fixed ids. Called once, before anything else here. */
export function initPorts(): void {
  internTail(ranges.count);
  store<u32>(ranges.push(), FULL_RANGE);
  internTail(ranges.count - 1);
}

/** Number of sets. */
export function portSetCount(): u32 {
  return sets.count;
}

/** Number of ranges of a set. */
export function rangeCount(id: u32): u32 {
  return load<u32>(sets.at(id), 4);
}

/** Address of a set's ranges, valid until the next set is made. */
export function rangesOf(id: u32): usize {
  return ranges.at(load<u32>(sets.at(id)));
}

/**
 * The id of the set with the `count` ranges at `ptr`. Fails with FAILURE_DRAFT when they are not
 * ascending and apart, or none.
 */
export function internRanges(ptr: usize, count: u32): u32 {
  if (count == 0 || count > 32768) fail(FAILURE_DRAFT);
  let after: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const range = load<u32>(ptr + ((<usize>i) << 2));
    const low = range & 0xffff;
    const high = range >> 16;
    if (low > high || (i > 0 && low <= after)) fail(FAILURE_DRAFT);
    after = high + 1;
  }
  const first = ranges.count;
  memory.copy(ranges.pushMany(count), ptr, (<usize>count) << 2);
  return internTail(first);
}

/** The ports that are in a or in b. */
export function union(a: u32, b: u32): u32 {
  if (a == b || b == EMPTY) return a;
  if (a == EMPTY) return b;
  if (a == FULL || b == FULL) return FULL;
  const key = a < b ? ((<u64>a) << 32) | <u64>b : ((<u64>b) << 32) | <u64>a;
  const known = recall(unions, key);
  if (known != 0) return load<u32>(known);
  const id = makeUnion(a, b);
  remember(unions, key, id);
  return id;
}

/** The ports that are in a and not in b. */
export function difference(a: u32, b: u32): u32 {
  if (a == EMPTY || b == EMPTY) return a;
  if (a == b || b == FULL) return EMPTY;
  const key = ((<u64>a) << 32) | <u64>b;
  const known = recall(differences, key);
  if (known != 0) return load<u32>(known);
  const id = makeDifference(a, b);
  remember(differences, key, id);
  return id;
}

function makeUnion(a: u32, b: u32): u32 {
  const countA = rangeCount(a);
  const countB = rangeCount(b);
  const first = ranges.count;
  let out = reserve(countA + countB);
  const start = out;
  let ptrA = rangesOf(a);
  let ptrB = rangesOf(b);
  const endA = ptrA + ((<usize>countA) << 2);
  const endB = ptrB + ((<usize>countB) << 2);
  while (ptrA < endA || ptrB < endB) {
    let range: u32;
    if (ptrB == endB || (ptrA < endA && (load<u32>(ptrA) & 0xffff) <= (load<u32>(ptrB) & 0xffff))) {
      range = load<u32>(ptrA);
      ptrA += 4;
    } else {
      range = load<u32>(ptrB);
      ptrB += 4;
    }
    const before = out > start ? load<u32>(out - 4) : 0;
    if (out > start && (range & 0xffff) <= (before >> 16) + 1) {
      if (range >> 16 > before >> 16) store<u32>(out - 4, (before & 0xffff) | (range & 0xffff0000));
    } else {
      store<u32>(out, range);
      out += 4;
    }
  }
  return commit(first, <u32>(out - start) >> 2);
}

function makeDifference(a: u32, b: u32): u32 {
  const countA = rangeCount(a);
  const countB = rangeCount(b);
  const first = ranges.count;
  let out = reserve(countA + countB);
  const start = out;
  let ptrA = rangesOf(a);
  let ptrB = rangesOf(b);
  const endA = ptrA + ((<usize>countA) << 2);
  const endB = ptrB + ((<usize>countB) << 2);
  for (; ptrA < endA; ptrA += 4) {
    let low = load<u32>(ptrA) & 0xffff;
    const high = load<u32>(ptrA) >> 16;
    while (ptrB < endB && load<u32>(ptrB) >> 16 < low) ptrB += 4;
    // A range of b may reach into the next range of a, so this walk does not move ptrB past it.
    for (let cut = ptrB; low <= high; cut += 4) {
      const cutLow = cut < endB ? load<u32>(cut) & 0xffff : 0x10000;
      if (cutLow > high) {
        store<u32>(out, low | (high << 16));
        out += 4;
        break;
      }
      if (cutLow > low) {
        store<u32>(out, low | ((cutLow - 1) << 16));
        out += 4;
      }
      low = (load<u32>(cut) >> 16) + 1;
    }
  }
  return commit(first, <u32>(out - start) >> 2);
}

/** Room for `count` ranges at the end of the list, which `commit` shortens again. */
function reserve(count: u32): usize {
  if (ranges.count + count > RANGES_MAX) fail(FAILURE_TOO_LARGE);
  return ranges.pushMany(count);
}

function commit(first: u32, count: u32): u32 {
  ranges.count = first + count;
  return internTail(first);
}

/** The id of the set whose ranges are the tail of the list from `first`; the tail is dropped when the set is known. */
function internTail(first: u32): u32 {
  const count = ranges.count - first;
  const bytes = (<usize>count) << 2;
  const ptr = ranges.at(first);
  let hash: u64 = <u64>count + 1;
  for (let i: usize = 0; i < bytes; i += 4) hash = mix(hash ^ <u64>load<u32>(ptr + i));
  if (hash == 0) hash = 1;
  const known = recall(byHash, hash);
  const head = known == 0 ? 0 : load<u32>(known);
  for (let next = head; next != 0; ) {
    const set = sets.at(next - 1);
    if (load<u32>(set, 4) == count && memory.compare(ranges.at(load<u32>(set)), ptr, bytes) == 0) {
      ranges.count = first;
      return next - 1;
    }
    next = load<u32>(set, 8);
  }
  const set = sets.push();
  store<u32>(set, first);
  store<u32>(set, count, 4);
  store<u32>(set, head, 8);
  remember(byHash, hash, sets.count);
  return sets.count - 1;
}

/**
 * Collects the union of many sets. Pairwise unions of n sets would store n intermediate sets, so
 * from the third different set on the ports are gathered in a bitmap and only the result is stored.
 */
@unmanaged
export class PortUnion {
  /** The union of the sets so far while there are at most two. */
  id: u32;
  last: u32;
  different: u32;
  bitmap: usize;
}

export function newPortUnion(): PortUnion {
  const all = changetype<PortUnion>(allocate(offsetof<PortUnion>()));
  all.bitmap = allocate(BITMAP_BYTES);
  return all;
}

export function clearUnion(all: PortUnion): void {
  all.id = EMPTY;
  all.last = EMPTY;
  all.different = 0;
}

export function addToUnion(all: PortUnion, id: u32): void {
  if (id == all.last || all.id == FULL) return;
  all.last = id;
  if (all.different < 2) {
    all.id = union(all.id, id);
    all.different += 1;
    return;
  }
  if (all.different == 2) {
    memory.fill(all.bitmap, 0, BITMAP_BYTES);
    mark(all.bitmap, all.id);
    all.different = 3;
  }
  if (id == FULL) all.id = FULL;
  else mark(all.bitmap, id);
}

export function unionOf(all: PortUnion): u32 {
  if (all.different < 3 || all.id == FULL) return all.id;
  return internBitmap(all.bitmap);
}

function mark(bitmap: usize, id: u32): void {
  const count = rangeCount(id);
  const ptr = rangesOf(id);
  for (let i: u32 = 0; i < count; i++) {
    const range = load<u32>(ptr + ((<usize>i) << 2));
    const high = range >> 16;
    let port = range & 0xffff;
    while (port <= high) {
      // Up to the end of this word: bits port&63 ..= min(63, …).
      const last = min(high, port | 63);
      const unused = <u64>(63 - (last - port));
      const shift = <u64>(port & 63);
      const bits = (u64.MAX_VALUE >> unused) << shift;
      const word = bitmap + ((port >> 6) << 3);
      store<u64>(word, load<u64>(word) | bits);
      port = last + 1;
    }
  }
}

function internBitmap(bitmap: usize): u32 {
  const first = ranges.count;
  // Ranges that are apart: at most one for every two ports.
  const start = reserve(32768);
  let out = start;
  let inside = false;
  let low: u32 = 0;
  for (let word: u32 = 0; word < BITMAP_BYTES >> 3; word++) {
    const bits = load<u64>(bitmap + (word << 3));
    if (bits == (inside ? u64.MAX_VALUE : 0)) continue;
    for (let bit: u32 = 0; bit < 64; bit++) {
      const present: bool = ((bits >> <u64>bit) & 1) != 0;
      if (present == inside) continue;
      const port = (word << 6) | bit;
      if (present) {
        low = port;
      } else {
        store<u32>(out, low | ((port - 1) << 16));
        out += 4;
      }
      inside = present;
    }
  }
  if (inside) {
    store<u32>(out, low | 0xffff0000);
    out += 4;
  }
  return commit(first, <u32>(out - start) >> 2);
}
