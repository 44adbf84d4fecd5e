/**
 * The allow rules whose addresses are close to one that none covers: what a user may have meant. Closeness is the number of leading bits that
 * an address has in common with a rule's prefix, with an address of its name, or with the nearest member of its set.
 *
 * In sorted order the prefix with the most common bits is a neighbour of the address, so a search looks at a few dozen entries and never at
 * all rules. Each order is sorted when it is first needed.
 */
import type { Protocol } from './model.ts';
import { PROTOCOL_NUMBERS } from './numbers.ts';
import { type Entries, type RuleIndex, type Words, wordsOf } from './rule-index.ts';
import { isMapped } from './stored-address.ts';
import type { Tries } from './stored-tries.ts';

/** A rule and how many leading bits it shares with the address, counted in the family's own bits. */
interface NearRule {
  readonly rule: number;
  readonly bits: number;
}

/** Searches among the allow rules of a table. */
export interface NearRules {
  /**
   * The rules closest to an address of 16 bytes that are accepted, at most `most` of them, each once; those that cover it are not looked for
   * but may be among them. Rules with fewer than `leastBits` bits in common are not.
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

/** Searches in an index; nothing is prepared before the first question. */
export function createNearRules(index: RuleIndex, tries: Tries): NearRules {
  const orders = new Map<number, Uint32Array>();
  /** What sets have in common with the address asked last, which is asked again for another reason. */
  let last:
    | {
        readonly wide: Uint8Array;
        readonly sets: ReadonlyMap<number, readonly number[]>;
        readonly bits: readonly (number | undefined)[];
      }
    | undefined;
  const orderOf = (kind: number): Uint32Array => {
    const known = orders.get(kind);
    if (known !== undefined) return known;
    const made = sortEntries(index.entries, kind);
    orders.set(kind, made);
    return made;
  };
  return {
    around(protocol, wide, most, leastBits, accepts) {
      const family = isMapped(wide) ? 4 : 6;
      const order = orderOf(((2 * PROTOCOL_NUMBERS[protocol] + 1) << 8) | family);
      const words = wordsOf(wide);
      const skipped = family === 4 ? 96 : 0;
      const found: NearRule[] = [];
      const add = (rule: number, bits: number): void => {
        if (bits >= leastBits && accepts(rule) && !found.some((other) => other.rule === rule)) {
          found.push({ rule, bits });
        }
      };
      const common = (at: number): number => {
        const entry = order[at];
        return entry === undefined
          ? -1
          : commonBits(words, index.entries.words, 4 * entry) - skipped;
      };
      // Away from the address on either side there are ever fewer bits in common, so taking the closer side first gives all in order.
      let right = lowerBound(index.entries, order, words);
      let left = right - 1;
      for (let steps = 2 * WINDOW; steps > 0 && found.length < most; steps--) {
        const [before, after] = [common(left), common(right)];
        const bits = Math.max(before, after);
        if (bits < 0 || bits < leastBits) break;
        const entry = order[before >= after ? left-- : right++] ?? 0;
        add(index.entries.rules[entry] ?? 0, bits);
      }
      const { sets } = index.group('allow', protocol);
      if (sets.size > 0) {
        if (last?.wide !== wide || last.sets !== sets) {
          last = { wide, sets, bits: nearestMembers(tries, [...sets.keys()], family, words) };
        }
        let asked = 0;
        for (const rules of sets.values()) {
          if (asked === last.bits.length) break;
          const bits = last.bits[asked++] ?? -1;
          if (bits >= leastBits) for (const rule of rules) add(rule, bits);
        }
      }
      return found
        .sort((a, b) => b.bits - a.bits || a.rule - b.rule)
        .slice(0, most)
        .map(({ rule }) => rule);
    },
  };
}

/** The entries of a group and family (rule-index.ts) by address. */
function sortEntries(entries: Entries, kind: number): Uint32Array {
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

/** Leading bits that an address has in common with the nearest member of each of some sets. */
function nearestMembers(
  tries: Tries,
  sets: readonly number[],
  family: 4 | 6,
  address: Words,
): readonly (number | undefined)[] {
  return sets.slice(0, MOST_SETS).map((set) => tries.ofSet(set, family).nearest(address));
}
