/**
 * Rules that no socket could ever use, because `allow_families` leaves out every family that they need.
 * Such a rule promises what does not work, so it is an error. Which kinds of sockets reach which addresses is
 * families.ts's knowledge; what a name resolves to is not asked, because it may change.
 */
import { familiesFor } from './families.ts';
import type { AddressSet, FamilyName, Rule } from './model.ts';
import type { Placed } from './placed.ts';
import type { Walls } from './walls.ts';
import type { WrittenRule } from './written-rules.ts';

/** The errors of all rules, in no particular order. Rules whose set is not known are passed over. */
export function findLostRules(
  written: readonly WrittenRule[],
  walls: Walls,
  sets: ReadonlyMap<string, AddressSet>,
): Placed[] {
  const { facts, familiesNote: note, unixRules } = walls;
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
  // A pair is connected already and reaches nothing else.
  const reaching = facts.families.filter((family) => family !== 'unix/pair');
  if (reaching.some((family) => family.startsWith('unix/'))) return errors;
  for (const at of unixRules) {
    const message = 'the socket can never be reached: `allow_families` leaves out `unix`';
    const help = 'add "unix" to `allow_families`, or remove the socket';
    errors.push(at.place({ code: 'SL3008', message, help }, { note }));
  }
  return errors;
}

/** The families of which any one is enough for a rule; none when that is not known. */
function neededFamilies(
  { protocol, target }: Rule,
  sets: ReadonlyMap<string, AddressSet>,
): readonly FamilyName[] {
  const ipv4 = familiesFor(protocol, 4);
  const ipv6 = familiesFor(protocol, 6);
  const both = [...new Set([...ipv4, ...ipv6])];
  if (target.kind === 'any' || target.kind === 'name') return both;
  if (target.kind === 'prefix') return target.prefix.address.length === 4 ? ipv4 : ipv6;
  const prefixes = sets.get(target.set)?.prefixes;
  if (prefixes === undefined) return [];
  if (prefixes.v6Bits.length === 0) return ipv4;
  return prefixes.v4Bits.length === 0 ? ipv6 : both;
}
