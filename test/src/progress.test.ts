/** The line that says which names are being resolved: its text, when it appears, and that it goes away. */
import { expect, test, vi } from 'vitest';
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

/** What is written of two names, the first of which is answered late; `asked` is how often the terminal is asked about. */
function told(isTerminal: boolean, waitMs: number): { written: readonly string[]; asked: number } {
  vi.useFakeTimers();
  const written: string[] = [];
  let asked = 0;
  const isWatched = () => {
    asked++;
    return isTerminal;
  };
  const tell = createProgress(isWatched, (text) => written.push(text));
  tell(0, 2, ['a.example', 'b.example']);
  vi.advanceTimersByTime(waitMs);
  tell(1, 2, ['b.example']);
  tell(2, 2, []);
  vi.useRealTimers();
  return { written, asked };
}

test('a wait is told on a terminal, kept current, and erased', () => {
  expect(told(true, 800)).toEqual({
    written: [
      '\r\x1b[Kresolving names: 0 of 2, asking a.example, b.example',
      '\r\x1b[Kresolving names: 1 of 2, asking b.example',
      '\r\x1b[K',
    ],
    asked: 1,
  });
});

test('without a terminal nothing is told, and without a wait it is not even asked about', () => {
  expect(told(false, 800)).toEqual({ written: [], asked: 1 });
  expect(told(true, 600)).toEqual({ written: [], asked: 0 });
});
