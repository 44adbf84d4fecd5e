/**
 * Which addresses are of the inside: private, loopback, link-local, multicast, reserved, or a
 * cloud's metadata service. Looks through every form in which an IPv6 address carries an IPv4 one.
 * docs/policy.md lists the same; the executor judges the answers of live names alike
 * (test/name-vectors/inside.txt is for both).
 */
import { ipv4Value, isMapped } from './address.ts';

/** First address and length of each IPv4 block that is no destination on the internet, with its document. */
const INSIDE_V4: readonly (readonly [number, number])[] = [
  [0x00000000, 8], // this network, RFC 1122 §3.2.1.3
  [0x0a000000, 8], // private, RFC 1918
  [0x64400000, 10], // shared by carriers and overlay networks, RFC 6598
  [0x7f000000, 8], // loopback, RFC 1122 §3.2.1.3
  [0xa83f8110, 32], // 168.63.129.16, which Azure answers on every virtual machine
  [0xa9fe0000, 16], // link-local, RFC 3927; metadata services
  [0xac100000, 12], // private, RFC 1918
  [0xc0000000, 24], // protocol assignments, RFC 6890; Oracle's metadata service was at 192.0.0.192
  [0xc0a80000, 16], // private, RFC 1918
  [0xe0000000, 3], // multicast, reserved and broadcast, RFC 1112
];

/** Whether an address of 4 or 16 bytes is of the inside, in itself or by an IPv4 address that it carries. */
export function isInsideAddress(address: Uint8Array): boolean {
  if (address.length === 4) return isInsideIpv4(ipv4Value(address));
  const word = (index: number): number => ipv4Value(address.subarray(4 * index));
  const first = word(0);
  const last = word(3);
  if ((first & 0xfe000000) >>> 0 === 0xfc000000) return true; // fc00::/7, RFC 4193
  if (first >>> 24 === 0xff) return true; // ff00::/8, RFC 4291
  if (first >>> 23 === 0xfe80 >>> 7) return true; // fe80::/10 (RFC 4291), fec0::/10 of old (RFC 3879)
  // 6to4 (RFC 3056) carries an IPv4 address behind 2002; the rest is behind that router.
  if (first >>> 16 === 0x2002) return isInsideIpv4(((first << 16) | (word(1) >>> 16)) >>> 0);
  // Teredo (RFC 4380 §4) carries its server, and its client with every bit turned.
  if (first === 0x20010000) return isInsideIpv4(word(1)) || isInsideIpv4(~last >>> 0);
  if (first === 0x0064ff9b) {
    if (word(1) >>> 16 === 1) return true; // 64:ff9b:1::/48 is for local use, RFC 8215
    return word(1) === 0 && word(2) === 0 && isInsideIpv4(last); // NAT64, RFC 6052 §2.1
  }
  // ISATAP (RFC 5214 §6.1): the interface identifier says that the last 32 bits are IPv4.
  if ((word(2) & ~0x02000000) === 0x5efe) return isInsideIpv4(last);
  // ::/96 holds ::, ::1 and the IPv4-compatible addresses of RFC 4291 §2.5.5.1; ::ffff:0:0:0/96 those of RFC 2765 §2.1.
  const carries = first === 0 && word(1) === 0 && (word(2) === 0 || word(2) === 0xffff0000);
  return (carries || isMapped(address)) && isInsideIpv4(last);
}

function isInsideIpv4(value: number): boolean {
  return INSIDE_V4.some(([first, bits]) => (value ^ first) >>> (32 - bits) === 0);
}
