/** Which names a name of the table stands for; the executor's tests go through the same vectors. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { draftOf, rule } from '../reference/drafts.ts';
import { BUILDS, opened, tableOf } from '../reference/modules.ts';

const VECTORS = readFileSync(new URL('../name-vectors/names.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => /^(is|not) /.test(line))
  .map((line) => line.split(' '));

describe.each(BUILDS)('the $build build', ({ module }) => {
  test.each(VECTORS)('%s %s %s', (verdict, name = '', asked = '') => {
    const names = [{ name, addresses: [] }];
    const rules = [rule('allow', `tcp://#${name}:443`, 1)];
    const table = opened(module, tableOf(module, draftOf(rules, { names })));
    expect(table.namesFor(asked)).toEqual(verdict === 'is' ? [0] : []);
  });

  test('every name that stands for the one asked is found', () => {
    const names = ['a.example', '*.example', 'b.example', '*.a.example'].map((name) => ({
      name,
      addresses: [],
    }));
    const rules = names.map(({ name }) => rule('allow', `tcp://#${name}:443`, 1));
    const table = opened(module, tableOf(module, draftOf(rules, { names })));
    expect(table.namesFor('a.example')).toEqual([0, 1]);
    expect(table.namesFor('x.a.example')).toEqual([1, 3]);
    expect(table.namesFor('c.test')).toEqual([]);
    expect(table.namesFor('')).toEqual([]);
  });
});
