/**
 * Plain lines of a list of addresses, decoded from their bytes: an address or CIDR of digits, and
 * perhaps a comment. Only a quick way through what the compiler reads line by line
 * (compiler/set-item.ts): at a line that holds anything else, or that needs more than its bits
 * stored (unspecified, IPv4-mapped), reading stops, and the line is the caller's. So nothing here
 * explains or decides.
 *
 * Every line ends with a line feed, which no part of an address is: nothing is read behind it, and
 * no bounds are asked for but at its end.
 */
import { allocate } from './arena';
import {
  DRAFT_SET_BYTES,
  DRAFT_SET_V4,
  DRAFT_SET_V4_BITS,
  DRAFT_SET_V4_COUNT,
  DRAFT_SET_V6,
  DRAFT_SET_V6_BITS,
  DRAFT_SET_V6_COUNT,
} from './format';
import { List, newList } from './list';
import { hasHostBits, isMapped } from './prefix';

const TAB: u32 = 0x09;
const NEWLINE: u32 = 0x0a;
const RETURN: u32 = 0x0d;
const SPACE: u32 = 0x20;
const HASH: u32 = 0x23;
const DOT: u32 = 0x2e;
const SLASH: u32 = 0x2f;
const ZERO: u32 = 0x30;
const COLON: u32 = 0x3a;

/** Bytes of the shortest line that is an address, by family: `1.1.1.1` and `::1`, each with its end. */
const SHORTEST4: usize = 8;
const SHORTEST6: usize = 4;
const NO_DIGIT: u32 = 16;
/** A length that no address has. */
const NO_LENGTH: u32 = 255;

/** Value of each byte as a hexadecimal digit. */
const digits: usize = makeDigits();

// The list in the form of a draft (draft.ts).
const v4: List = newList(4);
const v4Bits: List = newList(1);
const v6: List = newList(16);
const v6Bits: List = newList(1);

/** Lines that the last `readLines` went through. */
export let linesRead: u32 = 0;
/** Where the prefix length that was read last ends. */
let lengthEnd: usize = 0;

function makeDigits(): usize {
  const table = allocate(256);
  memory.fill(table, <u8>NO_DIGIT, 256);
  for (let value: u32 = 0; value < 10; value++) store<u8>(table + ZERO + value, <u8>value);
  for (let value: u32 = 10; value < 16; value++) {
    store<u8>(table + 0x41 + value - 10, <u8>value);
    store<u8>(table + 0x61 + value - 10, <u8>value);
  }
  return table;
}

/** Makes room for so many prefixes of each family; memory that is not written to costs nothing. */
export function reserveMembers(count: u32): void {
  v4.reserve(count);
  v4Bits.reserve(count);
  v6.reserve(count);
  v6Bits.reserve(count);
}

/** Appends an IPv4 prefix. */
export function addMember4(key: u32, bits: u32): void {
  store<u32>(v4.push(), key);
  store<u8>(v4Bits.push(), <u8>bits);
}

/** Appends an IPv6 prefix. */
export function addMember6(hi: u64, lo: u64, bits: u32): void {
  const cell = v6.push();
  store<u64>(cell, bswap(hi));
  store<u64>(cell, bswap(lo), 8);
  store<u8>(v6Bits.push(), <u8>bits);
}

/** The list as the cell that a draft has for a set. */
export function membersCell(): usize {
  const cell = allocate(DRAFT_SET_BYTES);
  store<usize>(cell, v4.ptr, DRAFT_SET_V4);
  store<usize>(cell, v4Bits.ptr, DRAFT_SET_V4_BITS);
  store<u32>(cell, v4.count, DRAFT_SET_V4_COUNT);
  store<usize>(cell, v6.ptr, DRAFT_SET_V6);
  store<usize>(cell, v6Bits.ptr, DRAFT_SET_V6_BITS);
  store<u32>(cell, v6.count, DRAFT_SET_V6_COUNT);
  return cell;
}

/**
 * Reads whole lines, adding their prefixes; returns where the first line begins that is not plain, `end` when all are.
 */
export function readPlainLines(from: usize, end: usize): usize {
  v4.reserve(<u32>((end - from) / SHORTEST4));
  v4Bits.reserve(<u32>((end - from) / SHORTEST4));
  v6.reserve(<u32>((end - from) / SHORTEST6));
  v6Bits.reserve(<u32>((end - from) / SHORTEST6));
  linesRead = 0;
  let line = from;
  while (line < end) {
    const at = skipBlanks(line);
    let next = readIpv4(at);
    if (next == 0) next = readIpv6(at);
    if (next == 0) next = lineTail(at);
    if (next == 0) return line;
    line = next;
    linesRead += 1;
  }
  return line;
}

