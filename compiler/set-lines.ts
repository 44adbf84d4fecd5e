/**
 * The text of a set file on its way into policy.wasm, which decodes plain lines (policy/lines.ts)
 * faster than they could be cut out here. Read a piece at a time into the module's memory, so that
 * a file of a million lines is nowhere as a whole. Decides nothing about lines: those that are not
 * plain are handed back as text.
 */
import { ipv4Value } from './address.ts';
import * as F from './format.gen.ts';
import type { Prefix, PrefixList } from './model.ts';
import { instantiate, type PolicyExports, type PolicyModule } from './wasm.ts';

/** Where a text comes from. */
export interface TextStream {
  /** Bytes there are in all, for estimates; 0 when that is not known. */
  readonly bytes: number;
  /** Fills an array from its start and returns how many bytes that were; 0 at the end. */
  read(into: Uint8Array): number;
}

/** Whom a reader asks and tells. */
export interface LineHandler {
  /** The prefix of a line that is not plain, canonical and of its family; undefined when it has none. */
  readLine(text: string, line: number): Prefix | undefined;
  /** Is told after each piece how many lines have been read, and how much of the text, 0 to 1. */
  tell(lines: number, done: number): void;
}

/** Bytes that are read at once. */
const PIECE = 1 << 16;
/** Lines that room is made for beforehand at most. */
const MOST_EXPECTED = 1 << 22;
/** Bytes of a text by which the length of its lines is judged. */
const SAMPLE = 4096;
const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Reads a text to its end; returns the prefixes of its lines in their order. */
export function readSetLines(
  policy: PolicyModule,
  stream: TextStream,
  handler: LineHandler,
): PrefixList {
  const instance = instantiate(policy);
  let room = 2 * PIECE;
  let memory = instance.alloc(room) >>> 0;
  // The views are taken anew after each call, because growing the memory detaches them.
  const view = (from: number, end: number): Uint8Array =>
    new Uint8Array(instance.memory.buffer, memory + from, end - from);
  let lines = 0;
  let bytes = 0;
  // How much of the text in memory belongs to a line whose end is not read yet.
  let kept = 0;
  let isOver = false;
  while (!isOver) {
    if (kept + PIECE >= room) {
      const longer = instance.alloc(2 * room) >>> 0;
      new Uint8Array(instance.memory.buffer).copyWithin(longer, memory, memory + kept);
      [memory, room] = [longer, 2 * room];
    }
    const got = stream.read(view(kept, kept + PIECE));
    isOver = got === 0;
    let end = kept + got;
    // The last line may lack its end.
    if (isOver && kept > 0) view(end, ++end)[0] = NEWLINE;
    const whole = view(0, end).lastIndexOf(NEWLINE) + 1;
    let at = bytes === 0 && hasMark(view(0, whole)) ? 3 : 0;
    if (bytes === 0) instance.reserveList(estimateLines(view(0, end), stream.bytes));
    bytes += got;
    while (at < whole) {
      at += instance.readLines(memory + at, whole - at) >>> 0;
      lines += instance.linesRead() >>> 0;
      if (at === whole) break;
      const rest = view(at, whole);
      const next = rest.indexOf(NEWLINE) + 1;
      const stop = next > 1 && rest[next - 2] === RETURN ? next - 2 : next - 1;
      const prefix = handler.readLine(new TextDecoder().decode(rest.subarray(0, stop)), ++lines);
      if (prefix !== undefined) addPrefix(instance, prefix);
      at += next;
    }
    kept = end - whole;
    view(0, end).copyWithin(0, whole);
    if (!isOver) handler.tell(lines, Math.min(1, bytes / Math.max(stream.bytes, bytes)));
  }
  return takeList(instance);
}

function hasMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

/** How many lines a text has if all are as long as those at its start, and a few more. */
function estimateLines(text: Uint8Array, bytes: number): number {
  const start = text.subarray(0, SAMPLE);
  let lines = 1;
  for (const byte of start) if (byte === NEWLINE) lines++;
  const all = start.length === 0 ? 0 : (bytes / start.length) * lines * 1.1;
  return Math.ceil(Math.min(all + PIECE / 4, MOST_EXPECTED));
}

function addPrefix(instance: PolicyExports, { address, bits }: Prefix): void {
  if (address.length === 4) {
    instance.addIpv4(ipv4Value(address), bits);
    return;
  }
  const words = new DataView(address.buffer, address.byteOffset, 16);
  const [a, b, c, d] = [0, 4, 8, 12].map((at) => words.getUint32(at));
  instance.addIpv6(a ?? 0, b ?? 0, c ?? 0, d ?? 0, bits);
}

/** The list as views of the instance's memory, which lives as long as they do. */
function takeList(instance: PolicyExports): PrefixList {
  const cell = new DataView(instance.memory.buffer, instance.listCell() >>> 0, F.DRAFT_SET_BYTES);
  const { buffer } = instance.memory;
  const at = (field: number): number => cell.getUint32(field, true);
  const count4 = at(F.DRAFT_SET_V4_COUNT);
  const count6 = at(F.DRAFT_SET_V6_COUNT);
  return {
    v4: new Uint32Array(buffer, at(F.DRAFT_SET_V4), count4),
    v4Bits: new Uint8Array(buffer, at(F.DRAFT_SET_V4_BITS), count4),
    v6: new Uint8Array(buffer, at(F.DRAFT_SET_V6), count6 * 16),
    v6Bits: new Uint8Array(buffer, at(F.DRAFT_SET_V6_BITS), count6),
  };
}
