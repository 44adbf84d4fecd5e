/**
 * Merges runs: lists of entries (prefix.ts) that are sorted already, most of them sets, each with
 * what is done with all of its entries. A heap has the run with the least entry on top, so an entry
 * costs a comparison or two for few runs, and memory is needed for the result alone.
 */
import { BLOCK } from './block';
import { List, newList } from './list';
import { ENTRY, ENTRY_BITS, ENTRY_LO, ENTRY_TAG } from './prefix';
import { NOTHING } from './tags';

// Run: its next entry usize, its end usize, action u32, tag u32 (NOTHING: what stands in the
// entries), upper half of the next address u64.
const RUN: u32 = 24;
const RUN_END: u32 = 4;
const RUN_ACTION: u32 = 8;
const RUN_TAG: u32 = 12;
const RUN_HI: u32 = 16;

/** A list of runs. */
export function newRuns(): List {
  return newList(RUN);
}

/** Adds a run of entries that do not change until they are merged; an empty one is left out. */
export function addRun(runs: List, entries: List, action: u32, tag: u32): void {
  if (entries.count == 0) return;
  const run = runs.push();
  store<usize>(run, entries.ptr);
  store<usize>(run, entries.at(entries.count), RUN_END);
  store<u32>(run, action, RUN_ACTION);
  store<u32>(run, tag, RUN_TAG);
  store<u64>(run, load<u64>(entries.ptr), RUN_HI);
}

/** The entries of a run that is not begun. */
export function entriesOf(run: usize): u32 {
  return <u32>((load<usize>(run, RUN_END) - load<usize>(run)) / ENTRY);
}

export function entryOf(run: usize, index: u32): usize {
  return load<usize>(run) + <usize>index * ENTRY;
}

export function actionOf(run: usize): u32 {
  return load<u32>(run, RUN_ACTION);
}

export function tagOfRun(run: usize): u32 {
  return load<u32>(run, RUN_TAG);
}

/** Merges runs into an empty list, sorted. */
export function mergeRuns(runs: List, to: List): void {
  let count: u32 = 0;
  for (let i: u32 = 0; i < runs.count; i++) count += entriesOf(runs.at(i));
  for (let i = runs.count; i > 0; i--) sink(runs, i - 1);
  let out = to.pushMany(count);
  for (; count > BLOCK; count -= BLOCK) out = mergeSome(runs, out, BLOCK);
  mergeSome(runs, out, count);
}

/** Takes that many entries, all of which are there; returns the end of what is written. */
function mergeSome(runs: List, to: usize, count: u32): usize {
  let out = to;
  for (let i: u32 = 0; i < count; i++) {
    const run = runs.ptr;
    const entry = load<usize>(run);
    const tag = load<u32>(run, RUN_TAG);
    store<u64>(out, load<u64>(run, RUN_HI));
    store<u64>(out, load<u64>(entry, ENTRY_LO), ENTRY_LO);
    if (tag == NOTHING) {
      store<u64>(out, load<u64>(entry, ENTRY_BITS), ENTRY_BITS);
    } else {
      const bits = <u32>load<u8>(entry, ENTRY_BITS);
      store<u32>(out, bits | (load<u32>(run, RUN_ACTION) << 8), ENTRY_BITS);
      store<u32>(out, tag, ENTRY_TAG);
    }
    out += ENTRY;
    const next = entry + ENTRY;
    if (next == load<usize>(run, RUN_END)) {
      runs.count -= 1;
      memory.copy(run, runs.at(runs.count), RUN);
    } else {
      store<usize>(run, next);
      store<u64>(run, load<u64>(next), RUN_HI);
    }
    sink(runs, 0);
  }
  return out;
}

/** Brings the run at a place of the heap below all that come before it. */
function sink(runs: List, place: u32): void {
  const count = runs.count;
  let at = place;
  while (true) {
    let child: u32 = 2 * at + 1;
    if (child >= count) return;
    if (child + 1 < count && isBefore(runs.at(child + 1), runs.at(child))) child += 1;
    const upper = runs.at(at);
    const lower = runs.at(child);
    if (!isBefore(lower, upper)) return;
    swap(upper, lower);
    at = child;
  }
}

function isBefore(a: usize, b: usize): bool {
  const hiA = load<u64>(a, RUN_HI);
  const hiB = load<u64>(b, RUN_HI);
  if (hiA != hiB) return hiA < hiB;
  const entryA = load<usize>(a);
  const entryB = load<usize>(b);
  const loA = load<u64>(entryA, ENTRY_LO);
  const loB = load<u64>(entryB, ENTRY_LO);
  if (loA != loB) return loA < loB;
  return load<u8>(entryA, ENTRY_BITS) < load<u8>(entryB, ENTRY_BITS);
}

function swap(a: usize, b: usize): void {
  for (let field: usize = 0; field < RUN; field += 8) {
    const kept = load<u64>(a + field);
    store<u64>(a + field, load<u64>(b + field));
    store<u64>(b + field, kept);
  }
}
