/**
 * Which rules of a verified table match an address and port: why a look-up gave its verdict (docs/format.md §7). Goes through the rules as they
 * were written, not through the tries that decided; only sets are asked in theirs.
 */
import * as F from './format.gen.ts';
import type { PinnedName, Rule } from './model.ts';
import {
  embeddedIpv4,
  isBind,
  isInside,
  isMapped,
  isUnspecified,
  widen,
} from './stored-address.ts';
import { isEmptySet, sectionOf, type TableReader } from './stored-rules.ts';
import type { PolicyExports } from './wasm.ts';

/**
 * Whether a rule matches, as docs/format.md §6 says: a deny rule also sees the IPv4 destination that NAT64 and 6to4 carry, and what binding
 * every address binds.
 */
export function matches(
  instance: PolicyExports,
  reader: TableReader,
  index: number,
  rule: Rule,
  wide: Uint8Array,
  port: number,
  names: readonly PinnedName[],
): boolean {
  const at = sectionOf(reader, F.SECTION_RULES).offset + index * F.RULE_BYTES;
  const ports = reader.view.getUint32(at + F.RULE_PORT_SET, true);
  if (instance.holdsPort(ports, port) === 0) return false;
  const carries = rule.action === 'deny' && !isBind(rule.protocol);
  const embedded = carries ? embeddedIpv4(wide) : undefined;
  const forms = embedded === undefined ? [wide] : [wide, embedded];
  const set = reader.view.getUint32(at + F.RULE_INDEX, true);
  if (rule.action === 'deny' && isBind(rule.protocol) && isUnspecified(wide)) {
    return hasFamily(reader, rule, set, 4) || (!isMapped(wide) && hasFamily(reader, rule, set, 6));
  }
  return forms.some((form) => covers(instance, rule, set, form, names));
}

/** Whether a rule covers some address of a family: to bind every address is to bind that one, too. */
function hasFamily(reader: TableReader, { target }: Rule, set: number, family: 4 | 6): boolean {
  if (target.kind === 'prefix') return (target.prefix.address.length === 4) === (family === 4);
  return target.kind === 'any' || !isEmptySet(reader, set, family);
}

function covers(
  instance: PolicyExports,
  { target }: Rule,
  set: number,
  wide: Uint8Array,
  names: readonly PinnedName[],
): boolean {
  switch (target.kind) {
    case 'any':
      return true;
    case 'prefix': {
      const { address, bits } = target.prefix;
      if (address.length === 4) return isInside(wide, widen(address), 96 + bits);
      // A short IPv6 prefix may contain ::ffff:0:0/96, but IPv4 addresses are not IPv6 addresses.
      return !isMapped(wide) && isInside(wide, address, bits);
    }
    case 'name':
      return (names[set]?.addresses ?? []).some((address) => isInside(wide, widen(address), 128));
    case 'set': {
      const [a, b, c, d] = wordsOf(wide);
      return instance.isMember(set, a, b, c, d) === 1;
    }
  }
}

/** The four big-endian words of an address of 16 bytes, as policy.wasm takes them. */
export function wordsOf(wide: Uint8Array): readonly [number, number, number, number] {
  const view = new DataView(wide.buffer, wide.byteOffset, 16);
  return [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)];
}
