/**
 * The descriptor of a trie and what is reckoned from it alone (docs/format.md §4): for look-ups,
 * for those who walk a trie, and for the checks, which read it before it is known to be right. `at`
 * is the descriptor's address. Trusts that it lies inside the table and nothing else.
 */
import {
  SECTION_TRIES,
  SET_BYTES,
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
import { sectionOffset } from './section';

/** Address of the descriptor of the trie with that number. */
export function descriptor(table: usize, trie: u32): usize {
  return table + sectionOffset(table, SECTION_TRIES) + <usize>trie * TRIE_BYTES;
}

export function rootBitsOf(at: usize): u32 {
  return <u32>load<u8>(at, TRIE_ROOT_BITS);
}

export function startBytesOf(at: usize): u32 {
  return <u32>load<u8>(at, TRIE_START_BYTES);
}

export function keyBitsOf(at: usize): u32 {
  return <u32>load<u8>(at, TRIE_KEY_BITS);
}

export function hasSpans(at: usize): bool {
  return load<u8>(at, TRIE_SPANS) != 0;
}

/** Number of boundaries. */
export function countOf(at: usize): u32 {
  return load<u32>(at, TRIE_COUNT);
}

/** Offsets of the arrays from the start of the table. */
export function rootOf(at: usize): u32 {
  return load<u32>(at, TRIE_ROOT);
}

export function startsOf(at: usize): u32 {
  return load<u32>(at, TRIE_STARTS);
}

export function cellsOf(at: usize): u32 {
  return load<u32>(at, TRIE_SETS);
}

/** The port set that applies behind spans. */
export function backgroundOf(at: usize): u32 {
  return <u32>load<u16>(at, TRIE_BACKGROUND);
}

export function cellBytesOf(at: usize): u32 {
  return hasSpans(at) ? SPAN_BYTES : SET_BYTES;
}

/** Bytes of the arrays. */
export function rootBytes(at: usize): u64 {
  return (((<u64>1) << (<u64>rootBitsOf(at))) + 1) << 2;
}

export function startsBytes(at: usize): u64 {
  return <u64>countOf(at) * <u64>startBytesOf(at);
}

export function cellsBytes(at: usize): u64 {
  return <u64>countOf(at) * <u64>cellBytesOf(at);
}

/** The longest span: starts of 8 bytes have no bits below the upper half. */
export function longestSpanOf(at: usize): u32 {
  return startBytesOf(at) == 8 ? 64 : keyBitsOf(at);
}

/** The child that a key selects by its upper half; IPv4 in the upper 32 bits of that. */
export function childOf(at: usize, hi: u64): u32 {
  const rootBits = <u64>rootBitsOf(at);
  // A shift by 64 would be a shift by 0.
  return rootBits == 0 ? 0 : <u32>(hi >> (64 - rootBits));
}

/** The upper half of the key whose start is at `start`, in a child. */
export function startHi(at: usize, start: usize, child: u32): u64 {
  const startBytes = startBytesOf(at);
  if (startBytes >= 8) return load<u64>(start);
  if (startBytes == 4) return (<u64>load<u32>(start)) << 32;
  // The root has consumed at least the upper half; the start holds the lower one.
  const upper = child >> (rootBitsOf(at) - 16);
  return (<u64>((upper << 16) | <u32>load<u16>(start))) << 32;
}

/** The lower half of the key whose start is at `start`. */
export function startLo(at: usize, start: usize): u64 {
  return startBytesOf(at) == 16 ? load<u64>(start, 8) : 0;
}
