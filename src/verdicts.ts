/**
 * What a table decides for a destination, and why. Asks by the look-up that tests compare with the executor's; a name
 * stands for the addresses that are pinned in the table.
 */
import { formatAddress } from '../compiler/address.ts';
import type { Destination } from '../compiler/destination.ts';
import type { Protocol } from '../compiler/model.ts';
import type { Table } from '../compiler/table.ts';
import { SandlockError } from './errors.ts';

/** The answer for one address. */
export interface Verdict {
  readonly verdict: 'allow' | 'deny';
  /** As it was asked. */
  readonly destination: string;
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  /** The deciding rules (docs/format.md §7); empty when nothing allows the destination. */
  readonly rules: readonly {
    readonly text: string;
    readonly source: string;
    readonly line: number;
    readonly column: number;
  }[];
}

/**
 * One verdict for an address, one for each pinned address of a name. `text` is the destination as it was asked.
 * @throws SandlockError (usage) for a name that is not pinned.
 */
export function decideDestination(
  table: Table,
  text: string,
  { protocol, host, port }: Destination,
): Verdict[] {
  const addresses =
    host.kind === 'address'
      ? [host.address]
      : table.names().find(({ name }) => name === host.name)?.addresses;
  if (addresses === undefined) {
    const message = `${text}: no rule of the policy has this name, so no address of it is known`;
    throw new SandlockError('usage', `${message}; ask for an address instead`);
  }
  return addresses.map((address) => ({
    verdict: table.lookup(protocol, address, port),
    destination: text,
    protocol,
    address: formatAddress(address),
    port,
    rules: table
      .decidingRules(protocol, address, port)
      .map(({ text: rule, source, line, column }) => ({ text: rule, source, line, column })),
  }));
}
