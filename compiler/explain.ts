/**
 * Why a destination is allowed or denied, and what would change that: the verdict of the enforcer's
 * own look-up, the rules that decide, those they overrule, and for a denial the rules that come
 * close and the one to add. Pure: what `check` prints and what is said of a refused call at run
 * time both come from here, for tables of any size in a time that does not grow with the number of
 * rules.
 */
import { canonicalAddress, formatAddress, isMapped } from './address.ts';
import { familiesFor } from './families.ts';
import type { Action, FamilyName, Protocol } from './model.ts';
import { DNS_PORT } from './name-servers.ts';
import type { Nearness, NearRef, RuleRef } from './rule-ref.ts';
import { isBind, toCanonical, widen } from './stored-address.ts';
import type { Table } from './table.ts';

/** What is asked: an address to reach or, of the bind protocols, to bind. */
export interface Question {
  readonly protocol: Protocol;
  /** 4 or 16 bytes, network order. */
  readonly address: Uint8Array;
  /** 0 for ICMP. */
  readonly port: number;
  /** The name by which the address is known, if it is; the suggestion is written with it. */
  readonly name?: string;
}

/**
 * Why the verdict is what it is: `allow-rule` or `deny-rule` decided, `live-name` allows once the
 * command has asked for the name; or nothing did, because sockets of that `family` are not allowed,
 * no allow rule is about the `protocol`, none covers the `address`, or those that cover it have
 * other ports (`port`). Of an unknown verdict: no rule has the `name`, so that its addresses are
 * not known.
 */
export type Cause =
  | 'allow-rule'
  | 'live-name'
  | 'deny-rule'
  | 'family'
  | 'protocol'
  | 'address'
  | 'port'
  | 'name';

/** What to add so that the destination is allowed. */
export interface Suggestion {
  /** The list of `[network]`. */
  readonly list: 'allow' | 'allow_bind' | 'allow_unix' | 'allow_families';
  /** The rule, or word, without quotes. */
  readonly rule: string;
  /** The last rule that the list has in the file; undefined when it has none. */
  readonly after: { readonly source: string; readonly line: number } | undefined;
}

/** The answer. */
export interface Explanation {
  /** Unknown only of a name that no rule has: an address of it may be allowed by another rule. */
  readonly verdict: Action | 'unknown';
  readonly cause: Cause;
  /** The cause in words: `no tcp rule for this address`. */
  readonly reason: string;
  /** The deciding rules (docs/format.md §7), in source order: each of them would be enough. */
  readonly rules: readonly RuleRef[];
  /** The allow rules that match as well and that the deny rules overrule. */
  readonly overruled: readonly RuleRef[];
  /** Of a denial, allow rules that come close, closest first; few. */
  readonly nearest: readonly NearRef[];
  /** Of a denial that an allow rule can change. */
  readonly suggestion: Suggestion | undefined;
}

const DESTINATIONS: readonly Protocol[] = ['tcp', 'udp', 'icmp'];
const BINDS: readonly Protocol[] = ['tcp-bind', 'udp-bind'];

/** Explains what the table decides. */
export function explain(table: Table, question: Question): Explanation {
  const { protocol, address, port } = question;
  const isIpv4 = address.length === 4 || isMapped(address);
  const missing = missingFamily(table, familiesFor(protocol, isIpv4 ? 4 : 6));
  if (missing !== undefined) return missing;
  const wide = isBind(protocol) ? widen(address) : toCanonical(address);
  const verdict = table.lookup(protocol, address, port);
  const index = table.index();
  const allowing = index.covering('allow', protocol, wide);
  const matching = withPort(table, allowing, port);
  const none = { overruled: [], nearest: [], suggestion: undefined };
  if (verdict === 'allow') {
    return { verdict, cause: 'allow-rule', reason: 'a rule allows it', rules: matching, ...none };
  }
  const denying = withPort(table, index.covering('deny', protocol, wide), port);
  if (denying.length > 0) {
    const reason = 'a deny rule refuses it';
    return { verdict, cause: 'deny-rule', reason, rules: denying, ...none, overruled: matching };
  }
  const cause = findCause(table, protocol, allowing);
  return {
    verdict,
    cause,
    reason: describeCause(cause, protocol, port),
    rules: [],
    overruled: [],
    nearest: findNearest(table, question, wide, allowing),
    suggestion: suggest(table, question),
  };
}

/** Those of some rules that have a port. */
function withPort(table: Table, rules: readonly number[], port: number): readonly RuleRef[] {
  const refs: RuleRef[] = [];
  for (const rule of rules)
    if (table.index().holdsPort(rule, port)) refs.push(table.refs().of(rule));
  return refs;
}

/** The denial of everything that needs one of `wanted`, when none of them is allowed. */
export function missingFamily(
  table: Table,
  wanted: readonly FamilyName[],
): Explanation | undefined {
  const { families } = table.facts();
  if (wanted.some((family) => families.includes(family))) return undefined;
  const reason = `allow_families leaves out ${wanted.join(' and ')}`;
  const [rule = ''] = wanted;
  const suggestion: Suggestion = { list: 'allow_families', rule, after: undefined };
  const nothing = { rules: [], overruled: [], nearest: [] };
  return { verdict: 'deny', cause: 'family', reason, ...nothing, suggestion };
}

