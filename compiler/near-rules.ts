/**
 * The allow rules whose addresses are close to one that none covers: what a user may have meant.
 * Closeness is the number of leading bits that an address has in common with a rule's prefix, with
 * an address of its name, or with the nearest member of its set.
 *
 * In sorted order the prefix with the most common bits is a neighbour of the address, so a search
 * looks at a few dozen entries and never at all rules. Each order is sorted when it is first
 * needed.
 */
import type { Protocol } from './model.ts';
import { PROTOCOL_NUMBERS } from './numbers.ts';
import { type Entries, type RuleIndex, type Words, wordsOf } from './rule-index.ts';
import { isMapped } from './stored-address.ts';
import type { Tries } from './stored-tries.ts';

/** Searches among the allow rules of a table. */
export interface NearRules {
  /**
   * The rules closest to an address of 16 bytes that are accepted, at most `most` of them, each
   * once; those that cover it are not looked for but may be among them. Rules with fewer than
   * `leastBits` bits in common are not.
   */
  around(
    protocol: Protocol,
    wide: Uint8Array,
    most: number,
    leastBits: number,
    accepts: (rule: number) => boolean,
  ): readonly number[];
}

/** Entries that are looked at on either side: enough to pass a few that are not accepted. */
const WINDOW = 32;
/** Sets that are looked into. */
const MOST_SETS = 64;

/** The prefixes of one protocol and family in order: `step` words an address, one of IPv4 and four of IPv6. */
interface Order {
  readonly step: 1 | 4;
  readonly words: Uint32Array;
  readonly rules: Uint32Array;
}

/** A search for one address, which is asked for again for another reason. */
interface Search {
  readonly protocol: Protocol;
  readonly wide: Uint8Array;
  readonly order: Order;
  /** The words of the address that tell it apart in its family. */
  readonly own: ArrayLike<number>;
  /** The first prefix of the order that is not below the address. */
  readonly right: number;
  /** What the sets that rules of the protocol name have in common with it, as far as they are looked into. */
  readonly sets: readonly (number | undefined)[];
}

/** Searches in an index; nothing is prepared before the first question. */
export function createNearRules(index: RuleIndex, tries: Tries): NearRules {
  const orders = new Map<number, Order>();
  let last: Search | undefined;
  const orderOf = (kind: number): Order => {
    const known = orders.get(kind) ?? sortEntries(index.entries, kind);
    orders.set(kind, known);
    return known;
  };
  const search = (protocol: Protocol, wide: Uint8Array): Search => {
    const family = isMapped(wide) ? 4 : 6;
    const order = orderOf(((2 * PROTOCOL_NUMBERS[protocol] + 1) << 8) | family);
    const words = wordsOf(wide);
    const own = family === 4 ? [words[3]] : words;
    const right = lowerBound(order, own);
    const { sets } = index.group('allow', protocol);
    const bits = sets.size === 0 ? [] : nearestMembers(tries, [...sets.keys()], family, words);
    return { protocol, wide, order, own, right, sets: bits };
  };
  return {
    around(protocol, wide, most, leastBits, accepts) {
      if (last?.wide !== wide || last.protocol !== protocol) last = search(protocol, wide);
      const { order, own, sets } = last;
      /** Closest first, of equally close ones the first. */
      const found: number[] = [];
      const shared: number[] = [];
      const add = (rule: number, bits: number): void => {
        if (bits < leastBits || found.includes(rule) || !accepts(rule)) return;
        let at = found.length;
        for (; at > 0; at--) {
          const before = shared[at - 1] ?? 0;
          if (before > bits || (before === bits && (found[at - 1] ?? 0) < rule)) break;
          found[at] = found[at - 1] ?? 0;
          shared[at] = before;
        }
        found[at] = rule;
        shared[at] = bits;
      };
      // Away from the address on either side there are ever fewer bits in common, so taking the
      // closer side first gives all in order.
      let right = last.right;
      let left = right - 1;
      let before = commonBits(order, left, own);
      let after = commonBits(order, right, own);
      for (let steps = 2 * WINDOW; steps > 0 && found.length < most; steps--) {
        const bits = Math.max(before, after);
        if (bits < 0 || bits < leastBits) break;
        if (before >= after) {
          add(order.rules[left] ?? 0, bits);
          before = commonBits(order, --left, own);
        } else {
          add(order.rules[right] ?? 0, bits);
          after = commonBits(order, ++right, own);
        }
      }
      if (sets.length > 0) {
        let asked = 0;
        for (const rules of index.group('allow', protocol).sets.values()) {
          if (asked === sets.length) break;
          const bits = sets[asked++] ?? -1;
          if (bits >= leastBits) for (const rule of rules) add(rule, bits);
        }
      }
      if (found.length > most) found.length = most;
      return found;
    },
  };
}

/** The entries of a group and family (rule-index.ts) by address. */
function sortEntries({ count, kinds, rules, words }: Entries, kind: number): Order {
  const found = new Uint32Array(count);
  let size = 0;
  for (let entry = 0; entry < count; entry++) {
    if ((kinds[entry] ?? 0) >>> 8 === kind) found[size++] = entry;
  }
  const sorted = found.subarray(0, size).sort((a, b) => {
    for (let i = 0; i < 4; i++) {
      const difference = (words[4 * a + i] ?? 0) - (words[4 * b + i] ?? 0);
      if (difference !== 0) return difference;
    }
    return a - b;
  });
  const step = (kind & 0xff) === 4 ? 1 : 4;
  const order = {
    step,
    words: new Uint32Array(step * size),
    rules: new Uint32Array(size),
  } as const;
  sorted.forEach((entry, at) => {
    order.rules[at] = rules[entry] ?? 0;
    for (let i = 0; i < step; i++)
      order.words[step * at + i] = words[4 * entry + 4 - step + i] ?? 0;
  });
  return order;
}

/** Index of the first prefix whose address is not below. */
function lowerBound({ step, words }: Order, own: ArrayLike<number>): number {
  let low = 0;
  let high = words.length / step;
  while (low < high) {
    const middle = (low + high) >> 1;
    let difference = 0;
    for (let i = 0; i < step && difference === 0; i++) {
      difference = (words[step * middle + i] ?? 0) - (own[i] ?? 0);
    }
    if (difference < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Leading bits that an address has in common with a prefix of the order; -1 where there is none. */
function commonBits({ step, words }: Order, at: number, own: ArrayLike<number>): number {
  if (at < 0 || step * at >= words.length) return -1;
  for (let i = 0; i < step; i++) {
    const difference = (own[i] ?? 0) ^ (words[step * at + i] ?? 0);
    if (difference !== 0) return 32 * i + Math.clz32(difference);
  }
  return 32 * step;
}

/** Leading bits that an address has in common with the nearest member of each of some sets. */
function nearestMembers(
  tries: Tries,
  sets: readonly number[],
  family: 4 | 6,
  address: Words,
): readonly (number | undefined)[] {
  return sets.slice(0, MOST_SETS).map((set) => tries.ofSet(set, family).nearest(address));
}
