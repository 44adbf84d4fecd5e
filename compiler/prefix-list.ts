/**
 * Growing lists of prefixes in the packed form of model.ts.
 * Holds what it is given in the order given, and unspecified addresses as the loopback (docs/format.md §6). That binds
 * mean another thing by those is only remembered here; draft.ts asks.
 */
import { canonicalPrefix, ipv4Value, isUnspecified } from './address.ts';
import type { Prefix, PrefixList } from './model.ts';

/**
 * Collects prefixes; a list of n takes 5 bytes an IPv4 and 17 bytes an IPv6 prefix. Memory for as
 * many as expected is taken at once, of which the system gives only what is used; when there are
 * more, it is copied to twice as much.
 */
export class PrefixListBuilder {
  #v4: Uint32Array;
  #v4Bits: Uint8Array;
  #v4Count = 0;
  #v6: Uint8Array;
  #v6Bits: Uint8Array;
  #v6Count = 0;
  #holdsUnspecified = false;

  constructor(expected: number) {
    const room = Math.max(64, Math.ceil(expected));
    this.#v4 = new Uint32Array(room);
    this.#v4Bits = new Uint8Array(room);
    this.#v6 = new Uint8Array(room * 16);
    this.#v6Bits = new Uint8Array(room);
  }

  /** Prefixes added so far. */
  get size(): number {
    return this.#v4Count + this.#v6Count;
  }

  /** Whether 0.0.0.0 or :: alone was among them. */
  get holdsUnspecified(): boolean {
    return this.#holdsUnspecified;
  }

  /** Adds an IPv4 prefix other than 0.0.0.0/32: host-order address with host bits zero. */
  addV4(address: number, bits: number): void {
    if (this.#v4Count === this.#v4.length) {
      this.#v4 = grow(this.#v4, new Uint32Array(this.#v4.length * 2));
      this.#v4Bits = grow(this.#v4Bits, new Uint8Array(this.#v4Bits.length * 2));
    }
    this.#v4[this.#v4Count] = address;
    this.#v4Bits[this.#v4Count++] = bits;
  }

  /** Adds a prefix of its family: IPv4-mapped ones have 4 bytes. */
  add(prefix: Prefix): void {
    if (isUnspecified(prefix)) this.#holdsUnspecified = true;
    const { address, bits } = canonicalPrefix(prefix);
    if (address.length === 4) this.addV4(ipv4Value(address), bits);
    else this.addV6(address, bits);
  }

  /**
   * Adds an IPv6 prefix other than ::/128 and those below ::ffff:0:0/96: 16 bytes, which are copied, host bits zero.
   */
  addV6(address: Uint8Array, bits: number): void {
    if (this.#v6Count === this.#v6Bits.length) {
      this.#v6 = grow(this.#v6, new Uint8Array(this.#v6.length * 2));
      this.#v6Bits = grow(this.#v6Bits, new Uint8Array(this.#v6Bits.length * 2));
    }
    const to = this.#v6;
    const start = this.#v6Count * 16;
    // A loop, because `set` costs several times as much for 16 bytes.
    for (let i = 0; i < 16; i++) to[start + i] = address[i] ?? 0;
    this.#v6Bits[this.#v6Count++] = bits;
  }

  /** The list; the builder must not be used afterwards. */
  build(): PrefixList {
    return {
      v4: this.#v4.subarray(0, this.#v4Count),
      v4Bits: this.#v4Bits.subarray(0, this.#v4Count),
      v6: this.#v6.subarray(0, this.#v6Count * 16),
      v6Bits: this.#v6Bits.subarray(0, this.#v6Count),
    };
  }
}

function grow<T extends Uint8Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Whether a prefix covers an address of the same width, 4 or 16 bytes. */
export function covers(prefix: Prefix, address: Uint8Array): boolean {
  if (prefix.address.length !== address.length) return false;
  const whole = prefix.bits >> 3;
  for (let i = 0; i < whole; i++) if (prefix.address[i] !== address[i]) return false;
  const rest = prefix.bits & 7;
  if (rest === 0) return true;
  const difference = (prefix.address[whole] ?? 0) ^ (address[whole] ?? 0);
  return difference >> (8 - rest) === 0;
}

/** Whether a list covers an address: a scan, for the few questions that are asked while compiling. */
export function listCovers(list: PrefixList, address: Uint8Array): boolean {
  if (address.length === 4) {
    const value = ipv4Value(address);
    return list.v4.some((network, i) => {
      const bits = list.v4Bits[i] ?? 32;
      return bits === 0 || (network ^ value) >>> (32 - bits) === 0;
    });
  }
  return list.v6Bits.some((bits, i) =>
    covers({ address: list.v6.subarray(16 * i, 16 * i + 16), bits }, address),
  );
}
