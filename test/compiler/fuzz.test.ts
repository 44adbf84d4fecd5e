/**
 * Random rule strings and policies: the compiler never throws, and every diagnostic points into its text.
 */
import { expect, test } from 'vitest';
import { parseBindRule } from '../../compiler/bind-rules.ts';
import { CODES } from '../../compiler/codes.ts';
import { parseDestination } from '../../compiler/destination.ts';
import { type Diagnostic, type Fault, formatDiagnostic } from '../../compiler/diagnostic.ts';
import { expandFamily, refuseFamily } from '../../compiler/families.ts';
import { parseRule } from '../../compiler/rules.ts';
import { parseUnixRule } from '../../compiler/unix-rules.ts';
import { seeded } from './seeded.ts';
import { draftText } from './support.ts';

/** Parts from which nearly every grammar and every near miss of it can be put together. */
const PIECES = [
  'tcp://',
  'udp://',
  'icmp://',
  'sctp://',
  '://',
  '*',
  '*.',
  '@',
  'set',
  'example.com',
  'bücher',
  'xn--a',
  '1.2.3.4',
  '010.1',
  '0x7f',
  '/8',
  '/33',
  '/',
  '[',
  ']',
  '::1',
  '2001:db8::',
  'ffff',
  '%eth0',
  ':',
  ':',
  ':443',
  '80',
  '0',
  '70000',
  ',',
  '-',
  '80-90',
  ' ',
  '\t',
  '\n',
  '\u0000',
  '"',
  '\\',
  "'",
  '_',
  '.',
  '😀',
  '日本',
  '\ud800',
  '#',
  'e\u0301',
];

function randomText(next: (n: number) => number, most: number): string {
  return Array.from({ length: next(most) }, () => PIECES[next(PIECES.length)]).join('');
}

/** Half of the texts have the order of a rule, so that whole rules and rules with one mistake are among them. */
function randomRule(next: (n: number) => number): string {
  if (next(2) === 0) return randomText(next, 7);
  const one = (parts: readonly string[]): string => parts[next(parts.length)] ?? '';
  const scheme = one(['', 'tcp://', 'udp://', 'icmp://']);
  const target = one([
    '',
    '*',
    'a.b',
    '1.2.3.4',
    '10.0.0.0/8',
    '[::1]',
    '[2001:db8::/32]',
    '@set',
    '*.a',
  ]);
  return `${scheme}${target}${one([':', ''])}${one(['*', '80', '80-90', '1,2', '', '0'])}${next(4) === 0 ? randomText(next, 2) : ''}`;
}

