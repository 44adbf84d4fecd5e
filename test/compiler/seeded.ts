/**
 * Random numbers that are the same in every run: a 32-bit xorshift (Marsaglia, 2003).
 */

/** Gives numbers in [0, n). The seed is any integer but 0. */
export function seeded(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}
