/**
 * Addresses × ports as prefixes with ports, as few as there can be: what a person reads in place of
 * a trie's boundaries.
 *
 * Ports are cut where any port set begins or ends, so that each piece is wholly in a set or not at
 * all. Of every piece the addresses form intervals, an interval splits into its largest aligned
 * prefixes, and pieces with the same prefix are one line again:
 *
 *     10.0.0.0/8 on 443, of which 10.1.0.0/16 also on 80    →    10.0.0.0/8:443 and 10.1.0.0/16:80, not the nine parts between them
 */
import type { PortRange } from './model.ts';
import { mergeRanges } from './ports.ts';

/** An interval of addresses, both ends included, with the ports that apply to it. */
export interface Interval {
  readonly low: bigint;
  readonly high: bigint;
  /** Ascending, disjoint, not adjacent. The same object where the ports are the same saves time. */
  readonly ports: readonly PortRange[];
}

/** A prefix with ports; `start` is a number of 32 or 128 bits. */
export interface Area {
  readonly start: bigint;
  readonly bits: number;
  readonly ports: readonly PortRange[];
}

/** The areas of intervals that ascend and do not overlap, by address and then by length. `width` is 32 or 128. */
export function aggregate(intervals: readonly Interval[], width: 32 | 128): readonly Area[] {
  const cuts = findCuts(intervals);
  const pieces = new Map<readonly PortRange[], readonly number[]>();
  const piecesOf = (ports: readonly PortRange[]): readonly number[] => {
    const known = pieces.get(ports) ?? cutPorts(ports, cuts);
    pieces.set(ports, known);
    return known;
  };
  /** Where the run of each piece began, as far as it is in one. */
  const open = new Map<number, bigint>();
  const areas = new Map<string, { start: bigint; bits: number; ports: PortRange[] }>();
  const close = (piece: number, high: bigint): void => {
    const low = open.get(piece);
    open.delete(piece);
    if (low === undefined) return;
    const range = { low: cuts[piece] ?? 0, high: (cuts[piece + 1] ?? 0) - 1 };
    for (const [start, bits] of splitInterval(low, high, width)) {
      const key = `${start}/${bits}`;
      const known = areas.get(key);
      if (known === undefined) areas.set(key, { start, bits, ports: [range] });
      else known.ports.push(range);
    }
  };

  let end = -1n;
  for (const { low, high, ports } of intervals) {
    const present = new Set(piecesOf(ports));
    for (const piece of [...open.keys()]) {
      if (end + 1n !== low || !present.has(piece)) close(piece, end);
    }
    for (const piece of present) if (!open.has(piece)) open.set(piece, low);
    end = high;
  }
  for (const piece of [...open.keys()]) close(piece, end);
  return [...areas.values()]
    .map(({ start, bits, ports }) => ({ start, bits, ports: mergeRanges(ports) }))
    .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : a.bits - b.bits));
}

/** Where ranges begin, and behind where they end. */
function findCuts(intervals: readonly Interval[]): readonly number[] {
  const cuts = new Set<number>();
  for (const ports of new Set(intervals.map(({ ports }) => ports))) {
    for (const { low, high } of ports) cuts.add(low).add(high + 1);
  }
  return [...cuts].sort((a, b) => a - b);
}

/** The pieces between neighbouring cuts that ranges hold, by the number of the cut below. */
function cutPorts(ports: readonly PortRange[], cuts: readonly number[]): readonly number[] {
  const pieces: number[] = [];
  for (const { low, high } of ports) {
    for (let i = lowerBound(cuts, low); (cuts[i] ?? 65536) <= high; i++) pieces.push(i);
  }
  return pieces;
}

function lowerBound(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The prefixes of an interval: each the largest that begins where it does and does not pass the end. */
function* splitInterval(
  low: bigint,
  high: bigint,
  width: number,
): Iterable<readonly [bigint, number]> {
  let start = low;
  while (start <= high) {
    let host = start === 0n ? width : trailingZeros(start);
    while (start + (1n << BigInt(host)) - 1n > high) host--;
    yield [start, width - host];
    start += 1n << BigInt(host);
  }
}

function trailingZeros(value: bigint): number {
  const text = value.toString(2);
  return text.length - 1 - text.lastIndexOf('1');
}
