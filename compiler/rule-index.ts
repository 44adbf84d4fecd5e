/**
 * The rules of a verified table by what they cover: why a look-up gave its verdict (docs/format.md
 * §7), for one question or a million. Goes by the rules as they were written, not by the tries that
 * decided; only sets are asked in theirs.
 *
 * Prefixes, and the addresses of names as prefixes of full length, stand in one hash table; a
 * question probes it once for each length that rules of its kind use, at most 33 times for IPv4 and
 * 129 for IPv6. What it costs depends on the answer, not on the number of rules. The index takes
 * about 32 bytes a rule and is built in one pass.
 */
import * as F from './format.gen.ts';
import type { Action, Protocol } from './model.ts';
import { PROTOCOL_NUMBERS } from './numbers.ts';
import { embeddedIpv4, isBind, isMapped, isUnspecified } from './stored-address.ts';
import { isEmptySet, sectionOf, type TableReader } from './stored-rules.ts';
import type { PolicyExports } from './wasm.ts';

/** Four big-endian words of an address of 16 bytes, as policy.wasm takes them. */
export type Words = readonly [number, number, number, number];

/**
 * The words of an address of 4 or 16 bytes, IPv4 in its 16-byte form.
 * @throws TypeError for any other length.
 */
export function wordsOf(address: Uint8Array): Words {
  const { length } = address;
  if (length === 4) return [0, 0, 0xffff, wordAt(address, 0)];
  if (length !== 16) throw new TypeError(`an address has 4 or 16 bytes, not ${length}`);
  return [wordAt(address, 0), wordAt(address, 4), wordAt(address, 8), wordAt(address, 12)];
}

/** Without a DataView, which would cost more than a look-up. */
function wordAt(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16);
  return (high | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0;
}

/** The rules of one action and protocol. Numbers are those of rules, ascending. */
export interface RuleGroup {
  readonly all: number[];
  readonly any: number[];
  /** Rules by name, pinned or not. */
  readonly named: number[];
  /** Rules by the number of the set that they name. */
  readonly sets: Map<number, number[]>;
  /** Lengths of the prefixes, counted in the 128 bits of the stored form: 96..128 of IPv4, 0..128 of IPv6. */
  readonly lengths4: number[];
  readonly lengths6: number[];
}

/** Prefixes of rules, one a cell; a rule by name has one for each address of the name. */
export interface Entries {
  readonly count: number;
  /** The rule of each entry. */
  readonly rules: Uint32Array;
  /** Four words an entry. */
  readonly words: Uint32Array;
  /** Length in 128 bits, in the lowest 8 bits; family (4 or 6) above; group above that. */
  readonly kinds: Uint32Array;
}

/** See the file's header. Addresses are 16 bytes wide, in the canonical form of the protocol. */
export interface RuleIndex {
  readonly entries: Entries;
  group(action: Action, protocol: Protocol): RuleGroup;
  /** Numbers of the rules that cover the address, whatever their ports; ascending. */
  covering(action: Action, protocol: Protocol, wide: Uint8Array): readonly number[];
  /** Whether the ports of a rule hold a port. */
  holdsPort(rule: number, port: number): boolean;
}

const NONE: readonly number[] = [];

