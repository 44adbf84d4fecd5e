/**
 * Set files: one address or CIDR a line, `#` comments, blank lines, LF or CRLF.
 * Reads bytes, because a file may hold a million lines: plain IPv4 lines are decoded in place, everything else is cut out
 * and given to parseSetItem, whose grammar is the only one. Faults carry the file's own lines; at most 20 are described.
 */

import { canonicalPrefix, ipv4Bytes } from './address.ts';
import { countCharacters, createDiagnostic, type Diagnostic, type Fault } from './diagnostic.ts';
import type { PrefixList } from './model.ts';
import { PrefixListBuilder } from './prefix-list.ts';
import { parseSetItem } from './set-item.ts';

/** Errors of one file that are described; the rest is counted. */
const MOST_ERRORS = 20;

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const HASH = 0x23;
const DOT = 0x2e;
const SLASH = 0x2f;
const ZERO = 0x30;

/** What a file holds; `diagnostics` is empty when every line is good. */
export interface ParsedSetFile {
  readonly prefixes: PrefixList;
  readonly count: number;
  readonly diagnostics: readonly Diagnostic[];
}

/** Parses a file. `note` is added to each diagnostic: where the policy names the file. */
export function parseSetFile(
  file: string,
  content: string | Uint8Array,
  note: string,
): ParsedSetFile {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  const list = new PrefixListBuilder();
  const diagnostics: Diagnostic[] = [];
  const decoder = new TextDecoder();
  let bad = 0;
  let line = 0;
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (at < bytes.length) {
    line++;
    const lineStart = at;
    while (bytes[at] === SPACE || bytes[at] === TAB) at++;
    const fast = readPlainIpv4(bytes, at, list);
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
  return { prefixes: list.build(), count: list.size, diagnostics };
}

/**
 * Reads a line that holds an IPv4 address or CIDR and perhaps a comment from `from`, adds it and gives the offset of the next
 * line; gives 0, and adds nothing, when the line holds anything else.
 */
function readPlainIpv4(bytes: Uint8Array, from: number, list: PrefixListBuilder): number {
  let at = from;
  let address = 0;
  for (let octets = 0; octets < 4; octets++) {
    if (octets > 0 && bytes[at++] !== DOT) return 0;
    const start = at;
    let octet = 0;
    while (at - start < 4) {
      const digit = (bytes[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      octet = octet * 10 + digit;
      at++;
    }
    const digits = at - start;
    if (digits === 0 || octet > 255 || (digits > 1 && bytes[start] === ZERO)) return 0;
    address = address * 256 + octet;
  }
  let bits = 32;
  if (bytes[at] === SLASH) {
    const start = ++at;
    bits = 0;
    while (at - start < 3) {
      const digit = (bytes[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      bits = bits * 10 + digit;
      at++;
    }
    if (at === start || bits > 32 || (at - start > 1 && bytes[start] === ZERO)) return 0;
  }
  while (bytes[at] === SPACE || bytes[at] === TAB) at++;
  if (bytes[at] === HASH) at = lineEnd(bytes, at).end;
  if (bytes[at] === RETURN) at++;
  if (at < bytes.length && bytes[at] !== NEWLINE) return 0;
  if (bits < 32 && address << bits !== 0) return 0;
  if (address === 0 && bits === 32) list.add(canonicalPrefix({ address: ipv4Bytes(0), bits }));
  else list.addV4(address, bits);
  return at + 1;
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

function lineEnd(bytes: Uint8Array, at: number): { end: number; next: number } {
  const found = bytes.indexOf(NEWLINE, at);
  const end = found < 0 ? bytes.length : found;
  return { end: end > at && bytes[end - 1] === RETURN ? end - 1 : end, next: end + 1 };
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
