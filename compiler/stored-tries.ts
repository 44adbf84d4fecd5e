/**
 * The tries of a verified table as boundaries: from which address on which port set applies (docs/format.md §4). policy.wasm reads them, so
 * that how a trie is stored is known in one room; here they become numbers that TypeScript can walk.
 */
import * as F from './format.gen.ts';
import type { Protocol } from './model.ts';
import { PROTOCOL_NUMBERS } from './numbers.ts';
import { createScratch, type PolicyExports } from './wasm.ts';

/** A boundary: `start` is a number of 32 or 128 bits, `set` the port set from there on (0 or 1 in a set's trie). */
export interface Boundary {
  readonly start: bigint;
  readonly set: number;
}

/** One trie. Boundary 0 starts at address 0; each ends before the next, the last with the last address of the family. */
export interface Trie {
  readonly family: 4 | 6;
  readonly count: number;
  /** All boundaries in order, read in blocks. */
  boundaries(): Iterable<Boundary>;
  at(boundary: number): Boundary;
  /** Number of the boundary that applies to an address. */
  find(address: bigint): number;
}

/** The tries of an open table. */
export interface Tries {
  ofProtocol(protocol: Protocol, family: 4 | 6): Trie;
  /** Who is in the set of that number: port set 1. */
  ofSet(set: number, family: 4 | 6): Trie;
}

/** Bytes of a boundary as policy.wasm writes it (policy/boundaries.ts). */
const BOUNDARY_BYTES = 24;
/** Boundaries that are read at once. */
const BLOCK = 4096;

/** The tries of the table at `table` in an instance's memory. */
export function createTries(instance: PolicyExports, table: number): Tries {
  const scratch = createScratch(instance);
  const read = (trie: number, family: 4 | 6, first: number, count: number): Boundary[] => {
    const ptr = scratch.room(BLOCK * BOUNDARY_BYTES);
    instance.readBoundaries(table, trie, first, count, ptr);
    const view = new DataView(instance.memory.buffer, ptr, count * BOUNDARY_BYTES);
    return Array.from({ length: count }, (_, i) => {
      const at = i * BOUNDARY_BYTES;
      const high = view.getBigUint64(at, true);
      const start = family === 4 ? high >> 32n : (high << 64n) | view.getBigUint64(at + 8, true);
      return { start, set: view.getUint32(at + 16, true) };
    });
  };
  const trieOf = (trie: number, family: 4 | 6): Trie => {
    const count = instance.boundaryCount(table, trie) >>> 0;
    return {
      family,
      count,
      *boundaries() {
        for (let first = 0; first < count; first += BLOCK) {
          yield* read(trie, family, first, Math.min(BLOCK, count - first));
        }
      },
      at: (boundary) => read(trie, family, boundary, 1)[0] as Boundary,
      find: (address) => instance.findBoundary(table, trie, ...keyWords(address, family)) >>> 0,
    };
  };
  const offset = (family: 4 | 6): number => (family === 4 ? 0 : 1);
  return {
    ofProtocol: (protocol, family) =>
      trieOf(2 * PROTOCOL_NUMBERS[protocol] + offset(family), family),
    ofSet: (set, family) => trieOf(F.PROTOCOL_TRIES + 2 * set + offset(family), family),
  };
}

function keyWords(address: bigint, family: 4 | 6): [number, number, number, number] {
  if (family === 4) return [Number(address), 0, 0, 0];
  const word = (shift: bigint): number => Number((address >> shift) & 0xffffffffn);
  return [word(96n), word(64n), word(32n), word(0n)];
}
