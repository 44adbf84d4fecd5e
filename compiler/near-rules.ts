/**
 * The allow rules whose addresses are close to one that none covers: what a user may have meant. Closeness is the number of leading bits that
 * an address has in common with a rule's prefix, with an address of its name, or with the nearest member of its set.
 *
 * In sorted order the prefix with the most common bits is a neighbour of the address, so a search looks at a few dozen entries and never at
 * all rules. Each order is sorted when it is first needed.
 */
import { toNumber } from './address.ts';
import type { Protocol } from './model.ts';
import { PROTOCOL_NUMBERS } from './numbers.ts';
import { type Entries, type RuleIndex, type Words, wordsOf } from './rule-index.ts';
import { isMapped } from './stored-address.ts';
import type { Tries } from './stored-tries.ts';

/** A rule and how many leading bits it shares with the address, counted in the family's own bits. */
export interface NearRule {
  readonly rule: number;
  readonly bits: number;
}

/** Searches among the allow rules of a table. */
export interface NearRules {
  /** Rules around an address of 16 bytes, closest first, each once; those that cover it are not looked for but may be among them. */
  around(protocol: Protocol, wide: Uint8Array): readonly NearRule[];
}

/** Entries that are looked at on either side: enough to pass a few that have other ports. */
const WINDOW = 32;
/** Sets that are looked into. */
const MOST_SETS = 64;

/** Searches in an index; nothing is prepared before the first question. */
export function createNearRules(index: RuleIndex, tries: Tries): NearRules {
  const orders = new Map<string, Uint32Array>();
  const orderOf = (protocol: Protocol, family: 4 | 6): Uint32Array => {
    const key = `${protocol}/${family}`;
    const known = orders.get(key);
    if (known !== undefined) return known;
    const made = sortEntries(index.entries, PROTOCOL_NUMBERS[protocol], family);
    orders.set(key, made);
    return made;
  };
  return {
    around(protocol, wide) {
      const family = isMapped(wide) ? 4 : 6;
      const order = orderOf(protocol, family);
      const words = wordsOf(wide);
      const skipped = family === 4 ? 96 : 0;
      const best = new Map<number, number>();
      const note = (rule: number, bits: number): void => {
        if (bits > (best.get(rule) ?? -1)) best.set(rule, bits);
      };
      const place = lowerBound(index.entries, order, words);
      const end = Math.min(order.length, place + WINDOW);
      for (let i = Math.max(0, place - WINDOW); i < end; i++) {
        const entry = order[i] ?? 0;
        const bits = (index.entries.kinds[entry] ?? 0) & 0xff;
        const common = Math.min(bits, commonBits(words, index.entries.words, 4 * entry));
        note(index.entries.rules[entry] ?? 0, common - skipped);
      }
      const address = toNumber(family === 4 ? wide.subarray(12) : wide);
      let asked = 0;
      for (const [set, rules] of index.group('allow', protocol).sets) {
        if (asked++ === MOST_SETS) break;
        const bits = nearestMember(tries, set, family, address);
        if (bits !== undefined) for (const rule of rules) note(rule, bits);
      }
      return [...best]
        .map(([rule, bits]) => ({ rule, bits }))
        .sort((a, b) => b.bits - a.bits || a.rule - b.rule);
    },
  };
}

/** Entries of the allow rules of a protocol and family by address. */
function sortEntries(entries: Entries, protocol: number, family: 4 | 6): Uint32Array {
  const kind = ((2 * protocol + 1) << 8) | family;
  const found = new Uint32Array(entries.count);
  let count = 0;
  for (let entry = 0; entry < entries.count; entry++) {
    if ((entries.kinds[entry] ?? 0) >>> 8 === kind) found[count++] = entry;
  }
  const { words } = entries;
  return found.slice(0, count).sort((a, b) => {
    for (let i = 0; i < 4; i++) {
      const difference = (words[4 * a + i] ?? 0) - (words[4 * b + i] ?? 0);
      if (difference !== 0) return difference;
    }
    return a - b;
  });
}

/** Index of the first entry whose address is not below. */
function lowerBound({ words }: Entries, order: Uint32Array, address: Words): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = 4 * (order[middle] ?? 0);
    let difference = 0;
    for (let i = 0; i < 4 && difference === 0; i++) {
      difference = (words[at + i] ?? 0) - (address[i] ?? 0);
    }
    if (difference < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function commonBits(a: Words, b: Uint32Array, at: number): number {
  for (let i = 0; i < 4; i++) {
    const difference = (a[i] ?? 0) ^ (b[at + i] ?? 0);
    if (difference !== 0) return 32 * i + Math.clz32(difference);
  }
  return 128;
}

/** Leading bits that an address shares with the nearest member of a set; undefined when the family has none. */
function nearestMember(
  tries: Tries,
  set: number,
  family: 4 | 6,
  address: bigint,
): number | undefined {
  const trie = tries.ofSet(set, family);
  const width = family === 4 ? 32 : 128;
  const found = trie.find(address);
  const here = trie.at(found);
  if (here.set === 1) return width;
  // Intervals of members and others alternate, so the members next to it begin or end where this one does.
  const members: bigint[] = [];
  if (found > 0) members.push(here.start - 1n);
  if (found + 1 < trie.count) members.push(trie.at(found + 1).start);
  if (members.length === 0) return undefined;
  return Math.max(...members.map((member) => width - (member ^ address).toString(2).length));
}
