/** Edits of a table's bytes for tests: fields by section and cell, cuts, and the checksum set right again. */
import * as F from '../../compiler/format.gen.ts';

/** A table that may be edited. */
export interface Editor {
  bytes: Uint8Array;
  get(offset: number): number;
  set(offset: number, value: number): void;
  get16(offset: number): number;
  set16(offset: number, value: number): void;
  get8(offset: number): number;
  set8(offset: number, value: number): void;
  /** Offset of cell `index` of a section. */
  cell(kind: number, index: number): number;
  /** Offset of a field of a section's directory record. */
  record(kind: number, field: number): number;
  /** Removes `count` bytes at `offset` from section `kind`; what follows moves, and all offsets with it. */
  cut(kind: number, offset: number, count: number): void;
}

const CELL_BYTES: Readonly<Record<number, number>> = {
  [F.SECTION_PLAN]: F.PLAN_BYTES,
  [F.SECTION_TRIES]: F.TRIE_BYTES,
  [F.SECTION_PORT_SETS]: F.PORT_SET_BYTES,
  [F.SECTION_PORT_RANGES]: F.PORT_RANGE_BYTES,
  [F.SECTION_RULES]: F.RULE_BYTES,
  [F.SECTION_NAMES]: F.NAME_BYTES,
  [F.SECTION_ADDRESSES]: F.ADDRESS_BYTES,
  [F.SECTION_STRINGS]: F.STRING_BYTES,
  [F.SECTION_CELLS]: F.CELL_BYTES,
  [F.SECTION_FACTS]: F.FACTS_BYTES,
  [F.SECTION_UNIX_RULES]: F.UNIX_RULE_BYTES,
  [F.SECTION_PRIVATE_NAMES]: F.PRIVATE_NAME_BYTES,
  [F.SECTION_SETS]: F.ADDRESS_SET_BYTES,
  [F.SECTION_MEMBERS]: F.MEMBER_BYTES,
};

/** An editor of a copy of the table. */
export function edit(table: Uint8Array): Editor {
  const view = (): DataView => new DataView(editor.bytes.buffer);
  const editor: Editor = {
    bytes: table.slice(),
    get: (offset) => view().getUint32(offset, true),
    set: (offset, value) => view().setUint32(offset, value, true),
    get16: (offset) => view().getUint16(offset, true),
    set16: (offset, value) => view().setUint16(offset, value, true),
    get8: (offset) => view().getUint8(offset),
    set8: (offset, value) => view().setUint8(offset, value),
    record: (kind, field) => F.HEADER_BYTES + (kind - 1) * F.DIRECTORY_BYTES + field,
    cell(kind, index) {
      const offset = editor.get(editor.record(kind, F.DIRECTORY_OFFSET));
      return offset + index * (CELL_BYTES[kind] ?? 1);
    },
    cut(kind, offset, count) {
      const size = editor.record(kind, F.DIRECTORY_SIZE);
      editor.set(size, editor.get(size) - count);
      const cells = editor.record(kind, F.DIRECTORY_COUNT);
      editor.set(cells, editor.get(cells) - count / (CELL_BYTES[kind] ?? 1));
      for (let after = kind + 1; after <= F.SECTIONS; after++) {
        const place = editor.record(after, F.DIRECTORY_OFFSET);
        editor.set(place, editor.get(place) - count);
      }
      const { bytes } = editor;
      editor.bytes = Uint8Array.from([
        ...bytes.subarray(0, offset),
        ...bytes.subarray(offset + count),
      ]);
      editor.set(F.HEADER_FILE_BYTES, editor.bytes.length);
    },
  };
  return editor;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  return crc;
});

/** CRC-32C of bytes, one at a time (RFC 3720 appendix B.4). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (crcTable[(crc ^ byte) & 0xff] ?? 0);
  return ~crc >>> 0;
}

/** Sets the checksum right, in place, if there is room for it. */
export function seal(table: Uint8Array): Uint8Array {
  if (table.length < F.HEADER_CHECKSUM + 4) return table;
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  view.setUint32(F.HEADER_CHECKSUM, 0, true);
  view.setUint32(F.HEADER_CHECKSUM, crc32c(table), true);
  return table;
}
