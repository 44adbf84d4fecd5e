/**
 * A growing array of cells of one size in the arena. Doubling; the memory of an outgrown copy is
 * not used again. Decides nothing about what the cells hold: callers load and store through `at`.
 */
import { allocate, extend } from './arena';

@unmanaged
export class List {
  ptr: usize;
  count: u32;
  capacity: u32;
  /** Bytes of one cell. */
  cell: u32;

  /** Address of cell `index`, valid until the list grows. */
  at(index: u32): usize {
    return this.ptr + <usize>index * this.cell;
  }

  /** Appends one cell (contents undefined) and returns its address. */
  push(): usize {
    const count = this.count;
    if (count == this.capacity) this.grow(<u64>count + 1);
    this.count = count + 1;
    return this.at(count);
  }

  /** Appends `more` cells (contents undefined) and returns the address of the first. */
  pushMany(more: u32): usize {
    const count = this.count;
    this.reserve(more);
    this.count = count + more;
    return this.at(count);
  }

  /** Makes room for `more` cells at once, so that pushing them does not copy the list again and again. */
  reserve(more: u32): void {
    const wanted = <u64>this.count + <u64>more;
    if (wanted > <u64>this.capacity) this.grow(wanted);
  }

  /** Makes room for `wanted` cells in all, at least doubling. */
  grow(wanted: u64): void {
    let capacity = <u64>this.capacity * 2;
    if (capacity < wanted) capacity = wanted;
    if (capacity < 16) capacity = 16;
    // Above 4 GiB the arena refuses; clamped so that the product does not wrap.
    let bytes = capacity * <u64>this.cell;
    if (bytes > 0xffffffff) bytes = 0xffffffff;
    this.ptr = extend(this.ptr, <usize>this.capacity * this.cell, <usize>bytes);
    this.capacity = <u32>(bytes / <u64>this.cell);
  }
}

/** A new empty list of cells of `cell` bytes. */
export function newList(cell: u32): List {
  const list = changetype<List>(allocate(offsetof<List>()));
  list.cell = cell;
  return list;
}
