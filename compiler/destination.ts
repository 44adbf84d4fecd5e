/**
 * One question as `sandlock check` takes it: a destination (`tcp://10.1.2.3:443`, `udp://[::1]:53`, `icmp://192.0.2.7`,
 * `example.com:443`), a bind (`bind:tcp://127.0.0.1:8080`, `bind:udp://:5353`) or a UNIX socket (`unix:/run/x.sock`,
 * `unix:@name`).
 * The grammar is that of a rule that names a single point: no CIDR, no set, one port. Does not look anything up.
 */
import type { Diagnostic, Fault } from './diagnostic.ts';
import { type Pattern, parsePattern } from './host-pattern.ts';
import type { DestinationProtocol } from './model.ts';
import { parsePorts, type RuleUse } from './ports.ts';
import { parseAddress } from './prefix.ts';
import { type RuleParts, splitRule } from './rule-parts.ts';
import { createSource } from './source.ts';
import { parseUnixRule } from './unix-rules.ts';

/** Where a packet would go. `address` has 4 or 16 bytes, as written; `port` is 0 for ICMP. */
export interface InetDestination {
  readonly protocol: DestinationProtocol;
  readonly host:
    | { readonly kind: 'address'; readonly address: Uint8Array }
    | { readonly kind: 'name'; readonly name: string };
  readonly port: number;
}

/** What would be bound. `addresses` have 4 or 16 bytes, as written: one, or 0.0.0.0 and :: when none is written. */
export interface BindDestination {
  readonly protocol: 'tcp-bind' | 'udp-bind';
  readonly addresses: readonly Uint8Array[];
  readonly port: number;
}

/** A UNIX socket outside the sandbox. */
export interface UnixDestination {
  readonly protocol: 'unix';
  readonly kind: 'path' | 'abstract';
  /** The path, or the abstract name without `@`. */
  readonly text: string;
}

export type Destination = InetDestination | BindDestination | UnixDestination;

/** A destination, or every fault found in it. */
export type ParsedDestination =
  | { readonly ok: true; readonly destination: Destination }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Parses a destination; diagnostics have line 0 and call the text `destination`. */
export function parseDestination(text: string): ParsedDestination {
  const parsed = parse(text);
  if (isDestination(parsed)) return { ok: true, destination: parsed };
  const source = createSource('destination', text, 'option');
  return { ok: false, diagnostics: parsed.map((fault) => source.diagnose(fault)) };
}

const FORM = 'one destination, such as tcp://192.0.2.7:443 or example.com:443';
const SOCKET_FORM = 'one socket, such as unix:/run/x.sock or unix:@name';
const BIND_FORM = 'one address, such as bind:tcp://127.0.0.1:8080, or none for every address';

/** `bind:80` and `unix:80` stay port 80 of hosts with those names; what is no port may be a path. */
function parse(text: string): Destination | readonly Fault[] {
  const [, bind] = /^bind:(.*:.*)$/s.exec(text) ?? [];
  if (bind !== undefined) return behindPrefix(parseBind(bind), text.length - bind.length);
  const [, unix] = /^unix:(.*[^\d*,-].*)$/s.exec(text) ?? [];
  if (unix !== undefined) return behindPrefix(parseUnix(unix), text.length - unix.length);
  if (text.startsWith('/')) return refusePath(text);
  return parseInet(text);
}

function isDestination(parsed: Destination | readonly Fault[]): parsed is Destination {
  return !Array.isArray(parsed);
}

/** Moves faults behind a prefix of the text. */
function behindPrefix(
  parsed: Destination | readonly Fault[],
  length: number,
): Destination | readonly Fault[] {
  if (isDestination(parsed)) return parsed;
  return parsed.map((fault) => ({
    ...fault,
    start: fault.start + length,
    end: fault.end + length,
  }));
}

