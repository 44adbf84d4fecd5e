/**
 * Which answers of a resolver may be pinned for a name. A public name that resolves to an address
 * of the inside is how DNS rebinding reaches internal hosts, so such answers are left out unless
 * `[dns] private` lists the name, or the policy's other rules open everything that the name's rules
 * would open there. localhost and names below it are exempt. What is of the inside is
 * inside-addresses.ts's decision.
 */
import type { AddressSet, PrivateName, Rule } from './model.ts';
import { holdsPorts, mergeRanges } from './ports.ts';
import { covers, listCovers } from './prefix-list.ts';

/** Whether a name is the loopback wherever it is asked for (RFC 6761 §6.3). */
export function isLocalhost(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost');
}

/** Whether a name may resolve to any address at all. */
export function mayBePrivate(name: string, listed: readonly PrivateName[]): boolean {
  if (isLocalhost(name)) return true;
  return listed.some((known) =>
    known.below ? name.endsWith(`.${known.name}`) : name === known.name,
  );
}

/**
 * Whether rules by address already allow all that the rules by `name` would open at `address`, so that pinning it there
 * adds no destination.
 */
export function opensNothingNew(
  name: string,
  address: Uint8Array,
  rules: readonly Rule[],
  sets: ReadonlyMap<string, AddressSet>,
): boolean {
  const allowed = rules.filter(({ action }) => action === 'allow');
  const named = allowed.filter(({ target }) => target.kind === 'name' && target.name === name);
  return named.every((rule) => {
    const open = allowed
      .filter((other) => other.protocol === rule.protocol && ruleCovers(other, address, sets))
      .flatMap(({ ports }) => ports);
    return holdsPorts(mergeRanges(open), rule.ports);
  });
}

function ruleCovers(
  { target }: Rule,
  address: Uint8Array,
  sets: ReadonlyMap<string, AddressSet>,
): boolean {
  if (target.kind === 'any') return true;
  if (target.kind === 'prefix') return covers(target.prefix, address);
  const set = target.kind === 'set' ? sets.get(target.set) : undefined;
  return set !== undefined && listCovers(set.prefixes, address);
}
