/**
 * Reads rules, names, facts and plan out of a verified table (docs/format.md §3, §5, §7, §8), back
 * into the values of model.ts. The bytes are trusted: policy.wasm has checked them all.
 */
import * as F from './format.gen.ts';
import type {
  Dns,
  Facts,
  FamilyName,
  Origin,
  PinnedName,
  PortRange,
  Protocol,
  Rule,
  Target,
  UnixRule,
} from './model.ts';
import { FAMILY_BITS, PROTOCOL_NUMBERS, RESOLVE_NUMBERS, UNIX_KIND_NUMBERS } from './numbers.ts';
import { formatPorts } from './port-text.ts';
import { isMapped } from './stored-address.ts';

/**
 * By what the destinations of a protocol are held (docs/format.md §3): `closed`, nothing is
 * allowed; `supervised`, every one is looked up; `kernel`, the kernel decides by the port; `open`,
 * everything is allowed.
 */
export type Mode = 'closed' | 'supervised' | 'kernel' | 'open';

/** The modes by their numbers in a table. */
const MODES: readonly Mode[] = ['closed', 'supervised', 'kernel', 'open'];

/** A section of a table: `offset` and `bytes` from the start of the file, `count` cells. */
export interface Section {
  readonly count: number;
  readonly offset: number;
  readonly bytes: number;
}

/** A verified table for reading. */
export interface TableReader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Port sets that were read, by their number: thousands of rules share a few. */
  readonly ports: Map<number, readonly PortRange[]>;
  /** Names of files that were read, by their offset. */
  readonly sources: Map<number, { readonly bytes: number; readonly text: string }>;
}

const DECODER = new TextDecoder();

const PROTOCOLS = Object.keys(PROTOCOL_NUMBERS) as readonly Protocol[];
const FAMILIES = Object.keys(FAMILY_BITS) as readonly FamilyName[];
const RESOLVES = Object.keys(RESOLVE_NUMBERS) as readonly Dns['resolve'][];
const UNIX_KINDS = Object.keys(UNIX_KIND_NUMBERS) as readonly UnixRule['kind'][];

/** A reader of bytes that policy.wasm has verified. */
export function createReader(bytes: Uint8Array): TableReader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { bytes, view, ports: new Map(), sources: new Map() };
}

/** Where a section lies; `kind` is a SECTION_ constant. */
export function sectionOf({ view }: TableReader, kind: number): Section {
  const record = F.HEADER_BYTES + (kind - 1) * F.DIRECTORY_BYTES;
  return {
    count: view.getUint32(record + F.DIRECTORY_COUNT, true),
    offset: view.getUint32(record + F.DIRECTORY_OFFSET, true),
    bytes: view.getUint32(record + F.DIRECTORY_SIZE, true),
  };
}

/** The plan of every protocol. */
export function readPlan(reader: TableReader): Readonly<Record<Protocol, Mode>> {
  const { offset } = sectionOf(reader, F.SECTION_PLAN);
  const mode = (protocol: number): Mode =>
    MODES[reader.view.getUint32(offset + protocol * F.PLAN_BYTES, true)] ?? 'supervised';
  return {
    tcp: mode(F.PROTOCOL_TCP),
    udp: mode(F.PROTOCOL_UDP),
    icmp: mode(F.PROTOCOL_ICMP),
    'tcp-bind': mode(F.PROTOCOL_TCP_BIND),
    'udp-bind': mode(F.PROTOCOL_UDP_BIND),
  };
}

/** What the policy says apart from its rules; the families in the order of their bits. */
export function readFacts(reader: TableReader): Facts {
  const { offset } = sectionOf(reader, F.SECTION_FACTS);
  const families = reader.view.getUint32(offset + F.FACTS_FAMILIES, true);
  const flags = reader.view.getUint32(offset + F.FACTS_FLAGS, true);
  return {
    families: FAMILIES.filter((family) => (families & FAMILY_BITS[family]) !== 0),
    allowUserns: (flags & F.FLAG_ALLOW_USERNS) !== 0,
  };
}

/** The UNIX sockets outside that may be reached, in source order. */
export function readUnixRules(reader: TableReader): readonly UnixRule[] {
  const { count, offset } = sectionOf(reader, F.SECTION_UNIX_RULES);
  return Array.from({ length: count }, (_, index) => {
    const at = offset + index * F.UNIX_RULE_BYTES;
    return {
      kind: UNIX_KINDS[reader.view.getUint32(at + F.UNIX_RULE_KIND, true)] ?? 'path',
      ...readOrigin(reader, at + F.UNIX_RULE_ORIGIN),
    };
  });
}

