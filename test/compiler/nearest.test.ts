/** Suggestions against a distance that is written down as it is defined. */
import { expect, test } from 'vitest';
import { nearest } from '../../compiler/nearest.ts';
import { createRandom } from '../reference/random.ts';

/** Optimal string alignment distance, whole table. */
function distance(a: string, b: string): number {
  const d = Array.from({ length: a.length + 1 }, (_, i) => [i]);
  for (let j = 0; j <= b.length; j++) (d[0] as number[])[j] = j;
  const at = (i: number, j: number): number => d[i]?.[j] ?? Number.NaN;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, at(i - 2, j - 2) + 1);
      }
      (d[i] as number[])[j] = cost;
    }
  }
  return at(a.length, b.length);
}

function defined(word: string, candidates: readonly string[]): string | undefined {
  const limit = Math.min(word.length - 1, Math.max(1, Math.floor(word.length / 3)));
  const all = candidates.map((candidate) => ({
    candidate,
    steps: distance(word.toLowerCase(), candidate.toLowerCase()),
  }));
  const least = Math.min(...all.map(({ steps }) => steps));
  return least > limit ? undefined : all.find(({ steps }) => steps === least)?.candidate;
}

test('of random words the first of the closest', () => {
  let found = 0;
  for (let seed = 1; seed <= 3000; seed++) {
    const random = createRandom(seed);
    const letters = 'abAB.'.slice(0, 2 + random.below(4));
    const some = (most: number): string =>
      Array.from({ length: random.below(most) }, () => letters[random.below(letters.length)]).join(
        '',
      );
    const [head, tail] = [some(5), some(5)];
    const words = Array.from({ length: 1 + random.below(6) }, () => `${head}${some(9)}${tail}`);
    const word = `${head}${some(9)}${tail}`;
    const expected = defined(word, words);
    if (expected !== undefined) found++;
    expect(nearest(word, words), `${word} of ${words.join(' ')}`).toBe(expected);
  }
  expect(found).toBeGreaterThan(500);
});

test('long words, and nothing for words of one letter', () => {
  const long = 'x'.repeat(300);
  expect(nearest(`${long}a`, [`${long}bb`, `${long}b`])).toBe(`${long}b`);
  expect(nearest(`b${long}a`, [`a${long}b`])).toBe(`a${long}b`);
  expect(nearest('a', ['a', 'b'])).toBe('a');
  expect(nearest('a', ['b'])).toBeUndefined();
  expect(nearest('', ['', 'a'])).toBeUndefined();
});
