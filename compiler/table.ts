/**
 * Tables: builds one from a draft, opens one for questions. The work is done by policy.wasm; this
 * file passes values in and out. Tables come and go as bytes: files are the caller's. A damaged
 * table is a value (`Defect`), only misuse throws.
 */
import * as F from './format.gen.ts';
import { layDraft } from './lay-draft.ts';
import type {
  Dns,
  Facts,
  PinnedName,
  PortRange,
  Protocol,
  Rule,
  TableDraft,
  UnixRule,
} from './model.ts';
import { createNearRules, type NearRules } from './near-rules.ts';
import { PROTOCOL_NUMBERS } from './numbers.ts';
import { createRuleIndex, type RuleIndex, wordsOf } from './rule-index.ts';
import { createRuleRefs, type RuleRefs } from './rule-ref.ts';
import { isBind, toCanonical, widen } from './stored-address.ts';
import { type Layout, readLayout } from './stored-layout.ts';
import {
  countBoundaries,
  createReader,
  type Mode,
  readDns,
  readFacts,
  readNames,
  readPlan,
  readPorts,
  readRule,
  readRules,
  readSamePorts,
  readSetNumbers,
  readUnixRules,
  sectionOf,
  type TableReader,
} from './stored-rules.ts';
import { createTries, type Tries } from './stored-tries.ts';
import {
  attempt,
  copyIn,
  copyOut,
  createScratch,
  instantiate,
  type PolicyExports,
  type PolicyModule,
} from './wasm.ts';

export type { Mode } from './stored-rules.ts';

/** A built table, or the reason why the policy can not have one (a FAILURE_ code of policy/format.ts and its text). */
export type BuildResult =
  | {
      readonly ok: true;
      readonly bytes: Uint8Array;
      readonly prefixes: number;
      readonly plan: Readonly<Record<Protocol, Mode>>;
      /** Opens it where it was built: without a check, which is for tables of others, and without another copy. */
      open(): Table;
    }
  | { readonly ok: false; readonly code: number; readonly text: string };

/**
 * The first defect of a table: a DEFECT_ code of policy/format.ts, its text, and the byte offset of
 * the offending field.
 */
export interface Defect {
  readonly code: number;
  readonly text: string;
  readonly offset: number;
}

/** Counts of an open table. */
export interface TableSummary {
  readonly rules: number;
  readonly names: number;
  readonly sets: number;
  /** Boundaries of the protocols' tries: what look-ups search. */
  readonly boundaries: number;
  /** Different sets of ports, the empty one included. */
  readonly portSets: number;
  /** Length of the file. */
  readonly bytes: number;
}

/**
 * An open table. An address is a destination, or, of the bind protocols, one to bind. Addresses
 * have 4 or 16 bytes in network order; ports are 0..65535, 0 for icmp.
 */
export interface Table {
  lookup(protocol: Protocol, address: Uint8Array, port: number): 'allow' | 'deny';
  /**
   * The rules that decide (docs/format.md §7); none when nothing allows the destination and nothing
   * denies what was allowed.
   */
  decidingRules(protocol: Protocol, address: Uint8Array, port: number): readonly Rule[];
  /** Answers queries of 24 bytes (docs/native.md) with one byte each: 1 allow, 0 deny. */
  lookupMany(queries: Uint8Array): Uint8Array;
  rules(): readonly Rule[];
  /** One rule by its number in source order; cheap where `rules` would decode all. */
  rule(number: number): Rule;
  /** The rules as explanations tell them. */
  refs(): RuleRefs;
  /** The rules by what they cover; built when first asked for. */
  index(): RuleIndex;
  /** The allow rules close to an address. */
  near(): NearRules;
  /** The number of a set by the name that rules use. */
  setNumber(name: string): number | undefined;
  /** What the tries say, for walking; look-ups do not go through this. */
  tries(): Tries;
  /** The ranges of a port set of the tries. */
  ports(set: number): readonly PortRange[];
  names(): readonly PinnedName[];
  /**
   * The names, by their number in `names`, that stand for a name asked (lower case, no final dot):
   * itself, wildcards above it.
   */
  namesFor(asked: string): readonly number[];
  plan(): Readonly<Record<Protocol, Mode>>;
  /** The families in the order of their bits (docs/format.md §8). */
  facts(): Facts;
  unixRules(): readonly UnixRule[];
  dns(): Dns;
  /** How the file is laid out. */
  layout(): Layout;
  summary(): TableSummary;
}

/**
 * Builds the table of a draft. Equal drafts give equal bytes.
 * @throws TypeError when the draft breaks the promises of model.ts.
 */
export function buildTable(policy: PolicyModule, draft: TableDraft): BuildResult {
  const instance = instantiate(policy);
  const built = attempt(instance, () => instance.build(layDraft(instance, draft)));
  if ('value' in built) {
    const bytes = copyOut(instance, built.value, instance.tableBytes());
    const plan = readPlan(createReader(bytes));
    const open = (): Table => {
      instance.openBuilt(built.value);
      return createTable(instance, built.value >>> 0, bytes);
    };
    return { ok: true, bytes, prefixes: instance.prefixCount(), plan, open };
  }
  const text = F.FAILURE_TEXTS[built.failure] ?? `failure ${built.failure}`;
  if (built.failure === F.FAILURE_DRAFT) throw new TypeError(text);
  return { ok: false, code: built.failure, text };
}

