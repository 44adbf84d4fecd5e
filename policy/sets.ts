/**
 * The address sets of a draft as sorted entries in canonical form, one list for each family. All entries of a list allow the same ports, those
 * of who asked last (`withPorts`): every port gives membership, those of the rules that name the set give what they allow there.
 */
import { fail } from './arena';
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
import { FULL } from './ports';
import { addEntry, addIpv4, ENTRY, ENTRY_PORTS, hasHostBits, isMapped } from './prefix';
import { sortEntries } from './sort';

// The lists of set s: IPv4 at 2s, IPv6 at 2s + 1.
const lists: List = newList(sizeof<usize>());

export function setIpv4(set: u32): List {
  return changetype<List>(load<usize>(lists.at(set * 2)));
}

export function setIpv6(set: u32): List {
  return changetype<List>(load<usize>(lists.at(set * 2 + 1)));
}

/** The list, its entries with these ports. */
export function withPorts(list: List, ports: u32): List {
  const end = list.at(list.count);
  for (let entry = list.ptr; entry < end; entry += ENTRY) store<u32>(entry, ports, ENTRY_PORTS);
  return list;
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
    store<usize>(lists.push(), changetype<usize>(v4));
    store<usize>(lists.push(), changetype<usize>(v6));
  }
}

function readIpv4(cell: usize, v4: List): void {
  const addresses = load<usize>(cell, DRAFT_SET_V4);
  const lengths = load<usize>(cell, DRAFT_SET_V4_BITS);
  const count = load<u32>(cell, DRAFT_SET_V4_COUNT);
  v4.reserve(count);
  for (let i: u32 = 0; i < count; i++) {
    const key = load<u32>(addresses + ((<usize>i) << 2));
    const bits = <u32>load<u8>(lengths + i);
    if (bits > 32 || hasHostBits((<u64>key) << 32, 0, bits)) fail(FAILURE_DRAFT);
    addIpv4(v4, key, bits, ACTION_ALLOW, FULL);
  }
}

function readIpv6(cell: usize, v4: List, v6: List): void {
  const addresses = load<usize>(cell, DRAFT_SET_V6);
  const lengths = load<usize>(cell, DRAFT_SET_V6_BITS);
  const count = load<u32>(cell, DRAFT_SET_V6_COUNT);
  v6.reserve(count);
  for (let i: u32 = 0; i < count; i++) {
    const hi = bswap(load<u64>(addresses + ((<usize>i) << 4)));
    const lo = bswap(load<u64>(addresses + ((<usize>i) << 4), 8));
    const bits = <u32>load<u8>(lengths + i);
    if (bits > 128 || hasHostBits(hi, lo, bits)) fail(FAILURE_DRAFT);
    if (isMapped(hi, lo, bits)) {
      addIpv4(v4, <u32>lo, bits - 96, ACTION_ALLOW, FULL);
    } else {
      // ::/128 is ::1/128, where Linux connects it to.
      const unspecified = bits == 128 && hi == 0 && lo == 0;
      addEntry(v6, hi, unspecified ? 1 : lo, bits, ACTION_ALLOW, FULL);
    }
  }
}
