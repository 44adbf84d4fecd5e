/**
 * What a table decides for a destination, a bind or a UNIX socket, as `check` and the Node API tell
 * it: one verdict for an address, one for each pinned address of a name. Decides nothing itself;
 * the explanations are the compiler's (explain.ts).
 */
import { formatAddress } from '../compiler/address.ts';
import type { Destination } from '../compiler/destination.ts';
import { type Explanation, explain, type Question } from '../compiler/explain.ts';
import { explainName, pinnedAddresses } from '../compiler/explain-name.ts';
import { explainUnix } from '../compiler/explain-unix.ts';
import type { Protocol } from '../compiler/model.ts';
import type { Table } from '../compiler/table.ts';

/** The answer for one address; this object is a line of `check --json` (docs/commands.md). */
export interface Verdict extends Explanation {
  /** As it was asked. */
  readonly destination: string;
  readonly protocol: Protocol | 'unix';
  /** Of a UNIX socket its path, or `@` and its name; empty of a name that has none in the table. */
  readonly address: string;
  /** 0 where there is none. */
  readonly port: number;
  /** Of a name that was pinned when the policy was compiled: when that was, in ISO 8601. */
  readonly pinnedAt?: string;
}

/** The verdicts on a destination; `text` is how it was asked. */
export function decideDestination(
  table: Table,
  text: string,
  destination: Destination,
): readonly Verdict[] {
  if (destination.protocol === 'unix') {
    const address = destination.kind === 'abstract' ? `@${destination.text}` : destination.text;
    const about = { destination: text, protocol: 'unix', address, port: 0 } as const;
    return [{ ...about, ...explainUnix(table, destination) }];
  }
  const { protocol, port } = destination;
  if ('addresses' in destination) {
    return destination.addresses.map((address) => decide(table, text, { protocol, address, port }));
  }
  const { host } = destination;
  if (host.kind === 'address') {
    return [decide(table, text, { protocol, address: host.address, port })];
  }
  const { name } = host;
  const addresses = pinnedAddresses(table, name);
  if (addresses === undefined) {
    const about = { destination: text, protocol, address: '', port };
    return [{ ...about, ...explainName(table, protocol, name, port) }];
  }
  const verdicts = addresses.map((address) =>
    decide(table, text, { protocol, address, port, name }),
  );
  const { resolve, pinnedAt } = table.dns();
  if (resolve !== 'compile' || pinnedAt === 0) return verdicts;
  const time = new Date(pinnedAt * 1000).toISOString();
  return verdicts.map((verdict) => ({ ...verdict, pinnedAt: time }));
}

function decide(table: Table, destination: string, question: Question): Verdict {
  const { protocol, address, port } = question;
  const { verdict, cause, reason, rules, overruled, nearest, suggestion } = explain(
    table,
    question,
  );
  // One literal: spreading both parts would cost more than the look-up.
  return {
    destination,
    protocol,
    address: formatAddress(address),
    port,
    verdict,
    cause,
    reason,
    rules,
    overruled,
    nearest,
    suggestion,
  };
}
