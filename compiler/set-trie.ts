/**
 * The members of a set of a table (docs/format.md §5) as a trie of their own, whichever trie tells
 * them. policy.wasm says where they begin and end, alternately, a block at a time. Who asks for
 * single addresses has all of that kept, as words of 32 bits: a set may have millions.
 */
import type { Words } from './rule-index.ts';
import type { Boundary, Trie } from './stored-tries.ts';
import type { PolicyExports, Scratch } from './wasm.ts';

/** The members of a set: port set 1. */
export interface SetTrie extends Trie {
  /**
   * Leading bits, of the family's own, that an address of that family has in common with the
   * nearest member; undefined when there is none.
   */
  nearest(address: Words): number | undefined;
}

/** Bytes of a key as policy.wasm writes it (policy/membership.ts). */
const KEY_BYTES = 16;
/** Keys that are read at once; at first as many as tell whether there are many (lint-area.ts). */
const BLOCK = 4096;
const FIRST_BLOCK = 520;
/** The boundary after which all members are told. */
const ALL_TOLD = 0xffffffff;

/** The members of a set of the table at `table`. */
export function createSetTrie(
  instance: PolicyExports,
  table: number,
  scratch: Scratch,
  set: number,
  family: 4 | 6,
): SetTrie {
  const step = family === 4 ? 1 : 4;
  function* blocks(): Iterable<Uint32Array> {
    for (let first = 0, told = 0, most = FIRST_BLOCK; first !== ALL_TOLD; most = BLOCK) {
      const ptr = scratch.room(BLOCK * KEY_BYTES);
      const half = family === 4 ? 0 : 1;
      const count = instance.readMembers(table, set, half, first, told % 2, most, ptr);
      first = instance.membersEnd() >>> 0;
      told += count;
      const view = new DataView(instance.memory.buffer, ptr, count * KEY_BYTES);
      const words = new Uint32Array(step * count);
      for (let i = 0; i < words.length; i++) {
        // Two numbers of 64 bits, little-endian: words 1, 0, 3, 2.
        const key = KEY_BYTES * Math.floor(i / step);
        words[i] = view.getUint32(key + 4 * ((i % step) ^ 1), true);
      }
      yield words;
    }
  }
  let kept: Uint32Array | undefined;
  const keys = (): Uint32Array => {
    kept ??= joined([...blocks()]);
    return kept;
  };
  /** How many keys are at or below an address. */
  const countUpTo = (address: ArrayLike<number>): number => {
    const all = keys();
    let low = 0;
    let high = all.length / step;
    const first = address[0] ?? 0;
    while (low < high) {
      const middle = (low + high) >> 1;
      let difference = (all[step * middle] ?? 0) - first;
      for (let i = 1; i < step && difference === 0; i++) {
        difference = (all[step * middle + i] ?? 0) - (address[i] ?? 0);
      }
      if (difference <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  /** Leading bits that an address has in common with a key less `less`, 0 or 1. */
  const common = (index: number, less: number, address: ArrayLike<number>): number => {
    const all = keys();
    for (let i = 0; i < step; i++) {
      const word = step * index + i;
      // What is taken off reaches up to here if all words below are 0.
      let borrow = less;
      for (let below = word + 1; below < step * (index + 1); below++) {
        if (all[below] !== 0) borrow = 0;
      }
      const difference = ((all[word] ?? 0) - borrow) ^ (address[i] ?? 0);
      if (difference !== 0) return 32 * i + Math.clz32(difference);
    }
    return 32 * step;
  };
  const keyAt = (index: number): bigint =>
    toBigInt(keys().subarray(step * index, step * (index + 1)));
  return {
    family,
    *boundaries() {
      let last: Boundary = { start: 0n, set: 0 };
      let isTold = false;
      for (const words of blocks()) {
        for (let i = 0; i < words.length; i += step) {
          const start = toBigInt(words.subarray(i, i + step));
          if (!isTold && start !== 0n) yield last;
          isTold = true;
          last = { start, set: 1 - last.set };
          yield last;
        }
      }
      if (!isTold) yield last;
    },
    stretch(address) {
      const count = keys().length / step;
      const after = countUpTo(toWords(address, family));
      const start = after === 0 ? 0n : keyAt(after - 1);
      const behind = after === count ? 1n << BigInt(32 * step) : keyAt(after);
      return { start, end: behind - 1n, set: after % 2 };
    },
    nearest(address) {
      const own = family === 4 ? [address[3]] : address;
      const after = countUpTo(own);
      if (after % 2 === 1) return 32 * step;
      // Members and others alternate, so the nearest members stand next to those that are none.
      const below = after === 0 ? -1 : common(after - 1, 1, own);
      const above = step * after === keys().length ? -1 : common(after, 0, own);
      const most = Math.max(below, above);
      return most < 0 ? undefined : most;
    },
  };
}

function joined(blocks: readonly Uint32Array[]): Uint32Array {
  const all = new Uint32Array(blocks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const block of blocks) {
    all.set(block, at);
    at += block.length;
  }
  return all;
}

function toBigInt(words: Uint32Array): bigint {
  return words.reduce((value, word) => (value << 32n) | BigInt(word), 0n);
}

function toWords(address: bigint, family: 4 | 6): readonly number[] {
  if (family === 4) return [Number(address)];
  const word = (shift: bigint): number => Number((address >> shift) & 0xffffffffn);
  return [word(96n), word(64n), word(32n), word(0n)];
}
