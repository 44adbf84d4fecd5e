/** Checks the arrays of the tries: root, then starts, then cells, one trie after another. Their places are checked already. */
import { report } from './defect';
import {
  DEFECT_CLOSED,
  DEFECT_RESERVED,
  DEFECT_ROOT,
  DEFECT_SET,
  DEFECT_SET_REPEATED,
  DEFECT_SPAN,
  DEFECT_START,
  PROTOCOL_TRIES,
  SECTION_PORT_SETS,
  SECTION_TRIES,
  SET_BYTES,
  SPAN_BITS,
  SPAN_BYTES,
  SPAN_RESERVED,
  TRIE_BACKGROUND,
  TRIE_BYTES,
  TRIE_COUNT,
  TRIE_KEY_BITS,
  TRIE_ROOT,
  TRIE_ROOT_BITS,
  TRIE_SETS,
  TRIE_SPANS,
  TRIE_START_BYTES,
  TRIE_STARTS,
} from './format';
import { sectionCount, sectionOffset } from './section';
import { isClosed } from './verify-cells';

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
    if (!checkCells(table, trie, i)) return false;
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

/** Port sets exist, a closed protocol has none but the empty one, spans have possible lengths, and every boundary changes something. */
function checkCells(table: usize, trie: usize, index: u32): bool {
  const cells = load<u32>(trie, TRIE_SETS);
  const count = load<u32>(trie, TRIE_COUNT);
  const spans = load<u8>(trie, TRIE_SPANS) != 0;
  const cellBytes = spans ? SPAN_BYTES : SET_BYTES;
  const background = <u32>load<u16>(trie, TRIE_BACKGROUND);
  const member = index >= PROTOCOL_TRIES;
  const limit: u32 = member ? 2 : sectionCount(table, SECTION_PORT_SETS) - 1;
  const closed = !member && isClosed(table, index >> 1);
  // What applies before the boundary: above every 16-bit port set at first, so the first boundary repeats nothing.
  let before: u32 = 0x10000;
  for (let i: u32 = 0; i < count; i++) {
    const offset = cells + i * cellBytes;
    const set = <u32>load<u16>(table + offset);
    if (set >= limit) return report(DEFECT_SET, offset);
    if (closed && set != 0) return report(DEFECT_CLOSED, offset);
    const bits = spans ? <u32>load<u8>(table + offset, SPAN_BITS) : 0;
    if (spans) {
      if (!isSpanLength(trie, bits)) return report(DEFECT_SPAN, offset + SPAN_BITS);
      if (load<u8>(table + offset, SPAN_RESERVED) != 0) {
        return report(DEFECT_RESERVED, offset + SPAN_RESERVED);
      }
    }
    if (set == (bits == 0 ? before : background)) return report(DEFECT_SET_REPEATED, offset);
    before = bits == 0 ? set : background;
  }
  return true;
}

/** 0 is no span; a span lies in one child and ends where starts have bits. */
function isSpanLength(trie: usize, bits: u32): bool {
  if (bits == 0) return true;
  const most: u32 = load<u8>(trie, TRIE_START_BYTES) == 8 ? 64 : <u32>load<u8>(trie, TRIE_KEY_BITS);
  return bits >= <u32>load<u8>(trie, TRIE_ROOT_BITS) && bits <= most;
}
