/**
 * Lays a TableDraft into the memory of policy.wasm in the flat form that policy/draft.ts reads
 * (DRAFT_ offsets of policy/format.ts). Numbers names and sets by the first rule that names them
 * and leaves out those that no rule names, so that the order in which they were collected does not
 * show in the table. Decides nothing about what rules mean.
 */
import * as F from './format.gen.ts';
import type {
  AddressSet,
  Dns,
  Origin,
  PinnedName,
  PortRange,
  Rule,
  TableDraft,
  UnixRule,
} from './model.ts';
import { FAMILY_BITS, PROTOCOL_NUMBERS, RESOLVE_NUMBERS, UNIX_KIND_NUMBERS } from './numbers.ts';
import { compareAddresses, toCanonical, toStoredPrefix } from './stored-address.ts';
import { createStringTable, type StringTable, type TextPlace } from './string-table.ts';
import { copyIn, type PolicyExports } from './wasm.ts';

/** What was collected from the rules before it goes into the module's memory. */
interface Layout {
  readonly strings: StringTable;
  readonly names: Numbered<PinnedName>;
  readonly sets: Numbered<AddressSet>;
  /** `low | high << 16` of all rules, one after another. */
  readonly ranges: number[];
}

/** Definitions in the order of their first use. */
interface Numbered<T> {
  readonly used: T[];
  /** The number of a definition. @throws TypeError when there is none of that name. */
  numberOf(name: string): number;
}

/**
 * Copies the draft into the instance and returns its address there.
 * @throws TypeError when the draft breaks the promises of model.ts.
 */
export function layDraft(instance: PolicyExports, draft: TableDraft): number {
  const layout: Layout = {
    strings: createStringTable(),
    names: numberByUse('name', draft.names),
    sets: numberByUse('set', draft.sets),
    ranges: [],
  };
  const rules = new Uint8Array(draft.rules.length * F.RULE_BYTES);
  const view = new DataView(rules.buffer);
  draft.rules.forEach((rule, index) => {
    writeRule(rules, view, index * F.RULE_BYTES, rule, layout);
  });
  const { cells: names, addresses } = writeNames(layout);
  const unixRules = writeUnixRules(draft.unixRules, layout.strings);
  const privateNames = writePrivateNames(draft.dns, layout.strings);

  const header = new DataView(new ArrayBuffer(F.DRAFT_BYTES));
  const put = (field: number, value: number): void => header.setUint32(field, value, true);
  put(F.DRAFT_RULES, copyIn(instance, rules));
  put(F.DRAFT_RULE_COUNT, draft.rules.length);
  put(F.DRAFT_PORT_RANGES, copyIn(instance, bytesOf(Uint32Array.from(layout.ranges))));
  put(F.DRAFT_NAMES, copyIn(instance, names));
  put(F.DRAFT_NAME_COUNT, layout.names.used.length);
  put(F.DRAFT_ADDRESSES, copyIn(instance, addresses));
  put(F.DRAFT_SETS, copyIn(instance, writeSets(instance, layout.sets.used)));
  put(F.DRAFT_SET_COUNT, layout.sets.used.length);
  put(F.DRAFT_STRINGS, copyIn(instance, layout.strings.bytes()));
  put(F.DRAFT_STRING_BYTES, layout.strings.bytes().length);
  const { families, allowUserns } = draft.facts;
  put(
    F.DRAFT_FAMILIES,
    families.reduce((bits, family) => bits | FAMILY_BITS[family], 0),
  );
  put(F.DRAFT_FLAGS, allowUserns ? F.FLAG_ALLOW_USERNS : 0);
  put(F.DRAFT_UNIX_RULES, copyIn(instance, unixRules));
  put(F.DRAFT_UNIX_RULE_COUNT, draft.unixRules.length);
  put(F.DRAFT_PRIVATE_NAMES, copyIn(instance, privateNames));
  put(F.DRAFT_PRIVATE_NAME_COUNT, draft.dns.privateNames.length);
  put(F.DRAFT_RESOLVE, RESOLVE_NUMBERS[draft.dns.resolve]);
  put(F.DRAFT_MAX_AGE, draft.dns.maxAge);
  header.setBigUint64(F.DRAFT_PINNED_AT, BigInt(draft.dns.pinnedAt), true);
  return copyIn(instance, new Uint8Array(header.buffer));
}

function numberByUse<T extends { readonly name: string }>(
  kind: string,
  definitions: readonly T[],
): Numbered<T> {
  const byName = new Map(definitions.map((definition) => [definition.name, definition]));
  if (byName.size !== definitions.length) throw new TypeError(`a ${kind} is defined twice`);
  const numbers = new Map<string, number>();
  const used: T[] = [];
  return {
    used,
    numberOf(name) {
      const known = numbers.get(name);
      if (known !== undefined) return known;
      const definition = byName.get(name);
      if (definition === undefined) throw new TypeError(`a rule names the unknown ${kind} ${name}`);
      numbers.set(name, used.length);
      return used.push(definition) - 1;
    },
  };
}

/**
 * Writes a rule at `at` of the section, which is given as bytes and as a view: a view of its own
 * for each address would cost more than the rest.
 */
