/** What is said of a plan at the end of a run: complete texts, and when nothing is said. */
import { describe, expect, it } from 'vitest';
import { formatCalls, formatSilence } from '../../src/plan-notes.ts';
import type { EndedRecord } from '../../src/records.ts';

const ended = (isSilent: boolean): EndedRecord => ({
  kind: 'ended',
  killed: 0,
  calls: { connects: 1, messages: 0, binds: 2, others: 1 },
  isSilent,
  dropped: 0,
});

describe('at the end of a run', () => {
  it('the calls that were looked at are counted by kind', () => {
    const line = 'sandlock: looked at 4 calls: 1 connect, 0 messages, 2 binds, 1 other\n';
    expect(formatCalls(ended(false))).toBe(line);
    expect(formatCalls(undefined)).toBe('');
  });

  it('a command that failed under a silent plan may have been refused something', () => {
    const line =
      'sandlock: the kernel alone holds this policy, so a refused connect is not told; --supervise tells\n';
    expect(formatSilence({ ended: ended(true), outcome: { exit: 7 } })).toBe(line);
  });

  it.each([
    ['every refusal was told', { ended: ended(false), outcome: { exit: 7 } }],
    ['the command succeeded', { ended: ended(true), outcome: { exit: 0 } }],
    ['a signal ended it', { ended: ended(true), outcome: { signal: 15 } }],
    ['the last record is missing', { ended: undefined, outcome: { exit: 1 } }],
  ])('nothing is said when %s', (_, end) => {
    expect(formatSilence(end)).toBe('');
  });
});