/** How names become addresses. */
export function readDns(reader: TableReader): Dns {
  const { view } = reader;
  const facts = sectionOf(reader, F.SECTION_FACTS).offset;
  const { count, offset } = sectionOf(reader, F.SECTION_PRIVATE_NAMES);
  return {
    resolve: RESOLVES[view.getUint32(facts + F.FACTS_RESOLVE, true)] ?? 'exec',
    pinnedAt: Number(view.getBigUint64(facts + F.FACTS_PINNED_AT, true)),
    maxAge: view.getUint32(facts + F.FACTS_MAX_AGE, true),
    privateNames: Array.from({ length: count }, (_, index) => {
      const cell = offset + index * F.PRIVATE_NAME_BYTES;
      return {
        name: readText(reader, cell + F.PRIVATE_NAME_TEXT),
        below: view.getUint32(cell + F.PRIVATE_NAME_KIND, true) === F.PRIVATE_BELOW,
        line: view.getUint32(cell + F.PRIVATE_NAME_LINE, true),
      };
    }),
  };
}

/** Boundaries of the protocols' tries together: what look-ups search. */
export function countBoundaries(reader: TableReader): number {
  const { offset } = sectionOf(reader, F.SECTION_TRIES);
  let boundaries = 0;
  for (let trie = 0; trie < F.PROTOCOL_TRIES; trie++) {
    boundaries += reader.view.getUint32(offset + trie * F.TRIE_BYTES + F.TRIE_COUNT, true);
  }
  return boundaries;
}

/** Whether a set has no address of a family. */
export function isEmptySet(reader: TableReader, set: number, family: 4 | 6): boolean {
  const half = family === 4 ? 0 : F.ADDRESS_SET_FAMILY_BYTES;
  const at = sectionOf(reader, F.SECTION_SETS).offset + set * F.ADDRESS_SET_BYTES + half;
  return reader.view.getUint32(at + F.ADDRESS_SET_COUNT, true) === 0;
}

/** The names, in the order in which the rules name them first; IPv4 addresses have 4 bytes. */
export function readNames(reader: TableReader): readonly PinnedName[] {
  const { count, offset } = sectionOf(reader, F.SECTION_NAMES);
  const addresses = sectionOf(reader, F.SECTION_ADDRESSES).offset;
  return Array.from({ length: count }, (_, index) => {
    const cell = offset + index * F.NAME_BYTES;
    const first = reader.view.getUint32(cell + F.NAME_FIRST, true);
    const text = readText(reader, cell + F.NAME_TEXT);
    const kind = reader.view.getUint32(cell + F.NAME_KIND, true);
    return {
      name: kind === F.NAME_WILDCARD ? `*.${text}` : text,
      addresses: Array.from({ length: reader.view.getUint32(cell + F.NAME_COUNT, true) }, (_, i) =>
        narrow(bytesAt(reader, addresses + (first + i) * F.ADDRESS_BYTES, 16)),
      ),
      ...(kind === F.NAME_AT_START ? { atStart: true } : {}),
    };
  });
}

/** The rules as written, in source order; a name's rule refers to `names` of the same table. */
export function readRules(reader: TableReader, names: readonly PinnedName[]): readonly Rule[] {
  const { count } = sectionOf(reader, F.SECTION_RULES);
  return Array.from({ length: count }, (_, number) => readRule(reader, number, names));
}

/** The rule of a number, which must exist. */
export function readRule(reader: TableReader, number: number, names: readonly PinnedName[]): Rule {
  const { view } = reader;
  const at = sectionOf(reader, F.SECTION_RULES).offset + number * F.RULE_BYTES;
  return {
    action: view.getUint8(at + F.RULE_ACTION) === F.ACTION_ALLOW ? 'allow' : 'deny',
    protocol: PROTOCOLS[view.getUint8(at + F.RULE_PROTOCOL)] ?? 'tcp',
    ports: readPorts(reader, view.getUint32(at + F.RULE_PORT_SET, true)),
    target: readTarget(reader, at, names),
    ...readOrigin(reader, at + F.RULE_ORIGIN),
  };
}

