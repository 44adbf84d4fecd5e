/**
 * A text with its lines: turns UTF-16 offsets into lines and columns.
 * Line starts are computed once; columns are remembered from question to question, so asking for ascending offsets is
 * linear in the text even when it is one long line. Knows nothing of TOML.
 */
import { countCharacters, createDiagnostic, type Diagnostic, type Fault } from './diagnostic.ts';

/** A place: both 1-based, columns in characters. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A named text. `name` is how the user called it. */
export interface Source {
  readonly name: string;
  /** The name without directories, as rules tell it. */
  readonly fileName: string;
  readonly text: string;
  /** Line and column of a UTF-16 offset, 0..text.length. */
  position(offset: number): Position;
  /** The diagnostic of a fault whose offsets count from the start of the text. */
  diagnose(fault: Fault, extra?: { severity?: 'warning'; note?: string }): Diagnostic;
}

/**
 * Makes a source of a text. An option's text (`origin: 'option'`) is not a file: its diagnostics have line 0, and
 * columns within the text.
 */
export function createSource(
  name: string,
  text: string,
  origin: 'file' | 'option' = 'file',
): Source {
  const starts = lineStarts(text);
  let knownLine = -1;
  let knownOffset = 0;
  let knownColumn = 1;

  function position(offset: number): Position {
    const line = lineOf(starts, offset);
    if (line !== knownLine || offset < knownOffset) {
      knownLine = line;
      knownOffset = starts[line] ?? 0;
      knownColumn = 1;
    }
    knownColumn += countCharacters(text, knownOffset, offset);
    knownOffset = offset;
    return { line: line + 1, column: knownColumn };
  }

  function diagnose(fault: Fault, extra: { severity?: 'warning'; note?: string } = {}): Diagnostic {
    const { line, column } = position(fault.start);
    const start = starts[line - 1] ?? 0;
    const next = starts[line];
    const lineText = text.slice(start, next ?? text.length).replace(/\r?\n$/, '');
    const place = { file: name, line: origin === 'file' ? line : 0, text: lineText };
    const local = { ...fault, start: fault.start - start, end: fault.end - start };
    return createDiagnostic(place, column, local, extra);
  }

  return { name, fileName: name.replace(/^.*\//, ''), text, position, diagnose };
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** Index of the line that holds `offset`: the last start that is not above it. */
function lineOf(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
