/**
 * The port part of a rule: `443`, `80,443`, `8000-8010`, `*`.
 * Gives normalised ranges (ascending, disjoint, not adjacent) or every fault of the list. Knows nothing of what stands
 * before the colon.
 */
import type { Fault } from './diagnostic.ts';
import type { PortRange } from './model.ts';

/** `*`: every port, and what ICMP rules carry (docs/format.md §5). */
export const ALL_PORTS: readonly PortRange[] = [{ low: 0, high: 65535 }];

/** What a rule is about: destinations, or addresses of this machine. It decides what is said, not what parses. */
export type RuleUse = 'reach' | 'bind';

/** Ports, or what is wrong with them. */
export type ParsedPorts =
  | { readonly ok: true; readonly ports: readonly PortRange[] }
  | { readonly ok: false; readonly faults: readonly Fault[] };

const EXPECTED = 'a port (443), a range (8000-8010), a list of those, or `*`';

/** Service names that people write for a port; a suggestion only, never accepted. */
const SERVICES: ReadonlyMap<string, number> = new Map([
  ['domain', 53],
  ['dns', 53],
  ['http', 80],
  ['https', 443],
  ['imaps', 993],
  ['mysql', 3306],
  ['postgres', 5432],
  ['postgresql', 5432],
  ['redis', 6379],
  ['smtp', 25],
  ['ssh', 22],
]);

/**
 * Parses what follows the colon. `at` is its offset in the rule; `at - 1` is the colon.
 */
export function parsePorts(text: string, at: number, use: RuleUse = 'reach'): ParsedPorts {
  const known = KNOWN.get(text);
  if (known !== undefined) return known;
  const parsed = parseList(text, at, use);
  if (parsed.ok && KNOWN.size < MOST_KNOWN) KNOWN.set(text, parsed);
  return parsed;
}

/** Port lists that parsed, whatever they are for: a policy of many rules has few different ones. */
const KNOWN = new Map<string, ParsedPorts>();
const MOST_KNOWN = 1024;

function parseList(text: string, at: number, use: RuleUse): ParsedPorts {
  if (text === '*') return { ok: true, ports: ALL_PORTS };
  if (text === '') {
    const message = 'invalid port: nothing follows the `:`';
    return failed([{ code: 'SL2003', message, start: at - 1, end: at, expected: EXPECTED }]);
  }
  const ranges: PortRange[] = [];
  const faults: Fault[] = [];
  const stars: number[] = [];
  let start = at;
  const items = text.split(',');
  for (const [i, item] of items.entries()) {
    if (item === '*') stars.push(start);
    else if (item === '') {
      const message = 'invalid port: an item of the list is empty';
      const comma = i === 0 ? start : start - 1;
      faults.push({ code: 'SL2003', message, start: comma, end: comma + 1, expected: EXPECTED });
    } else {
      const range = parseItem(item, start, use);
      if ('code' in range) faults.push(range);
      else ranges.push(range);
    }
    start += item.length + 1;
  }
  const star = stars[0];
  if (star !== undefined && stars.length < items.length) {
    const message = 'cannot mix `*` with ports';
    const help = 'keep `*` alone for every port, or list the ports only';
    faults.push({ code: 'SL2006', message, start: star, end: star + 1, help });
  }
  if (faults.length > 0) return failed(faults);
  return { ok: true, ports: star === undefined ? mergeRanges(ranges) : ALL_PORTS };
}

/** Sorts ranges and joins those that overlap or touch. */
export function mergeRanges(ranges: readonly PortRange[]): readonly PortRange[] {
  const merged: PortRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.low - b.low)) {
    const last = merged.at(-1);
    if (last === undefined || range.low > last.high + 1) merged.push(range);
    else merged[merged.length - 1] = { low: last.low, high: Math.max(last.high, range.high) };
  }
  return merged;
}

/** Whether merged ranges hold every port of others. */
export function holdsPorts(merged: readonly PortRange[], wanted: readonly PortRange[]): boolean {
  return wanted.every(({ low, high }) =>
    merged.some((range) => range.low <= low && high <= range.high),
  );
}

function failed(faults: readonly Fault[]): ParsedPorts {
  return { ok: false, faults };
}

function parseItem(item: string, start: number, use: RuleUse): PortRange | Fault {
  const dash = item.indexOf('-');
  if (dash < 0) {
    const port = parsePort(item, start, use);
    return typeof port === 'number' ? { low: port, high: port } : port;
  }
  const whole = { start, end: start + item.length };
  if (dash === 0 || dash === item.length - 1) {
    const message = `invalid port: range \`${item}\` lacks an end`;
    return { code: 'SL2003', message, ...whole, expected: EXPECTED };
  }
  const low = parsePort(item.slice(0, dash), start, use);
  if (typeof low !== 'number') return low;
  const high = parsePort(item.slice(dash + 1), start + dash + 1, use);
  if (typeof high !== 'number') return high;
  if (low <= high) return { low, high };
  const message = `port range ${item} is backwards`;
  return { code: 'SL2005', message, ...whole, help: `did you mean ${high}-${low}?` };
}

function parsePort(text: string, start: number, use: RuleUse): number | Fault {
  const place = { start, end: start + text.length };
  if (!/^[0-9]+$/.test(text)) {
    const message = `invalid port \`${text}\``;
    const known = SERVICES.get(text.toLowerCase());
    const help = known === undefined ? {} : { help: `did you mean ${known}?` };
    return { code: 'SL2003', message, ...place, expected: EXPECTED, ...help };
  }
  const digits = text.replace(/^0+(?=[0-9])/, '');
  const range = 'a port from 1 to 65535';
  if (digits === '0') {
    if (use === 'bind') {
      const message = 'port 0 needs no rule';
      const help = 'it leaves the choice to the kernel; name the port that the program binds';
      return { code: 'SL2004', message, ...place, expected: range, help };
    }
    const message = 'port 0 can not be reached';
    return { code: 'SL2004', message, ...place, expected: range, help: 'write `*` for every port' };
  }
  // Six digits are enough to be above 65535, and keep the number exact.
  const port = Number(digits.slice(0, 6));
  if (port > 65535) {
    return { code: 'SL2004', message: `port ${text} is above 65535`, ...place, expected: range };
  }
  if (digits !== text) {
    const message = `invalid port \`${text}\`: leading zero`;
    return { code: 'SL2003', message, ...place, help: `did you mean ${digits}?` };
  }
  return port;
}
