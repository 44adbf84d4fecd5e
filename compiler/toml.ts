/**
 * TOML text to a tree (toml-tree.ts). The only file, with format-policy.ts, that knows the TOML
 * parser (toml-eslint-parser, strict TOML 1.0). Decides nothing about what a policy may say.
 * Offsets are UTF-16 units into the text without its byte order mark.
 */
import { type AST, ParseError, parseTOML } from 'toml-eslint-parser';
import type { Diagnostic, Fault } from './diagnostic.ts';
import { createSource, type Source } from './source.ts';
import { StringRuns } from './string-runs.ts';
import { firstDefinition, meantByToml } from './toml-meant.ts';
import type { Span, TomlNode, TomlTable } from './toml-tree.ts';

/** A document, or its first error. */
export type ParsedToml =
  | { readonly ok: true; readonly source: Source; readonly root: TomlTable }
  | { readonly ok: false; readonly diagnostic: Diagnostic };

/** Parses a document. Bytes must be UTF-8; a leading byte order mark is dropped. `name` is used in diagnostics. */
export function parseToml(name: string, input: string | Uint8Array): ParsedToml {
  const { text, bad } = typeof input === 'string' ? { text: input } : decode(input);
  const source = createSource(name, text.replace(/^\ufeff/, ''));
  const fault = bad === undefined ? findBareReturn(source.text) : invalidUtf8(bad, source.text);
  if (fault !== undefined) return { ok: false, diagnostic: source.diagnose(fault) };
  const runs = new StringRuns(source.text);
  try {
    const root = runs.restore(parseTree(runs.rest));
    // A run that is in no array was no list of strings: the parser gets to see it.
    return { ok: true, source, root: root ?? parseTree(source.text) };
  } catch (error) {
    return { ok: false, diagnostic: source.diagnose(toFault(error, source.text, runs)) };
  }
}

/** The tree of a text as the parser alone gives it. @throws what the parser throws. */
export function parseTree(text: string): TomlTable {
  return toTree(parseTOML(text, { tomlVersion: '1.0' }));
}

/** The parser recurses and spreads strings; what breaks it, or DEEPEST, is nothing that a policy would hold. */
const TOO_LARGE: Fault = {
  code: 'SL1001',
  message: 'a string is too long or brackets are nested too deeply',
  start: 0,
  end: 0,
};

/** The text of a file, and its bytes once more where they are no UTF-8. */
function decode(bytes: Uint8Array): { readonly text: string; readonly bad?: Uint8Array } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return { text: new TextDecoder().decode(bytes), bad: bytes };
  }
}

/** Where they are none, by the replacement characters in what was made of them. */
function invalidUtf8(bytes: Uint8Array, text: string): Fault {
  // A replacement character that the file itself holds has its three bytes there.
  let at = text.indexOf('\ufffd');
  const mark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  for (; at >= 0; at = text.indexOf('\ufffd', at + 1)) {
    const offset = mark + new TextEncoder().encode(text.slice(0, at)).length;
    if (bytes[offset] !== 0xef || bytes[offset + 1] !== 0xbf || bytes[offset + 2] !== 0xbd) break;
  }
  const start = Math.max(0, at);
  return { code: 'SL1002', message: 'the file is not UTF-8 here', start, end: start + 1 };
}

/** TOML 1.0 knows LF and CRLF only; the parser takes a lone CR for a line end. */
function findBareReturn(text: string): Fault | undefined {
  const start = text.search(/\r(?!\n)/);
  if (start < 0) return undefined;
  const message = 'a carriage return stands without its line feed';
  return { code: 'SL1001', message, start, end: start + 1 };
}

const DEFINED_ALREADY = 'this is defined already';

/** The parser's messages (its version is pinned) that say more in other words. */
const MESSAGES: ReadonlyMap<string, string> = new Map([
  ['Unterminated string constant', 'the string is not closed on its line'],
  ['Unterminated table-key', 'the table header is not closed'],
  ['Unterminated array', 'the array is not closed'],
  ['Unterminated inline table', 'the inline table is not closed'],
  ['Empty bare keys are not allowed', 'a key is missing'],
  ['Must be a newline', 'a new line is missing before this'],
  ['Expected equal (=) token', 'the `=` behind a key is missing'],
  ['Unspecified values are invalid', 'the value is missing'],
  ['Expected comma (,) token', 'a comma is missing before this'],
  ['Defining a key multiple times is invalid', DEFINED_ALREADY],
]);

