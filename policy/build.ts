/**
 * Builds a table from a draft (draft.ts): folds the rules of every protocol and family, writes the
 * tries, lays the sections out and seals the file with its checksum. The order in which port sets
 * are numbered and arrays are written is fixed (rules, protocols, sets), so equal drafts give equal
 * bytes.
 */
import { allocate, fail } from './arena';
import { cellBytes, copyCells } from './cells';
import { checkFacts, checkNames, checkRules } from './check-draft';
import { tableChecksum } from './checksum';
import { alone, gather, ipv4, ipv6 } from './draft';
import {
  ADDRESS_BYTES,
  ADDRESS_SET_BYTES,
  CELL_BYTES,
  DIRECTORY_BYTES,
  DIRECTORY_COUNT,
  DIRECTORY_KIND,
  DIRECTORY_OFFSET,
  DIRECTORY_SIZE,
  DRAFT_ADDRESSES,
  DRAFT_FAMILIES,
  DRAFT_FLAGS,
  DRAFT_MAX_AGE,
  DRAFT_NAME_COUNT,
  DRAFT_NAMES,
  DRAFT_PINNED_AT,
  DRAFT_PORT_RANGES,
  DRAFT_PRIVATE_NAME_COUNT,
  DRAFT_PRIVATE_NAMES,
  DRAFT_RESOLVE,
  DRAFT_RULE_COUNT,
  DRAFT_RULES,
  DRAFT_SET_COUNT,
  DRAFT_STRING_BYTES,
  DRAFT_STRINGS,
  DRAFT_UNIX_RULE_COUNT,
  DRAFT_UNIX_RULES,
  FACTS_BYTES,
  FACTS_FAMILIES,
  FACTS_FLAGS,
  FACTS_MAX_AGE,
  FACTS_PINNED_AT,
  FACTS_RESOLVE,
  FAILURE_DRAFT,
  FAILURE_TOO_LARGE,
  HEADER_BYTES,
  HEADER_CHECKSUM,
  HEADER_FILE_BYTES,
  HEADER_MAJOR,
  HEADER_MINOR,
  HEADER_SECTIONS,
  MAGIC_HIGH,
  MAGIC_LOW,
  MAJOR,
  MEMBER_BYTES,
  MINOR,
  NAME_BYTES,
  NAME_COUNT,
  NAME_FIRST,
  PLAN_BYTES,
  PORT_RANGE_BYTES,
  PORT_SET_BYTES,
  PRIVATE_NAME_BYTES,
  PROTOCOL_ICMP,
  PROTOCOL_TRIES,
  PROTOCOLS,
  RULE_BYTES,
  RULE_PORT_SET,
  RULE_PROTOCOL,
  RULE_RESERVED,
  SECTIONS,
  STRING_BYTES,
  TRIE_BYTES,
  TRIE_ROOT,
  TRIE_SETS,
  TRIE_STARTS,
  UNIX_RULE_BYTES,
} from './format';
import { List, newList } from './list';
import { addMember, beginMembers, hasHome, memberCount, settle, writeMembers } from './members';
import { writePlan } from './plan';
import { EMPTY, FULL, initPorts, internRanges, rangeCount, rangesOf } from './ports';
import { ENTRY } from './prefix';
import { readSets, setIpv4, setIpv6 } from './sets';
import { EVERYTHING, initTags, numbered, numberTag, portsOf, tagOf } from './tags';
import { tellsSets, trieNumber, writeTrie } from './trie';

/** The tag of each rule. */
const ruleTags: List = newList(4);
const tries: List = newList(TRIE_BYTES);
/** Nobody's entries. */
const none: List = newList(ENTRY);
/** Bytes of the table built last. */
export let builtBytes: u32 = 0;

// The layout while it grows: the address of the table and the end of the sections placed so far.
let table: usize = 0;
let placed: u64 = 0;
let directory: usize = 0;

/**
 * Builds the table of the draft at `draft` and returns its address; its length is `builtBytes`.
 * Fails with a FAILURE_ code.
 */
export function build(draft: usize): usize {
  initPorts();
  initTags();
  checkRules(draft);
  checkNames(draft);
  checkFacts(draft);
  readRuleTags(draft);
  readSets(draft);
  writeTries(draft);
  return layOut(draft);
}

function readRuleTags(draft: usize): void {
  const count = load<u32>(draft, DRAFT_RULE_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const rule = load<usize>(draft, DRAFT_RULES) + <usize>i * RULE_BYTES;
    const ranges = load<usize>(draft, DRAFT_PORT_RANGES) + (load<u32>(rule, RULE_PORT_SET) << 2);
    const ports = internRanges(ranges, load<u32>(rule, RULE_RESERVED));
    if (load<u8>(rule, RULE_PROTOCOL) == <u8>PROTOCOL_ICMP && ports != FULL) fail(FAILURE_DRAFT);
    const tag = tagOf(ports, EMPTY);
    store<u32>(ruleTags.push(), tag);
    numberTag(tag);
  }
}

