/**
 * Explains what was decided while a command ran: the deciding rule, the names of an address, why
 * nothing allows it and what would. Asks the same look-up and the same explanations as `check`. A
 * file of its own in the bundle, loaded when the first decision has to be told: a run without
 * refusals does not pay for it.
 */
import { formatAddress, ipv4Bytes, parseIpv4, parseIpv6 } from '../compiler/address.ts';
import { type Explanation, explain } from '../compiler/explain.ts';
import { explainName } from '../compiler/explain-name.ts';
import { explainUnix } from '../compiler/explain-unix.ts';
import { formatHint } from '../compiler/explanation-text.ts';
import type { Protocol } from '../compiler/model.ts';
import type { Table } from '../compiler/table.ts';
import { openShipped } from './compiling.ts';
import { type Explain, type Explained, NO_EXPLANATION } from './decision.ts';
import { type PortRange, readEphemeralPorts } from './ephemeral-ports.ts';
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
export function createExplainer(
  bytes: Uint8Array,
  ephemeralPorts: PortRange = readEphemeralPorts(),
): Explainer {
  const table = openShipped('the table', bytes);
  const names = namesOf(table);
  const kept = new Map<string, Explained>();
  return {
    explain(record) {
      const name = names.get(record.address);
      const key = `${record.kind} ${record.call === 'listen'} ${protocolOf(record)} ${record.address} ${record.port} ${name}`;
      const known = kept.get(key);
      if (known !== undefined) return known;
      const explained = explainRecord(table, record, name, ephemeralPorts);
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

/** Names of the addresses that are pinned in a table. */
export function pinnedNames(bytes: Uint8Array): ReadonlyMap<string, string> {
  return namesOf(openShipped('the table', bytes));
}

/** Names of pinned addresses; of an address with several, the first that the policy names. */
function namesOf(table: Table): Map<string, string> {
  const names = new Map<string, string>();
  for (const { name, addresses } of table.names()) {
    for (const bytes of addresses) {
      const address = formatAddress(bytes);
      if (!names.has(address)) names.set(address, name);
    }
  }
  return names;
}

function explainRecord(
  table: Table,
  record: DecidedRecord,
  name: string | undefined,
  ephemeralPorts: PortRange,
): Explained {
  const known = name === undefined ? {} : { name };
  const found = explanationOf(table, record, name);
  const explanation = found && widened(found, record, ephemeralPorts);
  if (explanation === undefined) return { ...known, ...NO_EXPLANATION };
  const { rules, reason, suggestion } = explanation;
  const [rule] = rules;
  return {
    ...known,
    ...(rule === undefined ? { reason } : { rule: placeOf(rule) }),
    ...(suggestion === undefined
      ? {}
      : { suggestion: { list: suggestion.list, rule: suggestion.rule } }),
    hint: formatHint(explanation),
  };
}

/** Of a port that the kernel chose, which is another the next time, all that it chooses from are suggested. */
function widened(
  explanation: Explanation,
  { call, port }: DecidedRecord,
  [low, high]: PortRange,
): Explanation {
  const { suggestion, reason } = explanation;
  const isChosen = call === 'listen' && low <= port && port <= high;
  if (!isChosen || suggestion?.list !== 'allow_bind') return explanation;
  const rule = suggestion.rule.replace(/[0-9]+$/, `${low}-${high}`);
  const chosen = `${reason} (the kernel chose the port)`;
  return { ...explanation, reason: chosen, suggestion: { ...suggestion, rule } };
}

function placeOf({
  text,
  source,
  line,
  column,
}: Explanation['rules'][number]): NonNullable<Explained['rule']> {
  return { text, source, line, column };
}

/**
 * Undefined: the table knows nothing of such a call, or what it knows would have refused it. A call that was allowed
 * all the same is open because the command has asked for the name.
 */
function explanationOf(
  table: Table,
  record: DecidedRecord,
  name: string | undefined,
): Explanation | undefined {
  const explanation = explanationByAddress(table, record, name);
  if (record.kind === 'denied' || explanation?.verdict !== 'deny') return explanation;
  const asked = protocolOf(record);
  if (asked === undefined || asked.endsWith('-bind') || name === undefined) return undefined;
  const opened = explainName(table, asked, name, record.port);
  return opened.verdict === 'allow' ? opened : undefined;
}

function explanationByAddress(
  table: Table,
  record: DecidedRecord,
  name: string | undefined,
): Explanation | undefined {
  const { protocol, port } = record;
  if (protocol === 'unix') {
    const isAbstract = record.address.startsWith('@');
    const text = isAbstract ? record.address.slice(1) : record.address;
    return explainUnix(table, { protocol, kind: isAbstract ? 'abstract' : 'path', text });
  }
  const asked = protocolOf(record);
  const address = addressOf(record.address);
  if (asked === undefined || address === undefined) return undefined;
  const question = { protocol: asked, address, port };
  return explain(
    table,
    name === undefined || asked.endsWith('-bind') ? question : { ...question, name },
  );
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
