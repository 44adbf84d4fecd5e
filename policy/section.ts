/**
 * Where the sections of a table lie, by its directory. Trusts the directory: verify.ts checks it
 * before anything else asks.
 */
import {
  DIRECTORY_BYTES,
  DIRECTORY_COUNT,
  DIRECTORY_OFFSET,
  DIRECTORY_SIZE,
  HEADER_BYTES,
} from './format';

/** Offset of a section from the start of the file. */
export function sectionOffset(table: usize, kind: u32): u32 {
  return load<u32>(record(table, kind), DIRECTORY_OFFSET);
}

/** Cells of a section. */
export function sectionCount(table: usize, kind: u32): u32 {
  return load<u32>(record(table, kind), DIRECTORY_COUNT);
}

/** Bytes of a section. */
export function sectionBytes(table: usize, kind: u32): u32 {
  return load<u32>(record(table, kind), DIRECTORY_SIZE);
}

/** Offset of the directory record of a section. */
export function recordOffset(kind: u32): u32 {
  return HEADER_BYTES + (kind - 1) * DIRECTORY_BYTES;
}

function record(table: usize, kind: u32): usize {
  return table + recordOffset(kind);
}
