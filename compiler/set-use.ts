/**
 * What rules and sets mean for each other: rules that name sets which are not there or can not
 * stand there, sets that no rule names, and the sets that go into the table. Knows names and uses,
 * not what stands in a set.
 */
import type { AddressSet } from './model.ts';
import { nearest } from './nearest.ts';
import type { Placed } from './placed.ts';
import type { Source } from './source.ts';
import type { TomlEntry } from './toml-tree.ts';
import type { WrittenRule } from './written-rules.ts';

/**
 * Errors of rules: sets that `defined` (the keys of `[sets]`) lacks, and bind rules with a set in
 * which 0.0.0.0 or :: was written, which means every address to a bind and the loopback to the set.
 */
export function findMisusedSets(
  written: readonly WrittenRule[],
  defined: ReadonlyMap<string, TomlEntry>,
  unspecified: ReadonlySet<string>,
): Placed[] {
  const errors: Placed[] = [];
  for (const at of written) {
    const { target, protocol } = at.rule;
    if (target.kind !== 'set') continue;
    if (!defined.has(target.set)) errors.push(undefinedSet(at, target.set, defined.keys()));
    else if (protocol.endsWith('-bind') && unspecified.has(target.set)) {
      const message = `set \`${target.set}\` holds 0.0.0.0 or ::, which is every address to a bind and the loopback in a set`;
      const help = 'take it out of the set, and write a bind rule with the address itself';
      errors.push(at.place({ code: 'SL3009', message, help }));
    }
  }
  return errors;
}

function undefinedSet(at: WrittenRule, set: string, defined: Iterable<string>): Placed {
  const close = nearest(set, defined);
  const help =
    close === undefined
      ? `define it in [sets]: ${set} = ["10.0.0.0/8"]`
      : `did you mean @${close}?`;
  return at.place({ code: 'SL3002', message: `no set is named \`${set}\``, help });
}

/** Warnings for sets that no rule names, at their keys. */
export function findUnusedSets(
  written: readonly WrittenRule[],
  defined: ReadonlyMap<string, TomlEntry>,
  source: Source,
): Placed[] {
  const used = new Set<string>();
  for (const { rule } of written) if (rule.target.kind === 'set') used.add(rule.target.set);
  return [...defined].flatMap(([name, { start, end }]) => {
    if (used.has(name)) return [];
    const message = `no rule names set \`${name}\``;
    const help = `name it in a rule, such as "@${name}:443", or remove it`;
    const fault = { code: 'SL3010', message, start, end, help } as const;
    return [{ at: start, diagnostic: source.diagnose(fault, { severity: 'warning' }) }];
  });
}

/** The sets that rules name, in the order in which they name them first (docs/format.md §4). */
export function usedSets(
  written: readonly WrittenRule[],
  sets: ReadonlyMap<string, AddressSet>,
): readonly AddressSet[] {
  const used = new Set<AddressSet>();
  for (const { rule } of written) {
    const set = rule.target.kind === 'set' ? sets.get(rule.target.set) : undefined;
    if (set !== undefined) used.add(set);
  }
  return [...used];
}
