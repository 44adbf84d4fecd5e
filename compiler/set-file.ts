/**
 * Set files: one address or CIDR a line, `#` comments, blank lines, LF or CRLF.
 * Reads bytes, because a file may hold a million lines: plain lines are decoded in place by set-lines.ts, everything else is
 * cut out and given to parseSetItem, whose grammar is the only one. Faults carry the file's own lines; at most 20 are
 * described.
 */
import { countCharacters, createDiagnostic, type Diagnostic, type Fault } from './diagnostic.ts';
import type { PrefixList } from './model.ts';
import { PrefixListBuilder } from './prefix-list.ts';
import { type Progress, TELL_EVERY, untold } from './progress.ts';
import { parseSetItem } from './set-item.ts';
import { lineEnd, NEWLINE, readPlainLine, SPACE, TAB } from './set-lines.ts';

/** Bytes from which the number of lines is estimated. */
const SAMPLE = 1 << 16;

/** Errors of one file that are described; the rest is counted. */
const MOST_ERRORS = 20;

/** What a file holds; `diagnostics` is empty when every line is good. */
export interface ParsedSetFile {
  readonly prefixes: PrefixList;
  readonly count: number;
  /** Whether 0.0.0.0 or :: alone is a member; `prefixes` has the loopback for it. */
  readonly holdsUnspecified: boolean;
  readonly diagnostics: readonly Diagnostic[];
}

/** Parses a file. `note` is added to each diagnostic: where the policy names the file. */
export function parseSetFile(
  file: string,
  content: string | Uint8Array,
  note: string,
  progress: Progress = untold,
): ParsedSetFile {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  const list = new PrefixListBuilder(estimateLines(bytes));
  const diagnostics: Diagnostic[] = [];
  const decoder = new TextDecoder();
  let bad = 0;
  let line = 0;
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (at < bytes.length) {
    if (++line % TELL_EVERY === 0) progress(`reading ${file}`, at / bytes.length);
    const lineStart = at;
    while (bytes[at] === SPACE || bytes[at] === TAB) at++;
    const fast = readPlainLine(bytes, at, list);
    if (fast > 0) {
      at = fast;
      continue;
    }
    const { end, next } = lineEnd(bytes, at);
    at = next;
    const text = decoder.decode(bytes.subarray(lineStart, end));
    const item = cutItem(text);
    if (item === '') continue;
    const parsed = parseSetItem(item);
    if (parsed.ok) list.add(parsed.prefix);
    else if (++bad <= MOST_ERRORS + 1) {
      diagnostics.push(describe({ file, line, text }, text.indexOf(item), parsed.fault, note));
    }
  }
  const last = diagnostics[MOST_ERRORS];
  if (last !== undefined) diagnostics[MOST_ERRORS] = summarise(last, bad - MOST_ERRORS);
  const { size: count, holdsUnspecified } = list;
  return { prefixes: list.build(), count, holdsUnspecified, diagnostics };
}

/** How many lines a file has if all are as long as the first ones, and a few more. */
function estimateLines(bytes: Uint8Array): number {
  const sample = bytes.subarray(0, SAMPLE);
  const lines = sample.reduce((count, byte) => (byte === NEWLINE ? count + 1 : count), 1);
  return sample.length === 0 ? 0 : (bytes.length / sample.length) * lines * 1.1;
}

/** A line without its comment and the blanks around what is left. */
function cutItem(text: string): string {
  const hash = text.indexOf('#');
  const line = hash < 0 ? text : text.slice(0, hash);
  let start = 0;
  let end = line.length;
  while (line[start] === ' ' || line[start] === '\t') start++;
  while (end > start && (line[end - 1] === ' ' || line[end - 1] === '\t')) end--;
  return line.slice(start, end);
}

function describe(
  place: { readonly file: string; readonly line: number; readonly text: string },
  itemStart: number,
  fault: Fault,
  note: string,
): Diagnostic {
  const start = itemStart + fault.start;
  const column = 1 + countCharacters(place.text, 0, start);
  return createDiagnostic(place, column, { ...fault, start, end: itemStart + fault.end }, { note });
}

/** Replaces the first error that is not described by the number of those. */
function summarise(first: Diagnostic, count: number): Diagnostic {
  const { expected: _, help: __, ...rest } = first;
  const message = count === 1 ? 'and 1 more line is wrong' : `and ${count} more lines are wrong`;
  return { ...rest, code: 'SL3006', message };
}
