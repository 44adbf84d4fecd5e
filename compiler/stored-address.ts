/**
 * Addresses and prefixes as a table holds them: 16 bytes, IPv4 as ::ffff:a.b.c.d, in canonical form
 * (docs/format.md §1, §6). Used on the way into a table and on the way out; text forms are not
 * known here.
 */
import type { Prefix, Protocol } from './model.ts';

/** A prefix of a table: `bits` counts from the family's own beginning, 0..32 or 0..128. */
export interface StoredPrefix {
  readonly family: 4 | 6;
  readonly address: Uint8Array;
  readonly bits: number;
}

/**
 * The 16-byte form of an address of 4 or 16 bytes.
 * @throws TypeError for any other length.
 */
export function widen(address: Uint8Array): Uint8Array {
  if (address.length === 16) return address.slice();
  if (address.length !== 4)
    throw new TypeError(`an address has 4 or 16 bytes, not ${address.length}`);
  const wide = new Uint8Array(16);
  wide.fill(0xff, 10, 12);
  wide.set(address, 12);
  return wide;
}

/** Whether 16 bytes are in ::ffff:0:0/96, hence an IPv4 address. */
export function isMapped(wide: Uint8Array): boolean {
  if (wide[10] !== 0xff || wide[11] !== 0xff) return false;
  for (let i = 0; i < 10; i++) if (wide[i] !== 0) return false;
  return true;
}

/** Whether a protocol speaks of addresses that are bound, not of destinations. */
export function isBind(protocol: Protocol): boolean {
  return protocol === 'tcp-bind' || protocol === 'udp-bind';
}

/** The canonical 16-byte form of a destination: unspecified addresses are the loopback that Linux connects them to. */
export function toCanonical(address: Uint8Array): Uint8Array {
  const wide = widen(address);
  if (isUnspecified(wide)) {
    if (isMapped(wide)) wide[12] = 127;
    wide[15] = 1;
  }
  return wide;
}

/**
 * The canonical form of a rule's prefix; `0.0.0.0` and `::` stay what they are where addresses are bound.
 * @throws TypeError for a wrong length of address or prefix, or bits below the prefix.
 */
export function toStoredPrefix({ address, bits }: Prefix, protocol: Protocol): StoredPrefix {
  const longest = address.length * 8;
  if (!Number.isInteger(bits) || bits < 0 || bits > longest) {
    throw new TypeError(`a prefix of ${address.length} bytes has no length ${bits}`);
  }
  let wide = widen(address);
  const wideBits = bits + 128 - longest;
  if (hasHostBits(wide, wideBits)) throw new TypeError('a prefix has bits below its length');
  if (wideBits === 128 && !isBind(protocol)) wide = toCanonical(wide);
  return wideBits >= 96 && isMapped(wide)
    ? { family: 4, address: wide, bits: wideBits - 96 }
    : { family: 6, address: wide, bits: wideBits };
}

/** Whether 16 bytes are 0.0.0.0 or `::`. */
export function isUnspecified(wide: Uint8Array): boolean {
  // From the end on, where almost every address has a bit.
  for (let i = 15; i >= 12; i--) if (wide[i] !== 0) return false;
  return isMapped(wide) || wide.every((byte) => byte === 0);
}

/** Whether an address lies in a prefix; both 16 bytes wide, `wideBits` 0..128. */
export function isInside(wide: Uint8Array, prefix: Uint8Array, wideBits: number): boolean {
  const whole = wideBits >> 3;
  for (let i = 0; i < whole; i++) {
    if (wide[i] !== prefix[i]) return false;
  }
  const rest = wideBits & 7;
  return (
    rest === 0 || (((wide[whole] ?? 0) ^ (prefix[whole] ?? 0)) & (0xff00 >> rest) & 0xff) === 0
  );
}

/**
 * The IPv4 address that an IPv6 address carries by NAT64 (64:ff9b::/96) or 6to4 (2002::/16),
 * widened; deny rules see it.
 */
export function embeddedIpv4(wide: Uint8Array): Uint8Array | undefined {
  if (wide[0] === 0x20 && wide[1] === 0x02) return widen(wide.subarray(2, 6));
  const nat64 = [0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
  return nat64.every((byte, i) => wide[i] === byte) ? widen(wide.subarray(12)) : undefined;
}

/** Order of 16-byte addresses. */
export function compareAddresses(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < 16; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether an address of 4 or 16 bytes has bits beyond its first `bits`. */
export function hasHostBits(address: Uint8Array, bits: number): boolean {
  let at = bits >> 3;
  if (((address[at++] ?? 0) & (0xff >> (bits & 7))) !== 0) return true;
  for (; at < address.length; at++) if (address[at] !== 0) return true;
  return false;
}
