/**
 * The address sets of a draft as sorted entries in canonical form, one list for each family. None
 * lies in another, because all members of a set are allowed the same. Which ports that is only
 * those know who ask: what stands in the entries says nothing.
 */
import { fail } from './arena';
import { BLOCK, BLOCK_BYTES } from './block';
import {
  ACTION_ALLOW,
  DRAFT_SET_BYTES,
  DRAFT_SET_COUNT,
  DRAFT_SET_V4,
  DRAFT_SET_V4_BITS,
  DRAFT_SET_V4_COUNT,
  DRAFT_SET_V6,
  DRAFT_SET_V6_BITS,
  DRAFT_SET_V6_COUNT,
  DRAFT_SETS,
  FAILURE_DRAFT,
} from './format';
import { List, newList } from './list';
import {
  addEntry,
  addIpv4,
  ENTRY,
  ENTRY_BITS,
  ENTRY_LO,
  hasHostBits,
  isMapped,
  lastHi,
  lastLo,
} from './prefix';
import { sortEntries } from './sort';
import { EVERYTHING } from './tags';

// The lists of set s: IPv4 at 2s, IPv6 at 2s + 1.
const lists: List = newList(sizeof<usize>());
const dropped: List = newList(4);

export function setIpv4(set: u32): List {
  return changetype<List>(load<usize>(lists.at(set * 2)));
}

export function setIpv6(set: u32): List {
  return changetype<List>(load<usize>(lists.at(set * 2 + 1)));
}

/** Prefixes of the set that lie in others and are in no list. */
export function droppedFrom(set: u32): u32 {
  return load<u32>(dropped.at(set));
}

/** Reads all sets of the draft. Fails with FAILURE_DRAFT on a prefix that is too long or has bits below it. */
export function readSets(draft: usize): void {
  const count = load<u32>(draft, DRAFT_SET_COUNT);
  for (let set: u32 = 0; set < count; set++) {
    const cell = load<usize>(draft, DRAFT_SETS) + <usize>set * DRAFT_SET_BYTES;
    const v4 = newList(ENTRY);
    const v6 = newList(ENTRY);
    readIpv4(cell, v4);
    readIpv6(cell, v4, v6);
    sortEntries(v4);
    sortEntries(v6);
    store<u32>(dropped.push(), dropNested(v4) + dropNested(v6));
    store<usize>(lists.push(), changetype<usize>(v4));
    store<usize>(lists.push(), changetype<usize>(v6));
  }
}

function readIpv4(cell: usize, v4: List): void {
  const count = load<u32>(cell, DRAFT_SET_V4_COUNT);
  v4.reserve(count);
  let first: u32 = 0;
  for (; count - first > BLOCK; first += BLOCK) addIpv4Block(cell, v4, first, first + BLOCK);
  addIpv4Block(cell, v4, first, count);
}

function addIpv4Block(cell: usize, v4: List, first: u32, end: u32): void {
  const addresses = load<usize>(cell, DRAFT_SET_V4);
  const lengths = load<usize>(cell, DRAFT_SET_V4_BITS);
  for (let i = first; i < end; i++) {
    const key = load<u32>(addresses + ((<usize>i) << 2));
    const bits = <u32>load<u8>(lengths + i);
    if (bits > 32 || hasHostBits((<u64>key) << 32, 0, bits)) fail(FAILURE_DRAFT);
    addIpv4(v4, key, bits, ACTION_ALLOW, EVERYTHING);
  }
}

function readIpv6(cell: usize, v4: List, v6: List): void {
  const count = load<u32>(cell, DRAFT_SET_V6_COUNT);
  v6.reserve(count);
  let first: u32 = 0;
  for (; count - first > BLOCK; first += BLOCK) addIpv6Block(cell, v4, v6, first, first + BLOCK);
  addIpv6Block(cell, v4, v6, first, count);
}

function addIpv6Block(cell: usize, v4: List, v6: List, first: u32, end: u32): void {
  const addresses = load<usize>(cell, DRAFT_SET_V6);
  const lengths = load<usize>(cell, DRAFT_SET_V6_BITS);
  for (let i = first; i < end; i++) {
    const hi = bswap(load<u64>(addresses + ((<usize>i) << 4)));
    const lo = bswap(load<u64>(addresses + ((<usize>i) << 4), 8));
    const bits = <u32>load<u8>(lengths + i);
    if (bits > 128 || hasHostBits(hi, lo, bits)) fail(FAILURE_DRAFT);
    if (isMapped(hi, lo, bits)) {
      addIpv4(v4, <u32>lo, bits - 96, ACTION_ALLOW, EVERYTHING);
    } else {
      // ::/128 is ::1/128, where Linux connects it to.
      const unspecified = bits == 128 && hi == 0 && lo == 0;
      addEntry(v6, hi, unspecified ? 1 : lo, bits, ACTION_ALLOW, EVERYTHING);
    }
  }
}

// The last address of the prefix that was kept last, and where the next one goes.
let keptHi: u64 = 0;
let keptLo: u64 = 0;
let kept: usize = 0;

/** Takes the prefixes out of a sorted list that lie in the one before them; returns how many. */
function dropNested(list: List): u32 {
  if (list.count == 0) return 0;
  const count = list.count;
  const end = list.at(count);
  kept = list.ptr;
  let from = list.ptr;
  for (; end - from > BLOCK_BYTES; from += BLOCK_BYTES)
    keepApart(list.ptr, from, from + BLOCK_BYTES);
  keepApart(list.ptr, from, end);
  list.count = <u32>((kept - list.ptr) / ENTRY);
  return count - list.count;
}

function keepApart(first: usize, from: usize, end: usize): void {
  for (let entry = from; entry < end; entry += ENTRY) {
    const hi = load<u64>(entry);
    const lo = load<u64>(entry, ENTRY_LO);
    if (kept > first && (hi < keptHi || (hi == keptHi && lo <= keptLo))) continue;
    const bits = <u32>load<u8>(entry, ENTRY_BITS);
    keptHi = lastHi(hi, bits);
    keptLo = lastLo(lo, bits);
    if (kept < entry) memory.copy(kept, entry, ENTRY);
    kept += ENTRY;
  }
}
