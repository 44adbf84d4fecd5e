/** How far long work is (src/work-progress.ts): on a terminal only, not for short work, and gone in the end. */
import { expect, test } from 'vitest';
import { parseSetFile } from '../../compiler/set-file.ts';
import { showWork } from '../../src/work-progress.ts';
import { RELEASE } from '../reference/modules.ts';

/** What is written when the clock moves by `stepMs` between tellings. */
function written(isTerminal: boolean, stepMs: number, tellings: number): readonly string[] {
  const texts: string[] = [];
  let time = 0;
  const progress = showWork(
    () => isTerminal,
    (text) => texts.push(text),
    () => time,
  );
  for (let i = 1; i <= tellings; i++) {
    time += stepMs;
    progress.tell('reading list.txt', i / tellings);
  }
  progress.end();
  return texts;
}

test('long work is shown on a terminal, rewritten in place and erased', () => {
  expect(written(true, 300, 4)).toEqual([
    '\r\x1b[Kreading list.txt … 50 %',
    '\r\x1b[Kreading list.txt … 75 %',
    '\r\x1b[Kreading list.txt … 100 %',
    '\r\x1b[K',
  ]);
});

test('nothing is written about short work, nor to what is no terminal', () => {
  expect(written(true, 100, 4)).toEqual([]);
  expect(written(false, 1000, 10)).toEqual([]);
});

test('work that is soon done asks nothing about terminals', () => {
  const asked: string[] = [];
  let time = 0;
  const progress = showWork(
    () => asked.push('asked') < 0,
    () => {},
    () => time,
  );
  for (time = 0; time < 500; time += 100) progress.tell('reading list.txt', undefined);
  expect(asked).toEqual([]);
  for (time = 500; time < 900; time += 100) progress.tell('reading list.txt', undefined);
  expect(asked).toEqual(['asked']);
});

test('it is not written more than ten times a second', () => {
  expect(written(true, 10, 100).length).toBe(1 + 5 + 1);
});

test('a name can not reach the terminal as a command', () => {
  const texts: string[] = [];
  let time = 0;
  const progress = showWork(
    () => true,
    (text) => texts.push(text),
    () => time,
  );
  time = 1000;
  progress.tell('reading \x1b[31m.txt', undefined);
  expect(texts).toEqual(['\r\x1b[Kreading ?[31m.txt …']);
});

test('a file of many lines tells how far it is read, a short one nothing', () => {
  const told: number[] = [];
  const tell = (_: string, done: number | undefined): number => told.push(done ?? -1);
  const lines = Array.from(
    { length: 100_000 },
    (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}\n`,
  );
  const named = (file: string) => ({ file, note: '' });
  expect(parseSetFile(RELEASE, named('list.txt'), lines.join(''), tell).count).toBe(100_000);
  expect(told).toHaveLength(3);
  expect(told).toEqual([...told].sort((a, b) => a - b));
  expect(told.every((done) => done > 0 && done <= 1)).toBe(true);
  parseSetFile(RELEASE, named('short.txt'), '10.0.0.1\n', tell);
  expect(told).toHaveLength(3);
});
