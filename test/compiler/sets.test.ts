/**
 * Address sets, inline and from files, and the agreement of the file reader's two paths.
 */
import { expect, test } from 'vitest';
import { canonicalPrefix, formatAddress, isUnspecified } from '../../compiler/address.ts';
import type { Prefix, PrefixList } from '../../compiler/model.ts';
import { type ParsedSetFile, parseSetFile } from '../../compiler/set-file.ts';
import { parseSetItem } from '../../compiler/set-item.ts';
import { RELEASE } from '../reference/modules.ts';
import { seeded } from './seeded.ts';
import { draft, draftText, errorsOf, goodDraft, warningsOf } from './support.ts';

function show(list: PrefixList): string[] {
  const v4 = Array.from(list.v4, (value, i) => {
    const bytes = Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
    return `${formatAddress(bytes)}/${list.v4Bits[i]}`;
  });
  const v6 = Array.from(list.v6Bits, (bits, i) => {
    return `${formatAddress(list.v6.slice(16 * i, 16 * i + 16))}/${bits}`;
  });
  return [...v4, ...v6];
}

const parseFile = (content: string | Uint8Array): ParsedSetFile =>
  parseSetFile(RELEASE, { file: 'f', note: '' }, content);

const USES = '[network]\nallow = ["@a:1"]\n[sets]\n';

test('an inline set holds canonical prefixes in the order written', async () => {
  const text = `${USES}a = ["198.51.100.0/24", "::ffff:192.0.2.0/120", "2001:db8::/32", "0.0.0.0", "::1"]`;
  const { sets } = await goodDraft({ file: { name: 'p', text } });
  expect(sets.map(({ name }) => name)).toEqual(['a']);
  expect(sets.flatMap(({ prefixes }) => show(prefixes))).toEqual([
    '198.51.100.0/24',
    '192.0.2.0/24',
    '127.0.0.1/32',
    '2001:db8::/32',
    '::1/128',
  ]);
});

test('a set file may have comments, blank lines, CRLF, a byte order mark and no last newline', async () => {
  const file =
    '\ufeff# head\r\n192.0.2.1\r\n\r\n  10.0.0.0/8\t# tail\r\n\t2001:db8::/32 # six\r\n0.0.0.0\n::/0';
  const text = `${USES}a = { file = "f" }`;
  const { sets } = await goodDraft({ file: { name: 'p', text } }, { files: { f: file } });
  expect(sets.flatMap(({ prefixes }) => show(prefixes))).toEqual([
    '192.0.2.1/32',
    '10.0.0.0/8',
    '127.0.0.1/32',
    '2001:db8::/32',
    '::/0',
  ]);
});

test('only sets that rules name are in the draft, in the order in which they name them', async () => {
  const text = `[network]
allow = ["@b:1", "@a:1", "@b:2"]
[sets]
a = ["192.0.2.1"]
b = ["192.0.2.2"]
c = ["192.0.2.3"]`;
  const { sets } = await goodDraft({ file: { name: 'p', text } });
  expect(sets.map(({ name }) => name)).toEqual(['b', 'a']);
});

test('an option may name a set of the file', async () => {
  const text = '[network]\n[sets]\na = ["192.0.2.1"]';
  const { sets } = await goodDraft({ file: { name: 'p', text }, deny: ['udp://@a:*'] });
  expect(sets.map(({ name }) => name)).toEqual(['a']);
});

test('errors of a set file carry its own lines and the place of the set', async () => {
  expect(
    await errorsOf(`${USES}a = { file = "ranges.txt" }\n`, {
      files: { 'ranges.txt': '# x\n192.0.2.1\n\t10.0.0.1/8 # y\nexample.com\n' },
    }),
  ).toBe(`ranges.txt:3:2: error SL2013: \`10.0.0.1/8\` has bits set beyond its first 8
3 | \t10.0.0.1/8 # y
  | \t^^^^^^^^^^
help: did you mean 10.0.0.0/8 (the network) or 10.0.0.1 (the one address)?
note: set \`a\` is defined at policy.toml:4:1

ranges.txt:4:1: error SL3004: \`example.com\` is not an address
4 | example.com
  | ^^^^^^^^^^^
expected: an address or CIDR, such as 10.0.0.0/8 or 2001:db8::/32
note: set \`a\` is defined at policy.toml:4:1
`);
});

