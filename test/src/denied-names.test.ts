import { describe, expect, it } from 'vitest';
import {
  createNameReporter,
  type DeniedName,
  formatDeniedName,
  toDeniedName,
} from '../../src/denied-names.ts';

const denied = (name: string, rest: Partial<DeniedName> = {}): DeniedName => ({
  event: 'name',
  time: '2026-01-31T12:00:00.000Z',
  verdict: 'deny',
  pid: 4711,
  tid: 4712,
  program: 'curl',
  name,
  reason: 'unlisted',
  ...rest,
});

describe('a denied name', () => {
  it('is told with who asked, why, and the fix where it is no rule', () => {
    expect(formatDeniedName(denied('db.example.com'))).toBe(
      'sandlock: denied name db.example.com — curl[4711]; no rule names it\n',
    );
    const inside = denied('db.example.com', { reason: 'inside', address: '10.0.0.7' });
    expect(formatDeniedName(inside)).toBe(
      'sandlock: denied name db.example.com — curl[4711]; it has the address 10.0.0.7 of the inside; ' +
        'if this is meant, add `[dns] private = ["db.example.com"]`\n',
    );
    expect(formatDeniedName(denied('x.example.com', { reason: 'limit' }))).toContain('too long');
  });

  it('is told once, and of many only the first and their number', () => {
    const names = createNameReporter();
    expect(names.report(denied('a'))).not.toBe('');
    expect(names.report(denied('a'))).toBe('');
    for (let i = 0; i < 19; i++) expect(names.report(denied(`n${i}`))).not.toBe('');
    expect(names.report(denied('late'))).toBe('');
    expect(names.finish()).toBe('sandlock: … 1 more names denied\n');
  });

  it('is no record of an answer', () => {
    const record = {
      kind: 'name',
      ...{ timeMs: 0, pid: 1, tid: 2, program: 'dig', name: 'a.example' },
      ...{ address: undefined, code: 3, dropped: 0 },
    } as const;
    expect(toDeniedName({ ...record, reason: 'answered' })).toBeUndefined();
    expect(toDeniedName({ ...record, reason: 'unlisted' })).toEqual({
      ...denied('a.example', { time: '1970-01-01T00:00:00.000Z', pid: 1, tid: 2, program: 'dig' }),
    });
  });
});
