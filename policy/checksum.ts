/**
 * CRC-32C (Castagnoli; reflected polynomial 0x82f63b78, initial value and final xor 0xffffffff),
 * eight bytes a step by eight tables of 256: table k holds the effect of a byte that is followed by
 * k zero bytes.
 */
import { allocate } from './arena';
import { HEADER_CHECKSUM } from './format';

const POLYNOMIAL: u32 = 0x82f63b78;
const TABLE: usize = 1024;
const tables: usize = makeTables();

function makeTables(): usize {
  const base = allocate(8 * TABLE);
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
    store<u32>(base + ((<usize>byte) << 2), crc);
  }
  for (let cell = base; cell < base + 7 * TABLE; cell += 4) {
    const crc = load<u32>(cell);
    store<u32>(cell + TABLE, (crc >> 8) ^ load<u32>(base + ((<usize>(crc & 0xff)) << 2)));
  }
  return base;
}

/** The checksum of a table: of all its bytes, the field of the checksum taken as zero. `bytes` is at least a header. */
export function tableChecksum(table: usize, bytes: usize): u32 {
  let crc = update(0xffffffff, table, HEADER_CHECKSUM);
  for (let i = 0; i < 4; i++) crc = (crc >> 8) ^ at(0, crc & 0xff);
  const after = HEADER_CHECKSUM + 4;
  return ~update(crc, table + after, bytes - after);
}

/** The checksum of plain bytes. */
export function checksum(ptr: usize, bytes: usize): u32 {
  return ~update(0xffffffff, ptr, bytes);
}

function update(start: u32, ptr: usize, bytes: usize): u32 {
  let crc = start;
  let from = ptr;
  const end = ptr + bytes;
  // Compared as a distance: end may be the last address of the memory.
  while (end - from >= 8) {
    const low = load<u32>(from) ^ crc;
    const high = load<u32>(from, 4);
    crc =
      at(7, low & 0xff) ^
      at(6, (low >> 8) & 0xff) ^
      at(5, (low >> 16) & 0xff) ^
      at(4, low >> 24) ^
      at(3, high & 0xff) ^
      at(2, (high >> 8) & 0xff) ^
      at(1, (high >> 16) & 0xff) ^
      at(0, high >> 24);
    from += 8;
  }
  for (; from < end; from++) crc = (crc >> 8) ^ at(0, (crc ^ <u32>load<u8>(from)) & 0xff);
  return crc;
}

function at(table: usize, byte: u32): u32 {
  return load<u32>(tables + table * TABLE + ((<usize>byte) << 2));
}
