/**
 * `address` or `address/length` as text, to a prefix of its family (IPv4-mapped is IPv4).
 * Serves rules (IPv6 stands in brackets there) and sets (it does not); the only difference is how a suggestion is
 * written. Decides nothing about ports, names, sets, or what an unspecified address stands for.
 */
import {
  formatAddress,
  ipv4Bytes,
  maskAddress,
  narrowPrefix,
  parseIpv4,
  parseIpv6,
} from './address.ts';
import type { Fault } from './diagnostic.ts';
import { explainIpv4, explainIpv6 } from './explain-address.ts';
import type { Prefix } from './model.ts';
import { hasHostBits } from './stored-address.ts';

/** A prefix, or the first thing that is wrong with it. */
export type ParsedPrefix =
  | { readonly ok: true; readonly prefix: Prefix }
  | { readonly ok: false; readonly fault: Fault };

/**
 * Parses `text` as an address of `family`, with or without a prefix length. `at` is where `text`
 * stands in the text that the fault's offsets count from; `written` gives the form of an address
 * where it stands, for suggestions.
 */
export function parsePrefix(
  text: string,
  at: number,
  family: 4 | 6,
  written: (text: string) => string,
): ParsedPrefix {
  const slash = text.indexOf('/');
  const host = slash < 0 ? text : text.slice(0, slash);
  const address = parseAddress(host, family);
  if (address === undefined) {
    return { ok: false, fault: family === 4 ? explainIpv4(host, at) : explainIpv6(host, at) };
  }
  const widest = address.length * 8;
  if (slash < 0) return { ok: true, prefix: narrowPrefix({ address, bits: widest }) };

  const length = text.slice(slash + 1);
  const bits = /^(0|[1-9][0-9]{0,2})$/.test(length) ? Number(length) : widest + 1;
  if (bits > widest) {
    const fault: Fault = {
      code: 'SL2012',
      message: `\`/${length}\` is not a prefix length of an IPv${family} address`,
      start: at + slash,
      end: at + text.length,
      expected: `a length from 0 to ${widest}`,
    };
    const mask = family === 4 ? maskLength(length) : undefined;
    if (mask === undefined) return { ok: false, fault };
    return { ok: false, fault: { ...fault, help: `did you mean ${written(`${host}/${mask}`)}?` } };
  }
  if (!hasHostBits(address, bits)) {
    return { ok: true, prefix: narrowPrefix({ address, bits }) };
  }
  const network = maskAddress(address, bits);
  const one = written(formatAddress(address));
  const all = written(`${formatAddress(network)}/${bits}`);
  return {
    ok: false,
    fault: {
      code: 'SL2013',
      message: `\`${text}\` has bits set beyond its first ${bits}`,
      start: at,
      end: at + text.length,
      help: `did you mean ${all} (the network) or ${one} (the one address)?`,
    },
  };
}

/** The bytes of an address of one family, 4 or 16, as written: not canonical. */
export function parseAddress(text: string, family: 4 | 6): Uint8Array | undefined {
  if (family === 6) return parseIpv6(text);
  const value = parseIpv4(text);
  return value === undefined ? undefined : ipv4Bytes(value);
}

/** The length that a netmask such as `255.255.0.0` means. */
function maskLength(text: string): number | undefined {
  const mask = parseIpv4(text);
  if (mask === undefined) return undefined;
  const bits = Math.clz32(~mask);
  return maskAddress(ipv4Bytes(0xffffffff), bits).join('.') === text ? bits : undefined;
}
