/** What is printed and logged for refused calls. */
import { describe, expect, it } from 'vitest';
import {
  createDenialReporter,
  formatDenial,
  formatLogLine,
  formatLostLine,
} from '../../src/denials.ts';
import type { DeniedRecord } from '../../src/records.ts';

const RECORD: DeniedRecord = {
  kind: 'denied',
  timeMs: 1_700_000_000_123.456,
  pid: 4711,
  tid: 4712,
  program: 'curl',
  call: 'connect',
  protocol: 'tcp',
  address: '127.0.0.2',
  port: 80,
  errno: 111,
  dropped: 0,
};

const LINE = 'sandlock: denied tcp 127.0.0.2:80 — curl[4711]\n';

describe('the line for a denial', () => {
  it.each([
    [{}, LINE],
    [
      { protocol: 'udp', address: '2001:db8::1', port: 53 },
      'sandlock: denied udp [2001:db8::1]:53 — curl[4711]\n',
    ],
    [
      { protocol: 'icmp', address: '192.0.2.7', port: 0 },
      'sandlock: denied icmp 192.0.2.7 — curl[4711]\n',
    ],
    [{ call: 'bind', port: 8080 }, 'sandlock: denied bind tcp 127.0.0.2:8080 — curl[4711]\n'],
    [{ call: 'listen', port: 8080 }, 'sandlock: denied listen tcp 127.0.0.2:8080 — curl[4711]\n'],
    [
      { program: '\u001b[2Jx\n\u202e\u2028é' },
      'sandlock: denied tcp 127.0.0.2:80 — ?[2Jx???é[4711]\n',
    ],
  ] satisfies [Partial<DeniedRecord>, string][])('with %o reads so', (change, line) => {
    expect(formatDenial({ ...RECORD, ...change })).toBe(line);
  });
});

describe('many denials', () => {
  const at = (timeMs: number): DeniedRecord => ({ ...RECORD, timeMs });

  it('at once give ten lines and a count at the end', () => {
    const reporter = createDenialReporter();
    const lines = Array.from({ length: 35 }, () => reporter.report(at(5000)));
    expect(lines).toEqual([...Array(10).fill(LINE), ...Array(25).fill('')]);
    expect(reporter.finish(0)).toBe('sandlock: … 25 more denied\n');
  });

  it('that go on give one line a second, which first counts those before it', () => {
    const reporter = createDenialReporter();
    for (let index = 0; index < 12; index += 1) reporter.report(at(5000));
    expect(reporter.report(at(5999))).toBe('');
    expect(reporter.report(at(6000))).toBe(`sandlock: … 3 more denied\n${LINE}`);
    expect(reporter.report(at(6001))).toBe('');
    expect(reporter.finish(2)).toBe('sandlock: … 3 more denied\n');
  });

  it('after a pause are shown again', () => {
    const reporter = createDenialReporter();
    for (let index = 0; index < 10; index += 1) reporter.report(at(5000));
    const lines = Array.from({ length: 11 }, () => reporter.report(at(60_000)));
    expect(lines).toEqual([...Array(10).fill(LINE), '']);
  });

  it('none leave nothing to say, lost ones do', () => {
    expect(createDenialReporter().finish(0)).toBe('');
    expect(createDenialReporter().finish(7)).toBe('sandlock: … 7 more denied\n');
  });

  it('whose clock steps back neither gain nor lose', () => {
    const reporter = createDenialReporter();
    for (let index = 0; index < 10; index += 1) reporter.report(at(5000));
    expect(reporter.report(at(1000))).toBe('');
    expect(reporter.report(at(2000))).toBe(`sandlock: … 1 more denied\n${LINE}`);
  });
});

describe('the log', () => {
  it('has every field of a denial on one line', () => {
    expect(formatLogLine({ ...RECORD, program: 'a"\n\u001b' })).toBe(
      '{"event":"denied","time":"2023-11-14T22:13:20.123Z","pid":4711,"tid":4712,' +
        '"program":"a\\"\\n\\u001b","call":"connect","protocol":"tcp","address":"127.0.0.2",' +
        '"port":80,"errno":"ECONNREFUSED"}\n',
    );
  });

  it('names lost records by their number', () => {
    expect(formatLostLine(3)).toBe('{"event":"lost","count":3}\n');
  });
});
