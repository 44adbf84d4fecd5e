/**
 * Denied binds that stay possible in another way: a bind to 0.0.0.0 or :: takes a port on every address, so a `deny_bind`
 * rule on one address keeps nobody from that port unless those two are denied on it as well.
 * Only warns: the rule is enforced as it is written. Knows nothing of where the rules came from.
 */
import type { AddressSet, FamilyName, Rule } from './model.ts';
import type { Placed } from './placed.ts';
import { formatPorts, holdsPorts, mergeRanges } from './ports.ts';
import { ruleCovers } from './private-answers.ts';
import type { WrittenRule } from './written-rules.ts';

/** The unspecified address of each family, 4 and 16 bytes, and how it is written. */
const EVERY = [
  { address: new Uint8Array(4), text: '0.0.0.0' },
  { address: new Uint8Array(16), text: '::' },
] as const;

/** Warnings of all `deny_bind` rules, at their targets. `families` are those that the policy allows. */
export function findOpenBinds(
  written: readonly WrittenRule[],
  families: readonly FamilyName[],
  sets: ReadonlyMap<string, AddressSet>,
): Placed[] {
  const warnings: Placed[] = [];
  for (const protocol of ['tcp-bind', 'udp-bind'] as const) {
    const denying = written.filter(
      ({ rule }) => rule.action === 'deny' && rule.protocol === protocol,
    );
    const rules = denying.map(({ rule }) => rule);
    const every = bindable(protocol, families).map(({ address, text }) => ({
      address,
      text,
      closed: mergeRanges(
        rules.filter((rule) => ruleCovers(rule, address, sets)).flatMap(({ ports }) => ports),
      ),
    }));
    for (const at of denying) {
      const takers = every.filter(
        ({ address, closed }) =>
          takesFrom(address, at.rule, sets) && !holdsPorts(closed, at.rule.ports),
      );
      if (takers.length === 0) continue;
      const addresses = takers.map(({ text }) => `\`${text}\``).join(' and ');
      const what = takers.length === 1 ? `a bind to ${addresses} is` : `binds to ${addresses} are`;
      const message = `${what} still allowed, which take${takers.length === 1 ? 's' : ''} the port on every address`;
      const scheme = protocol === 'udp-bind' ? 'udp://' : '';
      const help = `deny the port on every address: "${scheme}:${formatPorts(at.rule.ports)}"`;
      warnings.push(at.place({ code: 'SL3011', message, help }, { severity: 'warning' }));
    }
  }
  return warnings;
}

/** The unspecified addresses that sockets of the allowed families bind; those of inet6 bind 0.0.0.0 as ::ffff:0.0.0.0. */
function bindable(
  protocol: 'tcp-bind' | 'udp-bind',
  families: readonly FamilyName[],
): readonly (typeof EVERY)[number][] {
  const kind = protocol === 'tcp-bind' ? 'stream' : 'dgram';
  if (families.includes(`inet6/${kind}`)) return EVERY;
  return families.includes(`inet/${kind}`) ? [EVERY[0]] : [];
}

/** Whether a bind to an unspecified address takes a port from addresses of the rule: 0.0.0.0 takes none of IPv6. */
function takesFrom(
  every: Uint8Array,
  { target }: Rule,
  sets: ReadonlyMap<string, AddressSet>,
): boolean {
  if (every.length === 16 || target.kind === 'any' || target.kind === 'name') return true;
  if (target.kind === 'prefix') return target.prefix.address.length === 4;
  return (sets.get(target.set)?.prefixes.v4Bits.length ?? 0) > 0;
}
