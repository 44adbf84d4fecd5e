/**
 * Reads a draft: the flat input that compiler/table.ts lays into this module's memory (DRAFT_
 * offsets in format.ts, all pointers of 4 bytes).
 *
 * - Rules are the 64-byte cells of the table's section `rules`, except that `portSet` is the index
 *   of the rule's first port range in the draft's ranges and `reserved` the number of its ranges.
 * - Names and addresses are the table's cells as they will stand there.
 * - UNIX rules and private names are the table's cells; what the table keeps as facts stands in the draft itself.
 * - Sets are 24 bytes: pointer to IPv4 addresses (host-order u32), pointer to their prefix lengths
 *   (u8), count; then the same for IPv6 (16 bytes each, network order).
 *
 * Here rules become entries (prefix.ts), one list for each family, ready to be folded. Which rule
 * covers what is decided here and nowhere else in the builder: `any` is both families' whole space,
 * a deny rule on an IPv4 destination also covers the IPv6 forms that carry it, one on an address to
 * bind also 0.0.0.0 and ::.
 */
import { fail } from './arena';
import { groupAllowed, groupDenied, readGroup } from './fold';
import {
  ACTION_ALLOW,
  ACTION_DENY,
  ADDRESS_BYTES,
  DRAFT_ADDRESSES,
  DRAFT_NAMES,
  DRAFT_RULE_COUNT,
  DRAFT_RULES,
  FAILURE_DRAFT,
  NAME_BYTES,
  NAME_COUNT,
  NAME_FIRST,
  PROTOCOL_TCP_BIND,
  RULE_ACTION,
  RULE_ADDRESS,
  RULE_BYTES,
  RULE_INDEX,
  RULE_PREFIX_BITS,
  RULE_PROTOCOL,
  RULE_TARGET,
  TARGET_ANY,
  TARGET_IPV4,
  TARGET_NAME,
  TARGET_SET,
} from './format';
import { List, newList } from './list';
import { actionOf, addRun, entriesOf, entryOf, mergeRuns, newRuns, tagOfRun } from './merge';
import {
  addEmbedded,
  addEntry,
  ENTRY,
  ENTRY_ACTION,
  ENTRY_BITS,
  ENTRY_TAG,
  hasHostBits,
  isMapped,
} from './prefix';
import { droppedFrom, setIpv4, setIpv6 } from './sets';
import { sortEntries } from './sort';
import { bareOf, inSet, NOTHING } from './tags';

// What a protocol's rules say by themselves, the sets that they name, and both together.
const ownIpv4: List = newList(ENTRY);
const ownIpv6: List = newList(ENTRY);
const runs4: List = newRuns();
const runs6: List = newRuns();
const merged4: List = newList(ENTRY);
const merged6: List = newList(ENTRY);
/** The entries of the protocol gathered last. */
export let ipv4: List = ownIpv4;
export let ipv6: List = ownIpv6;
/** If not NOTHING, what each of them allows, whatever stands in it; none lies in another then. */
export let alone: u32 = NOTHING;
/** Uses of sets by the protocol's rules: entries whose address is the number of the set. */
const uses: List = newList(ENTRY);
/** Prefixes that the rules of all protocols gathered so far stand for. */
export let prefixes: u64 = 0;

/** Fills `ipv4` and `ipv6` with the sorted entries of a protocol. `tags` has the tag of each rule. */
export function gather(draft: usize, protocol: u32, tags: List): void {
  ipv4 = ownIpv4;
  ipv6 = ownIpv6;
  alone = NOTHING;
  ipv4.count = 0;
  ipv6.count = 0;
  runs4.count = 0;
  runs6.count = 0;
  uses.count = 0;
  const count = load<u32>(draft, DRAFT_RULE_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const rule = load<usize>(draft, DRAFT_RULES) + <usize>i * RULE_BYTES;
    if (load<u8>(rule, RULE_PROTOCOL) != <u8>protocol) continue;
    gatherRule(draft, rule, load<u32>(tags.at(i)));
  }
  const isAlone = protocol < PROTOCOL_TCP_BIND && borrowSet();
  if (!isAlone) gatherUses();
  prefixes += <u64>ipv4.count + <u64>ipv6.count;
  if (isAlone) return;
  const allows4 = listAllows(ipv4) || runsAllow(runs4);
  const allows6 = listAllows(ipv6) || runsAllow(runs6);
  if (protocol >= PROTOCOL_TCP_BIND) gatherEveryAddress();
  else if (allows6) gatherEmbedded();
  ipv4 = mergeAll(ipv4, runs4, merged4, allows4);
  ipv6 = mergeAll(ipv6, runs6, merged6, allows6);
}

/** All entries of a family, sorted. Without anything allowed its fold is empty, whatever is denied. */
function mergeAll(own: List, runs: List, merged: List, allows: bool): List {
  if (!allows) own.count = 0;
  sortEntries(own);
  if (!allows || runs.count == 0) return own;
  addRun(runs, own, ACTION_DENY, NOTHING);
  merged.count = 0;
  mergeRuns(runs, merged);
  return merged;
}