function parseUnix(text: string): UnixDestination | readonly Fault[] {
  const parsed = parseUnixRule(text);
  if ('code' in parsed) return [asQuestion(parsed)];
  const { kind } = parsed;
  if (kind !== 'directory') return { protocol: 'unix', kind, text: parsed.text };
  const message = `\`${text}\` is a directory, not one socket`;
  return [{ code: 'SL2021', message, start: 0, end: text.length, expected: SOCKET_FORM }];
}

/** A fault of a rule; what it should be has `unix:` before it here. */
function asQuestion({ help, expected, ...fault }: Fault): Fault {
  const meant = help?.startsWith('did you mean')
    ? { help: help.replace(/(?<=mean |or )(?=[/@])/g, 'unix:') }
    : {};
  return { ...fault, ...(expected === undefined ? {} : { expected: SOCKET_FORM }), ...meant };
}

function refusePath(text: string): readonly Fault[] {
  const message = `\`${text}\` is a path, and no destination of the network`;
  const help = `did you mean unix:${text}?`;
  return [{ code: 'SL2019', message, start: 0, end: text.length, expected: FORM, help }];
}

function parseBind(text: string): BindDestination | readonly Fault[] {
  const parts = splitRule(text, 'bind');
  if ('code' in parts) return [parts];
  const { protocol, scheme, target, targetStart } = parts;
  if (protocol === 'icmp') {
    const message = 'icmp has no ports to bind';
    return [{ code: 'SL2020', message, start: 0, end: scheme.length - '://'.length }];
  }
  const faults: Fault[] = [];
  const parsed = parsePattern(target, targetStart);
  const host = parsed.ok ? toHost(parsed.pattern, target) : undefined;
  const addresses = target === '' ? EVERY : host?.kind === 'address' ? [host.address] : undefined;
  if (!parsed.ok) faults.push(parsed.fault);
  else if (addresses === undefined) {
    const message = `\`${target}\` is not one address`;
    const end = targetStart + target.length;
    faults.push({ code: 'SL2019', message, start: targetStart, end, expected: BIND_FORM });
  }
  const port = onePort(text, parts, 'bind');
  if (typeof port !== 'number') faults.push(port);
  if (addresses === undefined || typeof port !== 'number') return faults;
  return { protocol: protocol === 'tcp' ? 'tcp-bind' : 'udp-bind', addresses, port };
}

/** What a server without an address binds: 0.0.0.0, or :: with both families. */
const EVERY: readonly Uint8Array[] = [new Uint8Array(4), new Uint8Array(16)];

function parseInet(text: string): InetDestination | readonly Fault[] {
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
  const port = protocol === 'icmp' ? icmpPort(text, portsStart) : onePort(text, parts, 'reach');
  if (typeof port !== 'number') faults.push(port);
  if (host === undefined || typeof port !== 'number') return faults;
  return { protocol, host, port };
}

/** The single host of a pattern; bytes are read anew because a pattern's are canonical. */
function toHost(pattern: Pattern, target: string): InetDestination['host'] | undefined {
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

function onePort(text: string, parts: RuleParts, use: RuleUse): number | Fault {
  const { protocol, targetStart, portsStart } = parts;
  if (portsStart === undefined) {
    const fault = { code: 'SL2002', start: targetStart, end: text.length } as const;
    if (use === 'bind') return { ...fault, message: 'expected address:port, found no port' };
    const help = `did you mean ${text}:${protocol === 'udp' ? 53 : 443}?`;
    return { ...fault, message: 'expected host:port, found no port', help };
  }
  const ports = text.slice(portsStart);
  const parsed = parsePorts(ports, portsStart, use);
  if (!parsed.ok) return parsed.faults[0] as Fault;
  const range = parsed.ports[0];
  // A list or range that comes down to one port is still no port.
  if (range !== undefined && /^[0-9]+$/.test(ports)) return range.low;
  const message = `a ${use === 'bind' ? 'bind' : 'destination'} has one port`;
  const expected = 'a port from 1 to 65535';
  return { code: 'SL2003', message, start: portsStart, end: text.length, expected };
}
