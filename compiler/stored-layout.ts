/**
 * How a verified table is laid out: its sections, and the size classes of its tries (docs/format.md
 * §2, §4). For those who look at a table as a file.
 */
import * as F from './format.gen.ts';
import { PROTOCOL_NUMBERS } from './numbers.ts';
import { sectionOf, type TableReader } from './stored-rules.ts';

/** A section. */
export interface SectionLayout {
  readonly name: string;
  readonly count: number;
  readonly bytes: number;
}

/** A trie as it is stored. Arrays that are stored once for several tries count for each. */
export interface TrieLayout {
  /** `tcp`, … `udp-bind`, or `sets N`: the Nth trie of those sets that no protocol's trie tells apart. */
  readonly of: string;
  readonly family: 4 | 6;
  /** Boundaries, a span being one. */
  readonly boundaries: number;
  /** The root has 2^rootBits children; below it is one array of boundaries, so every look-up is two steps deep. */
  readonly rootBits: number;
  /** Bytes of the start of a boundary. */
  readonly startBytes: number;
  readonly spans: boolean;
  readonly rootArrayBytes: number;
  readonly startsArrayBytes: number;
  readonly cellsArrayBytes: number;
}

/** A table's layout. */
export interface Layout {
  readonly version: string;
  readonly bytes: number;
  readonly sections: readonly SectionLayout[];
  readonly tries: readonly TrieLayout[];
}

const SECTION_NAMES = [
  'plan',
  'tries',
  'portSets',
  'portRanges',
  'rules',
  'names',
  'addresses',
  'strings',
  'cells',
  'facts',
  'unixRules',
  'privateNames',
  'sets',
  'members',
] as const;

/** Reads the layout of a table. */
export function readLayout(reader: TableReader): Layout {
  const { view, bytes } = reader;
  const major = view.getUint16(F.HEADER_MAJOR, true);
  const minor = view.getUint16(F.HEADER_MINOR, true);
  const sections = SECTION_NAMES.map((name, i) => {
    const section = sectionOf(reader, i + 1);
    return { name, count: section.count, bytes: section.bytes };
  });
  const { count, offset } = sectionOf(reader, F.SECTION_TRIES);
  const protocols = Object.keys(PROTOCOL_NUMBERS);
  const tries = Array.from({ length: count }, (_, i) => {
    const of = protocols[i >> 1] ?? `sets ${(i - F.PROTOCOL_TRIES) >> 1}`;
    return readTrie(view, offset + i * F.TRIE_BYTES, of, i % 2 === 0 ? 4 : 6);
  });
  return { version: `${major}.${minor}`, bytes: bytes.length, sections, tries };
}

function readTrie(view: DataView, at: number, of: string, family: 4 | 6): TrieLayout {
  const boundaries = view.getUint32(at + F.TRIE_COUNT, true);
  const rootBits = view.getUint8(at + F.TRIE_ROOT_BITS);
  const startBytes = view.getUint8(at + F.TRIE_START_BYTES);
  const spans = view.getUint8(at + F.TRIE_SPANS) !== 0;
  return {
    of,
    family,
    boundaries,
    rootBits,
    startBytes,
    spans,
    rootArrayBytes: 4 * (2 ** rootBits + 1),
    startsArrayBytes: boundaries * startBytes,
    cellsArrayBytes: boundaries * (spans ? F.SPAN_BYTES : F.SET_BYTES),
  };
}
