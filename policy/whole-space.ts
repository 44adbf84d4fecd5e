/**
 * Whether the rules of a protocol tell addresses apart, and which ports they leave: what the
 * builder decides the plan by and the verifier checks it against. Trusts the directory and the
 * descriptors of the tries.
 */
import { cellsOf, countOf, descriptor, hasSpans } from './descriptor';
import { PORT_RANGE_BYTES, PORT_SET_BYTES, SECTION_PORT_RANGES, SECTION_PORT_SETS } from './format';
import { sectionOffset } from './section';

/** No port set: different addresses have different ones. */
export const DIFFERENT: u32 = 0xffffffff;

/** The port set of every address of both families; DIFFERENT when there is no such. */
export function portsOfAll(table: usize, protocol: u32): u32 {
  const ipv4 = descriptor(table, 2 * protocol);
  const ipv6 = descriptor(table, 2 * protocol + 1);
  if (!hasOneBoundary(ipv4) || !hasOneBoundary(ipv6)) return DIFFERENT;
  const ports = <u32>load<u16>(table + cellsOf(ipv4));
  return ports == <u32>load<u16>(table + cellsOf(ipv6)) ? ports : DIFFERENT;
}

/**
 * Whether a trie has nothing but the boundary at its first key. A span is not all of its trie:
 * around it there is the background.
 */
function hasOneBoundary(trie: usize): bool {
  return countOf(trie) == 1 && !hasSpans(trie);
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
