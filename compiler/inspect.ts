/**
 * What a table contains, as data: plan, rules, names with their pins, sets, families, UNIX sockets
 * and sizes; and how a look-up walks it for one address. Reads, judges nothing.
 */
import { formatAddress, fromNumber, toNumber } from './address.ts';
import { refOfUnixRule } from './explain-unix.ts';
import type { Dns, Facts, Protocol } from './model.ts';
import { explainPlan, type PlannedProtocol } from './plan.ts';
import { formatPorts } from './port-text.ts';
import type { RuleRef } from './rule-ref.ts';
import { isBind, isMapped, toCanonical, widen } from './stored-address.ts';
import type { Layout, TrieLayout } from './stored-layout.ts';
import type { Table } from './table.ts';

/** A protocol with the number of its rules. */
export interface InspectedProtocol extends PlannedProtocol {
  readonly allow: number;
  readonly deny: number;
}

/** A name of the rules. Without addresses it is asked for when the command starts or while it runs. */
export interface InspectedName {
  readonly name: string;
  readonly addresses: readonly string[];
}

/** A set that rules name; ranges are addresses that follow each other without a gap. */
export interface InspectedSet {
  readonly name: string;
  readonly number: number;
  readonly ranges4: number;
  readonly ranges6: number;
}

/** The contents of a table; this object is what `inspect --json` prints (docs/commands.md). */
export interface Inspection {
  readonly protocols: readonly InspectedProtocol[];
  readonly names: readonly InspectedName[];
  readonly dns: Dns;
  readonly sets: readonly InspectedSet[];
  readonly families: Facts['families'];
  readonly userns: boolean;
  readonly unix: readonly RuleRef[];
  /** Different port sets, the empty one included. */
  readonly portSets: number;
  readonly layout: Layout;
}

/** Reads all there is in a table. */
export function inspectTable(table: Table): Inspection {
  const facts = table.facts();
  const plan = explainPlan({
    plan: table.plan(),
    rules: table.rules(),
    facts,
    unixRules: table.unixRules(),
  });
  return {
    protocols: plan.map((planned) => ({
      ...planned,
      allow: table.index().group('allow', planned.protocol).all.length,
      deny: table.index().group('deny', planned.protocol).all.length,
    })),
    names: table.names().map(({ name, addresses }) => ({
      name,
      addresses: addresses.map(formatAddress),
    })),
    dns: table.dns(),
    sets: inspectSets(table),
    families: facts.families,
    userns: facts.allowUserns,
    unix: table.unixRules().map(refOfUnixRule),
    portSets: table.summary().portSets,
    layout: table.layout(),
  };
}

function inspectSets(table: Table): readonly InspectedSet[] {
  const names = new Set(
    table.rules().flatMap(({ target }) => (target.kind === 'set' ? [target.set] : [])),
  );
  return [...names].map((name) => {
    const number = table.setNumber(name) ?? 0;
    const [ranges4 = 0, ranges6 = 0] = ([4, 6] as const).map((family) => {
      let ranges = 0;
      for (const { set } of table.tries().ofSet(number, family).boundaries()) ranges += set;
      return ranges;
    });
    return { name, number, ranges4, ranges6 };
  });
}

/** How a look-up finds the port set of an address. */
export interface Walk {
  readonly trie: TrieLayout;
  /** The address that is looked up: canonical (docs/format.md §6). */
  readonly address: string;
  /** The child of the root: the top rootBits bits of the address. */
  readonly child: number;
  /** The boundary that applies, and the last address before the next. */
  readonly from: string;
  readonly to: string;
  readonly portSet: number;
  /** The ports of that set; empty when it has none. */
  readonly ports: string;
  readonly verdict: 'allow' | 'deny';
}

/** Walks the trie of a protocol. Families are not asked: they decide before there is anything to look up. */
export function walkTable(
  table: Table,
  protocol: Protocol,
  address: Uint8Array,
  port: number,
): Walk {
  const wide = isBind(protocol) ? widen(address) : toCanonical(address);
  const family = isMapped(wide) ? 4 : 6;
  const narrow = family === 4 ? wide.slice(12) : wide;
  const key = toNumber(narrow);
  const trie = table.layout().tries.find((one) => one.of === protocol && one.family === family);
  if (trie === undefined) throw new TypeError(`a table has a trie for ${protocol}`);
  const stretch = table.tries().ofProtocol(protocol, family).stretch(key);
  const show = (value: bigint): string => formatAddress(fromNumber(value, family === 4 ? 4 : 16));
  return {
    trie,
    address: formatAddress(narrow),
    child: Number(key >> BigInt(narrow.length * 8 - trie.rootBits)),
    from: show(stretch.start),
    to: show(stretch.end),
    portSet: stretch.set,
    ports: formatPorts(table.ports(stretch.set)),
    verdict: table.lookup(protocol, address, port),
  };
}