function gatherRule(draft: usize, rule: usize, tag: u32): void {
  const action = <u32>load<u8>(rule, RULE_ACTION);
  const target = <u32>load<u8>(rule, RULE_TARGET);
  const bits = <u32>load<u8>(rule, RULE_PREFIX_BITS);
  const index = load<u32>(rule, RULE_INDEX);
  if (target == TARGET_ANY) {
    addEntry(ipv4, 0, 0, 0, action, tag);
    addEntry(ipv6, 0, 0, 0, action, tag);
  } else if (target == TARGET_SET) {
    addEntry(uses, <u64>index, 0, 0, action, tag);
  } else if (target == TARGET_NAME) {
    const name = load<usize>(draft, DRAFT_NAMES) + <usize>index * NAME_BYTES;
    const first = load<u32>(name, NAME_FIRST);
    const end = first + load<u32>(name, NAME_COUNT);
    for (let i = first; i < end; i++) {
      gatherAddress(
        load<usize>(draft, DRAFT_ADDRESSES) + <usize>i * ADDRESS_BYTES,
        128,
        action,
        tag,
      );
    }
  } else {
    gatherAddress(rule + RULE_ADDRESS, target == TARGET_IPV4 ? bits + 96 : bits, action, tag);
  }
}

/**
 * Adds the prefix of `bits` (of 128) at the 16 bytes `ptr`; the draft has it in canonical form, but
 * host bits are refused here.
 */
function gatherAddress(ptr: usize, bits: u32, action: u32, tag: u32): void {
  const hi = bswap(load<u64>(ptr));
  const lo = bswap(load<u64>(ptr, 8));
  if (bits > 128 || hasHostBits(hi, lo, bits)) fail(FAILURE_DRAFT);
  if (isMapped(hi, lo, bits)) addEntry(ipv4, lo << 32, 0, bits - 96, action, tag);
  else addEntry(ipv6, hi, lo, bits, action, tag);
}

/**
 * When all that a protocol has is one set, allowed, that set's own lists serve, because a copy of a
 * million entries takes 24 MB. Nothing may be added to them then, and what they allow stands in
 * `alone`.
 */
function borrowSet(): bool {
  if (uses.count == 0 || ipv4.count != 0 || ipv6.count != 0) return false;
  if (readGroup(uses, 0) != uses.count || groupDenied != NOTHING) return false;
  const set = <u32>load<u64>(uses.at(0));
  ipv4 = setIpv4(set);
  ipv6 = setIpv6(set);
  alone = inSet(groupAllowed, set);
  prefixes += <u64>droppedFrom(set);
  return true;
}

/** Adds the prefixes of the sets, once for each set and action however many rules name it. */
function gatherUses(): void {
  sortEntries(uses);
  for (let i: u32 = 0; i < uses.count; ) {
    const set = <u32>load<u64>(uses.at(i));
    i = readGroup(uses, i);
    if (groupAllowed != NOTHING) gatherSet(set, ACTION_ALLOW, groupAllowed);
    if (groupDenied != NOTHING) gatherSet(set, ACTION_DENY, groupDenied);
  }
}

function gatherSet(set: u32, action: u32, bare: u32): void {
  const tag = inSet(bare, set);
  addRun(runs4, setIpv4(set), action, tag);
  addRun(runs6, setIpv6(set), action, tag);
  prefixes += <u64>setIpv4(set).count + <u64>setIpv6(set).count + <u64>droppedFrom(set);
}

/** Adds the IPv6 forms of all denied IPv4 prefixes, which are in no set for it. */
function gatherEmbedded(): void {
  for (let i: u32 = 0; i < ipv4.count; i++) {
    const entry = ipv4.at(i);
    if (load<u8>(entry, ENTRY_ACTION) == <u8>ACTION_DENY) embed(entry, load<u32>(entry, ENTRY_TAG));
  }
  for (let i: u32 = 0; i < runs4.count; i++) {
    const run = runs4.at(i);
    if (actionOf(run) != ACTION_DENY) continue;
    ipv6.reserve(2 * entriesOf(run));
    for (let j: u32 = 0; j < entriesOf(run); j++) embed(entryOf(run, j), tagOfRun(run));
  }
}

function embed(entry: usize, tag: u32): void {
  const bits = <u32>load<u8>(entry, ENTRY_BITS);
  addEmbedded(ipv6, load<u64>(entry), bits, ACTION_DENY, bareOf(tag));
}

/**
 * Denies to bind every address where one of them is denied: 0.0.0.0 and :: listen on all of IPv4, :: on all of IPv6.
 */
function gatherEveryAddress(): void {
  const own = ipv6.count;
  for (let i: u32 = 0; i < own; i++) {
    const entry = ipv6.at(i);
    if (load<u8>(entry, ENTRY_ACTION) == <u8>ACTION_DENY) denyEvery6(load<u32>(entry, ENTRY_TAG));
  }
  for (let i: u32 = 0; i < runs6.count; i++) {
    const run = runs6.at(i);
    if (actionOf(run) == ACTION_DENY) denyEvery6(tagOfRun(run));
  }
  const count = ipv4.count;
  for (let i: u32 = 0; i < count; i++) {
    const entry = ipv4.at(i);
    if (load<u8>(entry, ENTRY_ACTION) == <u8>ACTION_DENY) denyEvery4(load<u32>(entry, ENTRY_TAG));
  }
  for (let i: u32 = 0; i < runs4.count; i++) {
    const run = runs4.at(i);
    if (actionOf(run) == ACTION_DENY) denyEvery4(tagOfRun(run));
  }
}

function denyEvery4(tag: u32): void {
  addEntry(ipv4, 0, 0, 32, ACTION_DENY, bareOf(tag));
  denyEvery6(tag);
}

function denyEvery6(tag: u32): void {
  addEntry(ipv6, 0, 0, 128, ACTION_DENY, bareOf(tag));
}

function listAllows(list: List): bool {
  for (let i: u32 = 0; i < list.count; i++) {
    if (load<u8>(list.at(i), ENTRY_ACTION) == <u8>ACTION_ALLOW) return true;
  }
  return false;
}

function runsAllow(runs: List): bool {
  for (let i: u32 = 0; i < runs.count; i++) {
    if (actionOf(runs.at(i)) == ACTION_ALLOW) return true;
  }
  return false;
}
