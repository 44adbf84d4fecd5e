/**
 * Seeded damage to tables: flipped bits, overwritten fields, moved blocks, cuts and extensions,
 * with and without the checksum set right again. Most of it aims at the fields that say where
 * things are, because a flip in a large array is rarely interesting.
 */
import * as F from '../../compiler/format.gen.ts';
import { edit, seal } from './edit.ts';
import type { Random } from './random.ts';

const NOTABLE = [
  0, 1, 2, 7, 8, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff,
];

/** Where the first section begins. */
const SECTIONS_START = F.HEADER_BYTES + F.SECTIONS * F.DIRECTORY_BYTES;

/** A damaged copy of a table; `what` names the damage for failures. */
export function mutate(random: Random, table: Uint8Array): { bytes: Uint8Array; what: string } {
  const editor = edit(table);
  const steps = random.oneIn(4) ? 2 : 1;
  const what: string[] = [];
  for (let step = 0; step < steps; step++) {
    const change = random.pick(CHANGES);
    what.push(`${change.name} ${change(random, editor)}`);
  }
  // A file whose length changed keeps its old fileBytes half of the time.
  if (editor.bytes.length >= F.HEADER_BYTES && random.oneIn(2)) {
    editor.set(F.HEADER_FILE_BYTES, editor.bytes.length);
  }
  if (!random.oneIn(5)) {
    seal(editor.bytes);
    what.push('sealed');
  }
  return { bytes: editor.bytes, what: what.join(', ') };
}

type Editor = ReturnType<typeof edit>;
type Change = (random: Random, table: Editor) => string;

const flipBit: Change = (random, table) => {
  const at = random.below(table.bytes.length);
  table.set8(at, table.get8(at) ^ (1 << random.below(8)));
  return `${at}`;
};

const setByte: Change = (random, table) => {
  const at = random.below(table.bytes.length);
  table.set8(at, random.below(256));
  return `${at}`;
};

/** A u32 anywhere, to a notable value or a little more or less. */
const setField: Change = (random, table) => {
  const cells = table.bytes.length >> 2;
  if (cells === 0) return 'nothing';
  return overwrite(random, table, 4 * random.below(cells));
};

/** A u32 of header, directory, plan or descriptors: where things are. */
const setPlace: Change = (random, table) => {
  const end =
    Math.min(
      table.bytes.length,
      table.bytes.length > SECTIONS_START ? placesEnd(table) : SECTIONS_START,
    ) >> 2;
  if (end === 0) return 'nothing';
  return overwrite(random, table, 4 * random.below(end));
};

/** Header up to the port sets; of a damaged directory, whatever is there. */
function placesEnd(table: Editor): number {
  return Math.max(SECTIONS_START, table.get(table.record(F.SECTION_PORT_SETS, F.DIRECTORY_OFFSET)));
}

function overwrite(random: Random, table: Editor, at: number): string {
  const old = table.get(at);
  const values = [old + 1, old - 1, old + 8, old - 8, old * 2, old ^ 0x10000, table.bytes.length];
  table.set(at, random.oneIn(2) ? random.pick(NOTABLE) : random.pick(values) >>> 0);
  return `${at}: ${old} → ${table.get(at)}`;
}

/** A field of some rule, name or descriptor, one byte wide. */
const setCellByte: Change = (random, table) => {
  if (table.bytes.length < SECTIONS_START) return 'nothing';
  const kind = random.pick([
    F.SECTION_TRIES,
    F.SECTION_TRIES,
    F.SECTION_RULES,
    F.SECTION_RULES,
    F.SECTION_NAMES,
    F.SECTION_PLAN,
    F.SECTION_FACTS,
    F.SECTION_UNIX_RULES,
    F.SECTION_SETS,
    F.SECTION_MEMBERS,
  ]);
  const start = table.get(table.record(kind, F.DIRECTORY_OFFSET));
  const size = table.get(table.record(kind, F.DIRECTORY_SIZE));
  const at = start + random.below(size);
  if (at >= table.bytes.length) return 'nothing';
  table.set8(at, random.pick([0, 1, 2, 3, 4, 5, 16, 18, 19, 32, 33, 128, 129, 255]));
  return `${at}`;
};

const copyBlock: Change = (random, table) => {
  const { length } = table.bytes;
  const [from, to] = [random.below(length), random.below(length)];
  table.bytes.copyWithin(to, from, Math.min(length, from + 1 + random.below(64)));
  return `${from} → ${to}`;
};

const cutEnd: Change = (random, table) => {
  const length = random.oneIn(2)
    ? Math.max(1, table.bytes.length - 1 - random.below(64))
    : 1 + random.below(table.bytes.length);
  table.bytes = table.bytes.slice(0, length);
  return `${length}`;
};

const extend: Change = (random, table) => {
  const extra = Uint8Array.from({ length: 1 + random.below(32) }, () =>
    random.oneIn(2) ? 0 : 255,
  );
  table.bytes = Uint8Array.from([...table.bytes, ...extra]);
  return `${extra.length}`;
};

const setVersion: Change = (random, table) => {
  if (table.bytes.length < F.HEADER_BYTES) return 'nothing';
  table.set16(random.pick([F.HEADER_MAJOR, F.HEADER_MINOR]), random.below(4));
  return `${table.get16(F.HEADER_MAJOR)}.${table.get16(F.HEADER_MINOR)}`;
};

const CHANGES: readonly Change[] = [
  flipBit,
  flipBit,
  setByte,
  setField,
  setField,
  setField,
  setPlace,
  setPlace,
  setPlace,
  setCellByte,
  setCellByte,
  copyBlock,
  cutEnd,
  extend,
  setVersion,
];
