/**
 * Tags: what is told of an address while a table is built, that is, which ports are open there and
 * in which sets it is. Every tag is stored once and has an id, so equality is equality of ids.
 * Tries hold the numbers of tags, which the table calls port sets (docs/format.md §5): so one trie
 * says who is in the sets of a protocol beside what is allowed, and look-ups ask for nothing more.
 *
 * Sets overlap in as many ways as a policy likes, and each way is a tag, so what all of them take
 * is bounded: beyond the bound no address is in any set here, `isOverfull` says so, and sets have
 * tries of their own.
 *
 * The sets of a tag are stored as ports are: numbers of 16 bits in ranges (ports.ts).
 */
import { allocate, fail } from './arena';
import { FAILURE_PORT_SETS, PORT_SETS_MAX } from './format';
import { List, newList } from './list';
import { Memo, newMemo, recall, remember } from './memo';
import { difference, EMPTY, FULL, internRanges, portSetCount, rangeCount, union } from './ports';

/** No port, no set. */
export const NOTHING: u32 = 0;
/** All ports, no set. */
export const EVERYTHING: u32 = 1;

/**
 * What tags with sets may take, counted in cells of four bytes: one for itself, its ranges of ports
 * and its ranges of sets.
 */
const ROOM: u32 = 1 << 16;

// Tag: ports u32, sets u32, the tag of the same ports and no set u32, its number in the table u32,
// the last trie with it u32.
const TAG: u32 = 20;
const TAG_SETS: u32 = 4;
const TAG_BARE: u32 = 8;
const TAG_NUMBER: u32 = 12;
const TAG_TRIE: u32 = 16;
const tags: List = newList(TAG);
const byParts: Memo = newMemo();
const joined: Memo = newMemo();
const cut: Memo = newMemo();
let taken: u32 = 0;

/** Whether sets were left out of tags. From then on, none is told by tags. */
export let isOverfull: bool = false;

/** Tags by their numbers in the table. */
export const numbered: List = newList(4);

const single: usize = allocate(4);

/** Defines the two fixed tags. Called once, after `initPorts`. */
export function initTags(): void {
  tagOf(EMPTY, EMPTY);
  tagOf(FULL, EMPTY);
  store<u32>(numbered.push(), NOTHING);
}

/** Number of tags. */
export function tagCount(): u32 {
  return tags.count;
}

export function portsOf(tag: u32): u32 {
  return load<u32>(tags.at(tag));
}

/** The numbers of the sets, as ranges. */
export function setsOf(tag: u32): u32 {
  return load<u32>(tags.at(tag), TAG_SETS);
}

/** The same ports in no set. */
export function bareOf(tag: u32): u32 {
  return load<u32>(tags.at(tag), TAG_BARE);
}

/** A tag, in that set as well. */
export function inSet(tag: u32, set: u32): u32 {
  if (set > 0xffff) {
    isOverfull = true;
    return tag;
  }
  store<u32>(single, set | (set << 16));
  return tagOf(portsOf(tag), joinSets(setsOf(tag), internRanges(single, 1)));
}

/** What is told where both apply. */
export function join(a: u32, b: u32): u32 {
  if (a == b || b == NOTHING) return a;
  if (a == NOTHING) return b;
  const key = a < b ? ((<u64>a) << 32) | <u64>b : ((<u64>b) << 32) | <u64>a;
  const known = recall(joined, key);
  if (known != 0) return load<u32>(known);
  const tag = tagOf(union(portsOf(a), portsOf(b)), joinSets(setsOf(a), setsOf(b)));
  remember(joined, key, tag);
  return tag;
}

/** What is told where one is allowed and the other denied: the sets of both. */
export function deny(allowed: u32, denied: u32): u32 {
  if (denied == NOTHING) return allowed;
  const key = ((<u64>allowed) << 32) | <u64>denied;
  const known = recall(cut, key);
  if (known != 0) return load<u32>(known);
  const ports = difference(portsOf(allowed), portsOf(denied));
  const tag = tagOf(ports, joinSets(setsOf(allowed), setsOf(denied)));
  remember(cut, key, tag);
  return tag;
}

/** The number of a tag in the table, a new one when it is used for the first time. */
export function numberTag(tag: u32): u32 {
  if (tag == NOTHING) return 0;
  const cell = tags.at(tag);
  const known = load<u32>(cell, TAG_NUMBER);
  if (known != 0) return known;
  const number = numbered.count;
  if (number >= PORT_SETS_MAX) fail(FAILURE_PORT_SETS);
  store<u32>(numbered.push(), tag);
  store<u32>(cell, number, TAG_NUMBER);
  return number;
}

/** Notes that a trie has a tag; tries are told by any number but 0. */
export function noteTrie(tag: u32, trie: u32): void {
  store<u32>(tags.at(tag), trie, TAG_TRIE);
}

/** Whether that trie is the last that was noted to have the tag. */
export function isNoted(tag: u32, trie: u32): bool {
  return load<u32>(tags.at(tag), TAG_TRIE) == trie;
}

/** The sets of both. */
export function joinSets(a: u32, b: u32): u32 {
  const before = portSetCount();
  const sets = isOverfull ? EMPTY : union(a, b);
  if (portSetCount() != before) taken += rangeCount(sets);
  return sets;
}

/** The tag of ports and sets. */
export function tagOf(ports: u32, sets: u32): u32 {
  const key = ((<u64>sets) << 32) | <u64>ports;
  const known: usize = key == 0 ? 0 : recall(byParts, key);
  if (known != 0) return load<u32>(known);
  if (key == 0 && tags.count != 0) return NOTHING;
  let bare = tags.count;
  if (sets != EMPTY) {
    bare = tagOf(ports, EMPTY);
    taken += 1 + rangeCount(ports) + rangeCount(sets);
    if (taken > ROOM) isOverfull = true;
    if (isOverfull) return bare;
  }
  const tag = tags.count;
  const cell = tags.push();
  store<u32>(cell, ports);
  store<u32>(cell, sets, TAG_SETS);
  store<u32>(cell, bare, TAG_BARE);
  store<u32>(cell, 0, TAG_NUMBER);
  store<u32>(cell, 0, TAG_TRIE);
  if (key != 0) remember(byParts, key, tag);
  return tag;
}
