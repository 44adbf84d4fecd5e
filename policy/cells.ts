/**
 * The section of cells while a table is built: the arrays of all tries one after another, each at a
 * multiple of 8. An array that is there already is named again instead of stored, as long as all
 * namings together stay within SHARING_MAX times the section: that bound keeps the work of a
 * reader's checks linear in the size of the file, whatever the file says.
 */
import { allocate, fail, release } from './arena';
import { BLOCK_BYTES } from './block';
import { FAILURE_TOO_LARGE, SHARING_MAX } from './format';
import { List, newList } from './list';
import { Memo, mix, newMemo, recall, remember } from './memo';

// Array: address usize, bytes u32, offset in the section u32, next array with the same hash + 1 u32.
const ARRAY: u32 = 16;
const ARRAY_BYTES: u32 = 4;
const ARRAY_OFFSET: u32 = 8;
const ARRAY_NEXT: u32 = 12;
const arrays: List = newList(ARRAY);
const byHash: Memo = newMemo();
let section: u32 = 0;
let named: u64 = 0;

/** Whether the array that was ended last is stored already: who has no more use for it may drop it. */
export let isStored: bool = false;

/** Begins an array of `bytes` bytes and returns its address; the caller fills all of it, then calls `endArray`. */
export function beginArray(bytes: u64): usize {
  if (<u64>section + bytes + 8 > 0xffffffff) fail(FAILURE_TOO_LARGE);
  return allocate(<usize>bytes);
}

/**
 * Ends the array of `bytes` bytes at `ptr`; returns its offset in the section, that of an equal
 * earlier array if there is one.
 */
export function endArray(ptr: usize, bytes: u32): u32 {
  const padded = (bytes + 7) & ~7;
  // Lengths differ in the upper half of the key, so equal keys mean equal lengths; it is never the empty key 0.
  const key = ((<u64>bytes) << 32) | <u64>hashOf(ptr, bytes);
  const known = recall(byHash, key);
  const head = known == 0 ? 0 : load<u32>(known);
  const mayShare = named + <u64>padded <= <u64>SHARING_MAX * <u64>section;
  for (let next = head; next != 0 && mayShare; ) {
    const array = arrays.at(next - 1);
    if (areEqual(load<usize>(array), ptr, bytes)) {
      isStored = true;
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
  remember(byHash, key, arrays.count);
  section += padded;
  named += <u64>padded;
  isStored = false;
  return offset;
}

/** Whether as many bytes may be named again as these three arrays have, which then counts as done. */
export function nameAgain(a: u64, b: u64, c: u64): bool {
  const all = ((a + 7) & ~7) + ((b + 7) & ~7) + ((c + 7) & ~7);
  if (named + all > <u64>SHARING_MAX * <u64>section) return false;
  named += all;
  return true;
}

/** Gives the memory of an array back that is stored already, if it was begun last of those that are left. */
export function dropArray(ptr: usize, bytes: u32): void {
  release(ptr, bytes);
}

function hashOf(ptr: usize, bytes: u32): u32 {
  // Zeros fill up the last eight bytes.
  const end = ptr + ((<usize>bytes + 7) & ~7);
  let hash: u64 = bytes;
  let from = ptr;
  for (; end - from > BLOCK_BYTES; from += BLOCK_BYTES) {
    hash = hashBlock(hash, from, from + BLOCK_BYTES);
  }
  return <u32>mix(hashBlock(hash, from, end));
}

function hashBlock(start: u64, from: usize, end: usize): u64 {
  let hash = start;
  for (let at = from; at < end; at += 8) {
    hash = (hash ^ load<u64>(at)) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  }
  return hash;
}

function areEqual(a: usize, b: usize, bytes: usize): bool {
  let done: usize = 0;
  for (; bytes - done > BLOCK_BYTES; done += BLOCK_BYTES) {
    if (memory.compare(a + done, b + done, BLOCK_BYTES) != 0) return false;
  }
  return memory.compare(a + done, b + done, bytes - done) == 0;
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
