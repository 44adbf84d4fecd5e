/**
 * The names of a policy's rules, with the addresses that are pinned for them; live names and
 * wildcards have none. A name without a usable address is an error at each rule that names it: a
 * rule is never silently empty. Answers of the inside are left out where private-answers.ts says
 * so, with a warning when others remain.
 */
import { formatAddress } from './address.ts';
import { isInsideAddress } from './inside-addresses.ts';
import type { AddressSet, PinnedName, PrivateName } from './model.ts';
import type { Placed } from './placed.ts';
import { isLocalhost, mayBePrivate, opensNothingNew } from './private-answers.ts';
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
  /** Some name was asked for, so that the pins have a time. */
  readonly wasAsked: boolean;
  readonly errors: readonly Placed[];
  readonly warnings: readonly Placed[];
}

/** What becomes of names: whether they are live, and if not, whether they are pinned now or when a command starts. */
export interface PinPlan {
  readonly live: boolean;
  readonly now: boolean;
  /** `[dns] private`. */
  readonly privateNames: readonly PrivateName[];
}

/** Who is asked for addresses, and who is told how far that is. */
export interface NameTools {
  readonly resolve: Resolver;
  /** Told how far resolving is, for who waits at a terminal. */
  readonly resolveProgress?: ResolveProgress;
}

/** 127.0.0.1 and ::1. */
const LOOPBACK: readonly Uint8Array[] = [
  Uint8Array.of(127, 0, 0, 1),
  Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
];

const WARNING = { severity: 'warning' } as const;

/** The names of all rules. Each of those to be pinned now is asked for once. */
export async function pinNames(
  written: readonly WrittenRule[],
  { live, now, privateNames }: PinPlan,
  sets: ReadonlyMap<string, AddressSet>,
  tools: NameTools,
): Promise<PinnedNames> {
  const byName = rulesByName(written);
  const wildcards = [...byName.keys()].filter((name) => name.startsWith('*.'));
  // A name below a wildcard is live, so that it has the same addresses for all of the rules.
  const isLive = (name: string): boolean =>
    live || wildcards.some((wildcard) => name === wildcard || name.endsWith(wildcard.slice(1)));
  const asked = now ? [...byName.keys()].filter((name) => !isLive(name)) : [];
  const answers = await resolveNames(asked, tools.resolve, tools.resolveProgress);
  const rules = written.map(({ rule }) => rule);
  const mayKeep = (name: string, address: Uint8Array): boolean =>
    !isInsideAddress(address) ||
    mayBePrivate(name, privateNames) ||
    opensNothingNew(name, address, rules, sets);

  const names: PinnedName[] = [];
  const errors: Placed[] = [];
  const warnings: Placed[] = [];
  for (const [name, naming] of byName) {
    if (isLocalhost(name) && !asked.includes(name)) {
      // No server is asked for it, so there is nothing to learn later.
      names.push({ name, addresses: LOOPBACK });
      continue;
    }
    if (isLive(name)) {
      names.push({ name, addresses: [] });
      continue;
    }
    if (!now) {
      names.push({ name, addresses: [], atStart: true });
      continue;
    }
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
  return { names, wasAsked: asked.length > 0, errors, warnings };
}

/** The allow rules of each name, in the order in which names come first. */
function rulesByName(written: readonly WrittenRule[]): ReadonlyMap<string, readonly WrittenRule[]> {
  const byName = new Map<string, WrittenRule[]>();
  for (const rule of written) {
    const { target, action } = rule.rule;
    if (target.kind !== 'name' || action !== 'allow') continue;
    const known = byName.get(target.name);
    if (known === undefined) byName.set(target.name, [rule]);
    else known.push(rule);
  }
  return byName;
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
