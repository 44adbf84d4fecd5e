/**
 * How long work tells how far it is. The compiler neither prints nor reads a clock: it tells after
 * every so many lines or rules, and whoever is told decides whether anybody wants to know.
 */

/** Is told what is being done and how much of it, 0 to 1; undefined when that is not known before its end. */
export type Progress = (work: string, done: number | undefined) => void;

/** Lines or rules between two tellings: a few hundredths of a second. */
export const TELL_EVERY: number = 1 << 15;

/** For those who do not want to know. */
export const untold: Progress = () => undefined;
