/**
 * What a user is told about refused calls: a line each, few enough to be read. The same program and
 * destination are told once and then counted; of different ones, after a first burst, one line a
 * second is left and the others are counted. The log gets every decision. Time is the records' own,
 * so the same records give the same text.
 */
import { type Decision, formatUse } from './decision.ts';
import { printable } from './standard-error.ts';

/** Turns denials into lines for the terminal, each ending in a newline; '' when there is nothing to say. */
export interface DenialReporter {
  /** Text for one more denial; `hint` is asked for only if it is printed. */
  report(decision: Decision, hint: () => string): string;
  /** What is still to be said at the end. */
  finish(): string;
}

/** Lines in a row before counting begins. */
const BURST = 10;

/** One more line is granted after this time, up to BURST. */
const REFILL_MS = 1000;

/** A denial that goes on is told again after this time. */
const AGAIN_MS = 60_000;

/** Different denials that are told apart; of more only their number is known. */
const MOST = 1000;

interface Told {
  /** `tcp 127.0.0.2:80 — curl` */
  readonly what: string;
  lineMs: number;
  /** Since that line. */
  repeats: number;
}

/** A reporter that starts with a full burst. */
export function createDenialReporter(): DenialReporter {
  const told = new Map<string, Told>();
  let credit = BURST;
  let lastMs = Number.NaN;
  let held = 0;
  const mayTell = (timeMs: number): boolean => {
    const elapsedMs = Math.max(0, timeMs - lastMs || 0);
    credit = Math.min(BURST, credit + elapsedMs / REFILL_MS);
    lastMs = timeMs;
    return credit >= 1;
  };
  return {
    report(decision, hint) {
      const timeMs = Date.parse(decision.time);
      const what = `${formatUse(decision)} ${printable(decision.destination)} — ${printable(decision.program)}`;
      const before = told.get(what);
      if (before !== undefined && timeMs - before.lineMs < AGAIN_MS) {
        before.repeats += 1;
        return '';
      }
      if (!mayTell(timeMs) || (before === undefined && told.size >= MOST)) {
        held += 1;
        return '';
      }
      credit -= 1;
      const text = `${formatHeld(held)}${formatDenial(decision, hint(), before?.repeats ?? 0)}`;
      held = 0;
      told.set(what, { what, lineMs: timeMs, repeats: 0 });
      return text;
    },
    finish() {
      const repeated = [...told.values()].filter(({ repeats }) => repeats > 0);
      const shown = repeated.sort((a, b) => b.repeats - a.repeats).slice(0, BURST);
      const rest = repeated.slice(BURST).reduce((sum, { repeats }) => sum + repeats, 0);
      const lines = shown.map(
        ({ what, repeats }) => `sandlock: denied ${times(repeats)} more: ${what}\n`,
      );
      return `${lines.join('')}${formatHeld(held + rest)}`;
    },
  };
}

/** `sandlock: denied tcp 192.0.2.1:80 (example.com) — curl[4711]; no tcp rule for this address` and a newline. */
export function formatDenial(decision: Decision, hint: string, repeats = 0): string {
  const { destination, name, program, pid } = decision;
  const known = name === undefined ? '' : ` (${printable(name)})`;
  const who = `${printable(program)}[${pid}]`;
  const again = repeats === 0 ? '' : ` (and ${times(repeats)} before)`;
  const why = hint === '' ? '' : `; ${printable(hint)}`;
  return `sandlock: denied ${formatUse(decision)} ${printable(destination)}${known} — ${who}${again}${why}\n`;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

function formatHeld(count: number): string {
  return count === 0 ? '' : `sandlock: … ${count} more denied\n`;
}