/** Builds the index of an open table. */
export function createRuleIndex(instance: PolicyExports, reader: TableReader): RuleIndex {
  const groups: RuleGroup[] = Array.from({ length: 2 * F.PROTOCOLS }, () => ({
    all: [],
    any: [],
    named: [],
    sets: new Map(),
    lengths4: [],
    lengths6: [],
  }));
  const rulesAt = sectionOf(reader, F.SECTION_RULES).offset;
  const entries = collect(reader, groups);
  const cells = 1 << Math.max(4, 33 - Math.clz32(entries.count));
  /** Entry + 1 of the first in each cell, and of the next in the same cell; 0 ends a chain. */
  const first = new Uint32Array(cells);
  const next = new Uint32Array(entries.count);
  for (let entry = entries.count - 1; entry >= 0; entry--) {
    const { words, kinds } = entries;
    const at = 4 * entry;
    const cell =
      hash(
        kinds[entry] ?? 0,
        words[at] ?? 0,
        words[at + 1] ?? 0,
        words[at + 2] ?? 0,
        words[at + 3] ?? 0,
      ) &
      (cells - 1);
    next[entry] = first[cell] ?? 0;
    first[cell] = entry + 1;
  }

  /** Adds the rules of a group whose prefixes or sets cover an address. */
  function addCovering(found: number[], number: number, group: RuleGroup, wide: Uint8Array): void {
    const [a, b, c, d] = wordsOf(wide);
    const family = isMapped(wide) ? 4 : 6;
    for (const bits of family === 4 ? group.lengths4 : group.lengths6) {
      const kind = kindOf(number, family, bits);
      const wa = mask(a, bits);
      const wb = mask(b, bits - 32);
      const wc = mask(c, bits - 64);
      const wd = mask(d, bits - 96);
      let entry = first[hash(kind, wa, wb, wc, wd) & (cells - 1)] ?? 0;
      for (; entry !== 0; entry = next[entry - 1] ?? 0) {
        const at = 4 * (entry - 1);
        const { words } = entries;
        if (
          entries.kinds[entry - 1] === kind &&
          words[at] === wa &&
          words[at + 1] === wb &&
          words[at + 2] === wc &&
          words[at + 3] === wd
        )
          found.push(entries.rules[entry - 1] ?? 0);
      }
    }
    if (group.sets.size === 0) return;
    for (const [set, rules] of group.sets) {
      if (instance.isMember(set, a, b, c, d) === 1) found.push(...rules);
    }
  }

  /** Whether a rule covers some address of a family: to bind every address is to bind that one, too. */
  function hasFamily(rule: number, family: 4 | 6): boolean {
    const at = rulesAt + rule * F.RULE_BYTES;
    const target = reader.view.getUint8(at + F.RULE_TARGET);
    if (target === F.TARGET_IPV4) return family === 4;
    if (target === F.TARGET_IPV6) return family === 6;
    return (
      target === F.TARGET_ANY ||
      !isEmptySet(reader, reader.view.getUint32(at + F.RULE_INDEX, true), family)
    );
  }

  return {
    entries,
    group: (action, protocol) => groups[groupOf(action, protocol)] as RuleGroup,
    covering(action, protocol, wide) {
      const number = groupOf(action, protocol);
      const group = groups[number];
      if (group === undefined || group.all.length === 0) return NONE;
      const isDeny = action === 'deny';
      if (isDeny && isBind(protocol) && isUnspecified(wide)) {
        const alsoSix = !isMapped(wide);
        return group.all.filter((rule) => hasFamily(rule, 4) || (alsoSix && hasFamily(rule, 6)));
      }
      const found = group.any.slice();
      addCovering(found, number, group, wide);
      const embedded = isDeny && !isBind(protocol) ? embeddedIpv4(wide) : undefined;
      if (embedded !== undefined) addCovering(found, number, group, embedded);
      return found.length < 2 ? found : [...new Set(found)].sort((a, b) => a - b);
    },
    holdsPort: (rule, port) =>
      instance.holdsPort(
        reader.view.getUint32(rulesAt + rule * F.RULE_BYTES + F.RULE_PORT_SET, true),
        port,
      ) === 1,
  };
}

function groupOf(action: Action, protocol: Protocol): number {
  return 2 * PROTOCOL_NUMBERS[protocol] + (action === 'allow' ? 1 : 0);
}

