/**
 * Where the members of each set are told (docs/format.md §5): by some port sets of a trie. That is
 * the first trie of a protocol that tells its sets apart (trie.ts), and of what is left a trie of
 * its own. A set without addresses of a family has no members in a trie that always is.
 */
import {
  ADDRESS_SET_BYTES,
  ADDRESS_SET_COUNT,
  ADDRESS_SET_FAMILY_BYTES,
  ADDRESS_SET_FIRST,
  ADDRESS_SET_TRIE,
  MEMBER_BYTES,
} from './format';
import { List, newList } from './list';
import { EMPTY, rangeCount, rangesOf } from './ports';
import { isNoted, numbered, setsOf } from './tags';

// Home, of set s and IPv4 at 2s, IPv6 at 2s + 1: the trie u32, list of port sets usize, 0 while there is no home.
const HOME: u32 = 8;
const HOME_MEMBERS: u32 = 4;
const homes: List = newList(HOME);
/** Of all homes together. */
export let memberCount: u32 = 0;

/** Begins with that many sets, none of which is told anywhere. */
export function beginMembers(sets: u32): void {
  memory.fill(homes.pushMany(2 * sets), 0, <usize>sets * 2 * HOME);
}

/** Whether it is told where the members of a set are that has some; `family` is 0 for IPv4, 1 for IPv6. */
export function hasHome(set: u32, family: u32): bool {
  return load<usize>(homes.at(2 * set + family), HOME_MEMBERS) != 0;
}

/** Gives a set a trie for a family, the port sets in which are its members. */
export function addMember(set: u32, family: u32, trie: u32, portSet: u32): void {
  const home = homes.at(2 * set + family);
  let members = changetype<List>(load<usize>(home, HOME_MEMBERS));
  if (load<usize>(home, HOME_MEMBERS) == 0) {
    members = newList(MEMBER_BYTES);
    store<u32>(home, trie);
    store<usize>(home, changetype<usize>(members), HOME_MEMBERS);
  }
  if (load<u32>(home) != trie) return;
  store<u16>(members.push(), <u16>portSet);
  memberCount += 1;
}

/** Gives a home to the sets that are told by the trie with that index, whose tags are noted under `number`. */
export function settle(trie: u32, number: u32): void {
  for (let portSet: u32 = 1; portSet < numbered.count; portSet++) {
    const tag = load<u32>(numbered.at(portSet));
    const sets = setsOf(tag);
    if (sets == EMPTY || !isNoted(tag, number)) continue;
    for (let i: u32 = 0; i < rangeCount(sets); i++) {
      const range = load<u32>(rangesOf(sets) + ((<usize>i) << 2));
      for (let set = range & 0xffff; set <= range >> 16; set++) {
        addMember(set, trie & 1, trie, portSet);
      }
    }
  }
}

/** Writes the sections of sets and of members. */
export function writeMembers(sets: usize, members: usize): void {
  let first: u32 = 0;
  for (let i: u32 = 0; i < homes.count; i++) {
    const home = homes.at(i);
    const cell =
      sets + <usize>(i >> 1) * ADDRESS_SET_BYTES + <usize>(i & 1) * ADDRESS_SET_FAMILY_BYTES;
    const list = load<usize>(home, HOME_MEMBERS);
    const count = list == 0 ? 0 : changetype<List>(list).count;
    store<u32>(cell, list == 0 ? i & 1 : load<u32>(home), ADDRESS_SET_TRIE);
    store<u32>(cell, first, ADDRESS_SET_FIRST);
    store<u32>(cell, count, ADDRESS_SET_COUNT);
    if (count != 0) {
      const to = members + <usize>first * MEMBER_BYTES;
      memory.copy(to, changetype<List>(list).ptr, <usize>count * MEMBER_BYTES);
    }
    first += count;
  }
}
