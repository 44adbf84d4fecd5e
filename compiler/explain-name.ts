/**
 * Names in questions to a table: the addresses that are pinned for them, the rules that open live
 * ones, and what can be said of a name that no rule has. Which names of the table stand for the one
 * asked is policy.wasm's answer.
 */
import { type Explanation, missingFamily, suggestRule } from './explain.ts';
import { familiesFor } from './families.ts';
import type { Protocol } from './model.ts';
import { nearest } from './nearest.ts';
import type { Table } from './table.ts';

/** The pinned addresses of a name (lower case, no final dot), or undefined when it has none. */
export function pinnedAddresses(table: Table, name: string): readonly Uint8Array[] | undefined {
  const addresses = namesOf(table).addresses.get(name);
  return addresses === undefined || addresses.length === 0 ? undefined : addresses;
}

/**
 * The answer for a name that has no pinned addresses: by the rules that name it or a wildcard above
 * it, if there are any.
 */
export function explainName(
  table: Table,
  protocol: Protocol,
  name: string,
  port: number,
): Explanation {
  const all = table.names();
  const naming = table.namesFor(name).flatMap((index) => {
    const { rules } = namesOf(table);
    return rules.get(all[index]?.name ?? '') ?? [];
  });
  if (naming.length === 0) return explainUnknownName(table, protocol, name, port);
  const families = [...new Set([...familiesFor(protocol, 4), ...familiesFor(protocol, 6)])];
  const missing = missingFamily(table, families);
  if (missing !== undefined) return missing;
  const own = naming.filter((rule) => table.rule(rule).protocol === protocol);
  const opening = own.filter((rule) => table.index().holdsPort(rule, port));
  if (opening.length > 0) {
    return {
      verdict: 'allow',
      cause: 'live-name',
      reason: 'opened when the command asks for the name, at the addresses it has then',
      rules: opening.map((rule) => table.refs().of(rule)),
      overruled: [],
      nearest: [],
      suggestion: undefined,
    };
  }
  const what = own.length > 0 ? `for port ${port} of this name` : 'for this name';
  return {
    verdict: 'unknown',
    cause: own.length > 0 ? 'port' : 'protocol',
    reason: `no ${protocol} rule ${what}; its addresses are not known before the command asks for them`,
    rules: [],
    overruled: [],
    nearest: naming.slice(0, 2).map((rule) => {
      const isSame = table.rule(rule).protocol === protocol;
      return table.refs().near(rule, isSame ? 'port' : 'protocol');
    }),
    suggestion: suggestRule(table, protocol, name, port),
  };
}

/**
 * In a table with names others do not resolve; in one without, programs may have resolved them by a
 * name server that is allowed.
 */
function explainUnknownName(
  table: Table,
  protocol: Protocol,
  name: string,
  port: number,
): Explanation {
  const reason =
    table.summary().names > 0
      ? 'no rule has this name, so it does not resolve for the command'
      : 'no rule has this name, so its addresses are not known; ask for one of them';
  return {
    verdict: 'unknown',
    cause: 'name',
    reason,
    rules: [],
    overruled: [],
    nearest: similarNames(table, protocol, name),
    suggestion: suggestRule(table, protocol, name, port),
  };
}

interface Names {
  readonly addresses: ReadonlyMap<string, readonly Uint8Array[]>;
  /** The allow rules of each name, wildcards with their `*.`. */
  readonly rules: ReadonlyMap<string, readonly number[]>;
}

/** Names by table; looked up a million times by `check`. */
const known = new WeakMap<Table, Names>();

function namesOf(table: Table): Names {
  const read = known.get(table) ?? readNames(table);
  known.set(table, read);
  return read;
}

function readNames(table: Table): Names {
  const addresses = new Map(table.names().map(({ name, addresses }) => [name, addresses]));
  const rules = new Map<string, number[]>();
  if (addresses.size === 0) return { addresses, rules };
  for (const [number, { action, target }] of table.rules().entries()) {
    if (target.kind !== 'name' || action !== 'allow') continue;
    const those = rules.get(target.name);
    if (those === undefined) rules.set(target.name, [number]);
    else those.push(number);
  }
  return { addresses, rules };
}

/** A rule of the protocol that has the name closest to a mistyped one. */
function similarNames(table: Table, protocol: Protocol, name: string): Explanation['nearest'] {
  const { addresses, rules } = namesOf(table);
  const close = nearest(name, addresses.keys());
  const naming = (close === undefined ? undefined : rules.get(close)) ?? [];
  const found = naming.find((rule) => table.rule(rule).protocol === protocol);
  return found === undefined ? [] : [table.refs().near(found, 'name')];
}
