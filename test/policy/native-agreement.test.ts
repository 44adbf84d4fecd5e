/**
 * The two readers of tables, policy.wasm and the executor, on the same bytes: equal verdicts for
 * every query, equal defects for every damaged table. The golden model judges policy.wasm
 * (golden.test.ts), so agreement carries its judgement over.
 */
import { beforeAll, expect, test } from 'vitest';
import * as F from '../../compiler/format.gen.ts';
import { openTable } from '../../compiler/table.ts';
import { edit, seal } from '../reference/edit.ts';
import { createLargeDraft, UPPER } from '../reference/large.ts';
import { BUILDS, opened, RELEASE, tableOf } from '../reference/modules.ts';
import { mutate } from '../reference/mutate.ts';
import { type NativeTables, openNative } from '../reference/native.ts';
import {
  createRandom,
  describeQuery,
  encodeQueries,
  type Random,
  randomDraft,
  randomQueries,
} from '../reference/random.ts';

let native: NativeTables;
beforeAll(() => {
  native = openNative();
});

test('for 250 random policies, 2000 queries each, the executor gives the verdicts of policy.wasm', () => {
  let allowed = 0;
  for (let seed = 1; seed <= 250; seed++) {
    const random = createRandom(400_000 + seed);
    const draft = randomDraft(random, 1 + random.below(60));
    const queries = randomQueries(random, draft, 2000);
    const encoded = encodeQueries(queries);
    const bytes = tableOf(RELEASE, draft);
    const ours = opened(RELEASE, bytes).lookupMany(encoded);
    const theirs = native.lookupMany(bytes, encoded);
    const differs = ours.findIndex((verdict, i) => verdict !== theirs[i]);
    const query = queries[differs];
    if (query !== undefined) expect.fail(`seed ${seed}: ${describeQuery(query)}`);
    allowed += ours.reduce((sum, verdict) => sum + verdict, 0);
  }
  expect(allowed).toBeGreaterThan(50_000);
});

test('for tables of every size class, 100,000 queries each, the executor gives the verdicts of policy.wasm', () => {
  for (const large of [
    createLargeDraft(1, 6_000),
    createLargeDraft(2, 6_000, UPPER),
    createLargeDraft(3, 30_000),
  ]) {
    const bytes = tableOf(RELEASE, large.draft);
    const encoded = encodeQueries(large.queries(100_000));
    const ours = opened(RELEASE, bytes).lookupMany(encoded);
    expect(Buffer.compare(ours, native.lookupMany(bytes, encoded))).toBe(0);
  }
});

test('8000 damaged tables are refused by both readers for the same defect, or answer alike', () => {
  const seen = new Map<number, number>();
  let accepted = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const random = createRandom(900_000 + seed);
    const draft = randomDraft(random, random.below(30));
    const table = tableOf(RELEASE, draft);
    const encoded = encodeQueries(randomQueries(random, draft, 50));
    for (let i = 0; i < 200; i++) {
      const { bytes, what } = mutate(random, table);
      const { module } = random.oneIn(4) ? BUILDS[0] : BUILDS[1];
      const ours = openTable(module, bytes);
      const theirs = native.verify(bytes);
      const defect = ours.ok ? undefined : { code: ours.defect.code, offset: ours.defect.offset };
      expect(theirs, `seed ${seed}.${i}: ${what}`).toEqual(defect);
      seen.set(defect?.code ?? 0, (seen.get(defect?.code ?? 0) ?? 0) + 1);
      if (!ours.ok) continue;
      accepted++;
      const verdicts = ours.table.lookupMany(encoded);
      const same = Buffer.compare(verdicts, native.lookupMany(bytes, encoded)) === 0;
      expect(same, `seed ${seed}.${i}: ${what}: verdicts differ`).toBe(true);
    }
  }
  // The damage must reach most checks and leave some tables readable, or it proves little.
  expect(seen.size).toBeGreaterThan(30);
  expect(accepted).toBeGreaterThan(100);
});

test('90 large tables with one wrong cell in an array are judged alike by both readers', () => {
  const codes = new Set<number>();
  for (const [seed, size, hosts] of [
    [1, 6_000, undefined],
    [2, 6_000, UPPER],
    [3, 30_000, undefined],
  ] as const) {
    const random = createRandom(seed);
    const table = tableOf(RELEASE, createLargeDraft(seed, size, hosts).draft);
    for (let i = 0; i < 30; i++) {
      const { bytes, what } = breakArray(random, table);
      const ours = openTable(RELEASE, bytes);
      const defect = ours.ok ? undefined : { code: ours.defect.code, offset: ours.defect.offset };
      expect(native.verify(bytes), `${size} prefixes, ${what}`).toEqual(defect);
      codes.add(defect?.code ?? 0);
    }
  }
  const arrays = [
    F.DEFECT_ROOT,
    F.DEFECT_START,
    F.DEFECT_SET,
    F.DEFECT_SET_REPEATED,
    F.DEFECT_SPAN,
  ];
  expect(arrays.filter((code) => !codes.has(code))).toEqual([]);
});

/** Writes a neighbour's value, or one beside it, into a cell of an array of tcp's tries. */
function breakArray(random: Random, table: Uint8Array): { bytes: Uint8Array; what: string } {
  const editor = edit(table);
  const trie = editor.cell(F.SECTION_TRIES, random.below(2));
  const [startBytes, count] = [
    editor.get8(trie + F.TRIE_START_BYTES),
    editor.get(trie + F.TRIE_COUNT),
  ];
  const [field, width, cells] = random.pick([
    [F.TRIE_ROOT, 4, (1 << editor.get8(trie + F.TRIE_ROOT_BITS)) + 1],
    [F.TRIE_STARTS, startBytes, count],
    [F.TRIE_SETS, editor.get8(trie + F.TRIE_SPANS) === 0 ? 2 : 4, count],
  ] as const);
  const index = random.pick([0, 1, cells - 1, random.below(cells)]);
  const at = editor.get(trie + field) + index * width;
  const from = random.oneIn(2) ? at : Math.max(editor.get(trie + field), at - width);
  const what = `field ${field}, cell ${index}`;
  if (field === F.TRIE_SETS && random.oneIn(3)) {
    editor.set16(at, editor.get16(trie + F.TRIE_BACKGROUND));
    return { bytes: seal(editor.bytes), what: `${what}: the background` };
  }
  const change = random.pick([-1, 0, 1, 3, 0x4000]);
  const half = width === 4 && random.oneIn(2) ? 2 : 0;
  editor.set16(at + half, (editor.get16(from + half) + change) & 0xffff);
  return { bytes: seal(editor.bytes), what };
}
