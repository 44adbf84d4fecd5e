/**
 * The names of a policy's rules, with the addresses that are pinned for them.
 * A name without a usable address is an error at each rule that names it: a rule is never silently empty. Answers of the
 * inside are left out where private-answers.ts says so, with a warning when others remain.
 */
import { formatAddress } from './address.ts';
import { isInsideAddress } from './inside-addresses.ts';
import type { AddressSet, PinnedName, PrivateName } from './model.ts';
import type { Placed } from './placed.ts';
import { mayBePrivate, opensNothingNew } from './private-answers.ts';
import {
  type ResolveProgress,
  type Resolver,
  type ResolverAnswer,
  resolveNames,
} from './resolve.ts';
import type { TargetFault, WrittenRule } from './written-rules.ts';

/** Names in the order in which rules name them first. */
export interface PinnedNames {
  readonly names: readonly PinnedName[];
  readonly errors: readonly Placed[];
  readonly warnings: readonly Placed[];
}

const WARNING = { severity: 'warning' } as const;

/** Resolves every name once and pins its addresses. `exempt` is `[dns] private`. */
export async function pinNames(
  written: readonly WrittenRule[],
  exempt: readonly PrivateName[],
  sets: ReadonlyMap<string, AddressSet>,
  resolve: Resolver,
  progress?: ResolveProgress,
): Promise<PinnedNames> {
  const byName = new Map<string, WrittenRule[]>();
  for (const rule of written) {
    const { target, action } = rule.rule;
    if (target.kind !== 'name' || action !== 'allow') continue;
    const known = byName.get(target.name);
    if (known === undefined) byName.set(target.name, [rule]);
    else known.push(rule);
  }
  const answers = await resolveNames(byName.keys(), resolve, progress);
  const rules = written.map(({ rule }) => rule);
  const mayKeep = (name: string, address: Uint8Array): boolean =>
    !isInsideAddress(address) ||
    mayBePrivate(name, exempt) ||
    opensNothingNew(name, address, rules, sets);

  const names: PinnedName[] = [];
  const errors: Placed[] = [];
  const warnings: Placed[] = [];
  for (const [name, naming] of byName) {
    const answer = answers.get(name);
    if (answer?.ok !== true) {
      const fault = unresolved(name, answer);
      for (const rule of naming) errors.push(rule.place(fault));
      continue;
    }
    const kept = answer.addresses.filter((address) => mayKeep(name, address));
    const dropped = answer.addresses.filter((address) => !kept.includes(address));
    if (kept.length === 0) {
      const fault = onlyPrivate(name, dropped);
      for (const rule of naming) errors.push(rule.place(fault));
      continue;
    }
    if (dropped.length > 0) {
      const warning = naming[0]?.place(partlyPrivate(name, dropped), WARNING);
      if (warning !== undefined) warnings.push(warning);
    }
    names.push({ name, addresses: kept });
  }
  return { names, errors, warnings };
}

function unresolved(name: string, answer: ResolverAnswer | undefined): TargetFault {
  const reason = answer === undefined || answer.ok ? 'the resolver gave no answer' : answer.reason;
  return { code: 'SL4001', message: `\`${name}\` does not resolve: ${reason}` };
}

function onlyPrivate(name: string, dropped: readonly Uint8Array[]): TargetFault {
  const message = `\`${name}\` resolves to private addresses only: ${list(dropped)}`;
  return { code: 'SL4002', message, help: permit(name) };
}

function partlyPrivate(name: string, dropped: readonly Uint8Array[]): TargetFault {
  const message = `\`${name}\` also resolves to private addresses, which are left out: ${list(dropped)}`;
  return { code: 'SL4003', message, help: permit(name) };
}

function permit(name: string): string {
  return `if this is meant, add \`[dns] private = ["${name}"]\``;
}

/** A few addresses as text. */
function list(addresses: readonly Uint8Array[]): string {
  const shown = addresses.slice(0, 4).map(formatAddress).join(', ');
  return addresses.length > 4 ? `${shown} and ${addresses.length - 4} more` : shown;
}
