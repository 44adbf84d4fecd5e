/**
 * A policy's text in one form: spacing, line ends, indentation, commas. Comments, the order of
 * everything, how strings are written and the author's choice between one line and several stay.
 * What is formatted is formatted no further, and a text whose values or comments would change is
 * given back as an error instead: nothing is ever lost.
 *
 *   - `key = value`; a blank line before each table, at most one elsewhere
 *   - a list on one line where it was on one, holds no comment and fits; else one item a line, each with its comma
 *   - a comment behind something has at least two blanks before it, so many that those of
 *     neighbouring lines stand in one column; one of its own stands where its neighbours do
 */
import { type AST, parseTOML } from 'toml-eslint-parser';
import type { Diagnostic } from './diagnostic.ts';
import { parseToml } from './toml.ts';
import { toPlain } from './toml-tree.ts';

/** The formatted text, or why the text can not be formatted. */
export type FormatResult =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly diagnostic: Diagnostic };

/** Columns that a list on one line may fill. */
const WIDTH = 100;
const INDENT = '  ';

/**
 * Formats a policy; `name` is used in diagnostics. Values are not looked at: what is wrong with
 * them is the compiler's to say.
 */
export function formatPolicy(name: string, input: string | Uint8Array): FormatResult {
  const before = parseToml(name, input);
  if (!before.ok) return before;
  const { text: source } = before.source;
  const program = parseTOML(source, { tomlVersion: '1.0' });
  const text = new Printer(source, program).print();
  const after = parseToml(name, text);
  const isKept =
    after.ok &&
    JSON.stringify(toPlain(after.root)) === JSON.stringify(toPlain(before.root)) &&
    commentsOf(text) === commentsOf(source);
  if (isKept) return { ok: true, text };
  const message = 'this file can not be formatted without a change of what it says';
  const help = 'leave it as it is, and report the file as a fault of sandlock';
  const fault = { code: 'SL1001', message, start: 0, end: 0, help } as const;
  return { ok: false, diagnostic: before.source.diagnose(fault) };
}

/** The comments of a text, one a line. */
function commentsOf(text: string): string {
  const { comments } = parseTOML(text, { tomlVersion: '1.0' });
  return comments.map(({ value }) => value.trimEnd()).join('\n');
}

/** Text that ends a line, and the comment behind it. */
interface Line {
  readonly text: string;
  comment?: string;
}

/** Something that begins a line. */
interface Item extends Line {
  readonly kind: 'comment' | 'header' | 'pair';
  readonly firstLine: number;
  readonly lastLine: number;
}

class Printer {
  readonly #source: string;
  readonly #program: AST.TOMLProgram;
  /** Comments that stand behind something, by their offset: told with it. */
  readonly #told = new Set<number>();

  constructor(source: string, program: AST.TOMLProgram) {
    this.#source = source;
    this.#program = program;
  }