function findCause(table: Table, protocol: Protocol, covering: readonly number[]): Cause {
  if (covering.length > 0) return 'port';
  return table.index().group('allow', protocol).all.length > 0 ? 'address' : 'protocol';
}

/** Who is refused a name server wants a name, as a rule, and a rule with the name opens less. */
const NO_NAME_SERVER = 'no rule allows udp (to reach a host by its name, allow the name instead)';

function describeCause(cause: Cause, protocol: Protocol, port: number): string {
  const what = protocol.replace('-', ' ');
  if (cause === 'protocol' && protocol === 'udp' && port === DNS_PORT) return NO_NAME_SERVER;
  if (cause === 'protocol') return `no rule allows ${isBind(protocol) ? `a ${what}` : what}`;
  return cause === 'port'
    ? `no ${what} rule for port ${port} of this address`
    : `no ${what} rule for this address`;
}

/** Rules of each kind that are shown; a user reads no more. */
const MOST_OF_A_KIND = 2;
/** Leading bits in common from which an address alone counts as near: a network of one site. */
const NEAR_BITS = { 4: 16, 6: 48 } as const;

function findNearest(
  table: Table,
  { protocol, port }: Question,
  wide: Uint8Array,
  covering: readonly number[],
): Explanation['nearest'] {
  const index = table.index();
  const found: NearRef[] = [];
  const taken: number[] = [];
  const add = (rules: readonly number[], nearness: Nearness): void => {
    let left = MOST_OF_A_KIND;
    for (const rule of rules) {
      if (taken.includes(rule)) continue;
      if (left-- === 0) break;
      taken.push(rule);
      found.push(table.refs().near(rule, nearness));
    }
  };
  add(covering, 'port');
  for (const other of RELATED[protocol]) {
    const rules = index.covering('allow', other, wide);
    if (rules.length === 0) continue;
    add(
      // ICMP has no port that could be the same.
      rules.filter((rule) => port === 0 || other === 'icmp' || index.holdsPort(rule, port)),
      'protocol',
    );
  }
  const near = table.near();
  add(
    near.around(protocol, wide, MOST_OF_A_KIND, 0, (rule) => index.holdsPort(rule, port)),
    'address',
  );
  const leastBits = NEAR_BITS[isMapped(wide) ? 4 : 6];
  add(
    near.around(protocol, wide, MOST_OF_A_KIND, leastBits, (rule) => !taken.includes(rule)),
    'prefix',
  );
  return found;
}

/** Destinations are mistaken for destinations, binds for binds. */
const RELATED: Readonly<Record<Protocol, readonly Protocol[]>> = {
  tcp: ['udp', 'icmp'],
  udp: ['tcp', 'icmp'],
  icmp: ['tcp', 'udp'],
  'tcp-bind': ['udp-bind'],
  'udp-bind': ['tcp-bind'],
};

/** The narrowest rule that allows it. */
function suggest(
  table: Table,
  { protocol, address, port, name }: Question,
): Suggestion | undefined {
  const narrow = address.length === 16 && isMapped(address) ? address.slice(12) : address;
  const own = isBind(protocol) ? narrow : canonicalAddress(narrow);
  const text = formatAddress(own);
  return suggestRule(table, protocol, name ?? (own.length === 4 ? text : `[${text}]`), port);
}

/** The rule that allows one port of a host as it stands in rules; none for port 0, which no rule can name. */
export function suggestRule(
  table: Table,
  protocol: Protocol,
  host: string,
  port: number,
): Suggestion | undefined {
  if (port === 0 && protocol !== 'icmp') return undefined;
  const list = isBind(protocol) ? 'allow_bind' : 'allow';
  return {
    list,
    rule: `${SCHEMES[protocol]}${host}${protocol === 'icmp' ? '' : `:${port}`}`,
    after: lastRule(table, list === 'allow' ? DESTINATIONS : BINDS),
  };
}

/** How a suggested rule begins; TCP needs no scheme. */
const SCHEMES: Readonly<Record<Protocol, string>> = {
  tcp: '',
  udp: 'udp://',
  icmp: 'icmp://',
  'tcp-bind': '',
  'udp-bind': 'udp://',
};

/** Where the last allow rule of some protocols stands in a file. Rules of options come behind those of the file. */
function lastRule(table: Table, protocols: readonly Protocol[]): Suggestion['after'] {
  let last: RuleRef | undefined;
  for (const protocol of protocols) {
    const { all } = table.index().group('allow', protocol);
    for (let i = all.length - 1; i >= 0; i--) {
      const rule = table.refs().of(all[i] ?? 0);
      if (rule.line === 0) continue;
      if (last === undefined || rule.line > last.line) last = rule;
      break;
    }
  }
  return last === undefined ? undefined : { source: last.source, line: last.line };
}
