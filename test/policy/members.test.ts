/**
 * Who is in a set, however the table tells it: in the trie of a protocol, in one of its own, and
 * when there are more overlaps than can be told.
 */
import { describe, expect, test } from 'vitest';
import { fromNumber, toNumber } from '../../compiler/address.ts';
import * as F from '../../compiler/format.gen.ts';
import type { AddressSet, Rule, TableDraft } from '../../compiler/model.ts';
import { covers } from '../../compiler/prefix-list.ts';
import { draftOf, rule, SETS, set } from '../reference/drafts.ts';
import { edit } from '../reference/edit.ts';
import { BUILDS, opened, tableOf } from '../reference/modules.ts';
import { createRandom, type Random } from '../reference/random.ts';

const RULES = [
  'tcp://@',
  'tcp://@',
  'udp://@',
  'icmp://@',
  'tcp-bind://@',
  'udp-bind://@',
] as const;

/** Overlapping sets, allowed and denied beside rules on everything and on some prefixes. */
function randomSets(random: Random): TableDraft {
  const sets = Array.from({ length: 1 + random.below(7) }, (_, i) => {
    const inside = (): string => `10.${random.below(4)}.${random.below(4) * 64}.0`;
    const texts = Array.from({ length: 1 + random.below(6) }, () =>
      random.oneIn(3)
        ? `2001:db8:${random.below(8)}::/${random.pick([46, 47, 48])}`
        : `${inside()}/${random.pick([18, 20, 24, 32])}`,
    );
    return set(`s${i}`, texts.map(withoutHostBits));
  });
  const action = (): Rule['action'] => (random.oneIn(3) ? 'deny' : 'allow');
  const ports = (): string => random.pick(['80', '443', '80,443', '*']);
  const rules = sets.flatMap(({ name }, i) => [
    ofPorts(action(), `${random.pick(RULES)}${name}`, ports(), i),
    ...(random.oneIn(2) ? [ofPorts(action(), `${random.pick(RULES)}${name}`, ports(), i)] : []),
  ]);
  for (const protocol of ['tcp', 'udp', 'icmp', 'tcp-bind', 'udp-bind']) {
    if (random.oneIn(3)) rules.push(ofPorts(action(), `${protocol}://*`, ports(), 90));
    if (random.oneIn(3)) rules.push(ofPorts(action(), `${protocol}://10.0.0.0/8`, ports(), 91));
  }
  return draftOf(rules, { sets });
}

function ofPorts(action: Rule['action'], text: string, ports: string, line: number): Rule {
  return rule(action, text.startsWith('icmp') ? text : `${text}:${ports}`, line);
}

function withoutHostBits(text: string): string {
  const [address = '', bits = ''] = text.split('/');
  if (!address.includes(':')) {
    const [a, b, c] = address.split('.');
    return `${a}.${b}.${bits === '18' ? Number(c) & 192 : c}.0/${bits}`;
  }
  const group = Number(/db8:(\d)/.exec(address)?.[1] ?? 0);
  return `2001:db8:${group & ~(bits === '46' ? 3 : bits === '47' ? 1 : 0)}::/${bits}`;
}

/** The prefixes of a set, one family. */
function prefixesOf({ prefixes: { v4, v4Bits, v6, v6Bits } }: AddressSet, family: 4 | 6) {
  if (family === 4) {
    return Array.from(v4, (value, i) => ({
      address: fromNumber(BigInt(value), 4),
      bits: v4Bits[i] ?? 0,
    }));
  }
  return Array.from(v6Bits, (bits, i) => ({ address: v6.slice(16 * i, 16 * i + 16), bits }));
}

/** That the table says of every edge of every set who is in which. */
function expectMembers(draft: TableDraft, bytes: Uint8Array, module: Parameters<typeof opened>[0]) {
  const table = opened(module, bytes);
  const used = draft.sets.filter(({ name }) => table.setNumber(name) !== undefined);
  expect(table.summary().sets).toBe(used.length);
  for (const family of [4, 6] as const) {
    const all = used.flatMap((one) => prefixesOf(one, family));
    const width = family === 4 ? 32n : 128n;
    const edges = all.flatMap(({ address, bits }) => {
      const first = toNumber(address);
      const behind = first + (1n << (width - BigInt(bits)));
      return [first - 1n, first, behind - 1n, behind].filter(
        (key) => key >= 0n && key < 1n << width,
      );
    });
    for (const one of used) {
      const own = prefixesOf(one, family);
      const trie = table.tries().ofSet(table.setNumber(one.name) ?? -1, family);
      const changes = [...trie.boundaries()];
      for (const key of new Set(edges)) {
        const isMember = own.some((prefix) =>
          covers(prefix, fromNumber(key, family === 4 ? 4 : 16)),
        );
        const stretch = trie.stretch(key);
        expect(stretch.set, `${one.name} ${key}`).toBe(isMember ? 1 : 0);
        const boundary = changes.findLast(({ start }) => start <= key);
        expect(boundary, `${one.name} ${key}`).toEqual({ start: stretch.start, set: stretch.set });
      }
    }
  }
}

