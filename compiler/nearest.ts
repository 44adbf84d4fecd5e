/**
 * The nearest known word to a mistyped one, for suggestions.
 * Distance counts insertions, deletions, replacements and swaps of neighbours as one step each. It decides only what is
 * suggested, never what a policy means.
 */

/**
 * The candidate closest to `word`, ignoring case, or undefined when none is close: more than a third of the word's
 * length away (one step is forgiven to any word of two letters or more). Of equally close ones the first.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const lower = word.toLowerCase();
  let most = Math.min(word.length - 1, Math.max(1, Math.floor(word.length / 3)));
  let best: string | undefined;
  for (const candidate of candidates) {
    if (most < 0) break;
    if (Math.abs(candidate.length - word.length) > most) continue;
    const distance = editDistance(lower, candidate.toLowerCase(), most);
    if (distance > most) continue;
    best = candidate;
    most = distance - 1;
  }
  return best;
}

/** Three rows of distances, used again for every pair of words. */
let rows: [Uint32Array, Uint32Array, Uint32Array] = [row(64), row(64), row(64)];

function row(length: number): Uint32Array {
  return new Uint32Array(length);
}

/** Optimal string alignment distance; any number above `most` where it is more than that. */
function editDistance(a: string, b: string, most: number): number {
  // What both begin or end with costs nothing, and names of one site have most of their letters in common.
  let start = 0;
  let [endA, endB] = [a.length, b.length];
  while (start < endA && start < endB && a.charCodeAt(start) === b.charCodeAt(start)) start++;
  while (endA > start && endB > start && a.charCodeAt(endA - 1) === b.charCodeAt(endB - 1)) {
    endA--;
    endB--;
  }
  const width = endB - start;
  if (width >= rows[0].length) rows = [row(2 * width), row(2 * width), row(2 * width)];
  let [beforeLast, last, next] = rows;
  for (let j = 0; j <= width; j++) last[j] = j;
  let before = 0;
  for (let i = 1; i <= endA - start; i++) {
    const own = a.charCodeAt(start + i - 1);
    let least = i;
    let left = i;
    next[0] = i;
    for (let j = 1; j <= width; j++) {
      const other = b.charCodeAt(start + j - 1);
      const replaced = (last[j - 1] ?? 0) + (own === other ? 0 : 1);
      let cost = Math.min((last[j] ?? 0) + 1, left + 1, replaced);
      if (
        i > 1 &&
        j > 1 &&
        own === b.charCodeAt(start + j - 2) &&
        a.charCodeAt(start + i - 2) === other
      ) {
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      }
      next[j] = cost;
      left = cost;
      if (cost < least) least = cost;
    }
    // A distance comes from the row above or, by a swap, from the one above that at one more.
    if (least > most && before >= most) return most + 1;
    before = least;
    [beforeLast, last, next] = [last, next, beforeLast];
  }
  return last[width] ?? 0;
}
