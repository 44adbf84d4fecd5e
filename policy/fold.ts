/**
 * Folds entries (prefix.ts) into boundaries: from which address on which port set applies. Theory of operation:
 *
 * Prefixes nest or are disjoint, never overlap in part. Sorted by address and then by length, a prefix comes after all that contain it, so
 * a stack holds exactly the prefixes around the present address, innermost on top:
 *
 *     10.0.0.0/8   allow {443}          stack: all, /8           boundary at 10.0.0.0 → {443}
 *     10.1.0.0/16  allow {80}           stack: all, /8, /16      boundary at 10.1.0.0 → {80, 443}
 *     (end of /16)                      stack: all, /8           boundary at 10.2.0.0 → {443}
 *     (end of /8)                       stack: all               boundary at 11.0.0.0 → {}
 *
 * Each element of the stack holds the union of the allowed and the union of the denied port sets of everything around it, so closing a
 * prefix just takes the element below. A boundary's port set is allowed minus denied; boundaries at one address replace each other, and
 * one that changes nothing is dropped, so the result depends on what the rules mean and not on how they are cut up.
 *
 * The stack is at most 129 deep (the lengths 0..128, equal prefixes being one element). Work is linear in the sorted entries.
 */
import { allocate } from './arena';
import { ACTION_ALLOW } from './format';
import { List } from './list';
import {
  addToUnion,
  clearUnion,
  difference,
  EMPTY,
  newPortUnion,
  PortUnion,
  union,
  unionOf,
} from './ports';
import { ENTRY_ACTION, ENTRY_BITS, ENTRY_LO, ENTRY_PORTS, lastHi, lastLo } from './prefix';
import { scratch } from './sort';

/** Boundary: hi u64, lo u64, port set u32, bits u32 (spans.ts; not set here). */
export const BOUNDARY: u32 = 24;
export const BOUNDARY_LO: u32 = 8;
export const BOUNDARY_SET: u32 = 16;
export const BOUNDARY_BITS: u32 = 20;

// Stack element: last address hi u64, lo u64, allowed u32, denied u32.
const LEVEL: u32 = 24;
const LEVEL_LO: u32 = 8;
const LEVEL_ALLOWED: u32 = 16;
const LEVEL_DENIED: u32 = 20;
const ALL: u64 = 0xffffffffffffffff;

const stack: usize = allocate(130 * LEVEL);
// No sort runs while boundaries are in use.
const boundaries: List = scratch;
const allowed: PortUnion = newPortUnion();
const denied: PortUnion = newPortUnion();

/** The unions of the port sets of the last `readGroup`. */
export let groupAllowed: u32 = EMPTY;
export let groupDenied: u32 = EMPTY;

/** Folds sorted entries. The list returned is valid until the next call, and until the next sort. */
export function fold(entries: List): List {
  boundaries.count = 0;
  boundaries.reserve(2 * entries.count + 1);
  let level = stack;
  setLevel(level, ALL, ALL, EMPTY, EMPTY);
  emit(0, 0, EMPTY);
  let index: u32 = 0;
  while (index < entries.count) {
    const entry = entries.at(index);
    const hi = load<u64>(entry);
    const lo = load<u64>(entry, ENTRY_LO);
    const bits = <u32>load<u8>(entry, ENTRY_BITS);
    index = readGroup(entries, index);
    level = close(level, hi, lo);
    const allow = union(load<u32>(level, LEVEL_ALLOWED), groupAllowed);
    const deny = union(load<u32>(level, LEVEL_DENIED), groupDenied);
    level += LEVEL;
    setLevel(level, lastHi(hi, bits), lastLo(lo, bits), allow, deny);
    emit(hi, lo, difference(allow, deny));
  }
  // No prefix ends after the last address, so this closes all but the bottom.
  while (level > stack) level = closeOne(level);
  return boundaries;
}

/**
 * Gathers the port sets of all entries with the prefix of entry `index` into `groupAllowed` and `groupDenied`; returns the index after them.
 */
export function readGroup(entries: List, index: u32): u32 {
  const first = entries.at(index);
  const hi = load<u64>(first);
  const lo = load<u64>(first, ENTRY_LO);
  const bits = load<u8>(first, ENTRY_BITS);
  clearUnion(allowed);
  clearUnion(denied);
  let next = index;
  for (; next < entries.count; next++) {
    const entry = entries.at(next);
    if (load<u64>(entry) != hi || load<u64>(entry, ENTRY_LO) != lo) break;
    if (load<u8>(entry, ENTRY_BITS) != bits) break;
    const all = load<u8>(entry, ENTRY_ACTION) == ACTION_ALLOW ? allowed : denied;
    addToUnion(all, load<u32>(entry, ENTRY_PORTS));
  }
  groupAllowed = unionOf(allowed);
  groupDenied = unionOf(denied);
  return next;
}

/** Closes every level that ends before the address. */
function close(top: usize, hi: u64, lo: u64): usize {
  let level = top;
  while (load<u64>(level) < hi || (load<u64>(level) == hi && load<u64>(level, LEVEL_LO) < lo)) {
    level = closeOne(level);
  }
  return level;
}

/** Takes the top level off; after its last address the level below applies again. */
function closeOne(level: usize): usize {
  const below = level - LEVEL;
  let hi = load<u64>(level);
  const lo = load<u64>(level, LEVEL_LO) + 1;
  if (lo == 0) hi += 1;
  // Both halves wrapped: the level ended with the last address of all.
  if (hi != 0 || lo != 0) {
    emit(hi, lo, difference(load<u32>(below, LEVEL_ALLOWED), load<u32>(below, LEVEL_DENIED)));
  }
  return below;
}

function setLevel(level: usize, hi: u64, lo: u64, allow: u32, deny: u32): void {
  store<u64>(level, hi);
  store<u64>(level, lo, LEVEL_LO);
  store<u32>(level, allow, LEVEL_ALLOWED);
  store<u32>(level, deny, LEVEL_DENIED);
}

function emit(hi: u64, lo: u64, set: u32): void {
  let count = boundaries.count;
  if (count > 0) {
    const last = boundaries.at(count - 1);
    if (load<u64>(last) == hi && load<u64>(last, BOUNDARY_LO) == lo) count -= 1;
  }
  boundaries.count = count;
  if (count > 0 && load<u32>(boundaries.at(count - 1), BOUNDARY_SET) == set) return;
  const boundary = boundaries.push();
  store<u64>(boundary, hi);
  store<u64>(boundary, lo, BOUNDARY_LO);
  store<u32>(boundary, set, BOUNDARY_SET);
}
