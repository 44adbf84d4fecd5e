/**
 * Writes entries (prefix.ts) as a trie of depth two (docs/format.md §4): the descriptor and its
 * arrays root, starts and cells. Decides the size class, that is rootBits and startBytes, whether
 * the trie has spans (spans.ts), and whether it tells who is in sets (tags.ts). Folds twice: the
 * first time to learn how many boundaries there are and of what kind, the second time to write
 * them.
 *
 * Sizes for n boundaries, c = ceil(log2 n), of which m are left with spans; a cell has 2 bytes
 * without and 4 bytes with spans:
 *
 *     IPv4, n > 32768    rootBits 16       startBytes 2    4 (2^16 + 1) bytes + the smaller of 4 n and 6 m
 *     IPv4, else         rootBits c − 3    startBytes 4    about 0.25–0.5 n   + the smaller of 6 n and 8 m
 *     IPv6               rootBits c − 2, at most 18; startBytes 8 when no boundary has bits below the upper half, else 16
 *
 * so a child holds 4 to 8 boundaries where keys are spread evenly; IPv6 gets one bit more because
 * addresses in use share their top three bits (2000::/3), and 18 bits bound the root at 1 MiB.
 */
import { beginArray, dropArray, endArray, isStored, nameAgain } from './cells';
import { cellsBytes, rootBytes, startsBytes } from './descriptor';
import {
  BOUNDARY,
  BOUNDARY_LO,
  BOUNDARY_TAG,
  beginFold,
  boundaries,
  foldOn,
  isFolded,
  ready,
} from './fold';
import {
  ROOT_BITS_MAX,
  SET_BYTES,
  SPAN_BITS,
  SPAN_BYTES,
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
import { List } from './list';
import { Memo, newMemo, recall, remember } from './memo';
import {
  background,
  bitsUntil,
  chooseBackground,
  clearSpans,
  countSpan,
  leftOut,
  spanBits,
} from './spans';
import { bareOf, isOverfull, NOTHING, noteTrie, numberTag } from './tags';

/** From here on IPv4 uses two-byte starts: below, the root of 256 KiB would outweigh what they save. */
const WIDE_ROOT_COUNT: u32 = 32768;

/** No tag. */
const NONE: u32 = 0xffffffff;

// What the first fold told: the number of boundaries, and whether any has bits in its lower half.
let count: u32 = 0;
let isDeep: bool = false;
/** How many of them change ports. */
let countOfPorts: u32 = 0;
/** What applies before a boundary, without sets. */
let before: u32 = NONE;
/** Whether any is in a set. */
let hasSets: bool = false;

/** Descriptors of the tries of lists of which each entry allows the same, by list and tag. */
const known: Memo = newMemo();

/** Whether this is the second fold. */
let isWriting: bool = false;

// The form of the trie that is being written.
let rootBits: u32 = 0;
let startBytes: u32 = 0;
let spans: bool = false;
/** Whether the trie written last tells who is in the sets of its rules. */
export let tellsSets: bool = false;
/** Its number, by which the tags know that it has them. */
export let trieNumber: u32 = 0;
let mostBits: u32 = 0;
let isMember: bool = false;

// How far its arrays are written, and whether the last boundary is a span that the next one only ends.
let root: usize = 0;
let child: u32 = 0;
let start: usize = 0;
let cell: usize = 0;
let written: u32 = 0;
let isInSpan: bool = false;

/**
 * Writes the trie of sorted entries, `alone` as for `beginFold`. `descriptor` is the address of its
 * zeroed descriptor, whose array offsets are relative to the section of cells until the table is
 * laid out. In a membership trie the tag is 0 or 1 and stands for itself.
 */
export function writeTrie(
  descriptor: usize,
  entries: List,
  alone: u32,
  keyBits: u32,
  member: bool,
): void {
  const isUniform = alone != NOTHING && entries.count != 0;
  const key = isUniform ? keyOf(entries, alone, member) : 0;
  tellsSets = false;
  if (isUniform && copyTrie(descriptor, recall(known, key))) return;
  trieNumber += 1;
  isMember = member;
  measure(entries, alone, false);
  tellsSets = hasSets && isWorthwhile();
  if (hasSets && !tellsSets) measure(entries, alone, true);
  rootBits = chooseRootBits(count, keyBits);
  startBytes = keyBits == 32 ? (rootBits >= 16 ? 2 : 4) : isDeep ? 16 : 8;
  mostBits = startBytes == 8 ? 64 : keyBits;
  chooseSpans();
  store<u8>(descriptor, <u8>rootBits, TRIE_ROOT_BITS);
  store<u8>(descriptor, <u8>startBytes, TRIE_START_BYTES);
  store<u8>(descriptor, <u8>keyBits, TRIE_KEY_BITS);
  store<u8>(descriptor, <u8>spans, TRIE_SPANS);
  store<u16>(descriptor, <u16>(spans ? numberOf(background) : 0), TRIE_BACKGROUND);
  store<u32>(descriptor, count, TRIE_COUNT);
  writeArrays(descriptor, entries, alone);
  if (isUniform) remember(known, key, <u32>descriptor);
}

/**
 * Whether sets are told here: not where all addresses have the same ports, which may need no
 * look-up at all, and not at the price of a trie more than twice as long. The tries that the sets
 * would have beside it are together at least as long as what is added.
 */
function isWorthwhile(): bool {
  return !isOverfull && countOfPorts > 1 && count <= 2 * countOfPorts;
}

function keyOf(entries: List, tag: u32, member: bool): u64 {
  return ((<u64>changetype<usize>(entries)) << 32) | ((<u64>tag) << 1) | (member ? 1 : 0);
}

/** Writes a trie once more that is written already: a set alone in a policy has the trie of its protocol. */
function copyTrie(descriptor: usize, found: usize): bool {
  if (found == 0) return false;
  const from = <usize>load<u32>(found);
  if (!nameAgain(rootBytes(from), startsBytes(from), cellsBytes(from))) return false;
  memory.copy(descriptor, from, TRIE_BYTES);
  return true;
}

function measure(entries: List, alone: u32, bare: bool): void {
  count = 0;
  countOfPorts = 0;
  before = NONE;
  hasSets = false;
  isDeep = false;
  clearSpans();
  isWriting = false;
  beginFold(entries, alone, bare);
  while (!isFolded) step();
}

/** Folds on and measures or writes what comes of it. Called from two places (block.ts). */
function step(): void {
  foldOn();
  if (isWriting) writeReady();
  else measureReady();
}

function measureReady(): void {
  count += ready;
  const end = boundaries.at(ready);
  const last = boundaries.at(boundaries.count - 1);
  for (let boundary = boundaries.ptr; boundary < end; boundary += BOUNDARY) {
    if (load<u64>(boundary, BOUNDARY_LO) != 0) isDeep = true;
    const tag = load<u32>(boundary, BOUNDARY_TAG);
    const bare = bareOf(tag);
    if (bare != tag) hasSets = true;
    if (bare != before) countOfPorts += 1;
    before = bare;
    // What reaches to the end of all addresses is followed by nothing.
    if (boundary == last) break;
    const next = boundary + BOUNDARY;
    countSpan(bitsUntil(boundary, next), load<u32>(next, BOUNDARY_TAG));
  }
}

function chooseRootBits(count: u32, keyBits: u32): u32 {
  const sizeClass: u32 = count > 1 ? 32 - clz(count - 1) : 0;
  if (keyBits == 32) {
    if (count > WIDE_ROOT_COUNT) return 16;
    return sizeClass > 3 ? sizeClass - 3 : 0;
  }
  return min(sizeClass > 2 ? sizeClass - 2 : 0, ROOT_BITS_MAX);
}

/** Takes spans if they make the trie smaller. */
function chooseSpans(): void {
  chooseBackground(max(rootBits, 1), mostBits > 64);
  const plain = <u64>count * <u64>(startBytes + SET_BYTES);
  spans = <u64>(count - leftOut) * <u64>(startBytes + SPAN_BYTES) < plain;
  if (spans) count -= leftOut;
}

function writeArrays(descriptor: usize, entries: List, alone: u32): void {
  const cellBytes = spans ? SPAN_BYTES : SET_BYTES;
  const rootCells: u32 = (1 << rootBits) + 1;
  const allRoot = (<u64>rootCells) << 2;
  const allStarts = <u64>count * <u64>startBytes;
  const allCells = <u64>count * <u64>cellBytes;
  // Cells come to lie below the others, which more tries have in common, so that those can be dropped alone.
  const firstCell = beginArray(allCells);
  const firstRoot = beginArray(allRoot);
  const firstStart = beginArray(allStarts);
  root = firstRoot;
  child = 0;
  start = firstStart;
  cell = firstCell;
  written = 0;
  isInSpan = false;
  isWriting = true;
  beginFold(entries, alone, !tellsSets);
  while (!isFolded) step();
  for (; child < rootCells; child++) pushRoot();
  store<u32>(descriptor, endArray(firstRoot, <u32>allRoot), TRIE_ROOT);
  const dropsRoot = isStored;
  store<u32>(descriptor, endArray(firstStart, <u32>allStarts), TRIE_STARTS);
  const dropsStarts = isStored;
  store<u32>(descriptor, endArray(firstCell, <u32>allCells), TRIE_SETS);
  const dropsCells = isStored;
  if (dropsStarts) dropArray(firstStart, <u32>allStarts);
  if (dropsRoot) dropArray(firstRoot, <u32>allRoot);
  if (dropsCells) dropArray(firstCell, <u32>allCells);
}

function writeReady(): void {
  const end = boundaries.at(ready);
  const last = boundaries.at(boundaries.count - 1);
  const least = max(rootBits, 1);
  for (let boundary = boundaries.ptr; boundary < end; boundary += BOUNDARY) {
    if (isInSpan) {
      isInSpan = false;
      continue;
    }
    const hasNext = spans && boundary != last;
    const bits = hasNext ? spanBits(boundary, boundary + BOUNDARY, least, mostBits) : 0;
    isInSpan = bits != 0;
    const hi = load<u64>(boundary);
    const own: u32 = rootBits == 0 ? 0 : <u32>(hi >> <u64>(64 - rootBits));
    for (; child <= own; child++) pushRoot();
    pushStart(hi, boundary);
    store<u16>(cell, <u16>numberOf(load<u32>(boundary, BOUNDARY_TAG)));
    if (spans) store<u16>(cell, <u16>bits, SPAN_BITS);
    cell += spans ? SPAN_BYTES : SET_BYTES;
    written += 1;
  }
}

/** The run of the next child begins with the boundary that is written next. */
function pushRoot(): void {
  store<u32>(root, written);
  root += 4;
}

function pushStart(hi: u64, boundary: usize): void {
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

function numberOf(tag: u32): u32 {
  if (isMember) return tag;
  if (tellsSets) noteTrie(tag, trieNumber);
  return numberTag(tag);
}
