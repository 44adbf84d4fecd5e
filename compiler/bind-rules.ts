/**
 * One rule of `allow_bind` or `deny_bind`: the grammar of rules, for addresses of this machine.
 * Decides what may stand in it: TCP and UDP, addresses, CIDRs, sets and `*`, and always ports. Unlike in destinations,
 * 0.0.0.0 and :: stay what they are, because binding them is binding every address (docs/format.md §6).
 * Knows nothing of files, of sets' contents, or of what port 0 is allowed to do.
 */
import type { Fault } from './diagnostic.ts';
import { type Pattern, parsePattern } from './host-pattern.ts';
import type { PortRange, Target } from './model.ts';
import { parsePorts } from './ports.ts';
import { type RuleParts, splitRule } from './rule-parts.ts';
import { type ParsedRule, withoutPortHelp } from './rules.ts';

/** Parses one rule of either list. Offsets of faults count from the start of `text`. */
export function parseBindRule(text: string): ParsedRule {
  const parts = splitRule(text, 'bind');
  if ('code' in parts) return { ok: false, faults: [parts] };
  const { targetStart, target } = parts;
  if (parts.protocol === 'icmp') return { ok: false, faults: [refuseIcmp(parts)] };
  const bare = lonePorts(parts, text);
  if (bare !== undefined) return { ok: false, faults: [bare] };
  const targetEnd = targetStart + target.length;
  const pattern = parsePattern(target, targetStart);
  const read = pattern.ok ? readTarget(pattern.pattern, parts, text) : pattern.fault;
  const ports = readPorts(parts, text);
  // What to append to a target that is wrong itself would be a wrong suggestion.
  const portFaults = 'code' in read ? ports.faults.map(withoutPortHelp) : ports.faults;
  const faults = 'code' in read ? [read, ...portFaults] : portFaults;
  if ('code' in read || faults.length > 0) return { ok: false, faults };
  const protocol = parts.protocol === 'tcp' ? 'tcp-bind' : 'udp-bind';
  return {
    ok: true,
    content: { protocol, target: read, ports: ports.ranges, targetStart, targetEnd },
  };
}

function refuseIcmp({ scheme }: RuleParts): Fault {
  const message = 'icmp has no ports to bind';
  const help = 'ping needs no bind, only a rule in `allow`';
  return { code: 'SL2020', message, start: 0, end: scheme.length - '://'.length, help };
}

/** Ports where the address belongs, the usual mistake: `8080` for `:8080`. */
function lonePorts(
  { target, scheme, targetStart, portsStart }: RuleParts,
  text: string,
): Fault | undefined {
  if (portsStart !== undefined || target === '' || target === '*') return undefined;
  if (!parsePorts(target, targetStart).ok) return undefined;
  const message = `\`${target}\` stands where the address belongs`;
  const help = `did you mean ${scheme}:${target}?`;
  const expected = '`:` before ports';
  return { code: 'SL2002', message, start: targetStart, end: text.length, expected, help };
}

function readTarget(pattern: Pattern, parts: RuleParts, text: string): Target | Fault {
  if (pattern.kind !== 'name' && pattern.kind !== 'wildcard') return pattern;
  const { scheme, target, targetStart: start, portsStart } = parts;
  const ports = portsStart === undefined ? `:${usualPort(parts)}` : text.slice(portsStart - 1);
  const isLocal = pattern.kind === 'name' && pattern.name === 'localhost';
  const help = isLocal
    ? `did you mean ${scheme}127.0.0.1${ports} or ${scheme}[::1]${ports}?`
    : 'write the address that the program binds';
  return {
    code: 'SL3007',
    message: 'a bind rule takes no name',
    start,
    end: start + target.length,
    expected: 'an address, a CIDR, a set or `*`',
    help,
  };
}

interface ReadPorts {
  readonly ranges: readonly PortRange[];
  readonly faults: readonly Fault[];
}

function readPorts(parts: RuleParts, text: string): ReadPorts {
  const { targetStart, portsStart } = parts;
  if (portsStart !== undefined) {
    const parsed = parsePorts(text.slice(portsStart), portsStart, 'bind');
    return parsed.ok ? { ranges: parsed.ports, faults: [] } : { ranges: [], faults: parsed.faults };
  }
  const help = `did you mean ${text}:${usualPort(parts)}?`;
  const message = 'expected address:port, found no port';
  const fault: Fault = { code: 'SL2002', message, start: targetStart, end: text.length, help };
  return { ranges: [], faults: [fault] };
}

/** A port for suggestions. */
function usualPort({ protocol }: RuleParts): number {
  return protocol === 'udp' ? 5353 : 8080;
}
