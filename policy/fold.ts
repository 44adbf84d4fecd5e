/**
 * Folds entries (prefix.ts) into boundaries: from which address on which port set applies. Theory of operation:
 *
 * Prefixes nest or are disjoint, never overlap in part. Sorted by address and then by length, a
 * prefix comes after all that contain it, so a stack holds exactly the prefixes around the present
 * address, innermost on top:
 *
 *     10.0.0.0/8   allow {443}          stack: all, /8           boundary at 10.0.0.0 → {443}
 *     10.1.0.0/16  allow {80}           stack: all, /8, /16      boundary at 10.1.0.0 → {80, 443}
 *     (end of /16)                      stack: all, /8           boundary at 10.2.0.0 → {443}
 *     (end of /8)                       stack: all               boundary at 11.0.0.0 → {}
 *
 * Each element of the stack holds what is allowed and what is denied by everything around it, as
 * tags (tags.ts), so closing a prefix just takes the element below. A boundary's tag is allowed
 * minus denied; boundaries at one address replace each other, and one that changes nothing is
 * dropped, so the result depends on what the rules mean and not on how they are cut up.
 *
 * The stack is at most 129 deep (the lengths 0..128, equal prefixes being one element). Work is
 * linear in the sorted entries.
 *
 * Boundaries are handed on in blocks, because a list of a million prefixes has two million, which
 * nobody needs at once: who needs to know something of all of them before they can be written
 * (trie.ts) folds twice.
 */
import { allocate } from './arena';
import { BLOCK } from './block';
import { ACTION_ALLOW } from './format';
import { List, newList } from './list';
import { addToUnion, clearUnion, EMPTY, newPortUnion, PortUnion, unionOf } from './ports';
import { ENTRY_ACTION, ENTRY_BITS, ENTRY_LO, ENTRY_TAG, lastHi, lastLo } from './prefix';
import { bareOf, deny, join, joinSets, NOTHING, portsOf, setsOf, tagOf } from './tags';

/** Boundary: hi u64, lo u64, tag u32 (of a stored one the port set), bits u32 (boundaries.ts; not set here). */
export const BOUNDARY: u32 = 24;
export const BOUNDARY_LO: u32 = 8;
export const BOUNDARY_TAG: u32 = 16;
export const BOUNDARY_BITS: u32 = 20;

// Stack element: last address hi u64, lo u64, allowed u32, denied u32.
const LEVEL: u32 = 24;
const LEVEL_LO: u32 = 8;
const LEVEL_ALLOWED: u32 = 16;
const LEVEL_DENIED: u32 = 20;
const ALL: u64 = 0xffffffffffffffff;

const stack: usize = allocate(130 * LEVEL);
const allowed: PortUnion = newPortUnion();
const denied: PortUnion = newPortUnion();

/** What the entries of the last `readGroup` allow and deny together, as tags. */
export let groupAllowed: u32 = NOTHING;
export let groupDenied: u32 = NOTHING;

/** An entry has at most two boundaries; those in the stack have their second later, and three may be left over. */
const MOST_OF_A_BLOCK: u32 = 2 * BLOCK + 136;
/** Boundaries in order; behind the `ready` first may stand some that are not final yet. */
export const boundaries: List = newList(BOUNDARY);
export let ready: u32 = 0;
/** Whether there are no more boundaries. */
export let isFolded: bool = true;

// What is being folded, up to which entry, and the top of the stack there.
let entries: List = boundaries;
let alone: u32 = NOTHING;
let isBare: bool = false;
let index: u32 = 0;
let level: usize = stack;
/** Behind the last boundary. */
let end: usize = 0;

/**
 * Begins to fold sorted entries, which must not change until that is done. If `tag` is not NOTHING,
 * it is what each of them allows, whatever stands in it, and none lies in another. `bare`: without
 * the sets.
 */
export function beginFold(list: List, tag: u32, bare: bool): void {
  entries = list;
  alone = bare ? bareOf(tag) : tag;
  isBare = bare;
  index = 0;
  level = stack;
  setLevel(level, ALL, ALL, NOTHING, NOTHING);
  ready = 0;
  isFolded = false;
  boundaries.count = 1;
  boundaries.reserve(MOST_OF_A_BLOCK);
  end = put(boundaries.ptr, 0, 0, NOTHING);
}

/** Puts the next boundaries, perhaps none, in the place of those that were ready. */
export function foldOn(): void {
  const rest = boundaries.count - ready;
  memory.copy(boundaries.ptr, boundaries.at(ready), <usize>rest * BOUNDARY);
  end = boundaries.at(rest);
  const next = min(index + BLOCK, entries.count);
  if (alone == NOTHING) foldNested(next);
  else foldAlone(next);
  isFolded = index >= entries.count;
  // No prefix ends after the last address, so this closes all but the bottom.
  while (isFolded && level > stack) level = closeOne(level);
  boundaries.count = <u32>((end - boundaries.ptr) / BOUNDARY);
  // The last boundary may be replaced, and then the one before it be the last that counts.
  ready = isFolded ? boundaries.count : max(boundaries.count, 2) - 2;
}

