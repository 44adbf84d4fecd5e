// Address lists for the benchmarks of the table: of any size, seeded, so that every run asks the
// same, and those of networks in use.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Most usual lengths of routes, each as often as in a routing table, roughly. */
const ROUTES4 = [24, 24, 24, 24, 24, 24, 23, 22, 22, 21, 20, 19, 18, 17, 16, 24];
const ROUTES6 = [32, 48, 48, 48, 48, 48, 44, 40, 36, 32, 33, 47, 46, 29, 40, 48];
/** Port sets of lists with mixed ports. */
export const PORTS = ['443', '80,443', '8000-8100', '53', '22,443,8000-8999'];

/** The kinds of list, and how a line of each is made. @type {Record<string, (next: () => number) => string>} */
export const KINDS = {
  'bgp-v4': (next) => ipv4(routed4(next), pick(next, ROUTES4)),
  'hosts-v4': (next) => ipv4(next(), 32),
  'bgp-v6': (next) => ipv6(routed6(next), pick(next, ROUTES6)),
  '48-v6': (next) => ipv6(routed6(next), 48),
  '64-v6': (next) => ipv6(routed6(next), 64),
  'hosts-v6': (next) => ipv6(routed6(next), 128),
};

/** The text of a list: one prefix a line. */
export function list(kind, size, seed = 1) {
  const next = random(seed);
  const line = KINDS[kind];
  if (line === undefined) throw new Error(`no list named ${kind}`);
  const lines = [];
  for (let i = 0; i < size; i++) lines.push(line(next));
  return `${lines.join('\n')}\n`;
}

/** Rules: a list with scheme and ports. */
export function rules(kind, size, seed = 1) {
  const next = random(seed + 1000);
  return prefixes(kind, size, seed).map((prefix) => {
    const scheme = next() % 2 === 0 ? 'tcp' : 'udp';
    return `${scheme}://${destination(prefix, pick(next, PORTS))}`;
  });
}

/** A list with ports. */
export function withPorts(kind, size, seed = 1) {
  const next = random(seed + 1000);
  return prefixes(kind, size, seed).map((prefix) => destination(prefix, pick(next, PORTS)));
}

/**
 * What networks announce, with ports by the number of the network, from asn-ipv4-num.csv or
 * asn-ipv6-num.csv in a folder (bench/README.md): lines of first address, last address, number.
 * Undefined when there is none.
 */
export function announced(folder, family) {
  const file = join(folder, `asn-ipv${family}-num.csv`);
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.flatMap((line) => {
    const [first = '', last = '', network = ''] = line.split(',');
    const ports = PORTS[Number(network) % PORTS.length];
    const all = prefixesOfRange(BigInt(first), BigInt(last), family === 4 ? 32 : 128);
    return all.map((prefix) => destination(prefix, ports));
  });
}

/** A range as the fewest prefixes. */
function prefixesOfRange(first, last, width) {
  const found = [];
  for (let at = first; at <= last; ) {
    let bits = width;
    let size = 1n;
    while (bits > 0 && (at & (2n * size - 1n)) === 0n && at + 2n * size - 1n <= last) {
      size *= 2n;
      bits--;
    }
    const words = [96n, 64n, 32n, 0n].map((shift) => Number((at >> shift) & 0xffffffffn));
    found.push(width === 32 ? ipv4(words[3], bits) : ipv6(words, bits));
    at += size;
  }
  return found;
}

function prefixes(kind, size, seed) {
  return list(kind, size, seed).trimEnd().split('\n');
}

function destination(prefix, ports) {
  return `${prefix.includes(':') ? `[${prefix}]` : prefix}:${ports}`;
}

/** 32 random bits a call (xorshift). */
function random(seed) {
  let state = (seed * 2654435761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

/** Somewhere in one of 40,000 networks of 16 bits that are in use. */
function routed4(next) {
  const network = ((next() % 40_000) * 2654435761) >>> 0;
  const first = 1 + ((network >>> 24) % 222);
  return ((first << 24) | (network & 0xff0000) | (next() & 0xffff)) >>> 0;
}

/** Somewhere in one of 30,000 networks of 32 bits below 2000::/3. */
function routed6(next) {
  const network = (0x20000000 | (Math.imul(next() % 30_000, 2654435761) & 0x1fffffff)) >>> 0;
  return [network, next(), next(), next()];
}

function ipv4(address, bits) {
  const network = bits === 0 ? 0 : (address & (-1 << (32 - bits))) >>> 0;
  const octets = [network >>> 24, (network >>> 16) & 255, (network >>> 8) & 255, network & 255];
  return bits === 32 ? octets.join('.') : `${octets.join('.')}/${bits}`;
}

function ipv6(words, bits) {
  const kept = words.map((word, i) => {
    const own = Math.min(32, Math.max(0, bits - 32 * i));
    return own === 0 ? 0 : (word & (-1 << (32 - own))) >>> 0;
  });
  const groups = kept.flatMap((word) => [word >>> 16, word & 0xffff]).map((g) => g.toString(16));
  let used = 8;
  while (used > 0 && groups[used - 1] === '0') used--;
  const text = used > 6 ? groups.join(':') : `${groups.slice(0, used).join(':')}::`;
  return bits === 128 ? text : `${text}/${bits}`;
}

function pick(next, choices) {
  return choices[next() % choices.length];
}
