/**
 * One destination as `sandlock check` takes it: `tcp://10.1.2.3:443`, `udp://[::1]:53`, `icmp://192.0.2.7`,
 * `example.com:443`.
 * The grammar is that of a rule that names a single point: no CIDR, no set, no `*`, one port. Does not look anything up.
 */
import type { Diagnostic, Fault } from './diagnostic.ts';
import { type Pattern, parsePattern } from './host-pattern.ts';
import type { DestinationProtocol } from './model.ts';
import { parsePorts } from './ports.ts';
import { parseAddress } from './prefix.ts';
import { splitRule } from './rule-parts.ts';
import { createSource } from './source.ts';

/** Where a packet would go. `address` has 4 or 16 bytes, as written; `port` is 0 for ICMP. */
export interface Destination {
  readonly protocol: DestinationProtocol;
  readonly host:
    | { readonly kind: 'address'; readonly address: Uint8Array }
    | { readonly kind: 'name'; readonly name: string };
  readonly port: number;
}

/** A destination, or every fault found in it. */
export type ParsedDestination =
  | { readonly ok: true; readonly destination: Destination }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Parses a destination; diagnostics have line 0 and call the text `destination`. */
export function parseDestination(text: string): ParsedDestination {
  const source = createSource('destination', text, 'option');
  const parsed = parse(text);
  if (!Array.isArray(parsed)) return { ok: true, destination: parsed as Destination };
  return { ok: false, diagnostics: parsed.map((fault: Fault) => source.diagnose(fault)) };
}

const FORM = 'one destination, such as tcp://192.0.2.7:443 or example.com:443';

function parse(text: string): Destination | Fault[] {
  if (text === '') {
    return [
      { code: 'SL2018', message: 'the destination is empty', start: 0, end: 0, expected: FORM },
    ];
  }
  const parts = splitRule(text);
  if ('code' in parts) return [parts];
  const { protocol, target, targetStart, portsStart } = parts;
  const faults: Fault[] = [];
  const parsed = parsePattern(target, targetStart);
  const host = parsed.ok ? toHost(parsed.pattern, target) : undefined;
  if (!parsed.ok) faults.push(parsed.fault);
  else if (host === undefined) {
    const message =
      target === '' ? 'the destination has no host' : `\`${target}\` is not one destination`;
    const end = targetStart + target.length;
    faults.push({ code: 'SL2019', message, start: targetStart, end, expected: FORM });
  }
  const port =
    protocol === 'icmp'
      ? icmpPort(text, portsStart)
      : onePort(text, targetStart, portsStart, protocol);
  if (typeof port !== 'number') faults.push(port);
  if (host === undefined || typeof port !== 'number') return faults;
  return { protocol, host, port };
}

/** The single host of a pattern; bytes are read anew because a pattern's are canonical. */
function toHost(pattern: Pattern, target: string): Destination['host'] | undefined {
  if (pattern.kind === 'name') return { kind: 'name', name: pattern.name };
  if (pattern.kind !== 'prefix' || target.includes('/')) return undefined;
  const bare = target.replace(/^\[|\]$/g, '');
  const address = parseAddress(bare, target.startsWith('[') ? 6 : 4);
  return address === undefined ? undefined : { kind: 'address', address };
}

function icmpPort(text: string, portsStart: number | undefined): number | Fault {
  if (portsStart === undefined) return 0;
  const start = portsStart - 1;
  const help = `did you mean ${text.slice(0, start)}?`;
  return { code: 'SL2007', message: 'icmp has no ports', start, end: text.length, help };
}

function onePort(
  text: string,
  targetStart: number,
  portsStart: number | undefined,
  protocol: DestinationProtocol,
): number | Fault {
  if (portsStart === undefined) {
    const help = `did you mean ${text}:${protocol === 'udp' ? 53 : 443}?`;
    const message = 'expected host:port, found no port';
    return { code: 'SL2002', message, start: targetStart, end: text.length, help };
  }
  const parsed = parsePorts(text.slice(portsStart), portsStart);
  if (!parsed.ok) return parsed.faults[0] as Fault;
  const range = parsed.ports[0];
  if (parsed.ports.length === 1 && range !== undefined && range.low === range.high)
    return range.low;
  const message = 'a destination has one port';
  const expected = 'a port from 1 to 65535';
  return { code: 'SL2003', message, start: portsStart, end: text.length, expected };
}
