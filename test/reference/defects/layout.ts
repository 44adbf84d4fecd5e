/** Defects of the file as a whole: header, directory, and how sections lie one behind the other. */
import * as F from '../../../compiler/format.gen.ts';
import { SETS } from '../drafts.ts';
import { type Add, type Builder, type Edit, header, put, put8, record } from './editing.ts';

/** In the order of the checks. */
export function layoutDefects(add: Add, build: Builder): void {
  const shorten =
    (length: number): Edit =>
    (table) => {
      table.bytes = table.bytes.slice(0, length);
      return length;
    };
  add('short-empty', F.DEFECT_SHORT, 'no byte at all', shorten(0));
  add('short-header', F.DEFECT_SHORT, 'cut inside the header', shorten(63));
  add('short-directory', F.DEFECT_SHORT, 'cut inside the directory', shorten(100));
  add('magic', F.DEFECT_MAGIC, 'another first letter', put8(header(0), 0x73));
  add('magic-last-letter', F.DEFECT_MAGIC, 'another eighth letter', (table) => {
    table.set8(7, 0x6b);
    return 0;
  });
  add('major-3', F.DEFECT_MAJOR, 'version 3.0', put8(header(F.HEADER_MAJOR), 3));
  add('major-1', F.DEFECT_MAJOR, 'version 1.0', put8(header(F.HEADER_MAJOR), 1));
  add('major-0', F.DEFECT_MAJOR, 'version 0.0', put8(header(F.HEADER_MAJOR), 0));
  add('minor-newer', F.DEFECT_MINOR, 'version 2.1', put8(header(F.HEADER_MINOR), 1));
  add('sections-15', F.DEFECT_SECTIONS, 'fifteen sections', put(header(F.HEADER_SECTIONS), 15));
  add(
    'file-bytes-wrong',
    F.DEFECT_FILE_BYTES,
    'header says one byte more',
    put(header(F.HEADER_FILE_BYTES), (n) => n + 1),
  );
  add('file-bytes-high-half', F.DEFECT_FILE_BYTES, 'the right length plus 4 GiB', (table) => {
    table.set(F.HEADER_FILE_BYTES + 4, 1);
    return F.HEADER_FILE_BYTES;
  });
  add('truncated', F.DEFECT_FILE_BYTES, 'the last 8 bytes are missing', (table) => {
    table.bytes = table.bytes.slice(0, -8);
    return F.HEADER_FILE_BYTES;
  });
  add('extended', F.DEFECT_FILE_BYTES, '8 more bytes', (table) => {
    table.bytes = Uint8Array.from([...table.bytes, ...new Uint8Array(8)]);
    return F.HEADER_FILE_BYTES;
  });
  add('checksum-flipped-bit', F.DEFECT_CHECKSUM, 'a bit of a port is flipped', (table) => {
    const at = table.cell(F.SECTION_PORT_RANGES, 0);
    table.set8(at, table.get8(at) ^ 1);
    return F.HEADER_CHECKSUM;
  });
  add(
    'checksum-zero',
    F.DEFECT_CHECKSUM,
    'no checksum was stored',
    put(header(F.HEADER_CHECKSUM), 0),
  );
  add('header-reserved', F.DEFECT_RESERVED, 'a reserved byte of the header', put8(header(60), 1));
  add(
    'kinds-swapped',
    F.DEFECT_KIND,
    'section 3 stands in place 2',
    put(record(F.SECTION_TRIES, F.DIRECTORY_KIND), 3),
  );
  add(
    'section-bytes',
    F.DEFECT_SECTION_BYTES,
    'rules one byte longer than their count',
    put(record(F.SECTION_RULES, F.DIRECTORY_SIZE), (n) => n + 1),
  );
  add(
    'section-count-overflow',
    F.DEFECT_SECTION_BYTES,
    'count × cell is right only modulo 2^32',
    (table) => {
      const at = table.record(F.SECTION_RULES, F.DIRECTORY_COUNT);
      table.set(at, table.get(at) + 2 ** 26);
      return table.record(F.SECTION_RULES, F.DIRECTORY_SIZE);
    },
  );
  add(
    'section-gap',
    F.DEFECT_SECTION_OFFSET,
    'rules begin 8 bytes late',
    put(record(F.SECTION_RULES, F.DIRECTORY_OFFSET), (n) => n + 8),
  );
  add(
    'section-overlap',
    F.DEFECT_SECTION_OFFSET,
    'strings lie on the addresses',
    put(record(F.SECTION_STRINGS, F.DIRECTORY_OFFSET), (n) => n - 16),
  );
  add('section-end', F.DEFECT_SECTION_END, 'the last section reaches past the end', (table) => {
    const count = table.record(F.SECTION_MEMBERS, F.DIRECTORY_COUNT);
    const size = table.record(F.SECTION_MEMBERS, F.DIRECTORY_SIZE);
    table.set(count, table.get(count) + 1);
    table.set(size, table.get(size) + F.MEMBER_BYTES);
    return size;
  });
  add('padding', F.DEFECT_PADDING, 'a byte between strings and cells', (table) => {
    const at = table.cell(F.SECTION_CELLS, 0) - 1;
    table.set8(at, 1);
    return at;
  });
  add(
    'trailing',
    F.DEFECT_TRAILING,
    '8 bytes after the last section, counted by the header',
    (table) => {
      const end = table.bytes.length;
      table.bytes = Uint8Array.from([...table.bytes, ...new Uint8Array(8)]);
      table.set(F.HEADER_FILE_BYTES, end + 8);
      return end;
    },
  );
  add('plan-four-protocols', F.DEFECT_SECTION_COUNT, 'a plan of four cells', (table) => {
    table.cut(F.SECTION_PLAN, table.cell(F.SECTION_PLAN, 4), F.PLAN_BYTES);
    return table.record(F.SECTION_PLAN, F.DIRECTORY_COUNT);
  });
  const sets = build(SETS);
  const oddTries: Edit = (table) => {
    table.cut(F.SECTION_TRIES, table.cell(F.SECTION_TRIES, 11), F.TRIE_BYTES);
    return table.record(F.SECTION_TRIES, F.DIRECTORY_COUNT);
  };
  add('tries-odd', F.DEFECT_SECTION_COUNT, 'an IPv6 trie less than for IPv4', oddTries, sets);
  add('tries-8', F.DEFECT_SECTION_COUNT, 'no tries for udp-bind', (table) => {
    table.cut(F.SECTION_TRIES, table.cell(F.SECTION_TRIES, 8), 2 * F.TRIE_BYTES);
    return table.record(F.SECTION_TRIES, F.DIRECTORY_COUNT);
  });
  add('facts-none', F.DEFECT_SECTION_COUNT, 'no facts', (table) => {
    table.cut(F.SECTION_FACTS, table.cell(F.SECTION_FACTS, 0), F.FACTS_BYTES);
    return table.record(F.SECTION_FACTS, F.DIRECTORY_COUNT);
  });
}
