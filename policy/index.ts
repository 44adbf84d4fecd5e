/**
 * What policy.wasm offers. Numbers only; pointers are addresses in its memory (read them as
 * unsigned on the other side). An instance serves one list, one build or one open table. When a
 * function traps, the exported global `failure` says why, and the instance is of no further use.
 */
import { allocate } from './arena';
import {
  countBoundaries,
  findBoundary as findBoundaryOf,
  readBackground,
  readBoundaries as readBoundariesOf,
} from './boundaries';
import { build as buildTable, builtBytes } from './build';
import { defectCode, defectOffset as offsetOfDefect } from './defect';
import { prefixes } from './draft';
import { QUERY_ADDRESS, QUERY_BYTES, QUERY_FAMILY, QUERY_PORT, QUERY_PROTOCOL } from './format';
import {
  addMember4,
  addMember6,
  linesRead as linesReadLast,
  membersCell,
  readPlainLines,
  reserveMembers,
} from './lines';
import { attach, decide, hasPort, isIn } from './lookup';
import { nextBoundary, readChanges } from './membership';
import { findNames } from './names';
import { verify } from './verify';

export { failure } from './arena';

/** Zeroed memory of the caller's, at a multiple of 16. */
export function alloc(bytes: usize): usize {
  return allocate(bytes);
}

/** Makes room for so many prefixes of each family in the list. */
export function reserveList(count: u32): void {
  reserveMembers(count);
}

/**
 * Adds the prefixes of plain lines to the list (lines.ts); returns the bytes up to the first line
 * that is not plain. The last ends with a line feed.
 */
export function readLines(text: usize, bytes: usize): usize {
  return readPlainLines(text, text + bytes) - text;
}

/** Lines that the last `readLines` went through. */
export function linesRead(): u32 {
  return linesReadLast;
}

/** Adds an IPv4 prefix to the list. */
export function addIpv4(key: u32, bits: u32): void {
  addMember4(key, bits);
}

/** Adds an IPv6 prefix, its address as four big-endian words. */
export function addIpv6(a: u32, b: u32, c: u32, d: u32, bits: u32): void {
  addMember6(((<u64>a) << 32) | <u64>b, ((<u64>c) << 32) | <u64>d, bits);
}

/** The list as the cell that a draft has for a set; valid until more is added. */
export function listCell(): usize {
  return membersCell();
}

/** Builds the table of a draft (draft.ts); returns its address. */
export function build(draft: usize): usize {
  return buildTable(draft);
}

/** Makes the table that `build` returned the one that is asked. It is not checked: what is built here is a table. */
export function openBuilt(table: usize): void {
  attach(table);
}

/** Bytes of the table that `build` returned. */
export function tableBytes(): u32 {
  return builtBytes;
}

/**
 * Prefixes that the rules of the table that `build` returned stand for; a name counts its addresses, `any` counts two.
 */
export function prefixCount(): f64 {
  return <f64>prefixes;
}

/** Checks the table at `table` and makes it the one that is asked. 0, or the code of its first defect. */
export function open(table: usize, bytes: u32): u32 {
  if (!verify(table, bytes)) return defectCode;
  attach(table);
  return 0;
}

/** Byte offset of the defect that `open` returned. */
export function defectOffset(): u32 {
  return offsetOfDefect;
}

/** 1 allow, 0 deny. The address is the 16-byte form as four big-endian words (IPv4 as ::ffff:a.b.c.d). */
export function lookup(protocol: u32, a: u32, b: u32, c: u32, d: u32, port: u32): u32 {
  return decide(protocol, ((<u64>a) << 32) | <u64>b, ((<u64>c) << 32) | <u64>d, port);
}

/**
 * Answers `count` queries (docs/native.md) at `queries` with one byte each at `verdicts`. An unknown family is denied.
 */
export function lookupMany(queries: usize, count: u32, verdicts: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    const query = queries + <usize>i * QUERY_BYTES;
    const family = load<u8>(query, QUERY_FAMILY);
    let verdict: u32 = 0;
    if (family == 4) {
      const low = 0xffff00000000 | <u64>bswap(load<u32>(query, QUERY_ADDRESS));
      verdict = decide(<u32>load<u8>(query, QUERY_PROTOCOL), 0, low, load<u16>(query, QUERY_PORT));
    } else if (family == 6) {
      const high = bswap(load<u64>(query, QUERY_ADDRESS));
      const low = bswap(load<u64>(query, QUERY_ADDRESS + 8));
      verdict = decide(
        <u32>load<u8>(query, QUERY_PROTOCOL),
        high,
        low,
        load<u16>(query, QUERY_PORT),
      );
    }
    store<u8>(verdicts + i, <u8>verdict);
  }
}

/**
 * 1 when the address (as for `lookup`, in canonical form) is in the set of that number, which must
 * exist in the open table.
 */
export function isMember(set: u32, a: u32, b: u32, c: u32, d: u32): u32 {
  return isIn(set, ((<u64>a) << 32) | <u64>b, ((<u64>c) << 32) | <u64>d);
}

/**
 * Where the members of a set of the table at `table` begin and end (membership.ts): writes up to
 * `most` keys, at least three, from boundary `first` on; `inside` is 1 if the last key written was
 * a beginning. `family` is 0 for IPv4, 1 for IPv6. Returns how many.
 */
export function readMembers(
  table: usize,
  set: u32,
  family: u32,
  first: u32,
  inside: u32,
  most: u32,
  out: usize,
): u32 {
  return readChanges(table, set, family, first, inside != 0, most, out);
}

/** Where the last `readMembers` stopped: the boundary to go on at, all ones when all is told. */
export function membersEnd(): u32 {
  return nextBoundary;
}

/**
 * Writes the numbers (u32) of the names of the open table that stand for the name of `bytes` bytes
 * at `asked`, ascending; returns how many.
 */
export function namesFor(asked: usize, bytes: u32, numbers: usize): u32 {
  return findNames(asked, bytes, numbers);
}

/** 1 when the port is in the port set, which must exist in the open table. */
export function holdsPort(set: u32, port: u32): u32 {
  return hasPort(set, port);
}

/**
 * Number of boundaries of a trie (docs/format.md §4) of the table at `table`, which was opened; the trie must exist.
 */
export function boundaryCount(table: usize, trie: u32): u32 {
  return countBoundaries(table, trie);
}

/** The port set that applies behind the spans of a trie of the table at `table`. */
export function trieBackground(table: usize, trie: u32): u32 {
  return readBackground(table, trie);
}

/**
 * Writes `count` boundaries of a trie from number `first` on to `out`, 24 bytes each (boundaries.ts); all must exist.
 */
export function readBoundaries(table: usize, trie: u32, first: u32, count: u32, out: usize): void {
  readBoundariesOf(table, trie, first, count, out);
}

/** Number of the last boundary at or before an address: four big-endian words, of IPv4 the address and three zeros. */
export function findBoundary(table: usize, trie: u32, a: u32, b: u32, c: u32, d: u32): u32 {
  return findBoundaryOf(table, trie, ((<u64>a) << 32) | <u64>b, ((<u64>c) << 32) | <u64>d);
}
