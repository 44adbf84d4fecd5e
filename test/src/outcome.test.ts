/** Exit statuses. */
import { describe, expect, it } from 'vitest';
import { decodeStatus } from '../../src/outcome.ts';

describe('a wait status', () => {
  it.each([
    [0x0000, { exit: 0 }],
    [0x0300, { exit: 3 }],
    [0xff00, { exit: 255 }],
    [15, { signal: 15 }],
    [0x80 | 6, { signal: 6 }],
  ])('%i is split', (status, outcome) => {
    expect(decodeStatus(status)).toEqual(outcome);
  });
});
