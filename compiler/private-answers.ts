/**
 * Which answers of a resolver may be pinned for a name.
 * A public name that resolves to an address of the inside is how DNS rebinding reaches internal hosts, so such answers are
 * left out unless `[dns] private` lists the name, or the policy's other rules open everything that the name's rules would
 * open there. localhost and names below it are exempt. Looks through IPv4-mapped, IPv4-compatible, NAT64 and 6to4 forms.
 */
import { ipv4Value, isMapped } from './address.ts';
import type { AddressSet, PrivateName, Rule } from './model.ts';
import { holdsPorts, mergeRanges } from './ports.ts';
import { covers, listCovers } from './prefix-list.ts';

/** Whether a name may resolve to any address at all. */
export function mayBePrivate(name: string, listed: readonly PrivateName[]): boolean {
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  return listed.some((known) =>
    known.below ? name.endsWith(`.${known.name}`) : name === known.name,
  );
}

/** First address and length of each IPv4 block that is no destination on the internet, with its document. */
const PRIVATE_V4: readonly (readonly [number, number])[] = [
  [0x00000000, 8], // this network, RFC 1122 §3.2.1.3
  [0x0a000000, 8], // private, RFC 1918
  [0x64400000, 10], // shared by carriers and overlay networks, RFC 6598
  [0x7f000000, 8], // loopback, RFC 1122 §3.2.1.3
  [0xa9fe0000, 16], // link-local, RFC 3927
  [0xac100000, 12], // private, RFC 1918
  [0xc0a80000, 16], // private, RFC 1918
  [0xe0000000, 3], // multicast, reserved and broadcast, RFC 1112
];

/**
 * Whether an address of 4 or 16 bytes is private, loopback, link-local, multicast or unspecified, in itself or by the IPv4
 * address that it carries.
 */
export function isPrivateAddress(address: Uint8Array): boolean {
  if (address.length === 4) {
    const value = ipv4Value(address);
    return PRIVATE_V4.some(([first, bits]) => (value ^ first) >>> (32 - bits) === 0);
  }
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = address;
  if ((a & 0xfe) === 0xfc || a === 0xff) return true; // fc00::/7 RFC 4193, ff00::/8 RFC 4291
  if (a === 0xfe && (b & 0x80) !== 0) return true; // fe80::/10, and fec0::/10 of old, RFC 3879
  if (a === 0x20 && b === 0x02) return isPrivateAddress(address.slice(2, 6)); // 6to4, RFC 3056
  const nat64 = a === 0 && b === 0x64 && c === 0xff && d === 0x9b;
  if (nat64 && e === 0 && f === 1) return true; // 64:ff9b:1::/48 is for local use, RFC 8215
  const embeds = address.subarray(nat64 ? 4 : 0, 12).every((byte) => byte === 0);
  // ::/96 holds ::, ::1 and the IPv4-compatible addresses of RFC 4291 §2.5.5.1.
  return (embeds || isMapped(address)) && isPrivateAddress(address.slice(12));
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
