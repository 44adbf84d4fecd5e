/**
 * The section of cells while a table is built: the arrays of all tries one after another, each at a multiple of 8. An array that is there
 * already is named again instead of stored, as long as all namings together stay within SHARING_MAX times the section: that bound keeps
 * the work of a reader's checks linear in the size of the file, whatever the file says.
 */
import { allocate, fail, release } from './arena';
import { checksum } from './checksum';
import { FAILURE_TOO_LARGE, SHARING_MAX } from './format';
import { List, newList } from './list';
import { Memo, newMemo, recall, remember } from './memo';

// Array: address usize, bytes u32, offset in the section u32, next array with the same checksum + 1 u32.
const ARRAY: u32 = 16;
const ARRAY_BYTES: u32 = 4;
const ARRAY_OFFSET: u32 = 8;
const ARRAY_NEXT: u32 = 12;
const arrays: List = newList(ARRAY);
const byChecksum: Memo = newMemo();
let section: u32 = 0;
let named: u64 = 0;

/** Begins an array of `bytes` bytes and returns its address; the caller fills all of it, then calls `endArray`. */
export function beginArray(bytes: u64): usize {
  if (<u64>section + bytes + 8 > 0xffffffff) fail(FAILURE_TOO_LARGE);
  return allocate(<usize>bytes);
}

/** Ends the array of `bytes` bytes at `ptr`; returns its offset in the section, that of an equal earlier array if there is one. */
export function endArray(ptr: usize, bytes: u32): u32 {
  const padded = (bytes + 7) & ~7;
  // Lengths differ in the upper half of the key, so equal keys mean equal lengths; the lower half is never the empty key 0.
  const key = ((<u64>bytes) << 32) | <u64>checksum(ptr, bytes);
  const known = recall(byChecksum, key);
  const head = known == 0 ? 0 : load<u32>(known);
  const mayShare = named + <u64>padded <= <u64>SHARING_MAX * <u64>section;
  for (let next = head; next != 0 && mayShare; ) {
    const array = arrays.at(next - 1);
    if (memory.compare(load<usize>(array), ptr, bytes) == 0) {
      release(ptr, bytes);
      named += <u64>padded;
      return load<u32>(array, ARRAY_OFFSET);
    }
    next = load<u32>(array, ARRAY_NEXT);
  }
  const array = arrays.push();
  const offset = section;
  store<usize>(array, ptr);
  store<u32>(array, bytes, ARRAY_BYTES);
  store<u32>(array, offset, ARRAY_OFFSET);
  store<u32>(array, head, ARRAY_NEXT);
  remember(byChecksum, key, arrays.count);
  section += padded;
  named += <u64>padded;
  return offset;
}

/** Bytes of the section, a multiple of 8. */
export function cellBytes(): u32 {
  return section;
}

/** Copies the section to zeroed memory. */
export function copyCells(to: usize): void {
  for (let i: u32 = 0; i < arrays.count; i++) {
    const array = arrays.at(i);
    const ptr = load<usize>(array);
    memory.copy(to + load<u32>(array, ARRAY_OFFSET), ptr, load<u32>(array, ARRAY_BYTES));
  }
}
