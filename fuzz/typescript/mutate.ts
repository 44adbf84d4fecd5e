/**
 * Changes to an input: what libFuzzer does to bytes, for texts. One call stacks one to eight changes; bytes, words of a
 * dictionary, digits, pieces of the input itself and of another input. Deterministic by its random source.
 */
import type { Random } from '../../test/reference/random.ts';

/** Longest input, bytes; a seed may be longer. */
export const LONGEST = 4096;

/** Makes a new input out of `input`; `other` is any other one. */
export function mutateInput(
  random: Random,
  input: Uint8Array,
  other: Uint8Array,
  words: readonly Uint8Array[],
): Uint8Array {
  let bytes = input;
  const changes = 1 << random.below(4);
  for (let i = 0; i < changes; i++) bytes = change(random, bytes, other, words);
  return bytes.slice(0, Math.max(LONGEST, input.length));
}

function change(
  random: Random,
  bytes: Uint8Array,
  other: Uint8Array,
  words: readonly Uint8Array[],
): Uint8Array {
  const at = random.below(bytes.length + 1);
  const [from, to] = piece(random, bytes.length);
  switch (random.below(10)) {
    case 0:
      return splice(bytes, from, to, EMPTY);
    case 1:
      return splice(bytes, at, at, bytes.subarray(from, to));
    case 2:
      return splice(bytes, from, to, other.subarray(...piece(random, other.length)));
    case 3:
      return splice(bytes, at, at, other.subarray(...piece(random, other.length)));
    case 4:
      return splice(bytes, at, at, Uint8Array.of(random.below(256)));
    case 5:
      return put(bytes, at, (byte) => byte ^ (1 << random.below(8)));
    case 6:
      return put(bytes, at, (byte) => byte + 1 - 2 * random.below(2));
    case 7:
      return splice(bytes, from, to, random.pick(words));
    case 8:
      return splice(bytes, at, at, new TextEncoder().encode(`${number(random)}`));
    default:
      return splice(bytes, at, at, random.pick(words));
  }
}

const EMPTY = new Uint8Array();

/** Bounds of a piece, mostly a short one. */
function piece(random: Random, length: number): [number, number] {
  const from = random.below(length + 1);
  return [from, Math.min(length, from + random.below(random.oneIn(4) ? length + 1 : 9))];
}

/** Numbers around powers of two and the limits of ports and prefixes. */
function number(random: Random): number {
  return random.pick([0, 1, 8, 24, 32, 33, 64, 96, 128, 129, 255, 256, 443, 65535, 65536, 2 ** 32]);
}

function splice(bytes: Uint8Array, from: number, to: number, middle: Uint8Array): Uint8Array {
  const result = new Uint8Array(from + middle.length + bytes.length - to);
  result.set(bytes.subarray(0, from));
  result.set(middle, from);
  result.set(bytes.subarray(to), from + middle.length);
  return result;
}

function put(bytes: Uint8Array, at: number, value: (byte: number) => number): Uint8Array {
  const result = bytes.slice();
  if (at < result.length) result[at] = value(result[at] ?? 0);
  return result;
}
