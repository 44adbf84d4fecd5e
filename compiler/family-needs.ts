/**
 * Rules that no socket could ever use, because `allow_families` leaves out every family that they need.
 * Such a rule promises what does not work, so it is an error. Knows which sockets reach which addresses on Linux; reads
 * neither rules nor the list.
 */
import type { AddressSet, FamilyName, Rule } from './model.ts';
import { type Placed, placeInString } from './placed.ts';
import type { Walls } from './walls.ts';
import type { WrittenRule } from './written-rules.ts';

/** The errors of all rules, in no particular order. Rules whose set is not known are passed over. */
export function findLostRules(
  written: readonly WrittenRule[],
  walls: Walls,
  sets: ReadonlyMap<string, AddressSet>,
): Placed[] {
  const { facts, familiesNote: note, source, unixRules } = walls;
  // The default has whatever a rule may need.
  if (note === undefined) return [];
  const families = new Set(facts.families);
  const errors: Placed[] = [];
  for (const at of written) {
    if (at.rule.action === 'deny' || at.isImplied) continue;
    const needs = neededFamilies(at.rule, sets);
    if (needs.length === 0 || needs.some((family) => families.has(family))) continue;
    const names = needs.map((family) => `\`${family}\``).join(' and ');
    const message = `the rule can never work: \`allow_families\` leaves out ${names}`;
    const choice = needs.map((family) => `"${family}"`).join(' or ');
    const help = `add ${choice} to \`allow_families\`, or remove the rule`;
    errors.push(at.place({ code: 'SL3008', message, help }, { note }));
  }
  if (facts.families.some((family) => family.startsWith('unix/'))) return errors;
  for (const { item } of unixRules) {
    const message = 'the socket can never be reached: `allow_families` leaves out `unix`';
    const help = 'add "unix" to `allow_families`, or remove the socket';
    const span = { start: 0, end: String(item.value).length };
    errors.push(placeInString(source, item, { code: 'SL3008', message, help, ...span }, { note }));
  }
  return errors;
}

/**
 * The families of which any one is enough for a rule; none when that is not known. Sockets of inet6 reach IPv4 as well
 * (ipv6(7)), but for ping sockets, which refuse IPv4-mapped addresses (net/ipv6/ping.c).
 */
function neededFamilies(
  { protocol, target }: Rule,
  sets: ReadonlyMap<string, AddressSet>,
): readonly FamilyName[] {
  const kind = protocol === 'tcp' || protocol === 'tcp-bind' ? 'stream' : 'dgram';
  const both: readonly FamilyName[] = [`inet/${kind}`, `inet6/${kind}`];
  const ipv4: readonly FamilyName[] = protocol === 'icmp' ? ['inet/dgram'] : both;
  const ipv6: readonly FamilyName[] = [`inet6/${kind}`];
  if (target.kind === 'any' || target.kind === 'name') return both;
  if (target.kind === 'prefix') return target.prefix.address.length === 4 ? ipv4 : ipv6;
  const prefixes = sets.get(target.set)?.prefixes;
  if (prefixes === undefined) return [];
  if (prefixes.v6Bits.length === 0) return ipv4;
  return prefixes.v4Bits.length === 0 ? ipv6 : both;
}
