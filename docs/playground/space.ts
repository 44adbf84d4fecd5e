/**
 * Which parts of the address space a table opens: what its tries say, boundary by boundary
 * (docs/format.md §4), so that nothing is sampled or guessed. Pure.
 */
import { familiesFor } from '../../compiler/families.ts';
import type { PortRange, Protocol } from '../../compiler/model.ts';
import type { Table } from '../../compiler/table.ts';

/** Addresses first..last of one family, all of them open for the same ports. */
export interface Span {
  readonly first: bigint;
  readonly last: bigint;
  /** Whether for all ports that were asked for, or some. */
  readonly ports: 'all' | 'some';
  /** Port set of the table (`Table.ports`). */
  readonly set: number;
}

/** What is looked at. */
export interface View {
  readonly protocol: Protocol;
  readonly family: 4 | 6;
  /** Undefined: whichever port is open. */
  readonly port: number | undefined;
}

/** A block of addresses that share their leading bits. */
export interface Block {
  readonly address: bigint;
  readonly bits: number;
}

/** Bits of an address of a family. */
export function widthOf(family: 4 | 6): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** The open spans in order; neighbours with the same ports are one. */
export function openSpans(table: Table, { protocol, family, port }: View): Span[] {
  const allowed = table.facts().families;
  if (!familiesFor(protocol, family).some((name) => allowed.includes(name))) return [];
  const trie = table.tries().ofProtocol(protocol, family);
  const known = new Map<number, Span['ports'] | undefined>();
  const openness = (set: number): Span['ports'] | undefined => {
    if (!known.has(set)) known.set(set, opennessOf(table.ports(set), protocol, port));
    return known.get(set);
  };
  const spans: Span[] = [];
  let open: { first: bigint; ports: Span['ports']; set: number } | undefined;
  const end = (last: bigint): void => {
    if (open === undefined) return;
    const { first, ports, set } = open;
    // ::ffff:0:0/96 is IPv4 written otherwise, and shown there.
    if (family === 4 || first >> 32n !== 0xffffn) spans.push({ first, last, ports, set });
  };
  for (const { start, set } of trie.boundaries()) {
    const ports = openness(set);
    if (open?.set === set && ports !== undefined) continue;
    if (start > 0n) end(start - 1n);
    open = ports === undefined ? undefined : { first: start, ports, set };
  }
  end((1n << BigInt(widthOf(family))) - 1n);
  return spans;
}

function opennessOf(
  ranges: readonly PortRange[],
  protocol: Protocol,
  port: number | undefined,
): Span['ports'] | undefined {
  const holds = (wanted: number): boolean =>
    ranges.some(({ low, high }) => low <= wanted && wanted <= high);
  if (protocol === 'icmp') return ranges.length > 0 ? 'all' : undefined;
  if (port !== undefined) return holds(port) ? 'all' : undefined;
  if (ranges.length === 0) return undefined;
  return ranges.some(({ low, high }) => low <= 1 && high === 65535) ? 'all' : 'some';
}

/** The fewest blocks that make up first..last. */
export function blocksOf(first: bigint, last: bigint, width: 32 | 128): Block[] {
  const blocks: Block[] = [];
  for (let address = first; address <= last; ) {
    let bits = width;
    while (bits > 0) {
      const size = 1n << BigInt(width - bits + 1);
      if (address % size !== 0n || address + size - 1n > last) break;
      bits -= 1;
    }
    blocks.push({ address, bits });
    address += 1n << BigInt(width - bits);
  }
  return blocks;
}

/** Last address of a block. */
export function lastOf({ address, bits }: Block, width: 32 | 128): bigint {
  return address + (1n << BigInt(width - bits)) - 1n;
}

/** The block of that length around an address. */
export function blockAround(address: bigint, bits: number, width: 32 | 128): Block {
  const rest = BigInt(width - bits);
  return { address: (address >> rest) << rest, bits };
}

/** The spans that meet first..last, cut to it. */
export function spansIn(spans: readonly Span[], first: bigint, last: bigint): Span[] {
  return spans
    .filter((span) => span.last >= first && span.first <= last)
    .map((span) => ({
      ...span,
      first: span.first > first ? span.first : first,
      last: span.last < last ? span.last : last,
    }));
}

/** An address as bytes in network order. */
export function toBytes(address: bigint, family: 4 | 6): Uint8Array {
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  for (let at = bytes.length - 1, rest = address; at >= 0; at -= 1, rest >>= 8n) {
    bytes[at] = Number(rest & 0xffn);
  }
  return bytes;
}
