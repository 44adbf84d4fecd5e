/** Checks the sections that look-ups read apart from plan and arrays: trie descriptors, port sets and their ranges. */
import { report } from './defect';
import {
  backgroundOf,
  cellsBytes,
  countOf,
  hasSpans,
  keyBitsOf,
  rootBitsOf,
  rootBytes,
  startBytesOf,
  startsBytes,
} from './descriptor';
import {
  CELL_BYTES,
  DEFECT_ARRAY_ALIGN,
  DEFECT_ARRAY_PLACE,
  DEFECT_BACKGROUND,
  DEFECT_KEY_BITS,
  DEFECT_PORT_RANGE,
  DEFECT_PORT_SET,
  DEFECT_RESERVED,
  DEFECT_ROOT_BITS,
  DEFECT_SHARING,
  DEFECT_SPANS,
  DEFECT_START_BYTES,
  DEFECT_TRIE_COUNT,
  MODE_CLOSED,
  PLAN_BYTES,
  PLAN_MODE,
  PORT_RANGE_BYTES,
  PORT_SET_BYTES,
  PROTOCOL_TRIES,
  ROOT_BITS_MAX,
  SECTION_CELLS,
  SECTION_PLAN,
  SECTION_PORT_RANGES,
  SECTION_PORT_SETS,
  SECTION_TRIES,
  SHARING_MAX,
  TRIE_BACKGROUND,
  TRIE_BYTES,
  TRIE_COUNT,
  TRIE_KEY_BITS,
  TRIE_RESERVED,
  TRIE_ROOT,
  TRIE_ROOT_BITS,
  TRIE_SETS,
  TRIE_SPANS,
  TRIE_START_BYTES,
  TRIE_STARTS,
} from './format';
import { sectionBytes, sectionCount, sectionOffset } from './section';

export function checkTries(table: usize): bool {
  const tries = sectionOffset(table, SECTION_TRIES);
  const count = sectionCount(table, SECTION_TRIES);
  const limit = <u64>SHARING_MAX * <u64>sectionBytes(table, SECTION_CELLS);
  let named: u64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const offset = tries + i * TRIE_BYTES;
    if (!checkTrie(table, offset, i)) return false;
    const trie = table + offset;
    named += padded(rootBytes(trie)) + padded(startsBytes(trie)) + padded(cellsBytes(trie));
    if (named > limit) return report(DEFECT_SHARING, offset + TRIE_ROOT);
  }
  return true;
}

function checkTrie(table: usize, offset: u32, index: u32): bool {
  const trie = table + offset;
  const keyBits: u32 = (index & 1) == 0 ? 32 : 128;
  const rootBits = rootBitsOf(trie);
  const startBytes = startBytesOf(trie);
  if (rootBits > ROOT_BITS_MAX) return report(DEFECT_ROOT_BITS, offset + TRIE_ROOT_BITS);
  const fits =
    keyBits == 32
      ? startBytes == 4 || (startBytes == 2 && rootBits >= 16)
      : startBytes == 8 || startBytes == 16;
  if (!fits) return report(DEFECT_START_BYTES, offset + TRIE_START_BYTES);
  if (keyBitsOf(trie) != keyBits) {
    return report(DEFECT_KEY_BITS, offset + TRIE_KEY_BITS);
  }
  if (load<u8>(trie, TRIE_SPANS) > 1) return report(DEFECT_SPANS, offset + TRIE_SPANS);
  if (countOf(trie) == 0) return report(DEFECT_TRIE_COUNT, offset + TRIE_COUNT);
  if (!checkArray(table, offset + TRIE_ROOT, rootBytes(trie))) return false;
  if (!checkArray(table, offset + TRIE_STARTS, startsBytes(trie))) return false;
  if (!checkArray(table, offset + TRIE_SETS, cellsBytes(trie))) return false;
  const limit: u32 = hasSpans(trie) ? setLimit(table, index) : 1;
  if (backgroundOf(trie) >= limit) return report(DEFECT_BACKGROUND, offset + TRIE_BACKGROUND);
  for (let field = TRIE_RESERVED; field < TRIE_BYTES; field++) {
    if (load<u8>(trie + field) != 0) return report(DEFECT_RESERVED, offset + field);
  }
  return true;
}

/** Checks the place of an array of `bytes` bytes, whose offset stands at `field`. */
function checkArray(table: usize, field: u32, bytes: u64): bool {
  const start = load<u32>(table + field);
  const cells = sectionOffset(table, SECTION_CELLS);
  const end = <u64>cells + <u64>sectionCount(table, SECTION_CELLS) * <u64>CELL_BYTES;
  if ((start & 7) != 0) return report(DEFECT_ARRAY_ALIGN, field);
  if (start < cells || <u64>start + bytes > end) return report(DEFECT_ARRAY_PLACE, field);
  return true;
}

/** Port sets that a trie may name are below this: in a trie of membership 0 and 1, for a closed protocol only 0. */
function setLimit(table: usize, index: u32): u32 {
  if (index >= PROTOCOL_TRIES) return 2;
  return isClosed(table, index >> 1) ? 1 : sectionCount(table, SECTION_PORT_SETS) - 1;
}

export function isClosed(table: usize, protocol: u32): bool {
  const plan = table + sectionOffset(table, SECTION_PLAN) + protocol * PLAN_BYTES;
  return load<u32>(plan, PLAN_MODE) == MODE_CLOSED;
}

function padded(bytes: u64): u64 {
  return (bytes + 7) & ~7;
}

/** The index of ranges: it leads from 0 to the number of ranges and never descends, and set 0 is empty. */
export function checkPortSets(table: usize): bool {
  const portSets = sectionOffset(table, SECTION_PORT_SETS);
  const count = sectionCount(table, SECTION_PORT_SETS);
  const ranges = sectionCount(table, SECTION_PORT_RANGES);
  let before: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const offset = portSets + i * PORT_SET_BYTES;
    const first = load<u32>(table + offset);
    if (i < 2 ? first != 0 : first < before) return report(DEFECT_PORT_SET, offset);
    before = first;
  }
  if (before != ranges) return report(DEFECT_PORT_SET, portSets + (count - 1) * PORT_SET_BYTES);
  return true;
}

export function checkPortRanges(table: usize): bool {
  const portSets = table + sectionOffset(table, SECTION_PORT_SETS);
  const sets = sectionCount(table, SECTION_PORT_SETS) - 1;
  const ranges = sectionOffset(table, SECTION_PORT_RANGES);
  for (let set: u32 = 0; set < sets; set++) {
    const first = load<u32>(portSets + <usize>set * PORT_SET_BYTES);
    const end = load<u32>(portSets + <usize>(set + 1) * PORT_SET_BYTES);
    let after: u32 = 0;
    for (let i = first; i < end; i++) {
      const offset = ranges + i * PORT_RANGE_BYTES;
      const low = <u32>load<u16>(table + offset);
      const high = <u32>load<u16>(table + offset, 2);
      if (low > high || (i > first && low <= after)) return report(DEFECT_PORT_RANGE, offset);
      after = high + 1;
    }
  }
  return true;
}
