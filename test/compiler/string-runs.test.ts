/**
 * Long lists of plain strings do not go through the TOML parser (compiler/string-runs.ts): the
 * tree, and the place of an error, must be those that the parser gives for the whole text.
 */
import { expect, test } from 'vitest';
import { StringRuns } from '../../compiler/string-runs.ts';
import { parseToml, parseTree } from '../../compiler/toml.ts';

const LINES = 300;

/** Lines that may be cut, the first excepted. */
const plain = (name: string, count = LINES): string =>
  Array.from({ length: count }, (_, i) => `  "${name}-${i}",\n`).join('');

const DOCUMENTS: readonly (readonly [string, string])[] = [
  ['a list between keys', `[network]\nallow = [\n${plain('a')}]\ndeny = ["x"]\n`],
  ['two lists', `[network]\nallow = [\n${plain('a')}]\ndeny = [\n${plain('b')}]\n`],
  ['items around a run', `a = [ "first",\n${plain('a')} "last", 'literal' ]\nb = 1\n`],
  ['comments between runs', `a = [\n${plain('a')}# "x",\n${plain('b')}]\n`],
  ['carriage returns', `a = [\n${plain('a').replaceAll('\n', '\r\n')}]\r\nb = [1]\r\n`],
  ['lists in a list', `a = [\n[\n${plain('a')}],\n${plain('b')}[\n${plain('c')}]]\n`],
  ['a list in an inline table', `a = { b = [\n${plain('a')}] }\nc = 2\n`],
  ['text of several lines', `a = """\n${plain('a')}"""\nb = [ '''\n${plain('b')}''' ]\n`],
  ['letters beyond ASCII', `a = [\n${plain('ü☂')}"ö" ]\nb = "ä"\n`],
  ['tables after it', `a = [\n${plain('a')}]\n[b]\nc = 1\n[[d]]\ne = [\n${plain('e')}]\n`],
];

test.each(DOCUMENTS)('%s: the tree is that of the parser', (_, text) => {
  const runs = new StringRuns(text);
  expect(text.length - runs.rest.length).toBeGreaterThan(LINES);
  const parsed = parseToml('policy.toml', text);
  expect(parsed.ok && parsed.root).toEqual(parseTree(text));
});

const BROKEN: readonly (readonly [string, string])[] = [
  ['no array around it', `a = 1\n${plain('a')}`],
  ['nothing before the first comma', `a = [ ,\n${plain('a')}]\n`],
  ['a comma is missing before it', `a = [ "x"\n${plain('a')}]\n`],
  ['two commas behind it', `a = [\n${plain('a')},]\n`],
  ['a key behind it', `a = [\n${plain('a')} b = 1 ]\n`],
  ['a wrong line far behind it', `a = [\n${plain('a')}]\nb = [\n${plain('b')}]\nc c\n`],
  ['a key twice behind it', `a = [\n${plain('a')}]\na = 2\n`],
  ['an inline table of several lines', `a = { b = 1,\n${plain('a')} }\n`],
];

test.each(BROKEN)('%s: the error is that of the parser', (_, text) => {
  const parsed = parseToml('policy.toml', text);
  // A tab behind a comma and a comment keep lines from being cut and leave places as they are up to the line's end.
  const uncut = parseToml('policy.toml', text.replaceAll('",\n', '",#\n'));
  if (parsed.ok || uncut.ok) throw new Error('the document was read');
  const place = ({ code, line, column, message }: typeof parsed.diagnostic): unknown => ({
    code,
    line,
    column,
    message,
  });
  expect(place(parsed.diagnostic)).toEqual(place(uncut.diagnostic));
});

test('an array that is not closed is shown behind its last item', () => {
  const parsed = parseToml('policy.toml', `a = [\n${plain('a')}`);
  expect(parsed.ok ? undefined : parsed.diagnostic).toMatchObject({
    line: LINES + 1,
    message: 'the array is not closed',
  });
});

test('lines that are not plain are left to the parser', () => {
  for (const line of ['"a\\n",', '"a" , "b",', "'a',", '"a", # why', '"a\tb",', '"""a""",']) {
    const text = `a = [\n${`  ${line}\n`.repeat(LINES)}]\n`;
    expect(new StringRuns(text).rest).toBe(text);
  }
});

test('a short list is left to the parser', () => {
  const text = `a = [\n${plain('a', 200)}]\n`;
  expect(new StringRuns(text).rest).toBe(text);
});
