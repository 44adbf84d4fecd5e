/**
 * The two readers of tables, policy.wasm and the executor, on the same bytes: equal verdicts for every query, equal defects for every
 * damaged table. The golden model judges policy.wasm (golden.test.ts), so agreement carries its judgement over.
 */
import { beforeAll, expect, test } from 'vitest';
import { openTable } from '../../compiler/table.ts';
import { createLargeDraft, UPPER } from '../reference/large.ts';
import { BUILDS, opened, RELEASE, tableOf } from '../reference/modules.ts';
import { mutate } from '../reference/mutate.ts';
import { type NativeTables, openNative } from '../reference/native.ts';
import {
  createRandom,
  describeQuery,
  encodeQueries,
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
