/** The summary at the end of a run. */
import { describe, expect, it } from 'vitest';
import type { Decision } from '../../src/decision.ts';
import { createSummary } from '../../src/summary.ts';

const REFUSED: Decision = {
  event: 'decision',
  time: '2026-01-31T12:00:00.123Z',
  verdict: 'deny',
  pid: 1,
  tid: 1,
  program: 'curl',
  syscall: 'connect',
  protocol: 'tcp',
  destination: '192.0.2.1:80',
  address: '192.0.2.1',
  port: 80,
  reason: 'no tcp rule for this address',
};
const rule = { text: 'a.example:80', source: 'p.toml', line: 4, column: 3 };
const REACHED: Decision = { ...REFUSED, verdict: 'allow', name: 'a.example', rule };

describe('a summary', () => {
  it('counts by verdict, program, destination and rule, the most frequent first', () => {
    const summary = createSummary();
    for (const decision of [REFUSED, REACHED, REFUSED, { ...REFUSED, pid: 2, program: 'git' }]) {
      summary.add(decision);
    }
    summary.add({ ...REACHED, syscall: 'bind', rule: { ...rule, source: '--allow', line: 0 } });
    expect(summary.format()).toBe(
      'sandlock: reached 1× tcp 192.0.2.1:80 (a.example) — curl: p.toml:4 "a.example:80"\n' +
        'sandlock: reached 1× bind tcp 192.0.2.1:80 (a.example) — curl: --allow "a.example:80"\n' +
        'sandlock: refused 2× tcp 192.0.2.1:80 — curl: no tcp rule for this address\n' +
        'sandlock: refused 1× tcp 192.0.2.1:80 — git: no tcp rule for this address\n',
    );
  });

  it('of a scan shows forty lines and adds up the others', () => {
    const summary = createSummary();
    for (let host = 0; host < 20_000; host += 1) {
      summary.add({ ...REFUSED, destination: `host-${host}:80` });
    }
    const lines = summary.format().trimEnd().split('\n');
    expect(lines.length).toBe(41);
    expect(lines[40]).toBe('sandlock: refused 19960× others');
  });

  it('of a run without decisions says so, and of a program nothing but its letters', () => {
    expect(createSummary().format()).toBe(
      'sandlock: no network call was made that a policy decides\n',
    );
    const summary = createSummary();
    summary.add({ ...REFUSED, program: 'a\u001b[2J' });
    expect(summary.format()).toContain('— a?[2J: no');
  });
});
