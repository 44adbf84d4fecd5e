/**
 * Writes boundaries (fold.ts) as a trie of depth two (docs/format.md §4): the descriptor and its arrays root, starts and cells. Decides the
 * size class, that is rootBits and startBytes, and whether the trie has spans (spans.ts), and numbers the port sets of the table by first use.
 *
 * Sizes for n boundaries, c = ceil(log2 n), of which m are left with spans; a cell has 2 bytes without and 4 bytes with spans:
 *
 *     IPv4, n > 32768    rootBits 16       startBytes 2    4 (2^16 + 1) bytes + the smaller of 4 n and 6 m
 *     IPv4, else         rootBits c − 3    startBytes 4    about 0.25–0.5 n   + the smaller of 6 n and 8 m
 *     IPv6               rootBits c − 2, at most 18; startBytes 8 when no boundary has bits below the upper half, else 16
 *
 * so a child holds 4 to 8 boundaries where keys are spread evenly; IPv6 gets one bit more because addresses in use share their top three
 * bits (2000::/3), and 18 bits bound the root at 1 MiB.
 */
import { fail } from './arena';
import { beginArray, endArray } from './cells';
import { BOUNDARY, BOUNDARY_BITS, BOUNDARY_LO, BOUNDARY_SET } from './fold';
import {
  FAILURE_PORT_SETS,
  PORT_SETS_MAX,
  ROOT_BITS_MAX,
  SET_BYTES,
  SPAN_BITS,
  SPAN_BYTES,
  TRIE_BACKGROUND,
  TRIE_COUNT,
  TRIE_KEY_BITS,
  TRIE_ROOT,
  TRIE_ROOT_BITS,
  TRIE_SETS,
  TRIE_SPANS,
  TRIE_START_BYTES,
  TRIE_STARTS,
} from './format';
import { List, newList } from './list';
import { EMPTY, portSetCount } from './ports';
import { background, leaveOut, leftOut, measureSpans } from './spans';

/** From here on IPv4 uses two-byte starts: below, the root of 256 KiB would outweigh what they save. */
const WIDE_ROOT_COUNT: u32 = 32768;

/** Builder's id of each numbered port set, in the order of the table's ids. */
export const tableSets: List = newList(4);
/** Table's id of each of the builder's sets; 0 for the empty set and for those not numbered yet. */
const numbers: List = newList(4);

/** The table's id of a port set, a new one when it is used for the first time. */
export function numberSet(id: u32): u32 {
  if (tableSets.count == 0) store<u32>(tableSets.push(), EMPTY);
  if (id == EMPTY) return 0;
  while (numbers.count < portSetCount()) store<u32>(numbers.push(), 0);
  let number = load<u32>(numbers.at(id));
  if (number != 0) return number;
  number = tableSets.count;
  if (number >= PORT_SETS_MAX) fail(FAILURE_PORT_SETS);
  store<u32>(tableSets.push(), id);
  store<u32>(numbers.at(id), number);
  return number;
}

/**
 * Writes a trie. `descriptor` is the address of its zeroed descriptor, whose array offsets are relative to the section of cells until the
 * table is laid out. In a membership trie the port set is 0 or 1 and stands for itself.
 */
export function writeTrie(descriptor: usize, boundaries: List, keyBits: u32, member: bool): void {
  const rootBits = chooseRootBits(boundaries.count, keyBits);
  const startBytes = chooseStartBytes(boundaries, keyBits, rootBits);
  const spans = chooseSpans(boundaries, keyBits, rootBits, startBytes);
  if (spans) {
    leaveOut(boundaries);
    store<u8>(descriptor, 1, TRIE_SPANS);
    store<u16>(descriptor, <u16>(member ? background : numberSet(background)), TRIE_BACKGROUND);
  }
  store<u8>(descriptor, <u8>rootBits, TRIE_ROOT_BITS);
  store<u8>(descriptor, <u8>startBytes, TRIE_START_BYTES);
  store<u8>(descriptor, <u8>keyBits, TRIE_KEY_BITS);
  store<u32>(descriptor, boundaries.count, TRIE_COUNT);
  store<u32>(descriptor, writeRoot(boundaries, rootBits), TRIE_ROOT);
  store<u32>(descriptor, writeStarts(boundaries, startBytes), TRIE_STARTS);
  store<u32>(descriptor, writeCells(boundaries, spans, member), TRIE_SETS);
}

