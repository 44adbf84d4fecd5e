/**
 * The text of a policy: TOML syntax, encodings, and places that stay right with tabs, wide characters and escapes.
 */
import { expect, test } from 'vitest';
import { parseToml } from '../../compiler/toml.ts';
import { toPlain } from '../../compiler/toml-tree.ts';
import { diagnosticsOf, draft, draftText, errorsOf } from './support.ts';

test.each([
  ['an open string', 'a = "x\n', '1:7', 'the string is not closed on its line'],
  ['an open array', '[network]\nallow = [\n  "a:1",\n', '3:9', 'the array is not closed'],
  ['a missing value', '[network]\nallow =\n', '2:8', 'the value is missing'],
  ['a missing equals sign', '[network]\nallow ["a:1"]\n', '2:7', 'the `=` behind a key is missing'],
  [
    'a missing comma',
    '[network]\nallow = ["a:1" "b:1"]\n',
    '2:16',
    'a comma is missing before this',
  ],
  ['a key defined twice', '[network]\nallow = []\nallow = []\n', '3:1', 'this is defined already'],
  ['a table defined twice', '[sets]\n[network]\n[sets]\n', '3:2', 'this is defined already'],
  ['two pairs on a line', 'a = 1 b = 2\n', '1:7', 'a new line is missing before this'],
  ['a bad escape', 'a = "\\q"\n', '1:7', 'invalid character in escape sequence'],
  [
    'a lone carriage return',
    'a = 1\rb = 2\n',
    '1:6',
    'a carriage return stands without its line feed',
  ],
  ['TOML 1.1 syntax', 'a = "\\e"\n', '1:7', 'invalid character in escape sequence'],
])('%s is refused at its place', async (_, text, place, message) => {
  expect((await errorsOf(text)).split('\n')[0]).toBe(
    `policy.toml:${place}: error SL1001: ${message}`,
  );
});

test('what is missing at the end is shown behind the last thing that stands there', async () => {
  expect(
    await errorsOf('[network]\nallow =\n\n'),
  ).toBe(`policy.toml:2:8: error SL1001: the value is missing
2 | allow =
  |        ^
`);
});

test.each([
  ['open brackets', `a = ${'['.repeat(200_000)}`],
  ['closed brackets', `a = ${'['.repeat(2000)}${']'.repeat(2000)}`],
  ['dotted keys', `${'a.'.repeat(100_000)}a = 1`],
  ['a header of dotted keys', `[${'a.'.repeat(100_000)}a]`],
  ['a string of a million characters', `a = "${'x'.repeat(1_000_000)}"`],
])('%s beyond measure are an error, not a crash', async (_, text) => {
  const [first, ...rest] = await diagnosticsOf(text);
  expect(rest).toEqual([]);
  expect(first?.code).toBe('SL1001');
});

test('a rule with hundreds of thousands of faults is an error for each, not a crash', async () => {
  const text = `[network]\nallow = [${'"a:x", '.repeat(200_000)}]`;
  expect((await diagnosticsOf(text)).length).toBe(200_000);
  const names = `[network]\nallow = [${'"a:1", '.repeat(200_000)}]`;
  expect((await diagnosticsOf(names, { names: {} })).length).toBe(200_000);
  const result = await draft({ allow: [`a:${'x,'.repeat(200_000)}1`] });
  expect(result.ok || result.diagnostics.length).toBe(200_000);
});

test('bytes that are not UTF-8 are refused where they stand', async () => {
  const text = new TextEncoder().encode('[network]\n# \ufffd\nallow = ["a:1"] # ?\n');
  text[text.indexOf('?'.charCodeAt(0))] = 0xff;
  expect(await errorsOf(text)).toBe(`policy.toml:3:19: error SL1002: the file is not UTF-8 here
3 | allow = ["a:1"] # \ufffd
  |                   ^
`);
});

test('a byte order mark is no part of the first line', async () => {
  expect(await errorsOf('\ufeffx = 1\n[network]\n')).toContain('policy.toml:1:1: error SL2101');
  const bytes = new TextEncoder().encode('\ufeffx = 1\n[network]\n');
  expect(await errorsOf(bytes)).toContain('policy.toml:1:1: error SL2101');
});