/** Folds entries that may lie in each other, up to that one and those with the same prefix as the last. */
function foldNested(next: u32): void {
  while (index < next) {
    const entry = entries.at(index);
    const hi = load<u64>(entry);
    const lo = load<u64>(entry, ENTRY_LO);
    const bits = <u32>load<u8>(entry, ENTRY_BITS);
    index = readGroup(entries, index);
    level = close(level, hi, lo);
    const allows = join(load<u32>(level, LEVEL_ALLOWED), groupAllowed);
    const denies = join(load<u32>(level, LEVEL_DENIED), groupDenied);
    level += LEVEL;
    setLevel(level, lastHi(hi, bits), lastLo(lo, bits), allows, denies);
    emit(hi, lo, deny(allows, denies));
  }
}

/** Folds entries that all allow the same, none in another: what `emit` makes of them, with fewer questions. */
function foldAlone(next: u32): void {
  let to = end;
  for (; index < next; index++) {
    const entry = entries.at(index);
    const hi = load<u64>(entry);
    const lo = load<u64>(entry, ENTRY_LO);
    const bits = <u32>load<u8>(entry, ENTRY_BITS);
    const before = to - BOUNDARY;
    const follows = load<u64>(before) == hi && load<u64>(before, BOUNDARY_LO) == lo;
    // What follows the entry before it begins nothing new: the end of that one is taken back.
    if (follows) to = before;
    if (!follows || to == boundaries.ptr) to = put(to, hi, lo, alone);
    const last = lastLo(lo, bits);
    const carry = last == ALL ? 1 : 0;
    const nextHi = lastHi(hi, bits) + carry;
    // Nothing is behind the last address of all.
    if (nextHi != 0 || carry == 0) to = put(to, nextHi, last + 1, NOTHING);
  }
  end = to;
}

function put(to: usize, hi: u64, lo: u64, tag: u32): usize {
  store<u64>(to, hi);
  store<u64>(to, lo, BOUNDARY_LO);
  store<u32>(to, tag, BOUNDARY_TAG);
  return to + BOUNDARY;
}

/**
 * Gathers the tags of all entries with the prefix of entry `index` into `groupAllowed` and
 * `groupDenied`; returns the index after them.
 */
export function readGroup(entries: List, index: u32): u32 {
  const first = entries.at(index);
  const hi = load<u64>(first);
  const lo = load<u64>(first, ENTRY_LO);
  const bits = load<u8>(first, ENTRY_BITS);
  if (index + 1 == entries.count || !isPrefix(entries.at(index + 1), hi, lo, bits)) {
    const allows = load<u8>(first, ENTRY_ACTION) == ACTION_ALLOW;
    const tag = load<u32>(first, ENTRY_TAG);
    groupAllowed = allows ? tag : NOTHING;
    groupDenied = allows ? NOTHING : tag;
    return index + 1;
  }
  clearUnion(allowed);
  clearUnion(denied);
  let allowedSets: u32 = EMPTY;
  let deniedSets: u32 = EMPTY;
  let next = index;
  for (; next < entries.count; next++) {
    const entry = entries.at(next);
    if (!isPrefix(entry, hi, lo, bits)) break;
    const tag = load<u32>(entry, ENTRY_TAG);
    if (load<u8>(entry, ENTRY_ACTION) == ACTION_ALLOW) {
      addToUnion(allowed, portsOf(tag));
      allowedSets = joinSets(allowedSets, setsOf(tag));
    } else {
      addToUnion(denied, portsOf(tag));
      deniedSets = joinSets(deniedSets, setsOf(tag));
    }
  }
  groupAllowed = tagOf(unionOf(allowed), allowedSets);
  groupDenied = tagOf(unionOf(denied), deniedSets);
  return next;
}

function isPrefix(entry: usize, hi: u64, lo: u64, bits: u8): bool {
  return (
    load<u64>(entry) == hi &&
    load<u64>(entry, ENTRY_LO) == lo &&
    load<u8>(entry, ENTRY_BITS) == bits
  );
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
  const tag = deny(load<u32>(below, LEVEL_ALLOWED), load<u32>(below, LEVEL_DENIED));
  emitBehind(load<u64>(level), load<u64>(level, LEVEL_LO), tag);
  return below;
}

function setLevel(level: usize, hi: u64, lo: u64, allows: u32, denies: u32): void {
  store<u64>(level, hi);
  store<u64>(level, lo, LEVEL_LO);
  store<u32>(level, allows, LEVEL_ALLOWED);
  store<u32>(level, denies, LEVEL_DENIED);
}

/** Emits the boundary behind an address, unless that is the last of all. */
function emitBehind(hi: u64, lo: u64, tag: u32): void {
  if (lo != ALL) emit(hi, lo + 1, tag);
  else if (hi != ALL) emit(hi + 1, 0, tag);
}

function emit(hi: u64, lo: u64, told: u32): void {
  const tag = isBare ? bareOf(told) : told;
  let to = end;
  // The one before may be that at the same address, which this one replaces.
  if (load<u64>(to - BOUNDARY) == hi && load<u64>(to - BOUNDARY, BOUNDARY_LO) == lo) to -= BOUNDARY;
  const changes = to == boundaries.ptr || load<u32>(to - BOUNDARY, BOUNDARY_TAG) != tag;
  end = changes ? put(to, hi, lo, tag) : to;
}
