/**
 * Explains what was decided while a command ran: the deciding rule, the names of an address, why nothing allows it and what would. Asks the
 * same look-up and the same explanations as `check`. A file of its own in the bundle, loaded when the first decision has to be told:
 * a run without refusals does not pay for it.
 */
import { formatAddress, ipv4Bytes, parseIpv4, parseIpv6 } from '../compiler/address.ts';
import type { Protocol } from '../compiler/model.ts';
import type { Table } from '../compiler/table.ts';
import { openShipped } from './compiling.ts';
import { type Explain, type Explained, NO_EXPLANATION } from './decision.ts';
import type { DecidedRecord, NameRecord } from './records.ts';

/** Explains records; learns names as programs look them up. */
export interface Explainer {
  readonly explain: Explain;
  /** A program was answered an address for a name. */
  learn(record: NameRecord): void;
}

/** Answers that are kept; a program that scans makes more. */
const MOST_KEPT = 10_000;

/**
 * An explainer for a table that the executor has accepted.
 * @throws SandlockError (table) when this reader does not.
 */
export function createExplainer(bytes: Uint8Array): Explainer {
  const table = openShipped('the table', bytes);
  const names = pinnedNames(table);
  const kept = new Map<string, Explained>();
  return {
    explain(record) {
      const name = names.get(record.address);
      const key = `${record.kind} ${protocolOf(record)} ${record.address} ${record.port} ${name}`;
      const known = kept.get(key);
      if (known !== undefined) return known;
      const explained = explainRecord(table, record, name);
      if (kept.size >= MOST_KEPT) kept.clear();
      kept.set(key, explained);
      return explained;
    },
    learn({ name, address }) {
      if (address === undefined) return;
      if (names.size >= MOST_KEPT) names.clear();
      names.set(address, name);
    },
  };
}

/** Names of pinned addresses; of an address with several, the first that the policy names. */
function pinnedNames(table: Table): Map<string, string> {
  const names = new Map<string, string>();
  for (const { name, addresses } of table.names()) {
    for (const bytes of addresses) {
      const address = formatAddress(bytes);
      if (!names.has(address)) names.set(address, name);
    }
  }
  return names;
}

function explainRecord(table: Table, record: DecidedRecord, name: string | undefined): Explained {
  const known = name === undefined ? {} : { name };
  const protocol = protocolOf(record);
  const address = addressOf(record.address);
  if (protocol === undefined || address === undefined) return { ...known, ...NO_EXPLANATION };
  const [rule] = table.decidingRules(protocol, address, record.port);
  if (rule === undefined) return { ...known, ...NO_EXPLANATION };
  const { text, source, line, column } = rule;
  const place = line === 0 ? source : `${source}:${line}:${column}`;
  const hint = `by ${place} ${JSON.stringify(text)}`;
  return { ...known, rule: { text, source, line, column }, hint };
}

/** The table's protocol of a record; undefined: the table knows nothing of it. */
function protocolOf({ protocol, call }: DecidedRecord): Protocol | undefined {
  const isSource = call === 'bind' || call === 'listen';
  if (protocol === 'tcp' || protocol === 'udp') return isSource ? `${protocol}-bind` : protocol;
  return protocol === 'icmp' ? protocol : undefined;
}

function addressOf(text: string): Uint8Array | undefined {
  const value = parseIpv4(text);
  return value === undefined ? parseIpv6(text) : ipv4Bytes(value);
}
