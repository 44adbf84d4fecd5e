/**
 * Decides which boundaries (fold.ts) become spans (docs/format.md §4). A prefix that stands alone
 * has two boundaries, one where it begins and one that gives its surroundings back what they had.
 * Lists of addresses consist of little else, so there the second one is left out: the first says
 * how long its prefix is, and what applies behind all such prefixes is said once for the trie, as
 * its background.
 *
 *     boundaries   0.0.0.0 → 0   10.0.0.0 → 1        11.0.0.0 → 0   192.0.2.0 → 1        192.0.3.0 → 0
 *     with spans   0.0.0.0 → 0   10.0.0.0/8 → 1                     192.0.2.0/24 → 1                     background 0
 *
 * A span is never shorter than the root, so that it lies in one child: starts that hold only what
 * the root has not consumed are enough to tell whether a key is inside. How wide the root is
 * depends on how many boundaries there are, so spans are counted by their bits first.
 */
import { BOUNDARY_LO, BOUNDARY_TAG } from './fold';
import { ROOT_BITS_MAX } from './format';
import { List, newList } from './list';
import { tagCount } from './tags';

// Classes of bits: each number that a root may have, then those that need no lower half of an address, then the rest.
const UPPER_HALF: u32 = ROOT_BITS_MAX + 1;
const BOTH_HALVES: u32 = UPPER_HALF + 1;
const CLASSES: u32 = BOTH_HALVES + 1;

/** How many spans of each class end where a tag begins, by the tag: CLASSES u32. */
const followers: List = newList(CLASSES << 2);

/** The background that leaves out most, and how many boundaries that is. */
export let background: u32 = 0;
export let leftOut: u32 = 0;

/** Forgets what was counted. */
export function clearSpans(): void {
  followers.count = 0;
}

/** Counts a span that ends where the tag begins; more than 128 bits are none. */
export function countSpan(bits: u32, follower: u32): void {
  if (bits > 128) return;
  while (followers.count < tagCount()) memory.fill(followers.push(), 0, CLASSES << 2);
  const kind = bits <= ROOT_BITS_MAX ? bits : bits <= 64 ? UPPER_HALF : BOTH_HALVES;
  const count = followers.at(follower) + ((<usize>kind) << 2);
  store<u32>(count, load<u32>(count) + 1);
}

/**
 * Finds the background if spans have at least that many bits, and none in the lower half of an
 * address or any. `least` is at least 1.
 */
export function chooseBackground(least: u32, inBothHalves: bool): void {
  const end = inBothHalves ? CLASSES : BOTH_HALVES;
  background = 0;
  leftOut = 0;
  for (let set: u32 = 0; set < followers.count; set++) {
    let count: u32 = 0;
    for (let kind = least; kind < end; kind++) {
      count += load<u32>(followers.at(set) + ((<usize>kind) << 2));
    }
    if (count <= leftOut) continue;
    background = set;
    leftOut = count;
  }
}

/**
 * The bits of the prefix that begins at one boundary and ends before the next; more than 128 when that is no prefix.
 */
export function bitsUntil(boundary: usize, next: usize): u32 {
  const hi = load<u64>(boundary);
  const lo = load<u64>(boundary, BOUNDARY_LO);
  const nextLo = load<u64>(next, BOUNDARY_LO);
  // Bits that differ between the first and the last address: all of those below the prefix, and
  // none of the first address.
  const below = lo ^ (nextLo - 1);
  const above = hi ^ (load<u64>(next) - (nextLo == 0 ? 1 : 0));
  if (((hi & above) | (lo & below)) != 0) return 255;
  if (above != 0 && ~below != 0) return 255;
  if ((above & (above + 1)) != 0 || (below & (below + 1)) != 0) return 255;
  return 128 - <u32>popcnt(above) - <u32>popcnt(below);
}

/** The bits of a boundary as a span if what follows it is the background; 0 when it can not be one. */
export function spanBits(boundary: usize, next: usize, least: u32, most: u32): u32 {
  if (load<u32>(next, BOUNDARY_TAG) != background) return 0;
  const bits = bitsUntil(boundary, next);
  return bits >= least && bits <= most ? bits : 0;
}