  print(): string {
    const items: Item[] = [];
    for (const node of this.#program.body[0].body) {
      if (node.type === 'TOMLKeyValue') items.push(this.#pair(node));
      else {
        items.push(this.#header(node));
        for (const pair of node.body) items.push(this.#pair(pair));
      }
    }
    for (const comment of this.#program.comments) {
      if (this.#told.has(comment.range[0])) continue;
      const { line } = comment.loc.start;
      items.push({ kind: 'comment', firstLine: line, lastLine: line, text: showComment(comment) });
    }
    items.sort((a, b) => a.firstLine - b.firstLine);
    const lines: Line[] = [];
    items.forEach((item, i) => {
      const last = items[i - 1];
      if (last !== undefined && needsBlank(items, i, last)) lines.push({ text: '' });
      lines.push(item);
    });
    return align(lines)
      .map((line) => `${line}\n`)
      .join('');
  }

  #header(table: AST.TOMLTable): Item {
    const keys = table.key.keys.map((key) => this.#raw(key)).join('.');
    const text = table.kind === 'array' ? `[[${keys}]]` : `[${keys}]`;
    // The brackets behind the key are on its line.
    const { line } = table.key.loc.end;
    return this.#item('header', table.loc.start.line, line, text);
  }

  #pair(pair: AST.TOMLKeyValue): Item {
    const { start, end } = pair.loc;
    return this.#item('pair', start.line, end.line, this.#keyValue(pair, ''));
  }

  #item(kind: Item['kind'], firstLine: number, lastLine: number, text: string): Item {
    const comment = this.#program.comments.find(
      ({ loc, range }) => loc.start.line === lastLine && !this.#told.has(range[0]),
    );
    if (comment === undefined) return { kind, firstLine, lastLine, text };
    this.#told.add(comment.range[0]);
    return { kind, firstLine, lastLine, text, comment: showComment(comment) };
  }

  #keyValue({ key, value }: AST.TOMLKeyValue, indent: string): string {
    const name = key.keys.map((part) => this.#raw(part)).join('.');
    return `${name} = ${this.#value(value, indent, indent.length + name.length + 3)}`;
  }

  /** A value whose first line is indented by `indent` and begins at column `used`. */
  #value(node: AST.TOMLContentNode, indent: string, used: number): string {
    if (node.type === 'TOMLInlineTable') {
      const pairs = node.body.map((pair) => this.#keyValue(pair, indent));
      return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
    }
    if (node.type !== 'TOMLArray') return this.#raw(node);
    const comments = this.#program.comments.filter(
      ({ range }) => node.range[0] < range[0] && range[1] <= node.range[1],
    );
    if (comments.length === 0 && node.loc.start.line === node.loc.end.line) {
      const items = node.elements.map((item) => this.#value(item, indent, 0));
      const line = `[${items.join(', ')}]`;
      if (used + line.length <= WIDTH || node.elements.length === 0) return line;
    }
    return this.#longList(node, indent);
  }

  #longList(node: AST.TOMLArray, indent: string): string {
    const inner = indent + INDENT;
    const lines = new Map<number, Line & { readonly lastLine: number }>();
    for (const item of node.elements) {
      const text = `${inner}${this.#value(item, inner, inner.length)},`;
      lines.set(item.range[0], { text, lastLine: item.loc.end.line });
    }
    for (const comment of this.#program.comments) {
      const [start, end] = comment.range;
      if (start < node.range[0] || end > node.range[1] || this.#told.has(start)) continue;
      this.#told.add(start);
      const before = node.elements.findLast(({ range }) => range[1] <= start);
      const item = before === undefined ? undefined : lines.get(before.range[0]);
      if (item?.lastLine === comment.loc.start.line) item.comment = showComment(comment);
      else {
        const { line } = comment.loc.start;
        lines.set(start, { text: `${inner}${showComment(comment)}`, lastLine: line });
      }
    }
    const ordered = [...lines].sort(([a], [b]) => a - b).map(([, line]) => line);
    return ['[', ...align(ordered), `${indent}]`].join('\n');
  }

  #raw({ range }: { readonly range: readonly [number, number] }): string {
    return this.#source.slice(range[0], range[1]);
  }
}

/** The lines with their comments, those of lines that follow each other in one column. */
function align(lines: readonly Line[]): readonly string[] {
  const widthOf = ({ text }: Line): number => text.length - (text.lastIndexOf('\n') + 1);
  const columns: number[] = [];
  for (let from = 0; from < lines.length; ) {
    let to = from;
    let column = 0;
    for (let line = lines[to]; line?.comment !== undefined; line = lines[++to]) {
      column = Math.max(column, widthOf(line));
    }
    for (to = Math.max(to, from + 1); from < to; from++) columns.push(column);
  }
  return lines.map((line, i) => {
    if (line.comment === undefined) return line.text;
    const gap = ' '.repeat((columns[i] ?? 0) - widthOf(line) + 2);
    return `${line.text}${gap}${line.comment}`;
  });
}

function showComment({ value }: { readonly value: string }): string {
  return `#${value.trimEnd()}`;
}

/** A blank line that was there, and one before a table with the comments that stand right above it. */
function needsBlank(items: readonly Item[], index: number, last: Item): boolean {
  const item = items[index];
  if (item === undefined) return false;
  if (item.firstLine > last.lastLine + 1) return true;
  if (item.kind === 'header') return last.kind !== 'comment';
  if (item.kind !== 'comment' || last.kind === 'comment') return false;
  let next = index;
  while (
    items[next]?.kind === 'comment' &&
    items[next + 1]?.firstLine === (items[next]?.lastLine ?? 0) + 1
  ) {
    next++;
  }
  return items[next]?.kind === 'header';
}