function writeTries(draft: usize): void {
  const sets = load<u32>(draft, DRAFT_SET_COUNT);
  // Descriptors stay where they are.
  tries.reserve(PROTOCOL_TRIES + 2 * sets);
  beginMembers(sets);
  addTries(PROTOCOL_TRIES);
  for (let protocol: u32 = 0; protocol < PROTOCOLS; protocol++) {
    gather(draft, protocol, ruleTags);
    writeProtocolTrie(2 * protocol, ipv4, 32);
    writeProtocolTrie(2 * protocol + 1, ipv6, 128);
  }
  for (let set: u32 = 0; set < sets; set++) {
    const own4 = hasHome(set, 0) ? none : setIpv4(set);
    const own6 = hasHome(set, 1) ? none : setIpv6(set);
    if (own4.count == 0 && own6.count == 0) continue;
    const trie = addTries(2);
    writeTrie(tries.at(trie), own4, EVERYTHING, 32, true);
    writeTrie(tries.at(trie + 1), own6, EVERYTHING, 128, true);
    if (own4.count != 0) addMember(set, 0, trie, 1);
    if (own6.count != 0) addMember(set, 1, trie + 1, 1);
  }
}

/** Adds so many descriptors of zeros; returns the index of the first. */
function addTries(count: u32): u32 {
  const first = tries.count;
  memory.fill(tries.pushMany(count), 0, <usize>count * TRIE_BYTES);
  return first;
}

function writeProtocolTrie(trie: u32, entries: List, keyBits: u32): void {
  writeTrie(tries.at(trie), entries, alone, keyBits, false);
  if (tellsSets) settle(trie, trieNumber);
}

function layOut(draft: usize): usize {
  const rules = load<u32>(draft, DRAFT_RULE_COUNT);
  const names = load<u32>(draft, DRAFT_NAME_COUNT);
  const strings = load<u32>(draft, DRAFT_STRING_BYTES);
  const addresses = countAddresses(draft);
  const unixRules = load<u32>(draft, DRAFT_UNIX_RULE_COUNT);
  const privateNames = load<u32>(draft, DRAFT_PRIVATE_NAME_COUNT);
  const sets = load<u32>(draft, DRAFT_SET_COUNT);
  let portRanges: u32 = 0;
  for (let i: u32 = 0; i < numbered.count; i++) {
    portRanges += rangeCount(portsOf(load<u32>(numbered.at(i))));
  }
  // Twice over the same sections: once to know the length, once to write.
  for (let pass = 0; pass < 2; pass++) {
    placed = <u64>HEADER_BYTES + <u64>SECTIONS * <u64>DIRECTORY_BYTES;
    directory = table == 0 ? 0 : table + HEADER_BYTES;
    place(PROTOCOLS, PLAN_BYTES);
    const descriptors = place(tries.count, TRIE_BYTES);
    const portSets = place(numbered.count + 1, PORT_SET_BYTES);
    const ranges = place(portRanges, PORT_RANGE_BYTES);
    const ruleCells = place(rules, RULE_BYTES);
    const nameCells = place(names, NAME_BYTES);
    const addressCells = place(addresses, ADDRESS_BYTES);
    const stringCells = place(strings, STRING_BYTES);
    const cells = place(cellBytes() >> 3, CELL_BYTES);
    const facts = place(1, FACTS_BYTES);
    const unixCells = place(unixRules, UNIX_RULE_BYTES);
    const privateCells = place(privateNames, PRIVATE_NAME_BYTES);
    const setCells = place(sets, ADDRESS_SET_BYTES);
    const memberCells = place(memberCount, MEMBER_BYTES);
    if (placed > 0xffffffff) fail(FAILURE_TOO_LARGE);
    if (pass == 0) {
      table = allocate(<usize>placed);
      continue;
    }
    writeDescriptors(descriptors, <u32>(cells - table));
    writePortSets(portSets, ranges);
    writeRules(draft, ruleCells);
    memory.copy(nameCells, load<usize>(draft, DRAFT_NAMES), <usize>names * NAME_BYTES);
    memory.copy(
      addressCells,
      load<usize>(draft, DRAFT_ADDRESSES),
      <usize>addresses * ADDRESS_BYTES,
    );
    memory.copy(stringCells, load<usize>(draft, DRAFT_STRINGS), strings);
    copyCells(cells);
    store<u32>(facts, load<u32>(draft, DRAFT_FAMILIES), FACTS_FAMILIES);
    store<u32>(facts, load<u32>(draft, DRAFT_FLAGS), FACTS_FLAGS);
    store<u32>(facts, load<u32>(draft, DRAFT_RESOLVE), FACTS_RESOLVE);
    store<u32>(facts, load<u32>(draft, DRAFT_MAX_AGE), FACTS_MAX_AGE);
    store<u64>(facts, load<u64>(draft, DRAFT_PINNED_AT), FACTS_PINNED_AT);
    memory.copy(
      unixCells,
      load<usize>(draft, DRAFT_UNIX_RULES),
      <usize>unixRules * UNIX_RULE_BYTES,
    );
    memory.copy(
      privateCells,
      load<usize>(draft, DRAFT_PRIVATE_NAMES),
      <usize>privateNames * PRIVATE_NAME_BYTES,
    );
    writeMembers(setCells, memberCells);
    // Read from what has just been written.
    writePlan(table);
  }
  builtBytes = <u32>placed;
  writeHeader();
  return table;
}