test('a set file with many errors shows 20 and counts the rest', async () => {
  const file = Array.from({ length: 1000 }, (_, i) => `bad${i}`).join('\n');
  const result = await draftText(`${USES}a = { file = "f" }`, { files: { f: file } });
  const shown = result.ok
    ? []
    : result.diagnostics.map(({ line, message }) => `${line} ${message}`);
  expect(shown.length).toBe(21);
  expect(shown[19]).toBe('20 `bad19` is not an address');
  expect(shown[20]).toBe('21 and 980 more lines are wrong');
});

test('21 errors show 20 and count one', () => {
  const file = Array.from({ length: 21 }, (_, i) => `bad${i}`).join('\n');
  expect(parseFile(file).diagnostics[20]?.message).toBe('and 1 more line is wrong');
});

const ADDRESS = 'expected: an address or CIDR, such as 10.0.0.0/8 or 2001:db8::/32';

test.each([
  ['an empty string', '', 'the address is missing', undefined],
  ['a name', 'example.com', '`example.com` is not an address', undefined],
  ['another set', '@b', 'a set can not hold another set', undefined],
  ['a rule', 'tcp://192.0.2.1:1', 'a set holds addresses, not rules', undefined],
  [
    'brackets',
    '[2001:db8::/32]',
    'an address in a set takes no brackets',
    'did you mean 2001:db8::/32?',
  ],
  ['a port', '192.0.2.1:443', 'a set holds addresses without ports', 'did you mean 192.0.2.1?'],
  [
    'a port behind brackets',
    '[::1]:443',
    'a set holds addresses without ports',
    'did you mean ::1?',
  ],
  [
    'a length and a port behind brackets',
    '[2001:db8::]/32:443',
    'a set holds addresses without ports',
    'did you mean 2001:db8::/32?',
  ],
  ['a name with a port', 'example.com:443', '`example.com:443` is not an address', undefined],
  [
    'a range',
    '192.0.2.1-192.0.2.9',
    'a set holds addresses and CIDRs, not ranges',
    'write the range as CIDRs',
  ],
  ['two addresses', '192.0.2.1 192.0.2.2', '`192.0.2.1 192.0.2.2` is not one address', undefined],
  ['a star', '*', '`*` is not an address', undefined],
])('%s in a set is refused', async (_, item, message, help) => {
  const caret = ' '.repeat(5);
  const marked = item === '' ? `${caret}^^` : `${caret} ${'^'.repeat(item.length)}`;
  const lines = [`policy.toml:4:${item === '' ? 6 : 7}: error SL3004: ${message}`];
  lines.push(`4 | a = ["${item}"]`, `  | ${marked}`, ADDRESS);
  if (help !== undefined) lines.push(`help: ${help}`);
  expect(await errorsOf(`${USES}a = ["${item}"]`)).toBe(`${lines.join('\n')}\n`);
});

test.each(['010.0.0.1', '10.0.0.0/33', '1.2.3', '2001:db8::1/32', 'fe80::1%eth0', '1:2:3'])(
  'the address grammar of rules holds for %s in a set',
  (item) => {
    const parsed = parseSetItem(item);
    expect(parsed.ok || parsed.fault.code).toMatch(/^SL201[0-3]$/);
  },
);

