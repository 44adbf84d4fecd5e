/** How a command ended: the wait(2) status, taken apart. */

/** The end of a command: it exited by itself or was killed by a signal. */
export type Outcome = { readonly exit: number } | { readonly signal: number };

/** Splits a wait(2) status. */
export function decodeStatus(status: number): Outcome {
  const signal = status & 0x7f;
  return signal === 0 ? { exit: (status >> 8) & 0xff } : { signal };
}