function writeRule(
  section: Uint8Array,
  view: DataView,
  at: number,
  rule: Rule,
  layout: Layout,
): void {
  const { action, protocol, target } = rule;
  const put = (field: number, value: number): void => view.setUint32(at + field, value, true);
  view.setUint8(at + F.RULE_ACTION, action === 'allow' ? F.ACTION_ALLOW : F.ACTION_DENY);
  view.setUint8(at + F.RULE_PROTOCOL, PROTOCOL_NUMBERS[protocol]);
  put(F.RULE_PORT_SET, layout.ranges.length);
  put(F.RULE_RESERVED, rule.ports.length);
  for (const range of rule.ports) layout.ranges.push(toCell(range));
  writeOrigin(view, at + F.RULE_ORIGIN, rule, layout.strings);
  const kind = (value: number): void => view.setUint8(at + F.RULE_TARGET, value);
  switch (target.kind) {
    case 'any':
      kind(F.TARGET_ANY);
      break;
    case 'prefix': {
      const { family, address, bits } = toStoredPrefix(target.prefix, protocol);
      kind(family === 4 ? F.TARGET_IPV4 : F.TARGET_IPV6);
      view.setUint8(at + F.RULE_PREFIX_BITS, bits);
      section.set(address, at + F.RULE_ADDRESS);
      break;
    }
    case 'name':
      kind(F.TARGET_NAME);
      put(F.RULE_INDEX, layout.names.numberOf(target.name));
      break;
    case 'set':
      kind(F.TARGET_SET);
      put(F.RULE_INDEX, layout.sets.numberOf(target.set));
      writeText(view, at + F.RULE_SET_NAME, layout.strings.place(target.set));
      break;
  }
}

function writeOrigin(view: DataView, at: number, origin: Origin, strings: StringTable): void {
  view.setUint32(at + F.ORIGIN_LINE, origin.line, true);
  view.setUint32(at + F.ORIGIN_COLUMN, origin.column, true);
  writeText(view, at + F.ORIGIN_TEXT, strings.place(origin.text));
  writeText(view, at + F.ORIGIN_SOURCE, strings.place(origin.source));
}

function writeText(view: DataView, at: number, { offset, bytes }: TextPlace): void {
  view.setUint32(at, offset, true);
  view.setUint32(at + 4, bytes, true);
}

function toCell({ low, high }: PortRange): number {
  if (!(Number.isInteger(low) && Number.isInteger(high) && low >= 0 && high <= 65535)) {
    throw new TypeError(`${low}-${high} is no range of ports`);
  }
  return (low | (high << 16)) >>> 0;
}

/** The sections `names` and `addresses`. */
function writeNames({ names, strings }: Layout): { cells: Uint8Array; addresses: Uint8Array } {
  const words = F.NAME_BYTES / 4;
  const cells = new Uint32Array(names.used.length * words);
  const pinned: Uint8Array[] = [];
  names.used.forEach(({ name, addresses, atStart }, index) => {
    const sorted = addresses.map(toCanonical).sort(compareAddresses);
    const unique = sorted.filter(
      (a, i) => i === 0 || compareAddresses(sorted[i - 1] ?? a, a) !== 0,
    );
    const isWildcard = name.startsWith('*.');
    const text = isWildcard ? name.slice(2) : name;
    if (text === '' || ((isWildcard || atStart) && unique.length > 0)) {
      throw new TypeError(`the name ${JSON.stringify(name)} has no text, or addresses`);
    }
    const bare = atStart ? F.NAME_AT_START : F.NAME_LIVE;
    const kind = isWildcard ? F.NAME_WILDCARD : unique.length > 0 ? F.NAME_PINNED : bare;
    const { offset, bytes } = strings.place(text);
    cells.set([offset, bytes, pinned.length, unique.length, kind, 0], index * words);
    pinned.push(...unique);
  });
  const addresses = new Uint8Array(pinned.length * 16);
  pinned.forEach((address, index) => {
    addresses.set(address, index * 16);
  });
  return { cells: bytesOf(cells), addresses };
}

/** The section `unixRules`. */
function writeUnixRules(rules: readonly UnixRule[], strings: StringTable): Uint8Array {
  const cells = new Uint8Array(rules.length * F.UNIX_RULE_BYTES);
  const view = new DataView(cells.buffer);
  rules.forEach((rule, index) => {
    const at = index * F.UNIX_RULE_BYTES;
    view.setUint32(at + F.UNIX_RULE_KIND, UNIX_KIND_NUMBERS[rule.kind], true);
    writeOrigin(view, at + F.UNIX_RULE_ORIGIN, rule, strings);
  });
  return cells;
}

/** The section `privateNames`. */
function writePrivateNames({ privateNames }: Dns, strings: StringTable): Uint8Array {
  const cells = new Uint32Array(privateNames.length * 4);
  privateNames.forEach(({ name, below, line }, index) => {
    const { offset, bytes } = strings.place(name);
    cells.set([below ? F.PRIVATE_BELOW : F.PRIVATE_EXACT, line, offset, bytes], index * 4);
  });
  return bytesOf(cells);
}

/** Copies the prefixes of the sets into the instance and returns the cells that point to them. */
function writeSets(instance: PolicyExports, sets: readonly AddressSet[]): Uint8Array {
  const cells = new Uint32Array(sets.length * 6);
  sets.forEach(({ name, prefixes: { v4, v4Bits, v6, v6Bits } }, index) => {
    if (v4.length !== v4Bits.length || v6.length !== v6Bits.length * 16) {
      throw new TypeError(`the prefixes of set ${name} do not fit their lengths`);
    }
    const parts = [bytesOf(v4), v4Bits, v6, v6Bits].map((bytes) => copyIn(instance, bytes));
    const [v4At = 0, v4BitsAt = 0, v6At = 0, v6BitsAt = 0] = parts;
    cells.set([v4At, v4BitsAt, v4.length, v6At, v6BitsAt, v6Bits.length], index * 6);
  });
  return bytesOf(cells);
}

/** The bytes of a typed array; little-endian on every machine that Node and browsers run on. */
function bytesOf(array: Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
