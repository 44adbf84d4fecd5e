/**
 * What a user is told about refused calls: a line each, few enough to be read. A program in a loop may be
 * refused thousands of times a second; after a first burst one line a second is left, and the others are
 * counted. The log gets every record. Time is the records' own, so the same records give the same text.
 */
import { errnoName } from './errno.ts';
import type { DeniedRecord } from './records.ts';
import { printable } from './standard-error.ts';

/** Turns denials into lines for the terminal, each ending in a newline; '' when there is nothing to say. */
export interface DenialReporter {
  /** Text for one more denial. */
  report(record: DeniedRecord): string;
  /** What is still to be said at the end; `dropped` counts the records that were lost. */
  finish(dropped: number): string;
}

/** Lines in a row before counting begins: enough for the retries of an honest program to be shown whole. */
const BURST = 10;

/** One more line is granted after this time, up to BURST. */
const REFILL_MS = 1000;

/** A reporter that starts with a full burst. */
export function createDenialReporter(): DenialReporter {
  let credit = BURST;
  let lastMs = Number.NaN;
  let held = 0;
  return {
    report(record) {
      const elapsedMs = Math.max(0, record.timeMs - lastMs || 0);
      credit = Math.min(BURST, credit + elapsedMs / REFILL_MS);
      lastMs = record.timeMs;
      if (credit < 1) {
        held += 1;
        return '';
      }
      credit -= 1;
      const text = `${formatHeld(held)}${formatDenial(record)}`;
      held = 0;
      return text;
    },
    finish: (dropped) => formatHeld(held + dropped),
  };
}

/** `sandlock: denied tcp 127.0.0.2:80 — curl[4711]` and a newline; bind and listen are named. */
export function formatDenial(record: DeniedRecord): string {
  const { call, protocol, program, pid } = record;
  const what = call === 'bind' || call === 'listen' ? `${call} ${protocol}` : protocol;
  return `sandlock: denied ${what} ${formatDestination(record)} — ${printable(program)}[${pid}]\n`;
}

/** One line of the log: every field of the record, the time in ISO 8601, the errno by its name. */
export function formatLogLine(record: DeniedRecord): string {
  const { timeMs, pid, tid, program, call, protocol, address, port, errno } = record;
  const time = new Date(timeMs).toISOString();
  const line = { event: 'denied', time, pid, tid, program, call, protocol, address, port };
  return `${JSON.stringify({ ...line, errno: errnoName(errno) })}\n`;
}

/** The log's line for records that were lost because they were not read in time. */
export function formatLostLine(count: number): string {
  return `${JSON.stringify({ event: 'lost', count })}\n`;
}

function formatDestination({ protocol, address, port }: DeniedRecord): string {
  if (protocol === 'icmp') return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function formatHeld(count: number): string {
  return count === 0 ? '' : `sandlock: … ${count} more denied\n`;
}
