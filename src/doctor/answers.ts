/**
 * The answers of `sl_probe` (docs/native.md): what was tried in throw-away processes, by name.
 * Knows their form, not what they mean.
 */

/** By name: 0 or more where it works, `-errno` where it does not. */
export type Answers = ReadonlyMap<string, number>;

/** Bytes of one answer: a name of 20, NUL padded, and an i32. */
export const ANSWER_BYTES = 24;
const NAME_BYTES = 20;

/** Room for more answers than any version gives. */
export const MOST_ANSWERS = 64;

/** Reads `count` answers. */
export function decodeAnswers(bytes: Buffer, count: number): Answers {
  const answers = new Map<string, number>();
  for (let index = 0; index < count; index += 1) {
    const answer = bytes.subarray(index * ANSWER_BYTES, (index + 1) * ANSWER_BYTES);
    const end = answer.indexOf(0);
    const name = answer.toString('latin1', 0, end === -1 ? NAME_BYTES : Math.min(end, NAME_BYTES));
    answers.set(name, answer.readInt32LE(NAME_BYTES));
  }
  return answers;
}
