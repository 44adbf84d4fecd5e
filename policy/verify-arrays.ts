/** Checks the arrays of the tries: root, then starts, then port sets, one trie after another. Their places are checked already. */
import { report } from './defect';
import {
  DEFECT_CLOSED,
  DEFECT_ROOT,
  DEFECT_SET,
  DEFECT_SET_REPEATED,
  DEFECT_START,
  MODE_CLOSED,
  PLAN_BYTES,
  PROTOCOL_TRIES,
  SECTION_PLAN,
  SECTION_PORT_SETS,
  SECTION_TRIES,
  TRIE_BYTES,
  TRIE_COUNT,
  TRIE_ROOT,
  TRIE_ROOT_BITS,
  TRIE_SETS,
  TRIE_START_BYTES,
  TRIE_STARTS,
} from './format';
import { sectionCount, sectionOffset } from './section';

/** Key of the start read last, top-aligned as in lookup.ts. */
let keyHi: u64 = 0;
let keyLo: u64 = 0;

export function checkArrays(table: usize): bool {
  const tries = table + sectionOffset(table, SECTION_TRIES);
  const count = sectionCount(table, SECTION_TRIES);
  for (let i: u32 = 0; i < count; i++) {
    const trie = tries + <usize>i * TRIE_BYTES;
    if (!checkRoot(table, trie)) return false;
    if (!checkStarts(table, trie)) return false;
    if (!checkSets(table, trie, i)) return false;
  }
  return true;
}

function checkRoot(table: usize, trie: usize): bool {
  const root = load<u32>(trie, TRIE_ROOT);
  const children: u32 = 1 << (<u32>load<u8>(trie, TRIE_ROOT_BITS));
  const count = load<u32>(trie, TRIE_COUNT);
  let before: u32 = 0;
  for (let child: u32 = 0; child <= children; child++) {
    const offset = root + (child << 2);
    const first = load<u32>(table + offset);
    const right =
      child == 0
        ? first == 0
        : child == children
          ? first == count
          : first >= before && first <= count;
    if (!right) return report(DEFECT_ROOT, offset);
    before = first;
  }
  return true;
}

/** Keys ascend, the first is 0, and each lies in the child whose run it stands in. */
function checkStarts(table: usize, trie: usize): bool {
  const root = table + load<u32>(trie, TRIE_ROOT);
  const starts = load<u32>(trie, TRIE_STARTS);
  const rootBits = <u32>load<u8>(trie, TRIE_ROOT_BITS);
  const startBytes = <u32>load<u8>(trie, TRIE_START_BYTES);
  const children: u32 = 1 << rootBits;
  let beforeHi: u64 = 0;
  let beforeLo: u64 = 0;
  for (let child: u32 = 0; child < children; child++) {
    const end = load<u32>(root + ((<usize>(child + 1)) << 2));
    for (let i = load<u32>(root + ((<usize>child) << 2)); i < end; i++) {
      const offset = starts + i * startBytes;
      readKey(table + offset, startBytes, child, rootBits);
      const ascends =
        i == 0 ? (keyHi | keyLo) == 0 : keyHi > beforeHi || (keyHi == beforeHi && keyLo > beforeLo);
      const inChild = rootBits == 0 || keyHi >> <u64>(64 - rootBits) == <u64>child;
      if (!ascends || !inChild) return report(DEFECT_START, offset);
      beforeHi = keyHi;
      beforeLo = keyLo;
    }
  }
  return true;
}

function readKey(start: usize, startBytes: u32, child: u32, rootBits: u32): void {
  keyLo = 0;
  if (startBytes == 2) {
    // The root has consumed at least the upper half; the start holds the lower one.
    const upper = child >> (rootBits - 16);
    keyHi = (<u64>((upper << 16) | <u32>load<u16>(start))) << 32;
  } else if (startBytes == 4) {
    keyHi = (<u64>load<u32>(start)) << 32;
  } else {
    keyHi = load<u64>(start);
    if (startBytes == 16) keyLo = load<u64>(start, 8);
  }
}

function checkSets(table: usize, trie: usize, index: u32): bool {
  const sets = load<u32>(trie, TRIE_SETS);
  const count = load<u32>(trie, TRIE_COUNT);
  const member = index >= PROTOCOL_TRIES;
  const limit: u32 = member ? 2 : sectionCount(table, SECTION_PORT_SETS) - 1;
  const closed = !member && isClosed(table, index >> 1);
  // Above every 16-bit port set, so the first boundary repeats nothing.
  let before: u32 = 0x10000;
  for (let i: u32 = 0; i < count; i++) {
    const offset = sets + (i << 1);
    const set = <u32>load<u16>(table + offset);
    if (set >= limit) return report(DEFECT_SET, offset);
    if (closed && set != 0) return report(DEFECT_CLOSED, offset);
    if (set == before) return report(DEFECT_SET_REPEATED, offset);
    before = set;
  }
  return true;
}

function isClosed(table: usize, protocol: u32): bool {
  return (
    load<u32>(table + sectionOffset(table, SECTION_PLAN) + protocol * PLAN_BYTES) == MODE_CLOSED
  );
}
