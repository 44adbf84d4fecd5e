/** Text of addresses for tests, by way of Node's own parser: independent of compiler/address.ts. */
import { isIPv4, isIPv6 } from 'node:net';

/** The 4 or 16 bytes of an address. @throws Error when it is none. */
export function parseIp(text: string): Uint8Array {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  if (!isIPv6(text)) throw new Error(`${text} is no address`);
  // A URL's host is serialised as eight groups with the longest run of zeros cut out.
  const { hostname } = new URL(`http://[${text}]/`);
  const [head = '', tail] = hostname.slice(1, -1).split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [first, last] = [groups(head), groups(tail ?? '')];
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => 0);
  return Uint8Array.from(
    [...first, ...zeros, ...last].flatMap((group) => [group >> 8, group & 255]),
  );
}
