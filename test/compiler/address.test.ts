/**
 * Address parsers against Node's own, on written and on random texts.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { expect, test } from 'vitest';
import {
  canonicalAddress,
  formatAddress,
  ipv4Bytes,
  parseIpv4,
  parseIpv6,
} from '../../compiler/address.ts';
import { explainIpv4, explainIpv6 } from '../../compiler/explain-address.ts';
import { covers } from '../../compiler/prefix-list.ts';
import { parseIp } from './parse-ip.ts';
import { seeded } from './seeded.ts';

test.each([
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['0:0:0:0:0:0:0:0', '::'],
  ['2001:DB8:0:0:8:800:200C:417A', '2001:db8::8:800:200c:417a'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ['1:0:0:2:3:0:0:4', '1::2:3:0:0:4'],
  ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
])('%s is written %s', (text, written) => {
  const bytes = parseIpv6(text);
  expect(bytes && formatAddress(bytes)).toBe(written);
});

test.each([
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['::ffff:0.0.0.0', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
  ['::fffe:10.0.0.1', '::fffe:a00:1'],
])('the canonical form of %s is %s', (text, canonical) => {
  expect(formatAddress(canonicalAddress(parseIp(text)))).toBe(canonical);
});

test('texts are IPv4 addresses where Node says so and write the same, seed 7', () => {
  const next = seeded(7);
  const pieces = ['0', '1', '25', '255', '256', '01', '.', '.', '.', '.', 'x', '-', ' '];
  let good = 0;
  for (let run = 0; run < 50_000; run++) {
    const octet = (): string => `${next(300)}`;
    const whole = [octet(), octet(), octet(), octet()].join('.');
    const noise = Array.from({ length: next(9) }, () => pieces[next(pieces.length)]).join('');
    const text = next(2) === 0 ? whole : noise;
    const value = parseIpv4(text);
    expect([text, value !== undefined]).toEqual([text, isIPv4(text)]);
    if (value === undefined) checkFault(explainIpv4(text, 0), text);
    else if (formatAddress(ipv4Bytes(value)) === text) good++;
    else throw new Error(`${text} is written otherwise`);
  }
  expect(good).toBeGreaterThan(10_000);
});

test('texts are IPv6 addresses where Node says so and mean the same bytes, seed 8', () => {
  const next = seeded(8);
  const pieces = ['0', '1', 'ffff', 'AbC', '12345', 'g', ':', ':', ':', '::', '1.2.3.4', '.', ''];
  let good = 0;
  for (let run = 0; run < 50_000; run++) {
    const groups = Array.from({ length: 1 + next(9) }, () => next(0x10000).toString(16));
    if (next(2) === 0) groups[next(groups.length)] = '';
    const noise = Array.from({ length: next(9) }, () => pieces[next(pieces.length)]).join('');
    const text = next(3) === 0 ? noise : groups.join(':');
    const bytes = parseIpv6(text);
    expect([text, bytes !== undefined]).toEqual([text, isIPv6(text)]);
    if (bytes === undefined) checkFault(explainIpv6(text, 0), text);
    else {
      expect([text, bytes]).toEqual([text, parseIp(text)]);
      expect(parseIpv6(formatAddress(bytes))).toEqual(bytes);
      good++;
    }
  }
  expect(good).toBeGreaterThan(5_000);
});

/** An explanation lies within the text (or on one character of an empty one) and says something. */
function checkFault(fault: { start: number; end: number; message: string }, text: string): void {
  expect([text, fault.start >= 0 && fault.start <= fault.end]).toEqual([text, true]);
  expect([text, fault.end <= Math.max(1, text.length)]).toEqual([text, true]);
  expect(fault.message).not.toBe('');
}

test('a prefix covers the addresses whose first bits are its own, seed 9', () => {
  const next = seeded(9);
  let inside = 0;
  for (let run = 0; run < 20_000; run++) {
    const length = next(2) === 0 ? 4 : 16;
    const bits = next(length * 8 + 1);
    const random = (): Uint8Array => Uint8Array.from({ length }, () => next(256));
    const network = random();
    const address = next(2) === 0 ? random() : network.slice();
    if (next(2) === 0) {
      const bit = next(length * 8);
      address[bit >> 3] = (address[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
    }
    const binary = (bytes: Uint8Array): string =>
      Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
    const expected = binary(network).slice(0, bits) === binary(address).slice(0, bits);
    expect(covers({ address: network, bits }, address)).toBe(expected);
    if (expected) inside++;
  }
  expect(inside).toBeGreaterThan(5_000);
});
