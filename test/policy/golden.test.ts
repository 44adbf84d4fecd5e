/**
 * policy.wasm against the golden model: small and medium policies with nested, touching and
 * repeated prefixes, asked at the edges of everything they mention. More than a million queries a
 * run, each answered by the model and by both builds.
 */
import { describe, expect, test } from 'vitest';
import { createModel, PROTOCOLS } from '../reference/model.ts';
import { BUILDS, opened, tableOf } from '../reference/modules.ts';
import {
  addressOf,
  createRandom,
  describeQuery,
  encodeQueries,
  randomDraft,
  randomQueries,
} from '../reference/random.ts';

/** Rules of a policy, number of policies, queries of each: 1,080,000 queries. */
const SIZES = [
  [1, 60, 1000],
  [3, 150, 2000],
  [12, 150, 3000],
  [40, 45, 4000],
  [150, 10, 9000],
] as const;

describe('a table folded from random rules answers as a scan of the rules does', () => {
  for (const [rules, policies, queries] of SIZES) {
    test(`${policies} policies of ${rules} rules, ${queries} queries each, both builds`, () => {
      let allowed = 0;
      for (let seed = 1; seed <= policies; seed++) {
        const random = createRandom(rules * 1000 + seed);
        const draft = randomDraft(random, rules);
        const asked = randomQueries(random, draft, queries);
        const model = createModel(draft);
        const expected = Uint8Array.from(asked, ({ protocol, address, port }) =>
          model.allows(protocol, address, port) ? 1 : 0,
        );
        const encoded = encodeQueries(asked);
        const [debug, release] = BUILDS.map(({ module }) => {
          const bytes = tableOf(module, draft);
          const verdicts = opened(module, bytes).lookupMany(encoded);
          const wrong = verdicts.findIndex((verdict, i) => verdict !== expected[i]);
          const query = asked[wrong];
          if (query !== undefined) {
            const { build } = BUILDS.find((one) => one.module === module) ?? BUILDS[0];
            expect.fail(
              `${build}: ${rules} rules, seed ${seed}: ${describeQuery(query)} is ${verdicts[wrong]}`,
            );
          }
          return bytes;
        });
        expect(Buffer.compare(debug ?? Buffer.of(1), release ?? Buffer.of(2))).toBe(0);
        allowed += expected.reduce((sum, verdict) => sum + verdict, 0);
      }
      // Both answers must occur often, or the queries prove little.
      expect(allowed / (policies * queries)).toBeGreaterThan(0.01);
      expect(allowed / (policies * queries)).toBeLessThan(0.8);
    });
  }
});

describe('the deciding rules are those that a scan finds', () => {
  test.each(BUILDS)('$build: 60 policies, 150 queries each', ({ module }) => {
    let explained = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const random = createRandom(77_000 + seed);
      const draft = randomDraft(random, 1 + random.below(25));
      const model = createModel(draft);
      const table = opened(module, tableOf(module, draft));
      for (const query of randomQueries(random, draft, 150)) {
        const { protocol, address, port } = query;
        const name = PROTOCOLS[protocol] ?? 'tcp';
        const found = table.decidingRules(name, addressOf(query), port);
        const lines = found.map(({ line }) => line - 1);
        expect(lines, `seed ${seed}: ${describeQuery(query)}`).toEqual(
          model.deciding(protocol, address, port),
        );
        const verdict = model.allows(protocol, address, port) ? 'allow' : 'deny';
        expect(table.lookup(name, addressOf(query), port)).toBe(verdict);
        if (verdict === 'allow') expect(lines.length).toBeGreaterThan(0);
        explained += lines.length;
      }
    }
    // Verdicts with a rule behind them must be many, or the comparison proves little.
    expect(explained).toBeGreaterThan(1500);
  });
});
