/**
 * The plan of a table in words: by what each protocol is held, what keeps it from being held at less cost, and what would change that. The decision itself is
 * policy/plan.ts's; this follows its reasoning on a table that is made, for people to read.
 */
import type { Facts, Protocol, Rule, UnixRule } from './model.ts';
import type { Mode } from './stored-rules.ts';

/** By what a protocol is held, and what stands in the way of less. */
export interface PlannedProtocol {
  readonly protocol: Protocol;
  readonly mode: Mode;
  /** What makes it supervised although its rules name no address; undefined when the rules themselves do, or nothing does. */
  readonly because: string | undefined;
}

/** What the explanation is drawn from. */
export interface Planned {
  plan(): Readonly<Record<Protocol, Mode>>;
  rules(): readonly Rule[];
  facts(): Facts;
  unixRules(): readonly UnixRule[];
}

/** How long a list of ports is left to the kernel: KERNEL_PORTS_MAX of policy/format.ts. */
const WORDS: Readonly<Record<Mode, string>> = {
  closed: 'closed',
  supervised: 'supervised',
  kernel: 'by port in the kernel',
  open: 'open',
};

/** The plan of every protocol, in the order of their numbers. */
export function explainPlan(table: Planned): readonly PlannedProtocol[] {
  const plan = table.plan();
  const protocols: readonly Protocol[] = ['tcp', 'udp', 'icmp', 'tcp-bind', 'udp-bind'];
  return protocols.map((protocol) => ({
    protocol,
    mode: plan[protocol],
    because: plan[protocol] === 'supervised' ? obstacle(protocol, table) : undefined,
  }));
}

/** `plan: tcp supervised, udp closed, icmp closed` and, for each that could cost less, a line that says what stands in the way. */
export function formatPlan(table: Planned): string {
  const planned = explainPlan(table).filter(({ protocol }) => !protocol.endsWith('-bind'));
  const words = planned.map(({ protocol, mode }) => `${protocol} ${WORDS[mode]}`);
  const notes = planned.flatMap(({ protocol, because }) =>
    because === undefined ? [] : [`  ${protocol}: ${because}\n`],
  );
  return `plan: ${words.join(', ')}\n${notes.join('')}`;
}

function obstacle(protocol: Protocol, table: Planned): string | undefined {
  const own = table.rules().filter((rule) => rule.protocol === protocol);
  if (protocol.endsWith('-bind') || own.some(({ target }) => target.kind !== 'any')) return undefined;
  if (protocol !== 'tcp' && !isWhole(own)) return undefined;
  return messageObstacle(protocol, table) ?? (protocol === 'tcp' ? connectObstacle(table) : undefined);
}

/** Everything is allowed and nothing denied. */
function isWhole(rules: readonly Rule[]): boolean {
  return rules.every(
    ({ action, ports: [first] }) => action === 'allow' && first?.low === 0 && first.high === 65535,
  );
}

/** Why messages are looked at, whichever socket they are on. */
function messageObstacle(protocol: Protocol, table: Planned): string | undefined {
  const plan = table.plan();
  const others = (['udp', 'icmp'] as const).filter(
    (other) => other !== protocol && plan[other] === 'supervised' && hasAddresses(other, table),
  );
  if (others.length > 0) return `its calls are those of ${others.join(' and ')}, which is looked up`;
  if (plan.udp === 'closed' && (plan.icmp !== 'closed' || plan['udp-bind'] !== 'closed')) {
    return 'programs have UDP sockets, for ping or to serve, and UDP may not leave; `udp://*:*` would open it';
  }
  if (table.unixRules().length > 0) {
    return '`allow_unix` opens sockets outside, and its calls are theirs';
  }
  return table.facts().families.includes('unix/dgram')
    ? '`unix/dgram` in `allow_families` has its messages looked at'
    : undefined;
}

function hasAddresses(protocol: Protocol, table: Planned): boolean {
  const own = table.rules().filter((rule) => rule.protocol === protocol);
  return own.some(({ target }) => target.kind !== 'any') || !isWhole(own);
}

function connectObstacle(table: Planned): string | undefined {
  const { families } = table.facts();
  return families.includes('unix/stream') || families.includes('unix/seqpacket')
    ? 'programs connect UNIX sockets by path with the same call; "unix/pair" for "unix" in `allow_families` would leave TCP to the kernel'
    : undefined;
}
