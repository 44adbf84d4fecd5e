/**
 * Plain lines of set files, decoded from their bytes: an address or CIDR of digits, and perhaps a comment.
 * Only a quick way through what parseSetItem would read the same: a line that holds anything else, or that needs more than
 * its bits stored (unspecified, IPv4-mapped), is left to it. So nothing here explains or decides.
 */
import { isMapped } from './address.ts';
import type { PrefixListBuilder } from './prefix-list.ts';

export const NEWLINE = 0x0a;
const RETURN = 0x0d;
export const SPACE = 0x20;
export const TAB = 0x09;
const HASH = 0x23;
const DOT = 0x2e;
const SLASH = 0x2f;
const ZERO = 0x30;
const COLON = 0x3a;

/** Not a hexadecimal digit. */
const NO_DIGIT = 16;

/** Value of each byte as a hexadecimal digit. */
const DIGITS: Uint8Array = new Uint8Array(256).fill(NO_DIGIT);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  DIGITS[digit.charCodeAt(0)] = value;
  DIGITS[digit.toUpperCase().charCodeAt(0)] = value;
}

/**
 * Reads a line from `from`, behind its blanks: adds its prefix and gives the offset of the next line; gives 0, and adds
 * nothing, when the line is not plain.
 */
export function readPlainLine(bytes: Uint8Array, from: number, list: PrefixListBuilder): number {
  return readIpv4(bytes, from, list) || readIpv6(bytes, from, list);
}

function readIpv4(bytes: Uint8Array, from: number, list: PrefixListBuilder): number {
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
  const end = lengthEnd(bytes, at);
  const bits = end === at ? 32 : readLength(bytes, at + 1, end);
  const next = lineTail(bytes, end);
  if (bits > 32 || next === 0 || (address === 0 && bits === 32)) return 0;
  if (bits < 32 && address << bits !== 0) return 0;
  list.addV4(address, bits);
  return next;
}

/** The address that is being read; the list copies it. */
const address = new Uint8Array(16);

function readIpv6(bytes: Uint8Array, from: number, list: PrefixListBuilder): number {
  let at = from;
  let groups = 0;
  // Number of groups before `::`.
  let gap = -1;
  if (bytes[at] === COLON) {
    if (bytes[at + 1] !== COLON) return 0;
    gap = 0;
    at += 2;
  }
  for (;;) {
    const start = at;
    let group = 0;
    for (let digit = digitAt(bytes, at); digit !== NO_DIGIT; digit = digitAt(bytes, ++at)) {
      if (at - start === 4) return 0;
      group = (group << 4) | digit;
    }
    if (at === start) {
      // Only `::` may stand last.
      if (gap !== groups) return 0;
      break;
    }
    if (groups === 8) return 0;
    address[2 * groups] = group >> 8;
    address[2 * groups + 1] = group & 0xff;
    groups++;
    if (bytes[at] !== COLON) break;
    at++;
    if (bytes[at] === COLON) {
      if (gap >= 0) return 0;
      gap = groups;
      at++;
    }
  }
  if (gap < 0 ? groups !== 8 : groups > 7) return 0;
  if (gap >= 0) openGap(gap, groups);
  const end = lengthEnd(bytes, at);
  const bits = end === at ? 128 : readLength(bytes, at + 1, end);
  const next = lineTail(bytes, end);
  if (bits > 128 || next === 0 || hasHostBits(bits)) return 0;
  if (bits >= 96 && isMapped(address)) return 0;
  if (bits === 128 && address[15] === 0 && address.every((byte) => byte === 0)) return 0;
  list.addV6(address, bits);
  return next;
}

function digitAt(bytes: Uint8Array, at: number): number {
  return DIGITS[bytes[at] ?? 0] ?? NO_DIGIT;
}

/** Moves the groups behind `::` to the end and clears what it stands for. */
function openGap(gap: number, groups: number): void {
  // Loops, because for so few bytes copyWithin and fill cost several times as much.
  const first = 2 * gap;
  let from = 2 * groups;
  let to = 16;
  while (from > first) address[--to] = address[--from] ?? 0;
  while (to > first) address[--to] = 0;
}

function hasHostBits(bits: number): boolean {
  if (bits === 128) return false;
  let at = bits >> 3;
  if (((address[at++] ?? 0) & (0xff >> (bits & 7))) !== 0) return true;
  for (; at < 16; at++) if (address[at] !== 0) return true;
  return false;
}

/** Where `/` and the digits behind it end; `at` when there is no `/`. */
function lengthEnd(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== SLASH) return at;
  let end = at + 1;
  while (end - at < 5 && isDecimal(bytes[end])) end++;
  return end;
}

/** A prefix length of one to three digits without leading zero; 255, which no address has, when it is none. */
function readLength(bytes: Uint8Array, start: number, end: number): number {
  if (end === start || end - start > 3 || (end - start > 1 && bytes[start] === ZERO)) return 255;
  let length = 0;
  for (let at = start; at < end; at++) length = length * 10 + (bytes[at] ?? 0) - ZERO;
  return length;
}

function isDecimal(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= ZERO + 9;
}

/** The offset of the next line when only blanks and a comment follow, else 0. */
function lineTail(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at] === SPACE || bytes[at] === TAB) at++;
  if (bytes[at] === HASH) at = lineEnd(bytes, at).end;
  if (bytes[at] === RETURN) at++;
  return at < bytes.length && bytes[at] !== NEWLINE ? 0 : at + 1;
}

/** Where the line of `at` ends, without its CR, and where the next begins. */
export function lineEnd(bytes: Uint8Array, at: number): { end: number; next: number } {
  const found = bytes.indexOf(NEWLINE, at);
  const end = found < 0 ? bytes.length : found;
  return { end: end > at && bytes[end - 1] === RETURN ? end - 1 : end, next: end + 1 };
}