function toFault(error: unknown, text: string, runs: StringRuns): Fault {
  if (error instanceof Redefinition) {
    const { start, end } = error.span;
    const span = { start: runs.place(start), end: runs.place(end) };
    return withHelp({ code: 'SL1001', message: DEFINED_ALREADY, ...span }, text);
  }
  if (!(error instanceof ParseError)) return TOO_LARGE;
  const known = MESSAGES.get(error.message);
  // What is missing at the end of the text is reported behind the last thing that stands there.
  const end = text.trimEnd().length;
  const index = runs.place(error.index);
  const start = Math.min(index, end);
  const open = index >= end && /[,[]$/.test(text.slice(0, end));
  const message = open ? 'the array is not closed' : (known ?? lowerFirst(error.message));
  const token = /[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'|\S/uy;
  token.lastIndex = start;
  const length = token.exec(text)?.[0].length ?? 1;
  const fault: Fault = { code: 'SL1001', message, start, end: start + length };
  return open ? fault : withHelp(fault, text);
}

function withHelp(fault: Fault, text: string): Fault {
  const find = fault.message === DEFINED_ALREADY ? firstDefinition : meantByToml;
  const help = find(text, fault.start);
  return help === undefined ? fault : { ...fault, help };
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** Deepest nesting of values that is read; the language itself needs three levels. */
const DEEPEST = 100;

/** A key that stands twice and that the parser let pass; nothing of a policy may be lost. */
class Redefinition extends Error {
  readonly span: Span;

  constructor(span: Span) {
    super('defined already');
    this.span = span;
  }
}

function checkDepth(depth: number): void {
  if (depth > DEEPEST) throw new RangeError('nested too deeply');
}

function toTree(program: AST.TOMLProgram): TomlTable {
  const top = program.body[0];
  const root: TomlTable = { kind: 'table', keys: new Map(), start: 0, end: 0 };
  for (const item of top.body) {
    if (item.type === 'TOMLKeyValue') addKeyValue(root, item);
    else {
      const table = openTable(root, item);
      for (const pair of item.body) addKeyValue(table, pair);
    }
  }
  return root;
}

/** Finds or makes the table that a header names; numbers in `resolvedKey` count arrays of tables. */
function openTable(root: TomlTable, header: AST.TOMLTable): TomlTable {
  checkDepth(header.resolvedKey.length);
  let node: TomlNode = root;
  let part = 0;
  for (const [i, step] of header.resolvedKey.entries()) {
    const key = header.key.keys[typeof step === 'string' ? part++ : part - 1];
    const span = toSpan(key ?? header);
    const isArray = typeof header.resolvedKey[i + 1] === 'number';
    const made = (): TomlNode =>
      isArray ? { kind: 'array', items: [], ...span } : { kind: 'table', keys: new Map(), ...span };
    if (typeof step === 'number' && node.kind === 'array') {
      node.items[step] ??= made();
      node = node.items[step] ?? node;
    } else if (node.kind === 'table') {
      node = enter(node, String(step), span, made);
    } else throw new Redefinition(span);
  }
  if (node.kind !== 'table') throw new Redefinition(toSpan(header.key));
  return node;
}

function enter(table: TomlTable, key: string, span: Span, made: () => TomlNode): TomlNode {
  const known = table.keys.get(key);
  if (known !== undefined) return known.node;
  const node = made();
  table.keys.set(key, { ...span, node });
  return node;
}

/** Adds `a.b.c = value`. */
function addKeyValue(table: TomlTable, pair: AST.TOMLKeyValue, depth = 0): void {
  let target = table;
  const parts = pair.key.keys;
  checkDepth(depth + parts.length);
  for (const part of parts.slice(0, -1)) {
    const span = toSpan(part);
    const made = (): TomlNode => ({ kind: 'table', keys: new Map(), ...span });
    const next = enter(target, keyText(part), span, made);
    if (next.kind !== 'table') throw new Redefinition(span);
    target = next;
  }
  const last = parts.at(-1);
  if (last === undefined) return;
  if (target.keys.has(keyText(last))) throw new Redefinition(toSpan(last));
  target.keys.set(keyText(last), {
    ...toSpan(last),
    node: toNode(pair.value, depth + parts.length),
  });
}

function keyText(key: AST.TOMLBare | AST.TOMLQuoted): string {
  return key.type === 'TOMLBare' ? key.name : key.value;
}

function toNode(content: AST.TOMLContentNode, depth: number): TomlNode {
  checkDepth(depth);
  const span = toSpan(content);
  if (content.type === 'TOMLArray') {
    return {
      kind: 'array',
      items: content.elements.map((item) => toNode(item, depth + 1)),
      ...span,
    };
  }
  if (content.type === 'TOMLInlineTable') {
    const table: TomlTable = { kind: 'table', keys: new Map(), ...span };
    for (const pair of content.body) addKeyValue(table, pair, depth + 1);
    return table;
  }
  if (content.kind === 'string') return { kind: 'string', value: content.value, ...span };
  if (content.kind === 'boolean') return { kind: 'boolean', value: content.value, ...span };
  if (content.kind === 'integer' || content.kind === 'float') {
    return { kind: 'number', value: content.value, ...span };
  }
  return { kind: 'date', value: null, ...span };
}

function toSpan(node: { readonly range: readonly [number, number] }): Span {
  return { start: node.range[0], end: node.range[1] };
}
