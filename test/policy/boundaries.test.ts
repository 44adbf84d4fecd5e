/** Boundaries read back from tables: whole, in order, and of the same opinion as look-ups. */
import { describe, expect, test } from 'vitest';
import { fromNumber } from '../../compiler/address.ts';
import type { Trie } from '../../compiler/stored-tries.ts';
import { createLargeDraft } from '../reference/large.ts';
import { PROTOCOLS } from '../reference/model.ts';
import { BUILDS, opened, tableOf } from '../reference/modules.ts';
import { createRandom, randomDraft } from '../reference/random.ts';

/** That boundaries ascend and change something, and that each stretch is found from both of its ends. */
function expectConsistent(trie: Trie, where: string): void {
  const all = [...trie.boundaries()];
  expect(all[0]?.start, where).toBe(0n);
  const last = (1n << (trie.family === 4 ? 32n : 128n)) - 1n;
  const wrong = all.findIndex(({ start, set }, i) => {
    const next = all[i + 1];
    const end = next === undefined ? last : next.start - 1n;
    if (end < start || next?.set === set) return true;
    return [start, end, (start + end) / 2n].some((address) => {
      const found = trie.stretch(address);
      return found.start !== start || found.end !== end || found.set !== set;
    });
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
