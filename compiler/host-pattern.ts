/**
 * The target of a rule: `*`, an address or CIDR, a name, `*.name`, or `@set`. Says what is written
 * and what is wrong with it. Whether such a target may stand in this rule (names in deny,
 * wildcards) is rules.ts's decision; whether the set exists is draft.ts's.
 */
import { parseIpv4, parseIpv6 } from './address.ts';
import type { Fault } from './diagnostic.ts';
import { endsInNumber, parseName } from './host-name.ts';
import type { Target } from './model.ts';
import { parsePrefix } from './prefix.ts';

/** A target as written. `wildcard` is any name below `suffix`. */
export type Pattern = Target | { readonly kind: 'wildcard'; readonly suffix: string };

/** A target, or what is wrong with it. */
export type ParsedPattern =
  | { readonly ok: true; readonly pattern: Pattern }
  | { readonly ok: false; readonly fault: Fault };

/** Set names, also the keys of `[sets]`. */
const SET_NAME: RegExp = /^[A-Za-z0-9_-]+$/;

/**
 * Parses a target, brackets included. `at` is where `text` stands in the rule that the fault's offsets count from.
 * `text` holds no colon outside brackets.
 */
export function parsePattern(text: string, at: number): ParsedPattern {
  const end = at + text.length;
  if (text === '' || text === '*') return { ok: true, pattern: { kind: 'any' } };
  if (text.startsWith('[')) return parseBracketed(text, at);
  if (text.startsWith('@')) return parseSetName(text.slice(1), at + 1);
  if (text.startsWith('*.')) return parseWildcard(text, at);
  const slash = text.indexOf('/');
  const host = slash < 0 ? text : text.slice(0, slash);
  if (endsInNumber(host)) {
    const parsed = parsePrefix(text, at, 4, (form) => form);
    return parsed.ok ? { ok: true, pattern: { kind: 'prefix', prefix: parsed.prefix } } : parsed;
  }
  if (slash >= 0) {
    const message = `\`${text.slice(slash)}\` stands behind \`${host}\`, which is not an address`;
    const expected = 'a name alone, or an address with its prefix length';
    return failed({ code: 'SL2012', message, start: at + slash, end, expected });
  }
  const star = text.indexOf('*');
  if (star >= 0) return failed(misplacedStar(text, at + star));
  const parsed = parseName(text, at);
  return parsed.ok ? { ok: true, pattern: { kind: 'name', name: parsed.name } } : parsed;
}

function parseBracketed(text: string, at: number): ParsedPattern {
  const close = text.indexOf(']');
  const inner = text.slice(1, close);
  const whole = { start: at, end: at + text.length };
  if (parseIpv4(inner.replace(/\/[0-9]+$/, '')) !== undefined) {
    const message = 'an IPv4 address takes no brackets';
    return failed({ code: 'SL2019', message, ...whole, help: `did you mean ${inner}?` });
  }
  const host = inner.replace(/\/.*$/, '');
  if (!host.includes(':') && host !== '') {
    const message = `\`${host}\` is not an IPv6 address, and nothing else takes brackets`;
    return failed({ code: 'SL2019', message, ...whole, help: `did you mean ${inner}?` });
  }
  const parsed = parsePrefix(inner, at + 1, 6, (form) => `[${form}]`);
  return parsed.ok ? { ok: true, pattern: { kind: 'prefix', prefix: parsed.prefix } } : parsed;
}

function parseSetName(name: string, at: number): ParsedPattern {
  if (SET_NAME.test(name)) return { ok: true, pattern: { kind: 'set', set: name } };
  const strange = /[^A-Za-z0-9_-]/u.exec(name);
  const expected = 'a set name of letters, digits, `-` and `_`';
  if (strange === null) {
    const message = 'the set name is missing behind `@`';
    return failed({ code: 'SL2016', message, start: at - 1, end: at, expected });
  }
  const start = at + strange.index;
  const message = `a set name can not hold \`${strange[0]}\``;
  return failed({ code: 'SL2016', message, start, end: start + strange[0].length, expected });
}

function parseWildcard(text: string, at: number): ParsedPattern {
  const rest = text.slice(2);
  const star = rest.indexOf('*');
  if (star >= 0) return failed(misplacedStar(text, at + 2 + star));
  if (endsInNumber(rest)) {
    const message = 'a wildcard stands for names, not for addresses';
    const help = 'write a CIDR, such as 10.0.0.0/8';
    return failed({ code: 'SL2015', message, start: at, end: at + text.length, help });
  }
  if (rest === '') {
    const message = 'a wildcard needs the name that follows it';
    const expected = '`*` alone, or `*.` and a name';
    return failed({ code: 'SL2015', message, start: at, end: at + 2, expected });
  }
  const parsed = parseName(rest, at + 2);
  return parsed.ok ? { ok: true, pattern: { kind: 'wildcard', suffix: parsed.name } } : parsed;
}

function misplacedStar(text: string, start: number): Fault {
  const message = `\`*\` can not be a part of \`${text}\``;
  const expected = '`*` alone, or `*.` and a name';
  return { code: 'SL2015', message, start, end: start + 1, expected };
}

/** Whether a text is an IPv6 address, or one with a prefix length. */
export function isIpv6Target(text: string): boolean {
  return parseIpv6(text.replace(/\/[0-9]{1,3}$/, '')) !== undefined;
}

function failed(fault: Fault): ParsedPattern {
  return { ok: false, fault };
}
