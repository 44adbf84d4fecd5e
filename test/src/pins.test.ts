/** What `exec` reads of names from a table that nobody has verified yet, and what it says of their age. */
import { expect, test } from 'vitest';
import * as F from '../../compiler/format.gen.ts';
import { describeAge, formatDuration, readPins } from '../../src/pins.ts';
import { draftOf, rule } from '../reference/drafts.ts';
import { BUILDS, tableOf } from '../reference/modules.ts';

const [{ module: policy }] = BUILDS;
const DAY = 86_400;

const pinned = { name: 'a.example', addresses: [Uint8Array.of(192, 0, 2, 1)] };
const atStart = { name: 'a.example', addresses: [], atStart: true } as const;
const live = { name: 'a.example', addresses: [] };

test.each([
  ['pinned', pinned, { areThere: true, areMissing: false }],
  ['to be pinned', atStart, { areThere: false, areMissing: true }],
  ['live', live, { areThere: false, areMissing: false }],
])('a name that is %s', (_, name, expected) => {
  const dns = { resolve: 'compile', pinnedAt: 2 ** 33, maxAge: 7 * DAY, privateNames: [] } as const;
  const draft = draftOf([rule('allow', 'tcp://#a.example:1', 1)], { names: [name], dns });
  const pins = readPins(Buffer.from(tableOf(policy, draft)));
  expect(pins).toEqual({ ...expected, pinnedAt: 2 ** 33, maxAge: 7 * DAY });
});

test('of a table of another major version nothing is read', () => {
  const dns = { resolve: 'compile', pinnedAt: 1, maxAge: DAY, privateNames: [] } as const;
  const draft = draftOf([rule('allow', 'tcp://#a.example:1', 1)], { names: [pinned], dns });
  const table = Buffer.from(tableOf(policy, draft));
  expect(readPins(table).areThere).toBe(true);
  table.writeUInt16LE(1, F.HEADER_MAJOR);
  expect(readPins(table)).toEqual({ areThere: false, areMissing: false, pinnedAt: 0, maxAge: 0 });
});

test('a table without names, and what is no table, have nothing to say', () => {
  const nothing = { areThere: false, areMissing: false, pinnedAt: 0, maxAge: 0 };
  expect(readPins(Buffer.from(tableOf(policy, draftOf([]))))).toEqual(nothing);
  expect(readPins(Buffer.from('SANDLOCK'))).toEqual(nothing);
  expect(readPins(Buffer.alloc(4096, 0xff))).toEqual(nothing);
});

test('only pins older than max_age are warned of', () => {
  const pins = { areThere: true, areMissing: false, pinnedAt: 1000, maxAge: 7 * DAY };
  expect(describeAge('p.bin', pins, 1000 + 7 * DAY)).toBe(undefined);
  expect(describeAge('p.bin', pins, 1000 + 12.9 * DAY)).toBe(
    'the addresses of names in p.bin are 12 days old (max_age is 7 days): --refresh looks them up again',
  );
  expect(describeAge('p.bin', { ...pins, pinnedAt: 0 }, 1e12)).toBe(undefined);
  expect(describeAge('p.bin', { ...pins, maxAge: 0 }, 1e12)).toBe(undefined);
  expect(describeAge('p.bin', pins, 10)).toBe(undefined);
});

test.each([
  [1, '1 second'],
  [59.9, '59 seconds'],
  [60, '1 minute'],
  [7199, '1 hour'],
  [DAY, '1 day'],
  [400 * DAY, '400 days'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});