function readOrigin(reader: TableReader, at: number): Origin {
  return {
    text: readText(reader, at + F.ORIGIN_TEXT),
    source: readSource(reader, at + F.ORIGIN_SOURCE),
    line: reader.view.getUint32(at + F.ORIGIN_LINE, true),
    column: reader.view.getUint32(at + F.ORIGIN_COLUMN, true),
  };
}

function readTarget(reader: TableReader, at: number, names: readonly PinnedName[]): Target {
  const kind = reader.view.getUint8(at + F.RULE_TARGET);
  const bits = reader.view.getUint8(at + F.RULE_PREFIX_BITS);
  if (kind === F.TARGET_ANY) return { kind: 'any' };
  if (kind === F.TARGET_NAME) {
    const index = reader.view.getUint32(at + F.RULE_INDEX, true);
    return { kind: 'name', name: names[index]?.name ?? '' };
  }
  if (kind === F.TARGET_SET) return { kind: 'set', set: readText(reader, at + F.RULE_SET_NAME) };
  const wide = bytesAt(reader, at + F.RULE_ADDRESS, 16);
  const address = kind === F.TARGET_IPV4 ? wide.slice(12) : wide;
  return { kind: 'prefix', prefix: { address, bits } };
}

/** The numbers of the sets by the names that rules use. */
export function readSetNumbers(reader: TableReader): ReadonlyMap<string, number> {
  const { count, offset } = sectionOf(reader, F.SECTION_RULES);
  const names = new Map<number, string>();
  for (let rule = 0; rule < count; rule++) {
    const at = offset + rule * F.RULE_BYTES;
    if (reader.view.getUint8(at + F.RULE_TARGET) !== F.TARGET_SET) continue;
    const set = reader.view.getUint32(at + F.RULE_INDEX, true);
    if (!names.has(set)) names.set(set, readText(reader, at + F.RULE_SET_NAME));
  }
  return new Map([...names].map(([set, name]) => [name, set]));
}

/** The ranges of a port set. */
export function readPorts(reader: TableReader, set: number): readonly PortRange[] {
  const known = reader.ports.get(set) ?? decodePorts(reader, set);
  reader.ports.set(set, known);
  return known;
}

/**
 * Of each port set the first with the same ports: those that differ only in who is in which sets
 * (docs/format.md §5) are one to all who ask for ports.
 */
export function readSamePorts(reader: TableReader): Uint16Array {
  const { count } = sectionOf(reader, F.SECTION_PORT_SETS);
  const firsts = new Map<string, number>();
  return Uint16Array.from({ length: count - 1 }, (_, set) => {
    const ports = formatPorts(decodePorts(reader, set));
    const first = firsts.get(ports) ?? set;
    firsts.set(ports, first);
    return first;
  });
}

function decodePorts(reader: TableReader, set: number): readonly PortRange[] {
  const cell = sectionOf(reader, F.SECTION_PORT_SETS).offset + set * F.PORT_SET_BYTES;
  const ranges = sectionOf(reader, F.SECTION_PORT_RANGES).offset;
  const first = reader.view.getUint32(cell, true);
  const end = reader.view.getUint32(cell + F.PORT_SET_BYTES, true);
  return Array.from({ length: end - first }, (_, i) => {
    const at = ranges + (first + i) * F.PORT_RANGE_BYTES;
    return { low: reader.view.getUint16(at, true), high: reader.view.getUint16(at + 2, true) };
  });
}

function readSource(reader: TableReader, field: number): string {
  const offset = reader.view.getUint32(field, true);
  const bytes = reader.view.getUint32(field + 4, true);
  const known = reader.sources.get(offset);
  if (known?.bytes === bytes) return known.text;
  const text = readText(reader, field);
  reader.sources.set(offset, { bytes, text });
  return text;
}

/** The text whose place in the section of strings stands at `field`. */
function readText(reader: TableReader, field: number): string {
  const start = sectionOf(reader, F.SECTION_STRINGS).offset + reader.view.getUint32(field, true);
  const bytes = reader.view.getUint32(field + 4, true);
  return DECODER.decode(reader.bytes.subarray(start, start + bytes));
}

function bytesAt({ bytes }: TableReader, offset: number, length: number): Uint8Array {
  return bytes.slice(offset, offset + length);
}

function narrow(wide: Uint8Array): Uint8Array {
  return isMapped(wide) ? wide.slice(12) : wide;
}