test.each([
  ['an empty list', 'a = []', '4:1', 'set `a` is empty'],
  ['a file of comments', 'a = { file = "f" }', '4:14', 'set `a` is empty: f holds no address'],
  ['an empty path', 'a = { file = "" }', '4:14', 'set `a` can not be read: the path is empty'],
  ['a missing file', 'a = { file = "g" }', '4:14', 'set `a` can not be read: no such file'],
])('%s is an error, not an empty set', async (_, line, place, message) => {
  const code = message.includes('read') ? 'SL3005' : 'SL3003';
  const errors = await errorsOf(`${USES}${line}`, { files: { f: '# nothing\n\n' } });
  expect(errors.split('\n')[0]).toBe(`policy.toml:${place}: error ${code}: ${message}`);
});

test('a reader that throws is an error of the set', async () => {
  const { draftPolicy } = await import('../../compiler/draft.ts');
  const result = await draftPolicy(
    { file: { name: 'p', text: `${USES}a = { file = "f" }` }, allow: [], deny: [] },
    {
      resolve: async () => ({ ok: false, reason: 'unused' }),
      policyModule: RELEASE,
      readSetFile: () => {
        throw new Error('disk on fire');
      },
    },
  );
  expect(result.ok || result.diagnostics.map(({ message }) => message)).toEqual([
    'set `a` can not be read: disk on fire',
  ]);
});

test('a set that no rule can find is an error that suggests the nearest', async () => {
  expect(
    await errorsOf('[network]\nallow = ["@mirorrs:1", "@zzz:1"]\n[sets]\nmirrors = ["192.0.2.1"]'),
  ).toBe(`policy.toml:2:11: error SL3002: no set is named \`mirorrs\`
2 | allow = ["@mirorrs:1", "@zzz:1"]
  |           ^^^^^^^^
help: did you mean @mirrors?

policy.toml:2:25: error SL3002: no set is named \`zzz\`
2 | allow = ["@mirorrs:1", "@zzz:1"]
  |                         ^^^^
help: define it in [sets]: zzz = ["10.0.0.0/8"]
`);
});

test('a broken set is no undefined set', async () => {
  const errors = await errorsOf(`${USES}a = ["x"]`);
  expect(errors.match(/SL\d+/g)).toEqual(['SL3004']);
});

function showPrefix({ address, bits }: Prefix): string {
  return `${formatAddress(address)}/${bits}`;
}

/** IPv6 texts that are often addresses, with lengths that are often theirs; mapped and unspecified ones among them. */
function randomIpv6(next: (n: number) => number): string {
  const group = (): string => ['0', '1', 'db8', '00ab', 'ffff', 'FFFF', '12345', ''][next(8)] ?? '';
  const groups = (most: number): string => Array.from({ length: next(most) }, group).join(':');
  const address = [
    () => `${groups(5)}::${groups(5)}`,
    () => `2001:db8:${groups(7)}`,
    () => `1:2:3:4:5:6:7:${group()}`,
    () => `::ffff:${next(2) === 0 ? '0.0.0.0' : '10.0:0'}`,
    () => ['::', '::0', '::1', '::ffff:0:0', '::ffff:a00:1', ':::', '1::2::3'][next(7)] ?? '',
  ][next(5)];
  const length =
    next(2) === 0 ? '' : `/${[0, 8, 16, 32, 48, 64, 96, 120, 127, 128, 129][next(11)]}`;
  return `${address?.()}${length}`;
}

