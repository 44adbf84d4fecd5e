/**
 * The section of cells while a table is built: the arrays of all tries one after another, each at a multiple of 8. An array that is there
 * already is named again instead of stored, as long as all namings together stay within SHARING_MAX times the section: that bound keeps
 * the work of a reader's checks linear in the size of the file, whatever the file says.
 */
import { fail } from './arena';
import { checksum } from './checksum';
import { FAILURE_TOO_LARGE, SHARING_MAX } from './format';
import { List, newList } from './list';
import { Memo, newMemo, recall, remember } from './memo';

// Array: offset u32, bytes u32, next array with the same checksum + 1 u32.
const ARRAY: u32 = 12;
const arrays: List = newList(ARRAY);
const byChecksum: Memo = newMemo();
const cells: List = newList(1);
let named: u64 = 0;

/** Begins an array of `bytes` bytes at the end and returns its address; the caller fills all of it, then calls `endArray`. */
export function beginArray(bytes: u64): usize {
  if (<u64>cells.count + bytes + 8 > 0xffffffff) fail(FAILURE_TOO_LARGE);
  return cells.pushMany(<u32>bytes);
}

/** Ends the array of `bytes` bytes that was begun last; returns its offset in the section, that of an equal earlier array if there is one. */
export function endArray(bytes: u32): u32 {
  const offset = cells.count - bytes;
  const ptr = cells.at(offset);
  const padded = (bytes + 7) & ~7;
  // Lengths differ in the upper half of the key, so equal keys mean equal lengths; the lower half is never the empty key 0.
  const key = ((<u64>bytes) << 32) | <u64>checksum(ptr, bytes);
  const known = recall(byChecksum, key);
  const head = known == 0 ? 0 : load<u32>(known);
  for (let next = head; next != 0; ) {
    const array = arrays.at(next - 1);
    const place = load<u32>(array);
    const mayShare = named + <u64>padded <= <u64>SHARING_MAX * <u64>offset;
    if (mayShare && memory.compare(cells.at(place), ptr, bytes) == 0) {
      cells.count = offset;
      named += <u64>padded;
      return place;
    }
    next = load<u32>(array, 8);
  }
  if (padded > bytes) memory.fill(cells.pushMany(padded - bytes), 0, padded - bytes);
  const array = arrays.push();
  store<u32>(array, offset);
  store<u32>(array, bytes, 4);
  store<u32>(array, head, 8);
  remember(byChecksum, key, arrays.count);
  named += <u64>padded;
  return offset;
}

/** Bytes of the section, a multiple of 8. */
export function cellBytes(): u32 {
  return cells.count;
}

export function copyCells(to: usize): void {
  memory.copy(to, cells.ptr, cells.count);
}
