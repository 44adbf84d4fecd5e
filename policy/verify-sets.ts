/** Checks where the members of sets are told: each set has a trie for each family, and some of its port sets. */
import { report } from './defect';
import {
  ADDRESS_SET_COUNT,
  ADDRESS_SET_FAMILY_BYTES,
  ADDRESS_SET_FIRST,
  ADDRESS_SET_TRIE,
  DEFECT_MEMBER,
  DEFECT_SET_MEMBERS,
  DEFECT_SET_TRIE,
  MEMBER_BYTES,
  PROTOCOL_TRIES,
  SECTION_MEMBERS,
  SECTION_PORT_SETS,
  SECTION_SETS,
  SECTION_TRIES,
} from './format';
import { sectionCount, sectionOffset } from './section';

/** The tries exist; the members of the sets stand one after another in their section and fill it. */
export function checkSets(table: usize): bool {
  const sets = sectionOffset(table, SECTION_SETS);
  const tries = sectionCount(table, SECTION_TRIES);
  const members = sectionCount(table, SECTION_MEMBERS);
  let next: u64 = 0;
  for (let half: u32 = 0; half < 2 * sectionCount(table, SECTION_SETS); half++) {
    const offset = sets + half * ADDRESS_SET_FAMILY_BYTES;
    const trie = load<u32>(table + offset, ADDRESS_SET_TRIE);
    if (trie >= tries || (trie & 1) != (half & 1)) {
      return report(DEFECT_SET_TRIE, offset + ADDRESS_SET_TRIE);
    }
    if (<u64>load<u32>(table + offset, ADDRESS_SET_FIRST) != next) {
      return report(DEFECT_SET_MEMBERS, offset + ADDRESS_SET_FIRST);
    }
    next += <u64>load<u32>(table + offset, ADDRESS_SET_COUNT);
    if (next > <u64>members) return report(DEFECT_SET_MEMBERS, offset + ADDRESS_SET_COUNT);
  }
  if (next == <u64>members) return true;
  const unowned = sectionOffset(table, SECTION_MEMBERS) + <u32>next * MEMBER_BYTES;
  return report(DEFECT_SET_MEMBERS, unowned);
}

/** The members of each set ascend, are not 0, and are port sets that its trie may have. */
export function checkMembers(table: usize): bool {
  const sets = table + sectionOffset(table, SECTION_SETS);
  const members = sectionOffset(table, SECTION_MEMBERS);
  const portSets = sectionCount(table, SECTION_PORT_SETS) - 1;
  for (let half: u32 = 0; half < 2 * sectionCount(table, SECTION_SETS); half++) {
    const cell = sets + <usize>half * ADDRESS_SET_FAMILY_BYTES;
    const limit = load<u32>(cell, ADDRESS_SET_TRIE) < PROTOCOL_TRIES ? portSets : 2;
    const first = load<u32>(cell, ADDRESS_SET_FIRST);
    let before: u32 = 0;
    for (let i = first; i < first + load<u32>(cell, ADDRESS_SET_COUNT); i++) {
      const offset = members + i * MEMBER_BYTES;
      const member = <u32>load<u16>(table + offset);
      if (member <= before || member >= limit) return report(DEFECT_MEMBER, offset);
      before = member;
    }
  }
  return true;
}