test('any rule string is a rule or has faults inside its text, seed 11', () => {
  const next = seeded(11);
  let good = 0;
  for (let run = 0; run < 50_000; run++) {
    const text = randomRule(next);
    const action = next(2) === 0 ? 'allow' : 'deny';
    const parsed = parseRule(text, action);
    if (parsed.ok) {
      good++;
      const { ports, target, protocol } = parsed.content;
      expect(ports.length).toBeGreaterThan(0);
      expect(ports.every(({ low, high }) => low <= high && high <= 65535)).toBe(true);
      if (action === 'deny') expect(target.kind).not.toBe('name');
      if (protocol === 'icmp') expect(ports).toEqual([{ low: 0, high: 65535 }]);
      continue;
    }
    expect([text, parsed.faults.length > 0]).toEqual([text, true]);
    for (const { code, message, start, end } of parsed.faults) {
      const inside = start >= 0 && start <= end && end <= Math.max(text.length, 1);
      expect([text, code, start, end, inside]).toEqual([text, code, start, end, true]);
      expect(Object.hasOwn(CODES, code)).toBe(true);
      expect(message).not.toMatch(/undefined|NaN|\[object/);
    }
  }
  expect(good).toBeGreaterThan(5_000);
});

/** Holds faults to their text: inside it, of a known code, and without words of a failed conversion. */
function checkFaults(text: string, faults: readonly Fault[]): void {
  expect([text, faults.length > 0]).toEqual([text, true]);
  for (const { code, message, start, end, help = '' } of faults) {
    const inside = start >= 0 && start <= end && end <= Math.max(text.length, 1);
    expect([text, code, start, end, inside]).toEqual([text, code, start, end, true]);
    expect(Object.hasOwn(CODES, code)).toBe(true);
    expect(`${message} ${help}`).not.toMatch(/undefined|NaN|\[object/);
  }
}

test('any bind rule is a rule or has faults inside its text, and whole suggestions are rules, seed 21', () => {
  const next = seeded(21);
  let good = 0;
  let suggested = 0;
  for (let run = 0; run < 50_000; run++) {
    const text = randomRule(next);
    const parsed = parseBindRule(text);
    if (!parsed.ok) {
      checkFaults(text, parsed.faults);
      const [fault, ...more] = parsed.faults;
      const whole = /^(SL2002|SL2009|SL3007)$/.test(fault?.code ?? '') && more.length === 0;
      const [, first, second = first] =
        /^did you mean (.*?)(?: or (.*))?\?$/s.exec(whole ? (fault?.help ?? '') : '') ?? [];
      if (first === undefined || second === undefined) continue;
      for (const form of [first, second]) {
        const again = parseBindRule(form);
        const codes = again.ok ? [] : again.faults.map(({ code }) => code);
        expect([form, codes.includes(fault?.code ?? 'SL2002')]).toEqual([form, false]);
      }
      suggested++;
      continue;
    }
    good++;
    const { ports, target, protocol } = parsed.content;
    expect([text, protocol.endsWith('-bind')]).toEqual([text, true]);
    expect(target.kind).not.toBe('name');
    expect(ports.every(({ low, high }) => low <= high && high <= 65535)).toBe(true);
  }
  expect(good).toBeGreaterThan(3_000);
  expect(suggested).toBeGreaterThan(200);
});

test('any UNIX socket is one that a table can hold or has faults inside its text, seed 22', () => {
  const next = seeded(22);
  const pieces = [
    '/',
    '/',
    'run',
    'x.sock',
    '.',
    '..',
    '@',
    'a b',
    'é',
    '\u0000',
    '*',
    '?',
    '~',
    '$X',
  ];
  pieces.push('unix:', '//', 'x'.repeat(50), '😀', '\n', ' ');
  let good = 0;
  for (let run = 0; run < 50_000; run++) {
    const noise = Array.from({ length: next(6) }, () => pieces[next(pieces.length)]).join('');
    const text = `${['', '/', '@', '/run/'][next(4)]}${noise}`;
    const parsed = parseUnixRule(text);
    if ('code' in parsed) {
      checkFaults(text, [parsed]);
      const form = /^did you mean (.*?)(?:, or .*)?\?$/s.exec(parsed.help ?? '')?.[1];
      if (form === undefined) continue;
      // What is suggested may have another fault, such as its length, but not the same one again.
      const again = parseUnixRule(form);
      expect([text, 'code' in again ? again.message : '']).not.toEqual([text, parsed.message]);
      continue;
    }
    good++;
    const bytes = Buffer.byteLength(parsed.text);
    expect([text, bytes >= 1 && bytes <= 107, parsed.text.includes('\0')]).toEqual([
      text,
      true,
      false,
    ]);
    const written = parsed.kind === 'abstract' ? `@${parsed.text}` : parsed.text;
    expect(parsed.kind === 'directory' && written !== '/' ? `${written}/` : written).toBe(text);
    if (parsed.kind !== 'abstract') expect(parsed.text).toMatch(/^\/([^/]|$)/);
  }
  expect(good).toBeGreaterThan(5_000);
});

test('any word is a family or refused with one that is, seed 23', () => {
  const next = seeded(23);
  const pieces = [
    'unix',
    'inet',
    'inet6',
    'netlink',
    'AF_',
    '/',
    'stream',
    'dgram',
    'route',
    'raw',
    'x',
    '6',
  ];
  let good = 0;
  let suggested = 0;
  for (let run = 0; run < 20_000; run++) {
    const word = Array.from({ length: next(5) }, () => pieces[next(pieces.length)]).join('');
    if (expandFamily(word).length > 0) {
      good++;
      continue;
    }
    const { help = '' } = refuseFamily(word);
    const form = /^did you mean "(.*)"\?$/.exec(help)?.[1];
    if (form === undefined) continue;
    expect([word, form, expandFamily(form).length > 0]).toEqual([word, form, true]);
    suggested++;
  }
  expect(good).toBeGreaterThan(500);
  expect(suggested).toBeGreaterThan(500);
});

test('any question is a destination or has diagnostics, seed 24', () => {
  const next = seeded(24);
  let good = 0;
  for (let run = 0; run < 20_000; run++) {
    const prefix = ['', 'bind:', 'unix:', 'unix:/', 'unix:@'][next(5)] ?? '';
    const text = `${prefix}${randomRule(next)}`;
    const parsed = parseDestination(text);
    if (parsed.ok) good++;
    else {
      for (const { column, length, sourceLine, message } of parsed.diagnostics) {
        expect(message).not.toMatch(/undefined|NaN|\[object/);
        expect(column + length - 1).toBeLessThanOrEqual([...sourceLine].length + 1);
      }
    }
  }
  expect(good).toBeGreaterThan(500);
});

test('a rule that was suggested is a rule, seed 12', () => {
  const next = seeded(12);
  let suggested = 0;
  for (let run = 0; run < 50_000; run++) {
    const parsed = parseRule(randomText(next, 5), 'allow');
    const [fault, ...more] = parsed.ok ? [] : parsed.faults;
    const whole = /^(SL2001|SL2002|SL2007|SL2009)$/.test(fault?.code ?? '') && more.length === 0;
    const form = whole ? /^did you mean (.*)\?$/s.exec(fault?.help ?? '')?.[1] : undefined;
    if (form === undefined || fault?.code === 'SL2001') continue;
    const again = parseRule(form, 'allow');
    const codes = again.ok ? [] : again.faults.map(({ code }) => code);
    // A suggestion repairs what it is about; what is wrong besides stays wrong.
    expect([form, codes.includes(fault?.code ?? 'SL2001')]).toEqual([form, false]);
    if (again.ok) suggested++;
  }
  expect(suggested).toBeGreaterThan(100);
});

test('any policy text compiles or is explained inside its lines, seed 13', async () => {
  const next = seeded(13);
  const words = [
    '[network]\n',
    '[sets]\n',
    '[dns]\n',
    '[limits]\n',
    '[program]\n',
    'allow',
    'deny',
    'allow_bind',
    'deny_bind',
    'allow_unix',
    'allow_families',
    'allow_userns',
    'a',
    'private',
    'resolve',
    ' = ',
    '[',
    ']',
    '{',
    '}',
    'file',
    '"',
    "'",
    '"""',
    ',',
    '\n',
    '\r\n',
    '# x',
    '3',
    'true',
    '1979-05-27',
    '"a:1"',
    '"@a:1"',
    '"192.0.2.1"',
    '"exec"',
    '":80"',
    '"/run/x"',
    '"inet/dgram"',
    '"packet"',
    '\t',
    '\\u0041',
    '😀',
    '\u0000',
    '.',
  ];
  let good = 0;
  const fixed = [
    '',
    '[network]\nallow = ["a:1"',
    '[network]\nallow = []\n[sets]\na = ',
    '[network]\nallow_families = ["inet"]\ndeny_bind = [":1"]\n',
    '[network]\nallow_unix = ["/x"]\nallow_families = [',
  ];
  for (let run = 0; run < 5_000; run++) {
    const noise = Array.from({ length: next(12) }, () => words[next(words.length)]).join('');
    const text = `${fixed[next(fixed.length)]}${noise}`;
    const result = await draftText(text);
    if (result.ok) {
      good++;
      continue;
    }
    expect([text, result.diagnostics.length > 0]).toEqual([text, true]);
    for (const diagnostic of result.diagnostics)
      expect(misplaced(diagnostic, text)).toBeUndefined();
  }
  expect(good).toBeGreaterThan(20);
});

/** What is wrong with a diagnostic's place; nothing, when its line is the line of the text that it shows. */
function misplaced(diagnostic: Diagnostic, text: string): string | undefined {
  const { file, line, column, length, sourceLine, sourceColumn } = diagnostic;
  if (file !== 'policy.toml') return undefined;
  const actual = text.replace(/^\ufeff/, '').split('\n')[line - 1];
  if (actual === undefined) return `${JSON.stringify(text)} has no line ${line}`;
  if (actual.replace(/\r$/, '') !== sourceLine && !actual.includes(sourceLine)) {
    return `${JSON.stringify(text)}: line ${line} is not ${JSON.stringify(sourceLine)}`;
  }
  const last = [...sourceLine].length + sourceColumn;
  if (column < 1 || column > last || length < 1 || column + length - 1 > last) {
    return `${JSON.stringify(text)}: ${line}:${column}+${length} is outside`;
  }
  return /undefined|NaN|\[object/.test(formatDiagnostic(diagnostic))
    ? formatDiagnostic(diagnostic)
    : undefined;
}
