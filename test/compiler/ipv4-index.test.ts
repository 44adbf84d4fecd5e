/** The index beside a Map: networks that share bits and cells, of many kinds, and those that are not there. */
import { expect, test } from 'vitest';
import { Ipv4Index } from '../../compiler/ipv4-index.ts';
import { createRandom } from '../reference/random.ts';

test.each([0, 1, 7, 1000, 20_000])('of %i networks it knows each, and no other', (count) => {
  const random = createRandom(count + 1);
  const index = new Ipv4Index(count);
  const model = new Map<string, number>();
  const network = (): number => (10 << 24) | (random.below(4096) << random.below(16));
  for (let number = 0; model.size < count; number++) {
    const [kind, value] = [random.below(330), network()];
    index.set(kind, value, number);
    model.set(`${kind} ${value}`, number);
  }
  for (const [key, number] of model) {
    const [kind = 0, value = 0] = key.split(' ').map(Number);
    expect(index.get(kind, value)).toBe(number);
  }
  for (let i = 0; i < 2000; i++) {
    const [kind, value] = [random.below(330), network()];
    expect(index.get(kind, value)).toBe(model.get(`${kind} ${value}`));
  }
});
