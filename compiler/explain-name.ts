/**
 * Names in questions to a table: the addresses that are pinned for them, and what can be said of a name that has none. A table holds addresses,
 * so a name that no rule has can not be answered; it may well have an address that some rule covers.
 */
import type { Explanation } from './explain.ts';
import { nearRef, suggestRule } from './explain.ts';
import type { Protocol } from './model.ts';
import { nearest } from './nearest.ts';
import { toCanonical } from './stored-address.ts';
import type { Table } from './table.ts';

/** The pinned addresses of a name (lower case, no final dot), or undefined when no rule has it. */
export function pinnedAddresses(table: Table, name: string): readonly Uint8Array[] | undefined {
  return namesOf(table).get(name);
}

/** The answer for a name that no rule has. */
export function explainUnknownName(
  table: Table,
  protocol: Protocol,
  name: string,
  port: number,
): Explanation {
  return {
    verdict: 'unknown',
    cause: 'name',
    reason: 'no rule has this name, so its addresses are not known; ask for one of them',
    rules: [],
    overruled: [],
    nearest: similarNames(table, protocol, name),
    suggestion: suggestRule(table, protocol, name, port),
  };
}

/** Names by table; looked up a million times by `check`. */
const known = new WeakMap<Table, ReadonlyMap<string, readonly Uint8Array[]>>();

function namesOf(table: Table): ReadonlyMap<string, readonly Uint8Array[]> {
  const names =
    known.get(table) ?? new Map(table.names().map(({ name, addresses }) => [name, addresses]));
  known.set(table, names);
  return names;
}

/** A rule of the protocol that has the name closest to a mistyped one. */
function similarNames(table: Table, protocol: Protocol, name: string): Explanation['nearest'] {
  const close = nearest(name, namesOf(table).keys());
  const [address] = (close === undefined ? undefined : pinnedAddresses(table, close)) ?? [];
  if (address === undefined) return [];
  const found = table
    .index()
    .covering('allow', protocol, toCanonical(address))
    .map((rule) => table.rule(rule))
    .find(({ target }) => target.kind === 'name' && target.name === close);
  return found === undefined ? [] : [nearRef(found, 'name')];
}
