/**
 * What a table decides for a destination, a bind or a UNIX socket, and why. Asks by the look-up that tests compare with the
 * executor's; a name stands for the addresses that are pinned in the table. UNIX sockets are compared by their text: links
 * are followed only when a program runs.
 */
import { formatAddress, isMapped } from '../compiler/address.ts';
import type { Destination, UnixDestination } from '../compiler/destination.ts';
import { familiesFor } from '../compiler/families.ts';
import type { FamilyName, Protocol, UnixRule } from '../compiler/model.ts';
import type { Table } from '../compiler/table.ts';
import { SandlockError } from './errors.ts';

/** The answer for one address. */
export interface Verdict {
  readonly verdict: 'allow' | 'deny';
  /** As it was asked. */
  readonly destination: string;
  readonly protocol: Protocol | 'unix';
  /** Of a UNIX socket its path, or `@` and its name. */
  readonly address: string;
  /** 0 where there is none. */
  readonly port: number;
  /** The deciding rules (docs/format.md §7); empty when nothing allows the destination. */
  readonly rules: readonly {
    readonly text: string;
    readonly source: string;
    readonly line: number;
    readonly column: number;
  }[];
  /** Why it is denied whatever the rules say. */
  readonly reason?: string;
}

/**
 * One verdict for an address, one for each pinned address of a name. `text` is the destination as it was asked.
 * @throws SandlockError (usage) for a name that is not pinned.
 */
export function decideDestination(table: Table, text: string, destination: Destination): Verdict[] {
  if (destination.protocol === 'unix') return [decideUnix(table, text, destination)];
  const { protocol, port } = destination;
  const { families } = table.facts();
  return addressesOf(table, text, destination).map((address) => {
    const about = { destination: text, protocol, address: formatAddress(address), port };
    const family = address.length === 4 || isMapped(address) ? 4 : 6;
    const reason = missingFamily(families, familiesFor(protocol, family));
    if (reason !== undefined) return { verdict: 'deny', ...about, rules: [], reason };
    const rules = table.decidingRules(protocol, address, port);
    return {
      verdict: table.lookup(protocol, address, port),
      ...about,
      rules: rules.map(({ text, source, line, column }) => ({ text, source, line, column })),
    };
  });
}

function addressesOf(
  table: Table,
  text: string,
  destination: Exclude<Destination, UnixDestination>,
): readonly Uint8Array[] {
  if ('addresses' in destination) return destination.addresses;
  const { host } = destination;
  if (host.kind === 'address') return [host.address];
  const addresses = table.names().find(({ name }) => name === host.name)?.addresses;
  if (addresses !== undefined) return addresses;
  const message = `${text}: no rule of the policy has this name, so no address of it is known`;
  throw new SandlockError('usage', `${message}; ask for an address instead`);
}

/** The table keeps lines of UNIX rules, not the file; their key stands in its place. */
const UNIX_SOURCE = 'allow_unix';

function decideUnix(table: Table, text: string, socket: UnixDestination): Verdict {
  const address = socket.kind === 'abstract' ? `@${socket.text}` : socket.text;
  const about = { destination: text, protocol: 'unix', address, port: 0 } as const;
  const wanted: readonly FamilyName[] = ['unix/stream', 'unix/dgram', 'unix/seqpacket'];
  const reason = missingFamily(table.facts().families, wanted);
  if (reason !== undefined) return { verdict: 'deny', ...about, rules: [], reason };
  const rules = table
    .unixRules()
    .filter((rule) => coversSocket(rule, socket))
    .map((rule) => ({ text: showRule(rule), source: UNIX_SOURCE, line: rule.line, column: 0 }));
  return { verdict: rules.length > 0 ? 'allow' : 'deny', ...about, rules };
}

function coversSocket(rule: UnixRule, { kind, text }: UnixDestination): boolean {
  if (rule.kind !== 'directory') return rule.kind === kind && rule.text === text;
  return kind === 'path' && text.startsWith(rule.text === '/' ? '/' : `${rule.text}/`);
}

function showRule({ kind, text }: UnixRule): string {
  if (kind === 'abstract') return `@${text}`;
  return kind === 'directory' && text !== '/' ? `${text}/` : text;
}

function missingFamily(
  allowed: readonly FamilyName[],
  wanted: readonly FamilyName[],
): string | undefined {
  if (wanted.some((family) => allowed.includes(family))) return undefined;
  return `allow_families leaves out ${wanted.join(' and ')}`;
}