test('a line read as bytes means what it means as text, seed 20260', () => {
  const next = seeded(20260);
  const pieces = [
    '0',
    '1',
    '9',
    '10',
    '255',
    '256',
    '00',
    '.',
    '.',
    '.',
    '.',
    '/',
    '/8',
    ' ',
    '\t',
    '#',
    '\r',
    ':',
    'a',
  ];
  let good = 0;
  for (let run = 0; run < 1000; run++) {
    const lines = Array.from({ length: 20 }, () => {
      const octet = (): string => `${[0, 1, 10, 127, 255, 256][next(6)]}`;
      const ipv4 = `${octet()}.${octet()}.${octet()}.0/${next(34)}`;
      const start = [() => '', () => ipv4, () => randomIpv6(next)][next(3)]?.() ?? '';
      const noise = Array.from({ length: next(4) }, () => pieces[next(pieces.length)]).join('');
      return next(2) === 0 ? start + noise : noise + start;
    });
    const parsed = lines.flatMap((line) => {
      const item = (line.replace(/\r$/, '').split('#')[0] ?? '').replace(/^[ \t]+|[ \t]+$/g, '');
      return item === '' ? [] : [parseSetItem(item)];
    });
    const prefixes = parsed.flatMap((one) => (one.ok ? [canonicalPrefix(one.prefix)] : []));
    const ofFamily = (bytes: number): string[] =>
      prefixes.filter(({ address }) => address.length === bytes).map(showPrefix);
    const read = parseFile(lines.join('\n'));
    expect([lines, show(read.prefixes)]).toEqual([lines, [...ofFamily(4), ...ofFamily(16)]]);
    expect([lines, read.diagnostics.length]).toEqual([
      lines,
      parsed.filter(({ ok }) => !ok).length,
    ]);
    expect([lines, read.holdsUnspecified]).toEqual([
      lines,
      parsed.some((one) => one.ok && isUnspecified(one.prefix)),
    ]);
    good += prefixes.length;
  }
  expect(good).toBeGreaterThan(500);
});

test('a million IPv4 lines are read in about a second', () => {
  const lines = Array.from(
    { length: 1_000_000 },
    (_, i) => `${11 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/24`,
  );
  const bytes = new TextEncoder().encode(lines.join('\n'));
  const start = process.cpuUsage();
  const { count, prefixes } = parseFile(bytes);
  // Takes 70 ms of a slow core. Time of the processor, because on a loaded machine the clock tells nothing.
  expect(process.cpuUsage(start).user / 1000).toBeLessThan(1000);
  expect(count).toBe(1_000_000);
  expect(prefixes.v4[999_999]).toBe(((11 + 15) << 24) + (0x42 << 16) + (0x3f << 8));
});

test('a million IPv6 lines are read in about a second', () => {
  const lines = Array.from(
    { length: 1_000_000 },
    (_, i) => `2001:db8:${(i >> 8).toString(16)}:${(i & 255).toString(16)}:0:ab:cdef:${i & 4095}`,
  );
  const bytes = new TextEncoder().encode(lines.join('\n'));
  const start = process.cpuUsage();
  const { count, prefixes } = parseFile(bytes);
  // Takes 200 ms of a slow core.
  expect(process.cpuUsage(start).user / 1000).toBeLessThan(3000);
  expect(count).toBe(1_000_000);
  const last = prefixes.v6.slice(16 * 999_999);
  expect([formatAddress(last), prefixes.v6Bits[999_999]]).toEqual([
    '2001:db8:f42:3f:0:ab:cdef:575',
    128,
  ]);
});

test('a set that no rule names is warned of, at its key, and is not an error', async () => {
  const text =
    '[network]\nallow = ["@used:1"]\n[sets]\nused = ["192.0.2.1"]\n  spare = ["192.0.2.2"]';
  expect(await warningsOf(text)).toBe(`policy.toml:5:3: warning SL3010: no rule names set \`spare\`
5 |   spare = ["192.0.2.2"]
  |   ^^^^^
help: name it in a rule, such as "@spare:443", or remove it
`);
});

test.each([
  ['a bind rule', { file: '[network]\nallow_bind = ["@a:80"]\n[sets]\na = ["192.0.2.1"]' }],
  ['a deny rule', { file: '[network]\ndeny = ["@a:80"]\n[sets]\na = ["192.0.2.1"]' }],
  ['a rule of an option', { file: '[sets]\na = ["192.0.2.1"]', allow: ['@a:80'] }],
])('a set that %s names is not warned of', async (_, { file, ...options }) => {
  const result = await draft({ file: { name: 'p', text: file }, ...options });
  expect(result.ok && result.warnings).toEqual([]);
});