/** Reads a line with an IPv4 prefix; returns the next line, or 0 when it is no such line. */
function readIpv4(from: usize): usize {
  let at = from;
  let key: u32 = 0;
  for (let octets = 1; ; octets++) {
    let octet = <u32>load<u8>(at) - ZERO;
    if (octet > 9) return 0;
    let digit = <u32>load<u8>(++at) - ZERO;
    if (digit <= 9) {
      // No zero leads.
      if (octet == 0) return 0;
      octet = octet * 10 + digit;
      digit = <u32>load<u8>(++at) - ZERO;
      if (digit <= 9) {
        octet = octet * 10 + digit;
        if (octet > 255) return 0;
        at += 1;
      }
    }
    key = (key << 8) | octet;
    if (octets == 4) break;
    if (load<u8>(at++) != <u8>DOT) return 0;
  }
  const bits = readLength(at, 32);
  const next = lineTail(lengthEnd);
  if (bits > 32 || next == 0 || (key == 0 && bits == 32)) return 0;
  if (hasHostBits((<u64>key) << 32, 0, bits)) return 0;
  store<u32>(v4.push(), key);
  store<u8>(v4Bits.push(), <u8>bits);
  return next;
}

/** The same for IPv6. */
function readIpv6(from: usize): usize {
  let at = from;
  let hi: u64 = 0;
  let lo: u64 = 0;
  let groups = 0;
  // What stands before `::`, and how many groups that is.
  let headHi: u64 = 0;
  let headLo: u64 = 0;
  let gap = -1;
  if (load<u8>(at) == <u8>COLON) {
    if (load<u8>(at, 1) != <u8>COLON) return 0;
    gap = 0;
    at += 2;
  }
  while (true) {
    const start = at;
    let group: u32 = 0;
    for (let digit = digitAt(at); digit != NO_DIGIT; digit = digitAt(++at)) {
      if (at - start == 4) return 0;
      group = (group << 4) | digit;
    }
    if (at == start) {
      // Only `::` may stand last.
      if (gap != groups) return 0;
      break;
    }
    if (groups == 8) return 0;
    hi = (hi << 16) | (lo >> 48);
    lo = (lo << 16) | <u64>group;
    groups++;
    if (load<u8>(at) != <u8>COLON) break;
    if (<u32>load<u8>(++at) == COLON) {
      if (gap >= 0) return 0;
      gap = groups;
      headHi = hi;
      headLo = lo;
      hi = 0;
      lo = 0;
      at++;
    }
  }
  if (gap < 0 ? groups != 8 : groups > 7) return 0;
  // The groups of the head move to the front: by 16 bits for each group that is not one of them.
  const shift = <u64>(gap > 4 ? 128 - 16 * gap : 64 - 16 * gap);
  if (gap > 4) {
    hi |= (headHi << shift) | (headLo >> (64 - shift));
    lo |= headLo << shift;
  } else if (gap > 0) {
    hi |= headLo << shift;
  }
  const bits = readLength(at, 128);
  const next = lineTail(lengthEnd);
  if (bits > 128 || next == 0 || hasHostBits(hi, lo, bits)) return 0;
  if (isMapped(hi, lo, bits) || (bits == 128 && (hi | lo) == 0)) return 0;
  const cell = v6.push();
  store<u64>(cell, bswap(hi));
  store<u64>(cell, bswap(lo), 8);
  store<u8>(v6Bits.push(), <u8>bits);
  return next;
}

function digitAt(at: usize): u32 {
  return <u32>load<u8>(digits + load<u8>(at));
}

/**
 * The length behind `/`, one to three digits without leading zero, or `whole` when there is no `/`;
 * notes where it ends.
 */
function readLength(from: usize, whole: u32): u32 {
  lengthEnd = from;
  if (load<u8>(from) != <u8>SLASH) return whole;
  let at = from + 1;
  let length = <u32>load<u8>(at) - ZERO;
  if (length > 9) return NO_LENGTH;
  const mayGoOn = length != 0;
  let digit = <u32>load<u8>(++at) - ZERO;
  for (let more = 0; more < 2 && mayGoOn && digit <= 9; more++) {
    length = length * 10 + digit;
    digit = <u32>load<u8>(++at) - ZERO;
  }
  // A digit too many is no blank, so that the line is not plain.
  lengthEnd = at;
  return length;
}

/** The next line when only blanks and a comment follow, else 0. */
function lineTail(from: usize): usize {
  let at = skipBlanks(from);
  if (load<u8>(at) == <u8>HASH) {
    while (load<u8>(at) != <u8>NEWLINE) at++;
  }
  if (load<u8>(at) == <u8>RETURN) at++;
  return load<u8>(at) == <u8>NEWLINE ? at + 1 : 0;
}

function skipBlanks(from: usize): usize {
  let at = from;
  while (load<u8>(at) == <u8>SPACE || load<u8>(at) == <u8>TAB) at++;
  return at;
}
