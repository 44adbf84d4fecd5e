/**
 * How much of a list or an array one call works on. Engines begin with code that was made fast and
 * exchange it for code that is fast, but only between two calls of a function: a loop over a
 * million entries in one call would be slow to its end. So long loops are written as
 *
 *     for (; end - from > BLOCK_BYTES; from += BLOCK_BYTES) work(from, from + BLOCK_BYTES);
 *     work(from, end);
 *
 * with two callers of the function, because the compiler puts one that has a single caller back into it.
 */

/** Entries of a call. */
export const BLOCK: u32 = 4096;
/** Bytes of a call: as many entries of 24 bytes. */
export const BLOCK_BYTES: usize = 98304;