describe.each(BUILDS)('the $build build', ({ module }) => {
  test('tells the members of the sets of 200 random policies', () => {
    let shared = 0;
    let own = 0;
    for (let seed = 1; seed <= 200; seed++) {
      const draft = randomSets(createRandom(seed));
      const bytes = tableOf(module, draft);
      expectMembers(draft, bytes, module);
      const table = edit(bytes);
      const sets = table.get(table.record(F.SECTION_SETS, F.DIRECTORY_COUNT));
      for (let i = 0; i < sets; i++) {
        const trie = table.get(table.cell(F.SECTION_SETS, i) + F.ADDRESS_SET_TRIE);
        if (trie < F.PROTOCOL_TRIES) shared++;
        else own++;
      }
    }
    // Both ways must occur often, or the comparison proves little.
    expect(Math.min(shared, own)).toBeGreaterThan(100);
  });

  test('tells sets by the tries of protocols wherever they tell addresses apart', () => {
    const table = edit(tableOf(module, SETS));
    const tries = Array.from({ length: 6 }, (_, i) => {
      const at = table.cell(F.SECTION_SETS, i);
      return [table.get(at), table.get(at + F.ADDRESS_SET_FAMILY_BYTES)];
    });
    const [own, other] = [F.PROTOCOL_TRIES, F.PROTOCOL_TRIES + 2];
    expect(tries).toEqual([
      [0, 1],
      [0, 1],
      [0, 1],
      [2, 3],
      [own, own + 1],
      [other, other + 1],
    ]);
    expectMembers(SETS, table.bytes, module);
  });

  test('gives sets tries of their own that overlap in too many ways, and decides the same', () => {
    const random = createRandom(7);
    const texts: string[][] = Array.from({ length: 200 }, () => []);
    for (let i = 0; i < 1200; i++) {
      for (const own of texts) if (random.oneIn(2)) own.push(`10.0.${i >> 8}.${i & 255}`);
    }
    const sets = texts.map((own, i) => set(`s${i}`, own));
    const rules = sets.map(({ name }, i) => rule('allow', `tcp://@${name}:${i + 1}`, i));
    const draft = draftOf(rules, { sets });
    const bytes = tableOf(module, draft);
    expect(edit(bytes).get(edit(bytes).cell(F.SECTION_SETS, 0))).toBeGreaterThan(9);
    const table = opened(module, bytes);
    for (let i = 0; i < 1200; i += 37) {
      const address = Uint8Array.of(10, 0, i >> 8, i & 255);
      const text = address.join('.');
      for (const [number, own] of texts.entries()) {
        const isIn = own.includes(text);
        expect(table.lookup('tcp', address, number + 1)).toBe(isIn ? 'allow' : 'deny');
        expect(table.decidingRules('tcp', address, number + 1).length).toBe(isIn ? 1 : 0);
      }
    }
  });

  test('leaves a protocol to the kernel that a set only repeats', () => {
    const rules = [rule('allow', 'tcp://*:443', 1), rule('allow', 'tcp://@s:443', 2)];
    // Half of all addresses are one more boundary, which would be few enough.
    const sets = [set('s', ['128.0.0.0/1', '8000::/1'])];
    const facts = { families: ['inet/stream' as const], allowUserns: false };
    const table = opened(module, tableOf(module, { ...draftOf(rules, { sets }), facts }));
    expect(table.plan().tcp).toBe('kernel');
    const deciding = (address: number[]): number[] =>
      table.decidingRules('tcp', Uint8Array.from(address), 443).map(({ line }) => line);
    expect(deciding([128, 0, 0, 0])).toEqual([1, 2]);
    expect(deciding([127, 0, 0, 1])).toEqual([1]);
  });
});