/** Checks a table whole and opens it. The bytes are copied; later changes to them do not show. */
export function openTable(
  policy: PolicyModule,
  bytes: Uint8Array,
): { readonly ok: true; readonly table: Table } | { readonly ok: false; readonly defect: Defect } {
  const instance = instantiate(policy);
  const opened = attempt(instance, () => {
    const ptr = copyIn(instance, bytes);
    return { ptr, code: instance.open(ptr, bytes.length) };
  });
  if (!('value' in opened)) {
    // Only a file of nearly 4 GiB, which is longer than a table may be.
    const code = F.DEFECT_FILE_BYTES;
    const text = F.FAILURE_TEXTS[opened.failure] ?? `failure ${opened.failure}`;
    return { ok: false, defect: { code, text, offset: F.HEADER_FILE_BYTES } };
  }
  const { ptr, code } = opened.value;
  if (code !== 0) {
    const text = F.DEFECT_TEXTS[code] ?? `defect ${code}`;
    return { ok: false, defect: { code, text, offset: instance.defectOffset() >>> 0 } };
  }
  return { ok: true, table: createTable(instance, ptr, copyOut(instance, ptr, bytes.length)) };
}

function createTable(instance: PolicyExports, ptr: number, bytes: Uint8Array): Table {
  const reader = createReader(bytes);
  const plan = readPlan(reader);
  const names = once(() => readNames(reader));
  const rules = once(() => readRules(reader, names()));
  const known = new Map<number, Rule>();
  const rule = (number: number): Rule => {
    const read = known.get(number) ?? readRule(reader, number, names());
    known.set(number, read);
    return read;
  };
  const index = once(() => createRuleIndex(instance, reader));
  const tries = once(() => createTries(instance, ptr, readSamePorts(reader)));
  const sets = once(() => readSetNumbers(reader));
  const lookup: Table['lookup'] = (protocol, address, port) => {
    const [a, b, c, d] = wordsOf(address);
    assertPort(port);
    const verdict = instance.lookup(PROTOCOL_NUMBERS[protocol], a, b, c, d, port);
    return verdict === 1 ? 'allow' : 'deny';
  };
  return {
    lookup,
    decidingRules(protocol, address, port) {
      const verdict = lookup(protocol, address, port);
      const wide = isBind(protocol) ? widen(address) : toCanonical(address);
      return index()
        .covering(verdict, protocol, wide)
        .filter((number) => index().holdsPort(number, port))
        .map(rule);
    },
    lookupMany: createLookupMany(instance),
    rules,
    rule,
    refs: once(() => createRuleRefs(rule)),
    index,
    setNumber: (name) => sets().get(name),
    near: once(() => createNearRules(index(), tries())),
    tries,
    ports: (set) => readPorts(reader, set),
    names,
    namesFor: createNamesFor(instance, () => names().length),
    plan: () => plan,
    facts: once(() => readFacts(reader)),
    unixRules: once(() => readUnixRules(reader)),
    dns: () => readDns(reader),
    layout: once(() => readLayout(reader)),
    summary: () => summarise(reader),
  };
}

function createLookupMany(instance: PolicyExports): Table['lookupMany'] {
  const scratch = createScratch(instance);
  return (queries) => {
    const count = queries.length / F.QUERY_BYTES;
    if (!Number.isInteger(count)) throw new TypeError('queries have 24 bytes each');
    const ptr = scratch.room(queries.length + count);
    const verdicts = ptr + queries.length;
    new Uint8Array(instance.memory.buffer, ptr, queries.length).set(queries);
    instance.lookupMany(ptr, count, verdicts);
    return copyOut(instance, verdicts, count);
  };
}

function createNamesFor(instance: PolicyExports, count: () => number): Table['namesFor'] {
  const scratch = createScratch(instance);
  const encoder = new TextEncoder();
  return (asked) => {
    const bytes = encoder.encode(asked);
    const room = 4 * count();
    const numbers = scratch.room(room + bytes.length);
    new Uint8Array(instance.memory.buffer, numbers + room, bytes.length).set(bytes);
    const found = instance.namesFor(numbers + room, bytes.length, numbers);
    return [...new Uint32Array(instance.memory.buffer, numbers, found)];
  };
}

function summarise(reader: TableReader): TableSummary {
  return {
    rules: sectionOf(reader, F.SECTION_RULES).count,
    names: sectionOf(reader, F.SECTION_NAMES).count,
    sets: sectionOf(reader, F.SECTION_SETS).count,
    boundaries: countBoundaries(reader),
    portSets: new Set(readSamePorts(reader)).size,
    bytes: reader.bytes.length,
  };
}

function assertPort(port: number): void {
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new TypeError(`${port} is no port`);
  }
}

/** The result of the first call, kept. */
function once<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
