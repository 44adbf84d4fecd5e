/**
 * Whether the rules of a protocol tell addresses apart, and which ports they leave: what the builder decides the plan by and the verifier checks it against.
 * Trusts the directory and the descriptors of the tries.
 */
import {
  PORT_RANGE_BYTES,
  PORT_SET_BYTES,
  SECTION_PORT_RANGES,
  SECTION_PORT_SETS,
  SECTION_TRIES,
  TRIE_BYTES,
  TRIE_COUNT,
  TRIE_SETS,
  TRIE_SPANS,
} from './format';
import { sectionOffset } from './section';

/** No port set: different addresses have different ones. */
export const DIFFERENT: u32 = 0xffffffff;

/** The port set of every address of both families; DIFFERENT when there is no such. */
export function portsOfAll(table: usize, protocol: u32): u32 {
  const tries = table + sectionOffset(table, SECTION_TRIES);
  const ipv4 = tries + <usize>(2 * protocol) * TRIE_BYTES;
  const ipv6 = ipv4 + TRIE_BYTES;
  if (!hasOneBoundary(ipv4) || !hasOneBoundary(ipv6)) return DIFFERENT;
  const ports = <u32>load<u16>(table + load<u32>(ipv4, TRIE_SETS));
  return ports == <u32>load<u16>(table + load<u32>(ipv6, TRIE_SETS)) ? ports : DIFFERENT;
}

/** Whether a trie has nothing but the boundary at its first key. A span is not all of its trie: around it there is the background. */
function hasOneBoundary(trie: usize): bool {
  return load<u32>(trie, TRIE_COUNT) == 1 && load<u8>(trie, TRIE_SPANS) == 0;
}

/** Whether a port set is the range 0–65535. */
export function areAllPorts(table: usize, set: u32): bool {
  return countPorts(table, set) == 65536;
}

/** How many ports a set holds. */
export function countPorts(table: usize, set: u32): u32 {
  const cell = table + sectionOffset(table, SECTION_PORT_SETS) + <usize>set * PORT_SET_BYTES;
  const ranges = table + sectionOffset(table, SECTION_PORT_RANGES);
  let count: u32 = 0;
  for (let i = load<u32>(cell); i < load<u32>(cell, PORT_SET_BYTES); i++) {
    const range = load<u32>(ranges + <usize>i * PORT_RANGE_BYTES);
    count += (range >> 16) - (range & 0xffff) + 1;
  }
  return count;
}
