/**
 * Decides which boundaries (fold.ts) become spans (docs/format.md §4). A prefix that stands alone has two boundaries, one where it begins and
 * one that gives its surroundings back what they had. Lists of addresses consist of little else, so there the second one is left
 * out: the first says how long its prefix is, and what applies behind all such prefixes is said once for the trie, as its background.
 *
 *     boundaries   0.0.0.0 → 0   10.0.0.0 → 1        11.0.0.0 → 0   192.0.2.0 → 1        192.0.3.0 → 0
 *     with spans   0.0.0.0 → 0   10.0.0.0/8 → 1                     192.0.2.0/24 → 1                     background 0
 *
 * A span is never shorter than the root, so that it lies in one child: starts that hold only what the root has not consumed are enough to
 * tell whether a key is inside.
 */
import { BOUNDARY, BOUNDARY_BITS, BOUNDARY_LO, BOUNDARY_SET } from './fold';
import { List, newList } from './list';
import { portSetCount } from './ports';

/** How many boundaries a background would leave out, by the builder's id of the port set. */
const followers: List = newList(4);

/** The background that leaves out most, and how many boundaries that is. */
export let background: u32 = 0;
export let leftOut: u32 = 0;

/**
 * Notes in each boundary the bits of the prefix from there to the next one, 0 if that is none of `least` to `most` bits, and finds the
 * background. `least` is at least 1.
 */
export function measureSpans(boundaries: List, least: u32, most: u32): void {
  const sets = portSetCount();
  followers.count = 0;
  memory.fill(followers.pushMany(sets), 0, (<usize>sets) << 2);
  const last = boundaries.at(boundaries.count - 1);
  for (let boundary = boundaries.ptr; boundary < last; boundary += BOUNDARY) {
    const bits = bitsUntil(boundary, boundary + BOUNDARY);
    const isSpan = bits >= least && bits <= most;
    store<u32>(boundary, isSpan ? bits : 0, BOUNDARY_BITS);
    if (!isSpan) continue;
    const count = followers.at(load<u32>(boundary + BOUNDARY, BOUNDARY_SET));
    store<u32>(count, load<u32>(count) + 1);
  }
  // What reaches to the end of all addresses is followed by nothing.
  store<u32>(last, 0, BOUNDARY_BITS);
  background = 0;
  leftOut = load<u32>(followers.at(0));
  for (let set: u32 = 1; set < sets; set++) {
    const count = load<u32>(followers.at(set));
    if (count <= leftOut) continue;
    background = set;
    leftOut = count;
  }
}

/** Leaves out the boundaries that only give the background back. Neighbours differ, so none of two in a row is left out. */
export function leaveOut(boundaries: List): void {
  const end = boundaries.at(boundaries.count);
  let to = boundaries.ptr;
  for (let from = boundaries.ptr; from < end; from += BOUNDARY) {
    const next = from + BOUNDARY;
    const isSpan =
      load<u32>(from, BOUNDARY_BITS) != 0 && load<u32>(next, BOUNDARY_SET) == background;
    const bits = isSpan ? load<u32>(from, BOUNDARY_BITS) : 0;
    memory.copy(to, from, BOUNDARY);
    store<u32>(to, bits, BOUNDARY_BITS);
    to += BOUNDARY;
    if (isSpan) from = next;
  }
  boundaries.count -= leftOut;
}

/** The bits of the prefix that begins at one boundary and ends before the next; more than 128 when that is no prefix. */
function bitsUntil(boundary: usize, next: usize): u32 {
  const hi = load<u64>(boundary);
  const lo = load<u64>(boundary, BOUNDARY_LO);
  const nextLo = load<u64>(next, BOUNDARY_LO);
  // Bits that differ between the first and the last address: all of those below the prefix, and none of the first address.
  const below = lo ^ (nextLo - 1);
  const above = hi ^ (load<u64>(next) - (nextLo == 0 ? 1 : 0));
  if (((hi & above) | (lo & below)) != 0) return 255;
  if (above != 0 && ~below != 0) return 255;
  if ((above & (above + 1)) != 0 || (below & (below + 1)) != 0) return 255;
  return 128 - <u32>popcnt(above) - <u32>popcnt(below);
}
