/** The line that says which names are being resolved: its text, when it appears, and that it goes away. */
import { expect, test } from 'vitest';
import { createProgress, formatProgress } from '../../src/progress.ts';

test('the line names a few of those that are asked, and is cut to its width', () => {
  expect(formatProgress(1, 9, ['a.example', 'b.example'], 79)).toBe(
    'resolving names: 1 of 9, asking a.example, b.example',
  );
  expect(formatProgress(1, 9, ['a', 'b', 'c', 'd'], 79)).toBe(
    'resolving names: 1 of 9, asking a, b, c …',
  );
  expect(formatProgress(1, 9, ['a.example', 'b.example'], 30)).toBe(
    'resolving names: 1 of 9, aski…',
  );
});

test('without a terminal there is no reporter', () => {
  expect(createProgress(-1)).toBe(undefined);
});
