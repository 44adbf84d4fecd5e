/** Many tries over the same arrays: a small file that would take long to check. */
import * as F from '../../../compiler/format.gen.ts';
import { MIXED, set } from '../drafts.ts';
import type { Editor } from '../edit.ts';

/** Many equal sets: their tries share arrays. */
export const MANY_SETS: typeof MIXED = {
  facts: MIXED.facts,
  unixRules: [],
  rules: Array.from({ length: 20 }, (_, i) => ({
    action: 'deny',
    protocol: 'tcp',
    ports: [{ low: 1, high: 1 }],
    target: { kind: 'set', set: `s${i}` },
    text: '',
    source: '',
    line: 0,
    column: 0,
  })),
  names: [],
  dns: MIXED.dns,
  sets: Array.from({ length: 20 }, (_, i) =>
    set(
      `s${i}`,
      Array.from({ length: 20 }, (_, j) => `10.${j * 2}.0.0/16`),
    ),
  ),
};

/** Points every trie to the arrays of the first set's and cuts the section of cells behind them. */
export function shareAll(table: Editor): number {
  const tries = table.get(table.record(F.SECTION_TRIES, F.DIRECTORY_COUNT));
  const first = table.cell(F.SECTION_TRIES, F.PROTOCOL_TRIES);
  for (let index = F.PROTOCOL_TRIES; index < tries; index += 2) {
    table.bytes.copyWithin(table.cell(F.SECTION_TRIES, index), first, first + F.TRIE_BYTES);
    const [ipv6, empty] = [table.cell(F.SECTION_TRIES, index + 1), table.cell(F.SECTION_TRIES, 1)];
    table.bytes.copyWithin(ipv6, empty, empty + F.TRIE_BYTES);
  }
  const end = table.get(first + F.TRIE_SETS) + F.SPAN_BYTES * table.get(first + F.TRIE_COUNT);
  const cut = Math.ceil(end / 8) * 8;
  table.cut(F.SECTION_CELLS, cut, table.cell(F.SECTION_FACTS, 0) - cut);
  const limit = F.SHARING_MAX * table.get(table.record(F.SECTION_CELLS, F.DIRECTORY_SIZE));
  let named = 0;
  for (let index = 0; ; index++) {
    const trie = table.cell(F.SECTION_TRIES, index);
    const count = table.get(trie + F.TRIE_COUNT);
    const root = ((1 << table.get8(trie + F.TRIE_ROOT_BITS)) + 1) * 4;
    const cellBytes = table.get8(trie + F.TRIE_SPANS) === 0 ? F.SET_BYTES : F.SPAN_BYTES;
    const starts = count * table.get8(trie + F.TRIE_START_BYTES);
    for (const bytes of [root, starts, count * cellBytes]) {
      named += Math.ceil(bytes / 8) * 8;
    }
    if (named > limit) return trie + F.TRIE_ROOT;
  }
}
