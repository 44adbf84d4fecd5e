/**
 * The tries of a verified table as boundaries: from which address on which port set applies
 * (docs/format.md §4). policy.wasm reads them, so that how a trie is stored is known in one room;
 * here they become numbers that TypeScript can walk. Spans, which are one boundary as stored,
 * become the two that they stand for; boundaries at which only the membership in sets changes are
 * left out, and the sets have tries of their own.
 */
import type { Protocol } from './model.ts';
import { PROTOCOL_NUMBERS } from './numbers.ts';
import { createSetTrie, type SetTrie } from './set-trie.ts';
import { createScratch, type PolicyExports } from './wasm.ts';

/** A boundary: `start` is a number of 32 or 128 bits, `set` the port set from there on (0 or 1 in a set's trie). */
export interface Boundary {
  readonly start: bigint;
  readonly set: number;
}

/** Addresses with one port set, both ends included, from one boundary to the next. */
export interface Stretch extends Boundary {
  readonly end: bigint;
}

/** One trie. Neighbouring boundaries have different port sets. */
export interface Trie {
  readonly family: 4 | 6;
  /** All boundaries in order, the first at address 0; read in blocks. */
  boundaries(): Iterable<Boundary>;
  /** The stretch in which an address lies. */
  stretch(address: bigint): Stretch;
}

/** The tries of an open table. */
export interface Tries {
  /** Of port sets with the same ports, the first stands for all. */
  ofProtocol(protocol: Protocol, family: 4 | 6): Trie;
  /** Who is in the set of that number: port set 1. */
  ofSet(set: number, family: 4 | 6): SetTrie;
}

/** A boundary as it is stored; `bits` of a span, else 0. */
interface Stored extends Boundary {
  readonly bits: number;
}

/** Bytes of a boundary as policy.wasm writes it (policy/boundaries.ts). */
const BOUNDARY_BYTES = 24;
/** Boundaries that are read at once. */
const BLOCK = 4096;

/** The tries of the table at `table` in an instance's memory; `same` is what `readSamePorts` gives. */
export function createTries(instance: PolicyExports, table: number, same: Uint16Array): Tries {
  const scratch = createScratch(instance);
  const read = (trie: number, family: 4 | 6, first: number, count: number): Stored[] => {
    const ptr = scratch.room(BLOCK * BOUNDARY_BYTES);
    instance.readBoundaries(table, trie, first, count, ptr);
    const view = new DataView(instance.memory.buffer, ptr, count * BOUNDARY_BYTES);
    const found: Stored[] = [];
    for (let at = 0; at < count * BOUNDARY_BYTES; at += BOUNDARY_BYTES) {
      const start =
        family === 4
          ? BigInt(view.getUint32(at + 4, true))
          : (view.getBigUint64(at, true) << 64n) | view.getBigUint64(at + 8, true);
      const set = same[view.getUint32(at + 16, true)] ?? 0;
      found.push({ start, set, bits: view.getUint32(at + 20, true) });
    }
    return found;
  };
  const ofProtocol = (protocol: number, family: 4 | 6): Trie => {
    const trie = 2 * protocol + (family === 4 ? 0 : 1);
    const width = family === 4 ? 32 : 128;
    const count = instance.boundaryCount(table, trie) >>> 0;
    const background = same[instance.trieBackground(table, trie) >>> 0] ?? 0;
    const behind = ({ start, bits }: Stored): bigint => start + (1n << BigInt(width - bits));
    function* stored(): Iterable<Boundary> {
      /** Where the last span ends, if that has not been told. */
      let ended: bigint | undefined;
      for (let first = 0; first < count; first += BLOCK) {
        for (const boundary of read(trie, family, first, Math.min(BLOCK, count - first))) {
          const { start, set, bits } = boundary;
          if (ended !== undefined && ended < start) yield { start: ended, set: background };
          yield { start, set };
          ended = bits === 0 ? undefined : behind(boundary);
        }
      }
      if (ended !== undefined && ended >> BigInt(width) === 0n) {
        yield { start: ended, set: background };
      }
    }
    /** The stretch as it is stored, which may have the same ports as its neighbours. */
    const storedStretch = (address: bigint): Stretch => {
      const found = instance.findBoundary(table, trie, ...keyWords(address, family)) >>> 0;
      const isLast = found + 1 === count;
      const [boundary, next] = read(trie, family, found, isLast ? 1 : 2);
      const end = (next?.start ?? 1n << BigInt(width)) - 1n;
      // There is always a boundary at or before an address.
      const { start, set, bits } = boundary as Stored;
      if (bits === 0) return { start, end, set };
      const rest = behind(boundary as Stored);
      return address < rest
        ? { start, end: rest - 1n, set }
        : { start: rest, end, set: background };
    };
    return {
      family,
      *boundaries() {
        let before: number | undefined;
        for (const boundary of stored()) {
          if (boundary.set !== before) yield boundary;
          before = boundary.set;
        }
      },
      stretch(address) {
        let { start, end, set } = storedStretch(address);
        while (start > 0n) {
          const before = storedStretch(start - 1n);
          if (before.set !== set) break;
          start = before.start;
        }
        while ((end + 1n) >> BigInt(width) === 0n) {
          const after = storedStretch(end + 1n);
          if (after.set !== set) break;
          end = after.end;
        }
        return { start, end, set };
      },
    };
  };
  const remembered = <T>(make: (number: number, family: 4 | 6) => T): typeof make => {
    const known = new Map<number, T>();
    return (number, family) => {
      const key = 2 * number + (family === 4 ? 0 : 1);
      const trie = known.get(key) ?? make(number, family);
      known.set(key, trie);
      return trie;
    };
  };
  const byProtocol = remembered(ofProtocol);
  return {
    ofProtocol: (protocol, family) => byProtocol(PROTOCOL_NUMBERS[protocol], family),
    ofSet: remembered((set, family) => createSetTrie(instance, table, scratch, set, family)),
  };
}

function keyWords(address: bigint, family: 4 | 6): [number, number, number, number] {
  if (family === 4) return [Number(address), 0, 0, 0];
  const word = (shift: bigint): number => Number((address >> shift) & 0xffffffffn);
  return [word(96n), word(64n), word(32n), word(0n)];
}
