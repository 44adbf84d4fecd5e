/**
 * What `exec` has to know of a table's names before it runs under it: whether some are still to be
 * resolved, and how old the pins are. Reads a few fields in place, without the compiler. The bytes
 * are not verified yet: where they make no sense or are of another version nothing is said, and the
 * executor refuses them.
 */
import * as F from '../compiler/format.gen.ts';

/** The names of a table. */
export interface Pins {
  /** Some name is to be pinned before a command starts. */
  readonly areMissing: boolean;
  /** Some name is pinned. */
  readonly areThere: boolean;
  /** Seconds since 1970; 0 = not told. */
  readonly pinnedAt: number;
  /** Seconds; 0 = pins do not grow old. */
  readonly maxAge: number;
}

const NONE: Pins = { areMissing: false, areThere: false, pinnedAt: 0, maxAge: 0 };

/** Reads them from the bytes of a table. */
export function readPins(table: Buffer): Pins {
  try {
    const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
    if (view.getUint16(F.HEADER_MAJOR, true) !== F.MAJOR) return NONE;
    const names = section(view, F.SECTION_NAMES);
    if (names.count === 0) return NONE;
    const facts = section(view, F.SECTION_FACTS);
    const kinds = new Set<number>();
    for (let i = 0; i < names.count; i++) {
      kinds.add(view.getUint32(names.offset + i * F.NAME_BYTES + F.NAME_KIND, true));
    }
    return {
      areMissing: kinds.has(F.NAME_AT_START),
      areThere: kinds.has(F.NAME_PINNED),
      pinnedAt: Number(view.getBigUint64(facts.offset + F.FACTS_PINNED_AT, true)),
      maxAge: view.getUint32(facts.offset + F.FACTS_MAX_AGE, true),
    };
  } catch {
    return NONE;
  }
}

function section(
  table: DataView,
  kind: number,
): { readonly count: number; readonly offset: number } {
  const record = F.HEADER_BYTES + (kind - 1) * F.DIRECTORY_BYTES;
  return {
    count: table.getUint32(record + F.DIRECTORY_COUNT, true),
    offset: table.getUint32(record + F.DIRECTORY_OFFSET, true),
  };
}

/** The warning that pins are older than the policy wants them, or undefined. `nowSeconds` since 1970. */
export function describeAge(path: string, pins: Pins, nowSeconds: number): string | undefined {
  const age = nowSeconds - pins.pinnedAt;
  if (pins.pinnedAt === 0 || pins.maxAge === 0 || age <= pins.maxAge) return undefined;
  const limit = formatDuration(pins.maxAge);
  return `the addresses of names in ${path} are ${formatDuration(age)} old (max_age is ${limit}): --refresh looks them up again`;
}

const UNITS: readonly (readonly [number, string])[] = [
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
];

/** `3 days`, `1 hour`: the largest unit that fits, rounded down. */
export function formatDuration(seconds: number): string {
  const [size, unit] = UNITS.find(([least]) => seconds >= least) ?? [1, 'second'];
  const count = Math.floor(seconds / size);
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
