/**
 * Checks the arrays of the tries: root, then starts, then cells, one trie after another. Their
 * places are checked already.
 */
import { report } from './defect';
import {
  backgroundOf,
  cellBytesOf,
  cellsOf,
  childOf,
  countOf,
  descriptor,
  hasSpans,
  longestSpanOf,
  rootBitsOf,
  rootOf,
  startBytesOf,
  startHi,
  startLo,
  startsOf,
} from './descriptor';
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
  SPAN_BITS,
  SPAN_RESERVED,
} from './format';
import { sectionCount } from './section';
import { isClosed } from './verify-cells';

export function checkArrays(table: usize): bool {
  const count = sectionCount(table, SECTION_TRIES);
  for (let i: u32 = 0; i < count; i++) {
    const trie = descriptor(table, i);
    if (!checkRoot(table, trie)) return false;
    if (!checkStarts(table, trie)) return false;
    if (!checkCells(table, trie, i)) return false;
  }
  return true;
}

function checkRoot(table: usize, trie: usize): bool {
  const root = rootOf(trie);
  const children: u32 = 1 << rootBitsOf(trie);
  const count = countOf(trie);
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
  const root = table + rootOf(trie);
  const starts = startsOf(trie);
  const startBytes = startBytesOf(trie);
  const children: u32 = 1 << rootBitsOf(trie);
  let beforeHi: u64 = 0;
  let beforeLo: u64 = 0;
  for (let child: u32 = 0; child < children; child++) {
    const end = load<u32>(root + ((<usize>(child + 1)) << 2));
    for (let i = load<u32>(root + ((<usize>child) << 2)); i < end; i++) {
      const offset = starts + i * startBytes;
      const keyHi = startHi(trie, table + offset, child);
      const keyLo = startLo(trie, table + offset);
      const ascends =
        i == 0 ? (keyHi | keyLo) == 0 : keyHi > beforeHi || (keyHi == beforeHi && keyLo > beforeLo);
      if (!ascends || childOf(trie, keyHi) != child) return report(DEFECT_START, offset);
      beforeHi = keyHi;
      beforeLo = keyLo;
    }
  }
  return true;
}

/**
 * Port sets exist, a closed protocol has none but the empty one, spans have possible lengths, and
 * every boundary changes something.
 */
function checkCells(table: usize, trie: usize, index: u32): bool {
  const cells = cellsOf(trie);
  const count = countOf(trie);
  const spans = hasSpans(trie);
  const cellBytes = cellBytesOf(trie);
  const background = backgroundOf(trie);
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
  return bits >= rootBitsOf(trie) && bits <= longestSpanOf(trie);
}
