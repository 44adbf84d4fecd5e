/**
 * Set files: one address or CIDR a line, `#` comments, blank lines, LF or CRLF. A file may hold a
 * million lines: plain ones are read by set-lines.ts, everything else is given to parseSetItem,
 * whose grammar is the only one. Faults carry the file's own lines; at most 20 are described.
 */
import { canonicalPrefix, isUnspecified } from './address.ts';
import { countCharacters, createDiagnostic, type Diagnostic, type Fault } from './diagnostic.ts';
import type { Prefix, PrefixList } from './model.ts';
import { type Progress, TELL_EVERY, untold } from './progress.ts';
import { parseSetItem } from './set-item.ts';
import { readSetLines, type TextStream } from './set-lines.ts';
import type { PolicyModule } from './wasm.ts';

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

/** A file as diagnostics name it. `note` is added to each of them: where the policy names the file. */
export interface SetFileName {
  readonly file: string;
  readonly note: string;
}

/** Parses a file. */
export function parseSetFile(
  policy: PolicyModule,
  { file, note }: SetFileName,
  content: string | Uint8Array | TextStream,
  progress: Progress = untold,
): ParsedSetFile {
  const diagnostics: Diagnostic[] = [];
  let bad = 0;
  let told = 0;
  let holdsUnspecified = false;
  const readLine = (text: string, line: number): Prefix | undefined => {
    const item = cutItem(text);
    if (item === '') return undefined;
    const parsed = parseSetItem(item);
    if (!parsed.ok) {
      if (++bad > MOST_ERRORS + 1) return undefined;
      const place = { file, line, text };
      diagnostics.push(describe(place, text.indexOf(item), parsed.fault, note));
      return undefined;
    }
    if (isUnspecified(parsed.prefix)) holdsUnspecified = true;
    return canonicalPrefix(parsed.prefix);
  };
  const tell = (lines: number, done: number): void => {
    if (lines < told + TELL_EVERY) return;
    told = lines - (lines % TELL_EVERY);
    progress(`reading ${file}`, done);
  };
  const prefixes = readSetLines(policy, streamOf(content), { readLine, tell });
  const last = diagnostics[MOST_ERRORS];
  if (last !== undefined) diagnostics[MOST_ERRORS] = summarise(last, bad - MOST_ERRORS);
  const count = prefixes.v4.length + prefixes.v6Bits.length;
  return { prefixes, count, holdsUnspecified, diagnostics };
}

function streamOf(content: string | Uint8Array | TextStream): TextStream {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  if (!(bytes instanceof Uint8Array)) return bytes;
  let at = 0;
  return {
    bytes: bytes.length,
    read(into) {
      const part = bytes.subarray(at, at + into.length);
      into.set(part);
      at += part.length;
      return part.length;
    },
  };
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
