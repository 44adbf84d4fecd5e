/**
 * How the lists of defects are written: an edit changes one thing of a table and reports the byte
 * at which a reader must see it.
 */
import * as F from '../../../compiler/format.gen.ts';
import type { MIXED } from '../drafts.ts';
import type { Editor } from '../edit.ts';

/** Changes a table; the offset at which it is then refused. */
export type Edit = (table: Editor) => number;

/** Where something stands in a table. */
export type Place = (table: Editor) => number;

/** Builds the table of a draft. */
export type Builder = (draft: typeof MIXED) => Uint8Array;

/**
 * Adds a damaged table: its name, the defect's code, what is wrong, and the edit of `table`; of
 * MIXED's if that is left out.
 */
export type Add = (
  name: string,
  code: number,
  why: string,
  change: Edit,
  table?: Uint8Array,
) => void;

/** Sets a field and reports its own offset. */
export const put =
  (place: Place, value: number | ((old: number) => number)): Edit =>
  (table) => {
    const at = place(table);
    table.set(at, typeof value === 'number' ? value : value(table.get(at)));
    return at;
  };

/** The same for one byte. */
export const put8 =
  (place: Place, value: number): Edit =>
  (table) => {
    const at = place(table);
    table.set8(at, value);
    return at;
  };

/** A field of the header. */
export const header =
  (field: number): Place =>
  () =>
    field;

/** A field of a section's record in the directory. */
export const record =
  (kind: number, field: number): Place =>
  (table) =>
    table.record(kind, field);

/** A field of cell `index` of a section. */
export const field =
  (kind: number, index: number, at: number): Place =>
  (table) =>
    table.cell(kind, index) + at;

export const trie = (index: number, at: number): Place => field(F.SECTION_TRIES, index, at);

export const rule = (index: number, at: number): Place => field(F.SECTION_RULES, index, at);

/** What applies behind the spans of a trie. */
export const background = (index: number): Place => trie(index, F.TRIE_BACKGROUND);

/** Gives a protocol another mode. */
export const plan = (protocol: number, mode: number): Edit =>
  put(field(F.SECTION_PLAN, protocol, F.PLAN_MODE), mode);
