/**
 * Errors as data, and their one textual form.
 * A fault is what a parser found inside a piece of text; a diagnostic is a fault with its place in a
 * file. Lines and columns are 1-based and columns count characters (Unicode code points; a tab is one).
 * This file knows no rule of the language and prints nothing.
 */
import type { Code } from './codes.ts';

/** A mistake inside a text: `start` and `end` are UTF-16 offsets into that text. */
export interface Fault {
  readonly code: Code;
  readonly message: string;
  readonly start: number;
  readonly end: number;
  readonly expected?: string;
  readonly help?: string;
}

/** A mistake with its place. The object itself is the JSON form. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  readonly code: Code;
  readonly message: string;
  /** File as it was named, or the option that gave the rule (`--allow`). */
  readonly file: string;
  /** 1-based; 0 when the text came from an option or concerns no line. */
  readonly line: number;
  /** 1-based, in characters; within an option's text when `line` is 0; 0 when there is no place. */
  readonly column: number;
  /** Characters underlined, at least 1; never beyond the end of the line by more than one. */
  readonly length: number;
  /** The line's text, or a window of it when it is very long. */
  readonly sourceLine: string;
  /** Column of the first character of `sourceLine`; 1 unless it is a window. */
  readonly sourceColumn: number;
  readonly expected?: string;
  readonly help?: string;
  /** Another place that belongs to this one. */
  readonly note?: string;
}

/** A line of a text, the place for {@link createDiagnostic}. */
export interface SourceLine {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** Characters of a line that are kept around an error; longer lines are generated ones. */
const WINDOW_BEFORE = 80;
const WINDOW_AFTER = 160;

/** Characters of a message, which may quote what the policy says; a longer suggestion helps nobody and is left out. */
const LONGEST_TEXT = 400;

/**
 * Makes a diagnostic of a fault on one line. `fault.start` and `fault.end` are UTF-16 offsets into
 * `place.text`; `column` is the 1-based character column of `fault.start`, handed in because counting it anew
 * for each error would be quadratic on long lines.
 */
export function createDiagnostic(
  place: SourceLine,
  column: number,
  fault: Fault,
  extra: { readonly severity?: 'warning'; readonly note?: string } = {},
): Diagnostic {
  const start = Math.min(fault.start, place.text.length);
  const end = Math.max(start, Math.min(fault.end, place.text.length));
  const windowed = place.text.length > WINDOW_BEFORE + WINDOW_AFTER;
  const from = windowed ? toBoundary(place.text, Math.max(0, start - WINDOW_BEFORE)) : 0;
  const to = windowed ? toBoundary(place.text, start + WINDOW_AFTER) : place.text.length;
  return {
    severity: extra.severity ?? 'error',
    code: fault.code,
    message: clip(fault.message),
    file: place.file,
    line: place.line,
    column,
    length: Math.max(1, countCharacters(place.text, start, end)),
    sourceLine: place.text.slice(from, to),
    sourceColumn: column - countCharacters(place.text, from, start),
    ...(fault.expected === undefined ? {} : { expected: fault.expected }),
    ...(fault.help === undefined || fault.help.length > LONGEST_TEXT ? {} : { help: fault.help }),
    ...(extra.note === undefined ? {} : { note: extra.note }),
  };
}

/** A diagnostic that belongs to a whole policy rather than to a place in it. */
export function diagnosticWithoutPlace(
  file: string,
  fault: Pick<Fault, 'code' | 'message' | 'expected' | 'help'>,
  severity: 'error' | 'warning' = 'error',
): Diagnostic {
  return {
    severity,
    code: fault.code,
    message: fault.message,
    file,
    line: 0,
    column: 0,
    length: 0,
    sourceLine: '',
    sourceColumn: 1,
    ...(fault.expected === undefined ? {} : { expected: fault.expected }),
    ...(fault.help === undefined ? {} : { help: fault.help }),
  };
}

/** Counts characters (code points) of `text` between two UTF-16 offsets. */
export function countCharacters(text: string, start: number, end: number): number {
  let count = 0;
  for (let i = start; i < end; count++) i += (text.codePointAt(i) ?? 0) > 0xffff ? 2 : 1;
  return count;
}

/**
 * The text form, without a final newline:
 *
 *     policy.toml:12:16: error SL2004: port 70000 is above 65535
 *     12 |   "example.com:70000",
 *        |                ^^^^^
 *     expected: a port from 1 to 65535
 *
 * Control and direction-changing characters of the policy are shown as `�`, so that a policy can not write to the
 * reader's terminal.
 */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, severity, code, message, expected, help, note } = diagnostic;
  const place = line > 0 ? `${file}:${line}:${column}` : file;
  const head = `${place === '' ? '' : `${place}: `}${severity} ${code}: ${message}`;
  const lines = [printable(head)];
  if (column > 0) lines.push(...excerpt(diagnostic));
  if (expected !== undefined) lines.push(`expected: ${printable(expected)}`);
  if (help !== undefined) lines.push(`help: ${printable(help)}`);
  if (note !== undefined) lines.push(`note: ${printable(note)}`);
  return lines.join('\n');
}

/** All of them, a blank line between two, with a final newline. Empty input gives the empty string. */
export function formatDiagnostics(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map((diagnostic) => `${formatDiagnostic(diagnostic)}\n`).join('\n');
}

function excerpt(diagnostic: Diagnostic): string[] {
  const { line, column, length, sourceLine, sourceColumn } = diagnostic;
  const cut = sourceColumn > 1 ? '…' : '';
  const number = line > 0 ? String(line) : '';
  const gutter = ' '.repeat(number.length);
  let pad = cut === '' ? '' : ' ';
  let carets = '';
  let at = sourceColumn;
  for (const character of sourceLine) {
    const width = displayWidth(character);
    // A tab stays a tab so that it is as wide above as below, whatever the terminal's tab stops.
    if (at < column) pad += character === '\t' ? '\t' : ' '.repeat(width);
    else if (at < column + length) carets += '^'.repeat(Math.max(1, width));
    at++;
  }
  if (carets === '') carets = '^';
  const bar = number === '' ? '  ' : ' | ';
  return [
    `${number}${bar}${cut}${printable(sourceLine)}`.trimEnd(),
    `${gutter}${bar}${pad}${carets}`,
  ];
}

// Patterns with classes of Unicode stand where they are used: to make one takes longer than to compile a small policy.

function printable(text: string): string {
  const unprintable = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
  return text.replace(unprintable, (character) => (character === '\t' ? '\t' : '\ufffd'));
}

/** Cells of a terminal: 0 for combining marks, 2 for East Asian wide characters and emoji. */
function displayWidth(character: string): number {
  const point = character.codePointAt(0) ?? 0;
  if (point < 0x300) return 1;
  if (/^[\p{Mn}\p{Me}\p{Cf}]/u.test(character)) return 0;
  // Blocks that Unicode's EastAsianWidth.txt marks W or F, in whole blocks.
  const wide =
    /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;
  return wide.test(character) ? 2 : 1;
}

function clip(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, toBoundary(text, LONGEST_TEXT))}…` : text;
}

/** Moves an offset off the middle of a surrogate pair. */
function toBoundary(text: string, offset: number): number {
  const unit = text.charCodeAt(offset);
  return unit >= 0xdc00 && unit <= 0xdfff && offset > 0 ? offset - 1 : offset;
}
