/**
 * Checks a whole table once, so that look-ups may read it without any check (docs/format.md §9):
 * header, directory, every section in order of kind, then the arrays of the tries and what the plan
 * says of them. The first defect ends the check. executor/src/table/verify.rs makes the same checks
 * in the same order; a test compares the two on thousands of damaged tables.
 *
 * This file has the frame: header and directory, which everything else relies on. Work is linear in
 * the size of the file.
 */
import { tableChecksum } from './checksum';
import { report } from './defect';
import {
  ADDRESS_BYTES,
  ADDRESS_SET_BYTES,
  CELL_BYTES,
  DEFECT_CHECKSUM,
  DEFECT_FILE_BYTES,
  DEFECT_KIND,
  DEFECT_MAGIC,
  DEFECT_MAJOR,
  DEFECT_MINOR,
  DEFECT_PADDING,
  DEFECT_RESERVED,
  DEFECT_SECTION_BYTES,
  DEFECT_SECTION_COUNT,
  DEFECT_SECTION_END,
  DEFECT_SECTION_OFFSET,
  DEFECT_SECTIONS,
  DEFECT_SHORT,
  DEFECT_TRAILING,
  DIRECTORY_BYTES,
  DIRECTORY_COUNT,
  DIRECTORY_KIND,
  DIRECTORY_OFFSET,
  DIRECTORY_SIZE,
  FACTS_BYTES,
  HEADER_BYTES,
  HEADER_CHECKSUM,
  HEADER_FILE_BYTES,
  HEADER_MAJOR,
  HEADER_MINOR,
  HEADER_RESERVED,
  HEADER_SECTIONS,
  MAGIC_HIGH,
  MAGIC_LOW,
  MAJOR,
  MEMBER_BYTES,
  MINOR,
  NAME_BYTES,
  PLAN_BYTES,
  PORT_RANGE_BYTES,
  PORT_SET_BYTES,
  PORT_SETS_MAX,
  PRIVATE_NAME_BYTES,
  PROTOCOL_TRIES,
  PROTOCOLS,
  RULE_BYTES,
  SECTION_FACTS,
  SECTION_PLAN,
  SECTION_PORT_SETS,
  SECTION_TRIES,
  SECTIONS,
  STRING_BYTES,
  TRIE_BYTES,
  UNIX_RULE_BYTES,
} from './format';
import { recordOffset, sectionCount } from './section';
import { checkArrays } from './verify-arrays';
import { checkPortRanges, checkPortSets, checkTries } from './verify-cells';
import { checkFacts, checkPrivateNames, checkUnixRules } from './verify-facts';
import { checkPlan, checkPlanned } from './verify-plan';
import { checkAddresses, checkNames, checkRules, checkStrings } from './verify-rules';
import { checkMembers, checkSets } from './verify-sets';

/** Whether the `bytes` bytes at `table` are a table; if not, the defect is in defect.ts. */
export function verify(table: usize, bytes: u32): bool {
  return (
    checkHeader(table, bytes) &&
    checkDirectory(table, bytes) &&
    checkCounts(table) &&
    checkPlan(table) &&
    checkTries(table) &&
    checkPortSets(table) &&
    checkPortRanges(table) &&
    checkRules(table) &&
    checkNames(table) &&
    checkAddresses(table) &&
    checkStrings(table) &&
    checkFacts(table) &&
    checkUnixRules(table) &&
    checkPrivateNames(table) &&
    checkSets(table) &&
    checkMembers(table) &&
    checkArrays(table) &&
    checkPlanned(table)
  );
}

