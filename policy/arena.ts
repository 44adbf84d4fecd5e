/**
 * Memory of the module: one bump arena over the linear memory. An instance serves one build or one
 * open table and is then dropped as a whole, so nothing is freed but what was allocated last, and
 * memory is zero when it is handed out.
 *
 * There are no exceptions in this language: `fail` notes why the work can not go on and traps. The
 * caller (compiler/wasm.ts) reads `failure` and drops the instance, so nothing ever sees the
 * half-built state.
 */
import { FAILURE_NONE, FAILURE_TOO_LARGE } from './format';

const PAGE_BITS: u32 = 16;
/** Growth in pages; one MiB keeps the number of memory.grow calls small. */
const GROWTH: u32 = 16;

/** A FAILURE_ code once `fail` was called. */
export let failure: u32 = FAILURE_NONE;

let top: usize = (__heap_base + 15) & ~15;

/** Ends the instance. */
export function fail(code: u32): void {
  failure = code;
  unreachable();
}

/** Zeroed memory at a multiple of 16. Fails with FAILURE_TOO_LARGE when 4 GiB are used up. */
export function allocate(bytes: usize): usize {
  const ptr = top;
  reach(<u64>ptr + <u64>bytes);
  return ptr;
}

/** Gives the `bytes` bytes at `ptr` back if nothing was allocated after them; else they stay unused. */
export function release(ptr: usize, bytes: usize): void {
  if (((<u64>ptr + <u64>bytes + 15) & ~15) != <u64>top) return;
  memory.fill(ptr, 0, bytes);
  top = ptr;
}

/**
 * Room for `bytes` in place of the `used` bytes at `ptr`, contents kept: in place when nothing was
 * allocated after them, else a copy.
 */
export function extend(ptr: usize, used: usize, bytes: usize): usize {
  if (ptr != 0 && ((<u64>ptr + <u64>used + 15) & ~15) == <u64>top) {
    reach(<u64>ptr + <u64>bytes);
    return ptr;
  }
  const moved = allocate(bytes);
  if (used > 0) memory.copy(moved, ptr, used);
  return moved;
}

/** Moves the top to `end` rounded up to 16. In u64, because the sum may pass 4 GiB. */
function reach(end: u64): void {
  const wanted = (end + 15) & ~15;
  const present = (<u64>memory.size()) << PAGE_BITS;
  if (wanted > present) {
    const missing = (wanted - present + 0xffff) >> PAGE_BITS;
    const pages = missing > <u64>GROWTH ? missing : <u64>GROWTH;
    if (pages > 65535 || memory.grow(<i32>pages) < 0) {
      if (missing > 65535 || memory.grow(<i32>missing) < 0) fail(FAILURE_TOO_LARGE);
    }
  }
  // The last page of a 4 GiB memory ends at 2^32, which a pointer can not hold.
  if (wanted > 0xffff0000) fail(FAILURE_TOO_LARGE);
  top = <usize>wanted;
}
