/**
 * Which names a name of the table stands for: itself, or of a wildcard every name below it
 * (docs/format.md §6). The executor compares in the same way (test/name-vectors/names.txt is for
 * both).
 */
import {
  NAME_BYTES,
  NAME_KIND,
  NAME_TEXT,
  NAME_TEXT_BYTES,
  NAME_WILDCARD,
  SECTION_NAMES,
  SECTION_STRINGS,
} from './format';
import { table } from './lookup';
import { sectionCount, sectionOffset } from './section';

const DOT: u8 = 0x2e;

/**
 * Writes the numbers of the names that stand for the `bytes` bytes at `asked`: lower case, without
 * final dot. Returns how many.
 */
export function findNames(asked: usize, bytes: u32, numbers: usize): u32 {
  const count = sectionCount(table, SECTION_NAMES);
  let found: u32 = 0;
  for (let index: u32 = 0; index < count; index++) {
    if (!standsFor(index, asked, bytes)) continue;
    store<u32>(numbers + ((<usize>found) << 2), index);
    found += 1;
  }
  return found;
}

function standsFor(index: u32, asked: usize, bytes: u32): bool {
  const name = table + sectionOffset(table, SECTION_NAMES) + <usize>index * NAME_BYTES;
  const text = table + sectionOffset(table, SECTION_STRINGS) + load<u32>(name, NAME_TEXT);
  const textBytes = load<u32>(name, NAME_TEXT_BYTES);
  if (load<u32>(name, NAME_KIND) != NAME_WILDCARD) {
    return bytes == textBytes && memory.compare(asked, text, bytes) == 0;
  }
  // One letter and the dot at least stand before the text.
  if (bytes < textBytes + 2) return false;
  const suffix = asked + (bytes - textBytes);
  return load<u8>(suffix - 1) == DOT && memory.compare(suffix, text, textBytes) == 0;
}