function checkHeader(table: usize, bytes: u32): bool {
  if (bytes < HEADER_BYTES) return report(DEFECT_SHORT, bytes);
  if (load<u32>(table) != MAGIC_LOW || load<u32>(table, 4) != MAGIC_HIGH) {
    return report(DEFECT_MAGIC, 0);
  }
  if (<u32>load<u16>(table, HEADER_MAJOR) != MAJOR) return report(DEFECT_MAJOR, HEADER_MAJOR);
  if (<u32>load<u16>(table, HEADER_MINOR) > MINOR) return report(DEFECT_MINOR, HEADER_MINOR);
  if (load<u32>(table, HEADER_SECTIONS) != SECTIONS) {
    return report(DEFECT_SECTIONS, HEADER_SECTIONS);
  }
  if (bytes < HEADER_BYTES + SECTIONS * DIRECTORY_BYTES) return report(DEFECT_SHORT, bytes);
  if (load<u64>(table, HEADER_FILE_BYTES) != <u64>bytes) {
    return report(DEFECT_FILE_BYTES, HEADER_FILE_BYTES);
  }
  if (load<u32>(table, HEADER_CHECKSUM) != tableChecksum(table, bytes)) {
    return report(DEFECT_CHECKSUM, HEADER_CHECKSUM);
  }
  return checkZero(table, HEADER_RESERVED, HEADER_BYTES, DEFECT_RESERVED);
}

/** Every section right after its predecessor, as long as its count says, inside the file; the last one ends it. */
function checkDirectory(table: usize, bytes: u32): bool {
  let end: u64 = <u64>HEADER_BYTES + <u64>SECTIONS * <u64>DIRECTORY_BYTES;
  for (let kind: u32 = 1; kind <= SECTIONS; kind++) {
    const offset = recordOffset(kind);
    const record = table + offset;
    if (load<u32>(record, DIRECTORY_KIND) != kind) return report(DEFECT_KIND, offset);
    const size = load<u32>(record, DIRECTORY_SIZE);
    if (<u64>load<u32>(record, DIRECTORY_COUNT) * <u64>cellSize(kind) != <u64>size) {
      return report(DEFECT_SECTION_BYTES, offset + DIRECTORY_SIZE);
    }
    const start = (end + 7) & ~7;
    if (<u64>load<u32>(record, DIRECTORY_OFFSET) != start) {
      return report(DEFECT_SECTION_OFFSET, offset + DIRECTORY_OFFSET);
    }
    if (start + <u64>size > <u64>bytes) {
      return report(DEFECT_SECTION_END, offset + DIRECTORY_SIZE);
    }
    if (!checkZero(table, <u32>end, <u32>start, DEFECT_PADDING)) return false;
    end = start + <u64>size;
  }
  if (end != <u64>bytes) return report(DEFECT_TRAILING, <u32>end);
  return true;
}

/** Bytes of one cell of a section. */
function cellSize(kind: u32): u32 {
  switch (kind) {
    case 1:
      return PLAN_BYTES;
    case 2:
      return TRIE_BYTES;
    case 3:
      return PORT_SET_BYTES;
    case 4:
      return PORT_RANGE_BYTES;
    case 5:
      return RULE_BYTES;
    case 6:
      return NAME_BYTES;
    case 7:
      return ADDRESS_BYTES;
    case 8:
      return STRING_BYTES;
    case 9:
      return CELL_BYTES;
    case 10:
      return FACTS_BYTES;
    case 11:
      return UNIX_RULE_BYTES;
    case 12:
      return PRIVATE_NAME_BYTES;
    case 13:
      return ADDRESS_SET_BYTES;
    default:
      return MEMBER_BYTES;
  }
}

function checkCounts(table: usize): bool {
  const tries = sectionCount(table, SECTION_TRIES);
  const portSets = sectionCount(table, SECTION_PORT_SETS);
  if (sectionCount(table, SECTION_PLAN) != PROTOCOLS) return badCount(SECTION_PLAN);
  if (tries < PROTOCOL_TRIES || (tries & 1) != 0) return badCount(SECTION_TRIES);
  if (portSets < 2 || portSets > PORT_SETS_MAX + 1) return badCount(SECTION_PORT_SETS);
  if (sectionCount(table, SECTION_FACTS) != 1) return badCount(SECTION_FACTS);
  return true;
}

function badCount(kind: u32): bool {
  return report(DEFECT_SECTION_COUNT, recordOffset(kind) + DIRECTORY_COUNT);
}

/** Whether the bytes from offset `from` to `to` are zero; reports the first that is not. */
function checkZero(table: usize, from: u32, to: u32, code: u32): bool {
  for (let offset = from; offset < to; offset++) {
    if (load<u8>(table + offset) != 0) return report(code, offset);
  }
  return true;
}
