/**
 * Destinations in their usual forms, read at once: an address and a port, behind `tcp://`, `udp://`
 * or nothing. A file of a million destinations has few others. Says nothing of what it does not
 * know, mistakes included: all that is for destination.ts, which gives the same for these forms.
 */
import { ipv4Bytes, parseIpv4, parseIpv6 } from './address.ts';
import type { InetDestination } from './destination.ts';

const BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const ZERO = 0x30;
const SCHEME_LENGTH = 'tcp://'.length;

/** The destination, if it is written in a usual form. */
export function parsePlain(text: string): InetDestination | undefined {
  const protocol = text.startsWith('udp://') ? 'udp' : 'tcp';
  const start = protocol === 'udp' || text.startsWith('tcp://') ? SCHEME_LENGTH : 0;
  const colon = text.lastIndexOf(':');
  const port = parsePort(text, colon + 1);
  if (port === undefined) return undefined;
  const address = parseAddress(text, start, colon);
  return address && { protocol, host: { kind: 'address', address }, port };
}

/** The address from `start` to `end`, IPv6 in brackets. */
function parseAddress(text: string, start: number, end: number): Uint8Array | undefined {
  if (text.charCodeAt(start) === BRACKET) {
    if (text.charCodeAt(end - 1) !== CLOSING_BRACKET) return undefined;
    return parseIpv6(text.slice(start + 1, end - 1));
  }
  const value = parseIpv4(text.slice(start, end));
  return value === undefined ? undefined : ipv4Bytes(value);
}

/** The port from `start` to the end: 1 to 65535, no leading zero. */
function parsePort(text: string, start: number): number | undefined {
  const length = text.length - start;
  if (start === 0 || length < 1 || length > 5) return undefined;
  let port = 0;
  for (let at = start; at < text.length; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9 || (digit === 0 && port === 0)) return undefined;
    port = 10 * port + digit;
  }
  return port > 65535 ? undefined : port;
}