function chooseRootBits(count: u32, keyBits: u32): u32 {
  const sizeClass: u32 = count > 1 ? 32 - clz(count - 1) : 0;
  if (keyBits == 32) {
    if (count > WIDE_ROOT_COUNT) return 16;
    return sizeClass > 3 ? sizeClass - 3 : 0;
  }
  return min(sizeClass > 2 ? sizeClass - 2 : 0, ROOT_BITS_MAX);
}

function chooseStartBytes(boundaries: List, keyBits: u32, rootBits: u32): u32 {
  if (keyBits == 32) return rootBits >= 16 ? 2 : 4;
  const end = boundaries.at(boundaries.count);
  for (let boundary = boundaries.ptr; boundary < end; boundary += BOUNDARY) {
    if (load<u64>(boundary, BOUNDARY_LO) != 0) return 16;
  }
  return 8;
}

/** Whether spans make the trie smaller. */
function chooseSpans(boundaries: List, keyBits: u32, rootBits: u32, startBytes: u32): bool {
  const most: u32 = startBytes == 8 ? 64 : keyBits;
  measureSpans(boundaries, max(rootBits, 1), most);
  const count = <u64>boundaries.count;
  const plain = count * <u64>(startBytes + SET_BYTES);
  return (count - <u64>leftOut) * <u64>(startBytes + SPAN_BYTES) < plain;
}

function writeRoot(boundaries: List, rootBits: u32): u32 {
  const cells: u32 = (1 << rootBits) + 1;
  const root = beginArray((<u64>cells) << 2);
  let child: u32 = 0;
  for (let i: u32 = 0; i < boundaries.count; i++) {
    const hi = load<u64>(boundaries.at(i));
    const own: u32 = rootBits == 0 ? 0 : <u32>(hi >> <u64>(64 - rootBits));
    for (; child <= own; child++) store<u32>(root + ((<usize>child) << 2), i);
  }
  for (; child < cells; child++) store<u32>(root + ((<usize>child) << 2), boundaries.count);
  return endArray(root, cells << 2);
}

function writeStarts(boundaries: List, startBytes: u32): u32 {
  const bytes = <u64>boundaries.count * <u64>startBytes;
  const starts = beginArray(bytes);
  let start = starts;
  const end = boundaries.at(boundaries.count);
  for (let boundary = boundaries.ptr; boundary < end; boundary += BOUNDARY) {
    const hi = load<u64>(boundary);
    if (startBytes == 2) {
      store<u16>(start, <u16>(hi >> 32));
    } else if (startBytes == 4) {
      store<u32>(start, <u32>(hi >> 32));
    } else {
      store<u64>(start, hi);
      if (startBytes == 16) store<u64>(start, load<u64>(boundary, BOUNDARY_LO), 8);
    }
    start += startBytes;
  }
  return endArray(starts, <u32>bytes);
}

function writeCells(boundaries: List, spans: bool, member: bool): u32 {
  const cellBytes = spans ? SPAN_BYTES : SET_BYTES;
  const bytes = <u64>boundaries.count * <u64>cellBytes;
  const cells = beginArray(bytes);
  let cell = cells;
  const end = boundaries.at(boundaries.count);
  for (let boundary = boundaries.ptr; boundary < end; boundary += BOUNDARY) {
    const set = load<u32>(boundary, BOUNDARY_SET);
    store<u16>(cell, <u16>(member ? set : numberSet(set)));
    if (spans) store<u16>(cell, <u16>load<u32>(boundary, BOUNDARY_BITS), SPAN_BITS);
    cell += cellBytes;
  }
  return endArray(cells, <u32>bytes);
}
