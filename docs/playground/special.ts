/**
 * Blocks of IPv4 with a meaning of their own (the IANA special-purpose registry, RFC 6890), to be named in the picture.
 */
import type { Block } from './space.ts';

/** A block and what it is. */
export interface Special extends Block {
  readonly name: string;
}

/** In order. */
export const SPECIAL_V4: readonly Special[] = [
  { address: 0x00000000n, bits: 8, name: 'this network' },
  { address: 0x0a000000n, bits: 8, name: 'private' },
  { address: 0x64400000n, bits: 10, name: 'carriers’ own' },
  { address: 0x7f000000n, bits: 8, name: 'loopback' },
  { address: 0xa9fe0000n, bits: 16, name: 'link-local' },
  { address: 0xac100000n, bits: 12, name: 'private' },
  { address: 0xc0000200n, bits: 24, name: 'documentation' },
  { address: 0xc0a80000n, bits: 16, name: 'private' },
  { address: 0xe0000000n, bits: 4, name: 'multicast' },
  { address: 0xf0000000n, bits: 4, name: 'reserved' },
];
