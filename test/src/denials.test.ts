/** What is printed for refused calls. */
import { describe, expect, it } from 'vitest';
import type { Decision } from '../../src/decision.ts';
import { createDenialReporter, formatDenial } from '../../src/denials.ts';

const DECISION: Decision = {
  event: 'decision',
  time: '2023-11-14T22:13:20.123Z',
  verdict: 'deny',
  pid: 4711,
  tid: 4712,
  program: 'curl',
  syscall: 'connect',
  protocol: 'tcp',
  destination: '127.0.0.2:80',
  address: '127.0.0.2',
  port: 80,
  errno: 'ECONNREFUSED',
};

const LINE = 'sandlock: denied tcp 127.0.0.2:80 — curl[4711]\n';

describe('the line for a denial', () => {
  it.each([
    [{}, '', LINE],
    [
      { name: 'example.com' },
      'no tcp rule for this address; to allow: "example.com:80"',
      'sandlock: denied tcp 127.0.0.2:80 (example.com) — curl[4711]; no tcp rule for this address; to allow: "example.com:80"\n',
    ],
    [{ syscall: 'bind' }, '', 'sandlock: denied bind tcp 127.0.0.2:80 — curl[4711]\n'],
    [{ syscall: 'listen' }, '', 'sandlock: denied listen tcp 127.0.0.2:80 — curl[4711]\n'],
    [
      { program: '\u001b[2Jx\n\u202e\u2028é', destination: '/run/\u001b', protocol: 'unix' },
      'a\nb',
      'sandlock: denied unix /run/? — ?[2Jx???é[4711]; a?b\n',
    ],
  ] satisfies [Partial<Decision>, string, string][])('with %o reads so', (change, hint, line) => {
    expect(formatDenial({ ...DECISION, ...change }, hint)).toBe(line);
  });
});

describe('many denials', () => {
  const at = (timeMs: number, host = 2): Decision => ({
    ...DECISION,
    time: new Date(timeMs).toISOString(),
    destination: `127.0.0.${host}:80`,
  });
  const line = (host: number): string => LINE.replace('0.2:', `0.${host}:`);
  const none = (): string => '';

  it('of one program and destination give one line, and a count at the end', () => {
    const reporter = createDenialReporter();
    const lines = Array.from({ length: 35 }, () => reporter.report(at(5000), none));
    expect(lines).toEqual([LINE, ...Array(34).fill('')]);
    expect(reporter.report({ ...at(5000), pid: 9 }, none)).toBe('');
    expect(reporter.report({ ...at(5000), program: 'wget' }, none)).not.toBe('');
    expect(reporter.finish()).toBe('sandlock: denied 35 times more: tcp 127.0.0.2:80 — curl\n');
  });

  it('that go on are told again after a minute, with what was before', () => {
    const reporter = createDenialReporter();
    const lines = [5000, 5001, 64_999, 65_000].map((timeMs) => reporter.report(at(timeMs), none));
    const again = LINE.replace(']', '] (and 2 times before)');
    expect(lines).toEqual([LINE, '', '', again]);
    expect(reporter.finish()).toBe('');
  });

  it('of different destinations give ten lines, then one a second, which first counts those before it', () => {
    const reporter = createDenialReporter();
    const first = Array.from({ length: 12 }, (_, host) => reporter.report(at(5000, host), none));
    expect(first).toEqual([...Array.from({ length: 10 }, (_, host) => line(host)), '', '']);
    expect(reporter.report(at(5999, 20), none)).toBe('');
    expect(reporter.report(at(6000, 21), none)).toBe(`sandlock: … 3 more denied\n${line(21)}`);
    expect(reporter.report(at(6001, 22), none)).toBe('');
    expect(reporter.finish()).toBe('sandlock: … 1 more denied\n');
  });

  it('without end are told apart up to a bound, and then only counted', () => {
    const reporter = createDenialReporter();
    for (let host = 0; host < 3000; host += 1) reporter.report(at(host * 10_000, host), none);
    expect(reporter.finish()).toBe('sandlock: … 2000 more denied\n');
  });

  it('ask for an explanation only when a line is printed', () => {
    const reporter = createDenialReporter();
    let asked = 0;
    const hint = (): string => {
      asked += 1;
      return '';
    };
    for (let index = 0; index < 5; index += 1) reporter.report(at(5000), hint);
    expect(asked).toBe(1);
  });

  it('none leave nothing to say', () => {
    expect(createDenialReporter().finish()).toBe('');
  });

  it('whose clock steps back neither gain nor lose', () => {
    const reporter = createDenialReporter();
    for (let host = 0; host < 10; host += 1) reporter.report(at(5000, host), none);
    expect(reporter.report(at(1000, 11), none)).toBe('');
    expect(reporter.report(at(2000, 12), none)).toBe(`sandlock: … 1 more denied\n${line(12)}`);
  });
});