test('CRLF lines count and print like LF lines', async () => {
  expect(
    await errorsOf('[network]\r\nallow = [\r\n  "a:0",\r\n]\r\n'),
  ).toBe(`policy.toml:3:6: error SL2004: port 0 can not be reached
3 |   "a:0",
  |      ^
expected: a port from 1 to 65535
help: write \`*\` for every port
`);
});

test('carets stand under the span behind tabs, wide and combining characters', async () => {
  expect(
    await errorsOf('[network]\nallow = [\n\t"日本:443", "e\u0301.example:443", "😀x:0" ]\n', {}),
  ).toContain(`policy.toml:3:34: error SL2004: port 0 can not be reached
3 | \t"日本:443", "e\u0301.example:443", "😀x:0" ]
  | \t                                  ^
`);
});

test('a fault in a string with escapes is shown on the whole string', async () => {
  const [diagnostic] = await diagnosticsOf('[network]\nallow = ["\\u0061:0"]\n');
  expect(diagnostic).toMatchObject({ line: 2, column: 10, length: 10 });
});

test.each([
  ["allow = ['a:0']", 13],
  ['allow = ["""a:0"""]', 15],
  ["allow = ['''a:0''']", 15],
])('a fault in %s is shown at the port', async (line, column) => {
  const [diagnostic] = await diagnosticsOf(`[network]\n${line}\n`);
  expect(diagnostic).toMatchObject({ line: 2, column, length: 1 });
});

test('a line of thousands of characters is shown in a window', async () => {
  const rules = Array.from({ length: 2000 }, (_, i) => `"a${i}.example:1"`);
  rules[1000] = '"b.example:0"';
  const [diagnostic] = await diagnosticsOf(`[network]\nallow = [${rules.join(', ')}]\n`);
  expect(diagnostic?.sourceLine.length).toBe(240);
  const offset = (diagnostic?.column ?? 0) - (diagnostic?.sourceColumn ?? 0);
  expect(diagnostic?.sourceLine.slice(offset - 10, offset + 2)).toBe('b.example:0"');
});

test('control and direction-changing characters do not reach the terminal', async () => {
  expect(
    await errorsOf('"a\\u001b[2Jb\u202e" = 1\n[network]\n'),
  ).toBe(`policy.toml:1:1: error SL2101: unknown key \`a\ufffd[2Jb\ufffd\` at the top level
1 | "a\\u001b[2Jb\ufffd" = 1
  | ^^^^^^^^^^^^^^
expected: \`network\`, \`sets\`, \`dns\`, \`program\`
`);
});

test('every form of key and table leads to the same value', () => {
  const forms = [
    '[network]\nallow = ["a:1"]\n[sets.x]\nfile = "f"\n',
    'network.allow = ["a:1"]\nsets.x.file = "f"\n',
    'network = { allow = ["a:1"] }\nsets = { x = { file = "f" } }\n',
    '["network"]\n\'allow\' = ["a:1"]\n[sets]\nx.file = "f"\n',
  ];
  for (const text of forms) {
    const parsed = parseToml('p', text);
    expect(parsed.ok && JSON.stringify(toPlain(parsed.root))).toBe(
      '{"network":{"allow":["a:1"]},"sets":{"x":{"file":"f"}}}',
    );
  }
});

test('arrays of tables keep their items apart', () => {
  const parsed = parseToml('p', '[[a]]\nx = 1\n[[a]]\n[a.b]\ny = 2\n');
  expect(parsed.ok && JSON.stringify(toPlain(parsed.root))).toBe('{"a":[{"x":1},{"b":{"y":2}}]}');
});

test('a key named __proto__ is an unknown key', async () => {
  expect(await errorsOf('[network]\n__proto__ = { allow = ["a:1"] }\n')).toContain(
    'policy.toml:2:1: error SL2101: unknown key `__proto__` in `network`',
  );
});

test('a rule knows where its string begins', async () => {
  const result = await draftText('[network]\nallow = [\n\t"é:1", "b:2",\n]\n');
  const places = result.ok && result.draft.rules.map(({ line, column }) => [line, column]);
  expect(places).toEqual([
    [3, 2],
    [3, 9],
  ]);
});
