/**
 * Long lists of plain strings, one a line, which a policy may have by the hundred thousand: they
 * are cut out of the text before the TOML parser sees it, and put back into its tree. The parser
 * takes some microseconds and a kilobyte for each, these lines a tenth of it.
 *
 *     allow = [
 *       "10.0.0.0/8:443",      the first line of a run stays
 *       "10.1.0.0/16:443",     cut, up to the last line that looks like this one
 *       "10.2.0.0/16:443"
 *     ]
 *
 * What is left is a document if and only if the whole is one, with the same tree but for these
 * strings: before each line that is cut stands one that ends with a comma, so in whatever state the
 * parser is between the two, it is in the same state behind the line. In an array that means one
 * more item. Anywhere else (in a string of several lines) the run belongs to no array, and the
 * whole text is parsed instead.
 */
import type { Span, TomlEntry, TomlNode, TomlScalar, TomlTable } from './toml-tree.ts';

/**
 * A line that holds one string and a comma: neither quotes nor backslashes in it, neither control
 * characters nor surrogates.
 */
const PLAIN_LINE = /[ \t]*"[ !#-[\]-~\u00a0-\ud7ff\ue000-\uffff]*",[ \t]*\r?\n/y;

/** Fewer lines are not worth a cut. */
const LEAST = 256;

/** A text without its runs, and where they were. Offsets of the runs are those of the whole text. */
export class StringRuns {
  /** What is left for the parser. */
  readonly rest: string;
  readonly #whole: string;
  readonly #runs: readonly Span[];
  /** For each run: at which offset of `rest` it was cut, and how much was cut up to and with it. */
  readonly #cuts: readonly { readonly at: number; readonly removed: number }[];

  constructor(text: string) {
    const runs = findRuns(text);
    let rest = '';
    let from = 0;
    this.#cuts = runs.map(({ start, end }) => {
      rest += text.slice(from, start);
      from = end;
      return { at: rest.length, removed: end - rest.length };
    });
    this.rest = rest + text.slice(from);
    this.#whole = text;
    this.#runs = runs;
  }

  /** The offset in the whole text of an offset in what is left. */
  place(offset: number): number {
    let [low, high] = [0, this.#cuts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#cuts[middle]?.at ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return offset + (this.#cuts[low - 1]?.removed ?? 0);
  }

  /** The tree of the whole text from that of `rest`; undefined when a run stood in no array. */
  restore(root: TomlTable): TomlTable | undefined {
    if (this.#runs.length === 0) return root;
    const homeless = new Set(this.#runs);
    const table = this.#restoreTable(root, homeless);
    return homeless.size === 0 ? table : undefined;
  }

  #restoreTable(table: TomlTable, homeless: Set<Span>): TomlTable {
    const keys = new Map<string, TomlEntry>();
    for (const [key, entry] of table.keys) {
      keys.set(key, { ...this.#span(entry), node: this.#restoreNode(entry.node, homeless) });
    }
    return { kind: 'table', keys, ...this.#span(table) };
  }

  #restoreNode(node: TomlNode, homeless: Set<Span>): TomlNode {
    if (node.kind === 'table') return this.#restoreTable(node, homeless);
    const span = this.#span(node);
    if (node.kind !== 'array') return { ...node, ...span };
    const items = node.items.map((item) => this.#restoreNode(item, homeless));
    return { kind: 'array', items: this.#putBack(span, items, homeless), ...span };
  }

  #span({ start, end }: Span): Span {
    return { start: this.place(start), end: this.place(end) };
  }

  /** The items of an array with those that were cut out of it. */
  #putBack(array: Span, items: TomlNode[], homeless: Set<Span>): TomlNode[] {
    const all: TomlNode[] = [];
    let next = 0;
    for (const run of this.#runs) {
      if (run.start < array.start || run.end > array.end) continue;
      for (let item = items[next]; item !== undefined && item.end <= run.start; ) {
        all.push(item);
        item = items[++next];
      }
      // The item around the run has put it back, or is a string of several lines.
      if ((items[next]?.start ?? array.end) < run.start) continue;
      homeless.delete(run);
      for (const item of this.#strings(run)) all.push(item);
    }
    return next === 0 && all.length === 0 ? items : all.concat(items.slice(next));
  }

  *#strings(run: Span): Iterable<TomlScalar> {
    let at = this.#whole.indexOf('"', run.start);
    while (at >= 0 && at < run.end) {
      const close = this.#whole.indexOf('"', at + 1);
      const value = this.#whole.slice(at + 1, close);
      yield { kind: 'string', value, start: at, end: close + 1 };
      at = this.#whole.indexOf('"', close + 1);
    }
  }
}

/** The lines of each run but the first. */
function findRuns(text: string): Span[] {
  const runs: Span[] = [];
  for (let at = 0; at < text.length; ) {
    const first = endOfPlainLine(text, at);
    if (first === undefined) {
      const end = text.indexOf('\n', at);
      if (end < 0) break;
      at = end + 1;
      continue;
    }
    let end = first;
    let lines = 0;
    for (
      let next = endOfPlainLine(text, end);
      next !== undefined;
      next = endOfPlainLine(text, end)
    ) {
      end = next;
      lines++;
    }
    if (lines >= LEAST) runs.push({ start: first, end });
    at = end;
  }
  return runs;
}

/** Where the line behind a plain line begins; undefined when the line at `at` is not plain. */
function endOfPlainLine(text: string, at: number): number | undefined {
  PLAIN_LINE.lastIndex = at;
  return PLAIN_LINE.test(text) ? PLAIN_LINE.lastIndex : undefined;
}
