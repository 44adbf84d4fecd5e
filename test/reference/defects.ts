/**
 * Tables with one defect each, for every code of policy/format.ts: how the MIXED draft's table is
 * edited, and the code and byte offset with which every reader must refuse the result. The files in
 * test/bad-data are made from this list.
 */
import * as F from '../../compiler/format.gen.ts';
import { arrayDefects } from './defects/arrays.ts';
import { descriptorDefects } from './defects/descriptors.ts';
import type { Add, Builder } from './defects/editing.ts';
import { layoutDefects } from './defects/layout.ts';
import { ruleDefects } from './defects/rules.ts';
import { MIXED } from './drafts.ts';
import { edit, seal } from './edit.ts';

/** One damaged table. */
export interface BadTable {
  readonly name: string;
  readonly code: number;
  readonly offset: number;
  readonly why: string;
  readonly bytes: Uint8Array;
}

/** All damaged tables, in the order of the checks. */
export function badTables(build: Builder): readonly BadTable[] {
  const base = build(MIXED);
  const list: BadTable[] = [];
  const add: Add = (name, code, why, change, table = base) => {
    const editor = edit(table);
    const offset = change(editor);
    const raw = code === F.DEFECT_CHECKSUM;
    list.push({ name, code, offset, why, bytes: raw ? editor.bytes : seal(editor.bytes) });
  };
  layoutDefects(add, build);
  descriptorDefects(add, build);
  ruleDefects(add, build);
  arrayDefects(add, build);
  return list;
}
