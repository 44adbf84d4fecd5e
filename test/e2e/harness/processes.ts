/**
 * Looking at processes of the tests' PID namespace by what their command lines say. It looks and waits; whom to end is
 * the test's decision.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { patience } from './stage.ts';

/** Process ids whose command line contains a text, ascending; zombies have none. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => readProc(name, 'cmdline').replaceAll('\0', ' ').includes(text))
    .map(Number)
    .sort((a, b) => a - b);
}

/** The parent of a process; 0 when it is gone. */
export function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)$/m.exec(readProc(String(pid), 'status'))?.[1] ?? 0);
}

/** Between two looks. */
const LOOK_MS = 10;

/**
 * Waits until a condition holds; throws, with what was waited for, when it does not in time. Time
 * is counted by looks: on a machine that lets nobody run, those who look have to wait as well.
 */
export async function until(
  what: string,
  condition: () => boolean,
  limitMs: number = 5000,
): Promise<void> {
  for (let looks = (limitMs * patience) / LOOK_MS; !condition(); looks--) {
    if (looks <= 0) throw new Error(`waited ${limitMs * patience} ms in vain: ${what}`);
    await sleep(LOOK_MS);
  }
}

/** Lets time pass. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A file of /proc/PID; `` when the process is gone, which it may be between any two looks. */
export function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