/** Sorts the rules into groups and their prefixes into entries. */
function collect(reader: TableReader, groups: readonly RuleGroup[]): Entries {
  const { view } = reader;
  const { count, offset } = sectionOf(reader, F.SECTION_RULES);
  const names = sectionOf(reader, F.SECTION_NAMES).offset;
  const addresses = sectionOf(reader, F.SECTION_ADDRESSES).offset;
  const nameOf = (at: number): number =>
    names + view.getUint32(at + F.RULE_INDEX, true) * F.NAME_BYTES;

  let size = 0;
  for (let rule = 0; rule < count; rule++) {
    const at = offset + rule * F.RULE_BYTES;
    const target = view.getUint8(at + F.RULE_TARGET);
    if (target === F.TARGET_IPV4 || target === F.TARGET_IPV6) size += 1;
    if (target === F.TARGET_NAME) size += view.getUint32(nameOf(at) + F.NAME_COUNT, true);
  }
  const rules = new Uint32Array(size);
  const words = new Uint32Array(4 * size);
  const kinds = new Uint32Array(size);
  let entry = 0;
  const add = (rule: number, group: number, address: number, family: 4 | 6, bits: number): void => {
    rules[entry] = rule;
    for (let i = 0; i < 4; i++) words[4 * entry + i] = view.getUint32(address + 4 * i);
    kinds[entry] = kindOf(group, family, bits);
    entry += 1;
    const { lengths4 = [], lengths6 = [] } = groups[group] ?? {};
    const lengths = family === 4 ? lengths4 : lengths6;
    if (!lengths.includes(bits)) lengths.push(bits);
  };

  for (let rule = 0; rule < count; rule++) {
    const at = offset + rule * F.RULE_BYTES;
    const number =
      2 * view.getUint8(at + F.RULE_PROTOCOL) +
      (view.getUint8(at + F.RULE_ACTION) === F.ACTION_ALLOW ? 1 : 0);
    const group = groups[number];
    if (group === undefined) continue;
    group.all.push(rule);
    switch (view.getUint8(at + F.RULE_TARGET)) {
      case F.TARGET_ANY:
        group.any.push(rule);
        break;
      case F.TARGET_IPV4:
        add(rule, number, at + F.RULE_ADDRESS, 4, 96 + view.getUint8(at + F.RULE_PREFIX_BITS));
        break;
      case F.TARGET_IPV6:
        add(rule, number, at + F.RULE_ADDRESS, 6, view.getUint8(at + F.RULE_PREFIX_BITS));
        break;
      case F.TARGET_NAME: {
        group.named.push(rule);
        const name = nameOf(at);
        const from = view.getUint32(name + F.NAME_FIRST, true);
        const many = view.getUint32(name + F.NAME_COUNT, true);
        for (let i = from; i < from + many; i++) {
          const address = addresses + i * F.ADDRESS_BYTES;
          const wide = reader.bytes.subarray(address, address + F.ADDRESS_BYTES);
          add(rule, number, address, isMapped(wide) ? 4 : 6, 128);
        }
        break;
      }
      case F.TARGET_SET: {
        const set = view.getUint32(at + F.RULE_INDEX, true);
        const known = group.sets.get(set);
        if (known === undefined) group.sets.set(set, [rule]);
        else known.push(rule);
        break;
      }
    }
  }
  return { count: size, rules, words, kinds };
}

function kindOf(group: number, family: 4 | 6, bits: number): number {
  return (group << 16) | (family << 8) | bits;
}

/** The upper `bits` bits of a word; all of them from 32 on, none up to 0. */
function mask(word: number, bits: number): number {
  if (bits >= 32) return word;
  return bits <= 0 ? 0 : (word & (0xffffffff << (32 - bits))) >>> 0;
}

/** Murmur3's mixing of five words. */
function hash(kind: number, a: number, b: number, c: number, d: number): number {
  let h = kind;
  h = Math.imul(h ^ a, 0xcc9e2d51);
  h = Math.imul(h ^ (h >>> 15) ^ b, 0x1b873593);
  h = Math.imul(h ^ (h >>> 13) ^ c, 0xcc9e2d51);
  h = Math.imul(h ^ (h >>> 16) ^ d, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
