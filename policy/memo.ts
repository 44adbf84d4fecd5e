/**
 * Hash tables from 64-bit keys to 32-bit values, open addressing with linear probing. Used to
 * remember which port set a pair of port sets folds to, and to find equal arrays again. Key 0 is
 * free for callers that never store it: a cell with key 0 is empty.
 */
import { allocate } from './arena';

const CELL: u32 = 16;
const FIRST_CELLS: u32 = 64;

@unmanaged
export class Memo {
  ptr: usize;
  /** Cells − 1; the number of cells is a power of two. */
  mask: u32;
  count: u32;
}

export function newMemo(): Memo {
  const memo = changetype<Memo>(allocate(offsetof<Memo>()));
  memo.ptr = allocate(FIRST_CELLS * CELL);
  memo.mask = FIRST_CELLS - 1;
  return memo;
}

/** The address of the value of `key` (not 0), or 0. Valid until the next `remember`. */
export function recall(memo: Memo, key: u64): usize {
  const cell = find(memo, key);
  return load<u64>(cell) == 0 ? 0 : cell + 8;
}

/** Stores `value` under `key` (not 0). */
export function remember(memo: Memo, key: u64, value: u32): void {
  // At most three quarters full: probes stay short.
  if (memo.count >= (memo.mask >> 2) * 3) grow(memo);
  const cell = find(memo, key);
  if (load<u64>(cell) == 0) memo.count += 1;
  store<u64>(cell, key);
  store<u32>(cell, value, 8);
}

/** The cell that holds `key`, or the empty one where it belongs. */
function find(memo: Memo, key: u64): usize {
  let index = <u32>mix(key) & memo.mask;
  while (true) {
    const cell = memo.ptr + <usize>index * CELL;
    const present = load<u64>(cell);
    if (present == key || present == 0) return cell;
    index = (index + 1) & memo.mask;
  }
}

function grow(memo: Memo): void {
  const old = memo.ptr;
  const cells = memo.mask + 1;
  memo.ptr = allocate(<usize>cells * 2 * CELL);
  memo.mask = cells * 2 - 1;
  for (let i: u32 = 0; i < cells; i++) {
    const from = old + <usize>i * CELL;
    const key = load<u64>(from);
    if (key == 0) continue;
    const to = find(memo, key);
    store<u64>(to, key);
    store<u32>(to, load<u32>(from, 8), 8);
  }
}

/** Spreads the key over all bits (the finaliser of splitmix64). */
export function mix(key: u64): u64 {
  let x = key;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}
