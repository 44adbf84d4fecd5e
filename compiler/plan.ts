/**
 * The plan of a table for people: by what each protocol is held, what keeps it from being held at
 * less cost, and what would change that. The decision itself is policy/plan.ts's; this follows its
 * reasoning.
 */
import * as F from './format.gen.ts';
import type { Facts, Protocol, Rule, UnixRule } from './model.ts';
import type { Mode } from './stored-rules.ts';

/** By what a protocol is held. */
export interface PlannedProtocol {
  readonly protocol: Protocol;
  readonly mode: Mode;
  /**
   * Why its calls are looked at although its own rules do not ask for it; undefined when they do,
   * or when nothing is looked at.
   */
  readonly because: string | undefined;
}

/** What is planned for; an open `Table` can be asked for all of it. */
export interface Planned {
  readonly plan: Readonly<Record<Protocol, Mode>>;
  readonly rules: readonly Rule[];
  readonly facts: Facts;
  readonly unixRules: readonly UnixRule[];
}

/** The modes in a sentence. */
const WORDS: Readonly<Record<Mode, string>> = {
  closed: 'closed',
  supervised: 'supervised',
  kernel: 'by port in the kernel',
  open: 'open',
};

/** The plan of every protocol, in the order of their numbers. */
export function explainPlan(planned: Planned): readonly PlannedProtocol[] {
  const protocols: readonly Protocol[] = ['tcp', 'udp', 'icmp', 'tcp-bind', 'udp-bind'];
  return protocols.map((protocol) => {
    const mode = planned.plan[protocol];
    const because = mode === 'supervised' ? obstacle(protocol, planned) : undefined;
    return { protocol, mode, because };
  });
}

/** `plan: tcp supervised, udp closed, icmp closed`, and a line for each that could cost less. */
export function formatPlan(protocols: readonly PlannedProtocol[]): string {
  const shown = protocols.filter(({ protocol }) => !isBind(protocol));
  const words = shown.map(({ protocol, mode }) => `${protocol} ${WORDS[mode]}`);
  const notes = shown.flatMap(({ protocol, because }) =>
    because === undefined ? [] : [`      ${protocol}: ${because}\n`],
  );
  return `plan: ${words.join(', ')}\n${notes.join('')}`;
}

function isBind(protocol: Protocol): boolean {
  return protocol === 'tcp-bind' || protocol === 'udp-bind';
}

function obstacle(protocol: Protocol, planned: Planned): string | undefined {
  if (isBind(protocol) || asksForLookUp(protocol, planned)) return undefined;
  return messageObstacle(protocol, planned) ?? connectObstacle(planned);
}

/**
 * Whether the rules of a protocol alone have its destinations looked up: they name addresses, or
 * ports that nothing but a look-up can hold.
 */
function asksForLookUp(protocol: Protocol, { rules }: Planned): boolean {
  const isOwn = (rule: Rule): boolean => rule.protocol === protocol;
  if (rules.some((rule) => isOwn(rule) && rule.target.kind !== 'any')) return true;
  const ports = countPorts(rules.filter(isOwn));
  if (protocol === 'tcp') return ports !== 65536 && ports > F.KERNEL_PORTS_MAX;
  return ports !== 0 && ports !== 65536;
}

/** How many ports are allowed and not denied. */
function countPorts(rules: readonly Rule[]): number {
  const isAllowed = new Uint8Array(65536);
  for (const action of ['allow', 'deny'] as const) {
    for (const rule of rules) {
      if (rule.action !== action) continue;
      for (const { low, high } of rule.ports)
        isAllowed.fill(Number(action === 'allow'), low, high + 1);
    }
  }
  return isAllowed.reduce((count, is) => count + is, 0);
}

/** Why messages are looked at, whichever socket they are on. */
function messageObstacle(protocol: Protocol, planned: Planned): string | undefined {
  const { plan, unixRules, facts } = planned;
  const others = (['udp', 'icmp'] as const).filter(
    (other) => other !== protocol && plan[other] !== 'closed' && asksForLookUp(other, planned),
  );
  if (others.length > 0)
    return `its calls are those of ${others.join(' and ')}, which is looked up`;
  if (plan.udp === 'closed' && (plan.icmp !== 'closed' || plan['udp-bind'] !== 'closed')) {
    return 'programs have UDP sockets, to ping or to serve, and UDP may not leave; `udp://*:*` would let it';
  }
  if (unixRules.length > 0) return '`allow_unix` opens sockets outside, and its calls are theirs';
  return facts.families.includes('unix/dgram')
    ? '`unix/dgram` in `allow_families` has every message looked at'
    : undefined;
}

/** Why connects are looked at; only TCP is left. */
function connectObstacle({ facts }: Planned): string | undefined {
  return facts.families.includes('unix/stream') || facts.families.includes('unix/seqpacket')
    ? 'UNIX sockets are connected to paths by the same call; "unix/pair" for "unix" in `allow_families` leaves TCP to the kernel'
    : undefined;
}
