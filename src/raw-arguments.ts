/**
 * Arguments of this process as the bytes they are. JavaScript strings can not hold what is not UTF-8, so where Node
 * had to replace a byte the kernel's own copy in /proc is used; a file name in Latin-1 reaches the command unharmed.
 */
import { readFileSync } from 'node:fs';
import { SandlockError } from './errors.ts';

const REPLACEMENT = '\uFFFD';

/** Strings, each ended by a NUL. */
export interface Strings {
  readonly count: number;
  readonly bytes: Buffer;
}

/** Reads /proc/self/cmdline or /proc/self/environ; replaced in tests. */
export type ReadRaw = (path: string) => Buffer;

/** Some of the arguments of this process. */
export interface Words {
  /** The arguments with which its command line ends. */
  readonly last: readonly string[];
  /** Which of them, in order. */
  readonly chosen: readonly number[];
  /** A word before them. */
  readonly first?: string;
}

/** The words, each ended by a NUL. */
export function encodeArguments(
  { last, chosen, first }: Words,
  readRaw: ReadRaw = readFileSync,
): Buffer {
  const texts = chosen.map((index) => last[index] ?? '');
  const before = first === undefined ? [] : [first];
  const raw = hasReplacement(texts) ? rawTail(last.length, readRaw) : undefined;
  if (raw === undefined) return encodeStrings([...before, ...texts]).bytes;
  const none = Buffer.alloc(0);
  const chosenRaw = chosen.map((index) => raw[index] ?? none);
  return joined([...before.map((text) => Buffer.from(text)), ...chosenRaw]).bytes;
}

/** The last `count` arguments of this process; undefined where /proc is not mounted. */
export function rawTail(count: number, readRaw: ReadRaw): Buffer[] | undefined {
  const raw = readStrings(readRaw, '/proc/self/cmdline')?.slice(-count);
  return raw?.length === count ? raw : undefined;
}

/** As one text: a buffer for each string took longer than all else here. */
export function encodeStrings(strings: readonly string[]): Strings {
  let joined = '';
  for (const text of strings) {
    if (text.includes('\0')) {
      throw new SandlockError('usage', 'an argument holds a NUL character');
    }
    joined += `${text}\0`;
  }
  return { count: strings.length, bytes: Buffer.from(joined) };
}

/** Did Node replace a byte of them? */
export function hasReplacement(strings: readonly string[]): boolean {
  for (const text of strings) if (text.includes(REPLACEMENT)) return true;
  return false;
}

/** Puts them one behind the other. */
export function joined(strings: readonly Buffer[]): Strings {
  const end = Buffer.of(0);
  return { count: strings.length, bytes: Buffer.concat(strings.flatMap((text) => [text, end])) };
}

/** Splits at the NULs that end each string; undefined where /proc is not mounted. */
export function readStrings(readRaw: ReadRaw, path: string): Buffer[] | undefined {
  const strings: Buffer[] = [];
  try {
    const bytes = readRaw(path);
    for (let start = 0; start < bytes.length; ) {
      const found = bytes.indexOf(0, start);
      const end = found === -1 ? bytes.length : found;
      strings.push(bytes.subarray(start, end));
      start = end + 1;
    }
  } catch {
    return undefined;
  }
  return strings;
}
