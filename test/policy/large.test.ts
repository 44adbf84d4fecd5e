/**
 * Large sets: the size classes of tries that small policies never reach, judged by a look-up per
 * prefix length. The boundaries of 0.0.0.0 and :: are out of the queries' reach, so canonical forms
 * do not matter here.
 */
import { describe, expect, test } from 'vitest';
import * as F from '../../compiler/format.gen.ts';
import { edit } from '../reference/edit.ts';
import { createLargeDraft, UPPER } from '../reference/large.ts';
import { BUILDS, opened, tableOf } from '../reference/modules.ts';
import { describeQuery, encodeQueries } from '../reference/random.ts';

describe('large sets are folded into what trying every prefix gives, by both builds', () => {
  test.each([
    ['6,000 prefixes', 6_000, undefined, { ipv4: [11, 4, 1], ipv6: [12, 16, 1] }],
    ['6,000 prefixes, IPv6 in upper halves', 6_000, UPPER, { ipv4: [11, 4, 1], ipv6: [12, 8, 1] }],
    ['30,000 prefixes', 30_000, undefined, { ipv4: [16, 2, 1], ipv6: [14, 16, 1] }],
  ] as const)('%s', (_, size, hosts, widths) => {
    const large = createLargeDraft(size, size, hosts);
    const queries = large.queries(20_000);
    const expected = Uint8Array.from(queries, (query) => (large.allows(query) ? 1 : 0));
    expect(expected.reduce((sum, verdict) => sum + verdict, 0)).toBeGreaterThan(1500);
    for (const { module, build } of BUILDS) {
      const bytes = tableOf(module, large.draft);
      expect({ ipv4: sizeClass(bytes, 0), ipv6: sizeClass(bytes, 1) }).toEqual(widths);
      const verdicts = opened(module, bytes).lookupMany(encodeQueries(queries));
      const query = queries[verdicts.findIndex((verdict, i) => verdict !== expected[i])];
      if (query !== undefined) expect.fail(`${build}: ${describeQuery(query)}`);
    }
  });
});

/** rootBits and startBytes of a trie, and whether it has spans. */
function sizeClass(bytes: Uint8Array, trie: number): readonly number[] {
  const table = edit(bytes);
  const descriptor = table.cell(F.SECTION_TRIES, trie);
  const fields = [F.TRIE_ROOT_BITS, F.TRIE_START_BYTES, F.TRIE_SPANS];
  return fields.map((field) => table.get8(descriptor + field));
}
