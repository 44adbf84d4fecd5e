/**
 * `[dns]`: how names become addresses. Reads the section; what follows for names is pin.ts's and
 * wildcards.ts's decision.
 */
import type { Fault } from './diagnostic.ts';
import type { Dns, PrivateName } from './model.ts';
import { readPrivateNames, readWideNames } from './name-lists.ts';
import { type Placed, placeInString } from './placed.ts';
import { locate } from './shape.ts';
import type { Source } from './source.ts';
import type { TomlTable } from './toml-tree.ts';

/** The section as written, with its defaults, and what is wrong with it. */
export interface DnsSection {
  readonly resolve: Dns['resolve'];
  /** Seconds; 0 unless names are pinned when compiling. */
  readonly maxAge: number;
  readonly privateNames: readonly PrivateName[];
  readonly wideNames: readonly PrivateName[];
  readonly errors: readonly Placed[];
}

/** Most services keep an address longer than this; those that do not want `exec` or `live`. */
export const DEFAULT_MAX_AGE: number = 7 * 86_400;

/** Reads the section. Values of a wrong type are passed over; the schema reports them. */
export function readDnsSection(root: TomlTable, source: Source): DnsSection {
  const errors: Placed[] = [];
  const mode = locate(root, ['dns', 'resolve'])?.node;
  const word = mode?.kind === 'string' ? mode.value : undefined;
  const resolve = word === 'compile' || word === 'live' ? word : 'exec';
  let maxAge = resolve === 'compile' ? DEFAULT_MAX_AGE : 0;
  const age = locate(root, ['dns', 'max_age']);
  if (age?.node.kind === 'string') {
    const parsed = parseDuration(String(age.node.value));
    if (typeof parsed !== 'number') errors.push(placeInString(source, age.node, parsed));
    else if (resolve === 'compile') maxAge = parsed;
    else {
      const message = '`max_age` is about names that are pinned when the policy is compiled';
      const help = 'write `resolve = "compile"` beside it, or remove it';
      const fault: Fault = { code: 'SL3012', message, ...age.key, help };
      errors.push({ at: age.key.start, diagnostic: source.diagnose(fault) });
    }
  }
  const exempt = readPrivateNames(root, source);
  const wide = readWideNames(root, source);
  return {
    resolve,
    maxAge,
    privateNames: exempt.names,
    wideNames: wide.names,
    errors: [...errors, ...exempt.errors, ...wide.errors],
  };
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** The table keeps seconds in 32 bits. */
const LONGEST = 2 ** 32 - 1;

/** Seconds of `90s`, `15m`, `12h` or `7d`. */
function parseDuration(text: string): number | Fault {
  const [, digits = '', unit = ''] = /^([1-9][0-9]{0,9})([smhd])$/.exec(text) ?? [];
  const seconds = Number(digits) * (SECONDS[unit] ?? 0);
  if (seconds > 0 && seconds <= LONGEST) return seconds;
  const expected = 'a number and a unit, such as 90s, 15m, 12h or 7d';
  const message = `\`${text}\` is no length of time`;
  return { code: 'SL2024', message, start: 0, end: text.length, expected };
}
