/** Boundaries read back from tables: whole, in order, and of the same opinion as look-ups. */
import { describe, expect, test } from 'vitest';
import { fromNumber } from '../../compiler/address.ts';
import type { Trie } from '../../compiler/stored-tries.ts';
import { createLargeDraft } from '../reference/large.ts';
import { PROTOCOLS } from '../reference/model.ts';
import { BUILDS, opened, tableOf } from '../reference/modules.ts';
import { createRandom, randomDraft } from '../reference/random.ts';

/** That a trie is well-formed (docs/format.md §4), and finds each boundary at its start and just before the next. */
function expectConsistent(trie: Trie, where: string): void {
  const all = [...trie.boundaries()];
  expect(all.length, where).toBe(trie.count);
  expect(all[0]?.start, where).toBe(0n);
  const wrong = all.findIndex(({ start, set }, i) => {
    const before = all[i - 1];
    const single = trie.at(i);
    const isAfter =
      before === undefined ||
      (start > before.start && set !== before.set && trie.find(start - 1n) === i - 1);
    return !isAfter || trie.find(start) !== i || single.start !== start || single.set !== set;
  });
  expect(wrong, where).toBe(-1);
}

describe.each(BUILDS)('the $build build', ({ module }) => {
  test('reads the tries of random policies as look-ups do', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const table = opened(module, tableOf(module, randomDraft(createRandom(seed), 1 + seed)));
      for (const protocol of PROTOCOLS) {
        for (const family of [4, 6] as const) {
          const trie = table.tries().ofProtocol(protocol, family);
          const where = `seed ${seed} ${protocol} IPv${family}`;
          expectConsistent(trie, where);
          for (const { start, set } of trie.boundaries()) {
            // These stand for other addresses in look-ups.
            if (start === 0n || (family === 6 && start >> 32n === 0xffffn)) continue;
            const address = fromNumber(start, family === 4 ? 4 : 16);
            for (const port of protocol === 'icmp' ? [0] : [0, 22, 443, 65535]) {
              const holds = table.ports(set).some(({ low, high }) => low <= port && port <= high);
              expect(table.lookup(protocol, address, port) === 'allow', where).toBe(holds);
            }
          }
        }
      }
      for (let set = 0; set < table.summary().sets; set++) {
        expectConsistent(table.tries().ofSet(set, 4), `seed ${seed} set ${set}`);
        expectConsistent(table.tries().ofSet(set, 6), `seed ${seed} set ${set}`);
      }
    }
  });

  test('reads tries with every width of starts', () => {
    const table = opened(module, tableOf(module, createLargeDraft(5, 40_000).draft));
    expectConsistent(table.tries().ofProtocol('tcp', 4), 'IPv4');
    expectConsistent(table.tries().ofProtocol('tcp', 6), 'IPv6');
  });
});
