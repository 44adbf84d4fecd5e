/** Port sets as ranges: what one has and another lacks, and their text. */
import type { PortRange } from './model.ts';

/** The ports of `a` that `b` lacks. Both ascending, disjoint, not adjacent; so is the result. */
export function subtractPorts(
  a: readonly PortRange[],
  b: readonly PortRange[],
): readonly PortRange[] {
  const rest: PortRange[] = [];
  let other = 0;
  for (const { low, high } of a) {
    let from = low;
    while ((b[other]?.high ?? Infinity) < from) other++;
    for (let i = other; from <= high; i++) {
      const cut = b[i];
      if (cut === undefined || cut.low > high) {
        rest.push({ low: from, high });
        break;
      }
      if (cut.low > from) rest.push({ low: from, high: cut.low - 1 });
      from = Math.max(from, cut.high + 1);
    }
  }
  return rest;
}

/** `443`, `80,8000-8010`, `*`. */
export function formatPorts(ranges: readonly PortRange[]): string {
  const [first] = ranges;
  if (first !== undefined && first.low === 0 && first.high === 65535) return '*';
  return ranges.map(({ low, high }) => (low === high ? `${low}` : `${low}-${high}`)).join(',');
}
