/**
 * What the release build must look like where it matters: the searches of a look-up run without a
 * call, and the module stays small.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const build = join(import.meta.dirname, '../../build');
const wat = readFileSync(join(build, 'policy.release.wat'), 'utf8');

/** The lines of a function. */
function bodyOf(name: string): readonly string[] {
  const lines = wat.split('\n');
  const start = lines.findIndex((line) => line.startsWith(` (func $${name} `));
  if (start < 0) throw new Error(`${name} is not in the release build`);
  const length = lines.slice(start).indexOf(' )');
  return lines.slice(start, start + length);
}

/** The calls of a function that stand inside a loop: deeper than the loop that is open. */
function callsInLoops(body: readonly string[]): readonly string[] {
  const indent = (line: string): number => line.length - line.trimStart().length;
  let loop = Number.POSITIVE_INFINITY;
  return body.filter((line) => {
    if (indent(line) <= loop)
      loop = /^\s*loop\b/.test(line) ? indent(line) : Number.POSITIVE_INFINITY;
    return indent(line) > loop && /^\s*call(_indirect)?\b/.test(line);
  });
}

const count = (body: readonly string[], pattern: RegExp): number =>
  body.filter((line) => pattern.test(line)).length;

test('the search of a trie has one loop for each start width and calls nothing', () => {
  const body = bodyOf('policy/lookup/findSet');
  expect(count(body, /^\s*loop\b/)).toBe(4);
  expect(count(body, /^\s*call/)).toBe(0);
});

test('a decision calls the search of the trie once, and its own search of the ports calls nothing', () => {
  const body = bodyOf('policy/lookup/decide');
  expect(count(body, /^\s*loop\b/)).toBe(1);
  expect(body.filter((line) => /^\s*call/.test(line)).map((line) => line.trim())).toEqual([
    'call $policy/lookup/findSet',
  ]);
  expect(callsInLoops(body)).toEqual([]);
});

test('the check for calls in loops sees one where there is one', () => {
  expect(callsInLoops(bodyOf('policy/index/lookupMany')).map((line) => line.trim())).toEqual([
    'call $policy/lookup/decide',
    'call $policy/lookup/decide',
  ]);
});

test('the release build is below 40 KiB', () => {
  expect(statSync(join(build, 'policy.release.wasm')).size).toBeLessThan(40 * 1024);
});