/** Places the next section and writes its directory record (in the second pass); returns its address. */
function place(count: u32, cell: u32): usize {
  const offset = (placed + 7) & ~7;
  const bytes = <u64>count * <u64>cell;
  placed = offset + bytes;
  if (directory != 0) {
    const kind = <u32>((directory - table - HEADER_BYTES) / DIRECTORY_BYTES) + 1;
    store<u32>(directory, kind, DIRECTORY_KIND);
    store<u32>(directory, count, DIRECTORY_COUNT);
    store<u32>(directory, <u32>offset, DIRECTORY_OFFSET);
    store<u32>(directory, <u32>bytes, DIRECTORY_SIZE);
    directory += DIRECTORY_BYTES;
  }
  return table + <usize>offset;
}

function writeHeader(): void {
  store<u32>(table, MAGIC_LOW);
  store<u32>(table, MAGIC_HIGH, 4);
  store<u16>(table, <u16>MAJOR, HEADER_MAJOR);
  store<u16>(table, <u16>MINOR, HEADER_MINOR);
  store<u32>(table, SECTIONS, HEADER_SECTIONS);
  store<u64>(table, <u64>builtBytes, HEADER_FILE_BYTES);
  store<u32>(table, tableChecksum(table, builtBytes), HEADER_CHECKSUM);
}

/** Copies the descriptors, making their array offsets absolute. */
function writeDescriptors(to: usize, cells: u32): void {
  memory.copy(to, tries.ptr, <usize>tries.count * TRIE_BYTES);
  for (let i: u32 = 0; i < tries.count; i++) {
    const trie = to + <usize>i * TRIE_BYTES;
    store<u32>(trie, load<u32>(trie, TRIE_ROOT) + cells, TRIE_ROOT);
    store<u32>(trie, load<u32>(trie, TRIE_STARTS) + cells, TRIE_STARTS);
    store<u32>(trie, load<u32>(trie, TRIE_SETS) + cells, TRIE_SETS);
  }
}

function writePortSets(portSets: usize, ranges: usize): void {
  let first: u32 = 0;
  for (let i: u32 = 0; i < numbered.count; i++) {
    const id = portsOf(load<u32>(numbered.at(i)));
    const count = rangeCount(id);
    store<u32>(portSets + ((<usize>i) << 2), first);
    memory.copy(ranges + ((<usize>first) << 2), rangesOf(id), (<usize>count) << 2);
    first += count;
  }
  store<u32>(portSets + ((<usize>numbered.count) << 2), first);
}

function writeRules(draft: usize, to: usize): void {
  const count = load<u32>(draft, DRAFT_RULE_COUNT);
  memory.copy(to, load<usize>(draft, DRAFT_RULES), <usize>count * RULE_BYTES);
  for (let i: u32 = 0; i < count; i++) {
    const rule = to + <usize>i * RULE_BYTES;
    store<u32>(rule, numberTag(load<u32>(ruleTags.at(i))), RULE_PORT_SET);
    store<u32>(rule, 0, RULE_RESERVED);
  }
}

/** The names' addresses stand one after another, so the last name says where they end. */
function countAddresses(draft: usize): u32 {
  const names = load<u32>(draft, DRAFT_NAME_COUNT);
  if (names == 0) return 0;
  const last = load<usize>(draft, DRAFT_NAMES) + <usize>(names - 1) * NAME_BYTES;
  return load<u32>(last, NAME_FIRST) + load<u32>(last, NAME_COUNT);
}
