/** The addresses of a rule as intervals of numbers: what lint walks in the tries. */
import { toNumber } from './address.ts';
import { pinnedAddresses } from './explain-name.ts';
import type { Rule } from './model.ts';
import { isBind } from './stored-address.ts';
import type { Table } from './table.ts';

/** Addresses of a family, both ends included. */
export interface Area {
  readonly family: 4 | 6;
  readonly low: bigint;
  readonly high: bigint;
}

/** Intervals of a set that are looked at. */
const MOST_OF_A_SET = 256;

const ALL_IPV4: Area = { family: 4, low: 0n, high: (1n << 32n) - 1n };
const ALL_IPV6: Area = { family: 6, low: 0n, high: (1n << 128n) - 1n };

/**
 * The addresses that a rule of the table is about; undefined for a name without pins and for a set
 * that is too large to be looked at.
 */
export function areasOf(table: Table, { target }: Rule): readonly Area[] | undefined {
  switch (target.kind) {
    case 'any':
      return [ALL_IPV4, ALL_IPV6];
    case 'prefix':
      return [prefixArea(target.prefix.address, target.prefix.bits)];
    case 'name': {
      const pinned = pinnedAddresses(table, target.name) ?? [];
      if (pinned.length === 0) return undefined;
      return pinned.map((address) => prefixArea(address, address.length * 8));
    }
    case 'set':
      return setAreas(table, target.set);
  }
}

/** The interval of a prefix. */
export function prefixArea(address: Uint8Array, bits: number): Area {
  const low = toNumber(address);
  const high = low + (1n << BigInt(address.length * 8 - bits)) - 1n;
  return { family: address.length === 4 ? 4 : 6, low, high };
}

/** The members of a set, by the name that rules use. */
export function setAreas(table: Table, name: string): readonly Area[] | undefined {
  const number = table.setNumber(name);
  if (number === undefined) return undefined;
  const areas: Area[] = [];
  for (const family of [4, 6] as const) {
    const last = family === 4 ? ALL_IPV4.high : ALL_IPV6.high;
    let low: bigint | undefined;
    for (const { start, set } of table.tries().ofSet(number, family).boundaries()) {
      if (low !== undefined) areas.push({ family, low, high: start - 1n });
      if (areas.length > MOST_OF_A_SET) return undefined;
      low = set === 1 ? start : undefined;
    }
    if (low !== undefined) areas.push({ family, low, high: last });
  }
  return areas;
}

const NAT64 = 0x64ff9bn << 96n;
const SIX_TO_FOUR = 0x2002n << 112n;
const UNSPECIFIED: readonly Area[] = [
  { family: 4, low: 0n, high: 0n },
  { family: 6, low: 0n, high: 0n },
];

/** What a deny rule is about beside its own addresses (docs/format.md §6). */
export function carriedAreas({ protocol }: Rule, own: readonly Area[]): readonly Area[] {
  if (isBind(protocol)) return UNSPECIFIED;
  return own.flatMap(({ family, low, high }) =>
    family === 6
      ? []
      : [
          { family: 6, low: NAT64 | low, high: NAT64 | high },
          {
            family: 6,
            low: SIX_TO_FOUR | (low << 80n),
            high: SIX_TO_FOUR | (((high + 1n) << 80n) - 1n),
          },
        ],
  );
}
