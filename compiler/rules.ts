/**
 * One rule of a policy. Has the string cut and the parts parsed, and decides what may stand
 * together: TCP and UDP need ports, ICMP takes none, deny takes no names; unspecified addresses are
 * the loopback. Finds every independent fault of the string. Knows nothing of files, sets' contents
 * or resolvers; rules of binds are bind-rules.ts's.
 */
import { canonicalPrefix } from './address.ts';
import type { Fault } from './diagnostic.ts';
import { type ParsedPattern, type Pattern, parsePattern } from './host-pattern.ts';
import type { Action, PortRange, Protocol, Target } from './model.ts';
import { ALL_PORTS, parsePorts } from './ports.ts';
import { meantByRule } from './rule-meant.ts';
import { type RuleParts, splitRule } from './rule-parts.ts';

/** What a rule string says, without its origin. `targetStart`, `targetEnd`: where its target stands in it. */
export interface RuleContent {
  readonly protocol: Protocol;
  readonly target: Target;
  readonly ports: readonly PortRange[];
  readonly targetStart: number;
  readonly targetEnd: number;
}

/** A rule, or every fault found in it, from left to right. */
export type ParsedRule =
  | { readonly ok: true; readonly content: RuleContent }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Parses one rule of an `allow` or `deny` list. Offsets of faults count from the start of `text`. */
export function parseRule(text: string, action: Action): ParsedRule {
  const parts = splitRule(text);
  if ('code' in parts) return refused([parts], text, action);
  const pattern = parsePattern(parts.target, parts.targetStart);
  const targetEnd = parts.targetStart + parts.target.length;
  const refusal = pattern.ok
    ? refusePattern(pattern.pattern, parts.targetStart, targetEnd, action)
    : pattern.fault;
  const ports = parts.protocol === 'icmp' ? checkIcmp(parts, text) : checkPorts(parts, text);
  // What to append to a target that is wrong itself would be a wrong suggestion.
  const portFaults = refusal === undefined ? ports.faults : ports.faults.map(withoutPortHelp);
  const faults = refusal === undefined ? portFaults : [refusal, ...portFaults];
  const target = targetOf(pattern);
  if (faults.length > 0 || target === undefined) return refused(faults, text, action);
  const { protocol, targetStart } = parts;
  return { ok: true, content: { protocol, target, ports: ports.ranges, targetStart, targetEnd } };
}

/** The faults of a rule; where it is written as in another language, the first says how it is in this one. */
function refused(faults: readonly Fault[], text: string, action: Action): ParsedRule {
  const [first, ...others] = faults;
  // That a port could follow is the least that can be said.
  const isHelped = faults.some(({ code, help }) => help !== undefined && code !== 'SL2002');
  const meant = isHelped || first === undefined ? undefined : meantByRule(text);
  if (meant === undefined || first === undefined) return { ok: false, faults };
  if ('code' in meant) return { ok: false, faults: [meant] };
  if ('help' in meant) return { ok: false, faults: [{ ...first, ...meant }, ...others] };
  // Only rules without a fault were meant; all that is wrong here is mended by them then.
  if (!meant.rules.every((rule) => parseRule(rule, action).ok)) return { ok: false, faults };
  const [rule] = meant.rules;
  const help =
    meant.rules.length === 1
      ? `did you mean ${rule}?`
      : `write one rule a string: ${meant.rules.map((one) => `"${one}"`).join(', ')}`;
  return { ok: false, faults: [{ ...first, help }] };
}

/** Refuses what parses but may not stand here. */
function refusePattern(
  pattern: Pattern,
  start: number,
  end: number,
  action: Action,
): Fault | undefined {
  if (action === 'allow' || (pattern.kind !== 'name' && pattern.kind !== 'wildcard')) {
    return undefined;
  }
  return {
    code: 'SL3001',
    message: 'a deny rule takes no name',
    start,
    end,
    expected: 'an address, a CIDR, a set or `*`',
    help: 'a name that resolves to another address tomorrow would fail open; what no allow rule matches is refused anyway',
  };
}

/** Drops the suggestion to append a port. */
export function withoutPortHelp(fault: Fault): Fault {
  const { help, ...rest } = fault;
  return fault.code === 'SL2002' || help === undefined ? rest : fault;
}

function targetOf(parsed: ParsedPattern): Target | undefined {
  if (!parsed.ok) return undefined;
  const { pattern } = parsed;
  if (pattern.kind === 'wildcard') return { kind: 'name', name: `*.${pattern.suffix}` };
  return pattern.kind === 'prefix'
    ? { kind: 'prefix', prefix: canonicalPrefix(pattern.prefix) }
    : pattern;
}

interface CheckedPorts {
  readonly ranges: readonly PortRange[];
  readonly faults: readonly Fault[];
}

function checkIcmp(parts: RuleParts, text: string): CheckedPorts {
  if (parts.portsStart !== undefined) {
    const start = parts.portsStart - 1;
    const target = parts.target === '' ? '*' : parts.target;
    const help = `did you mean ${parts.scheme}${target}?`;
    const message = 'icmp rules take no port';
    return { ranges: [], faults: [{ code: 'SL2007', message, start, end: text.length, help }] };
  }
  if (parts.target !== '') return { ranges: ALL_PORTS, faults: [] };
  const message = 'an icmp rule needs a host or `*`';
  const help = 'write icmp://* for every destination';
  return { ranges: [], faults: [{ code: 'SL2008', message, start: 0, end: text.length, help }] };
}

function checkPorts(parts: RuleParts, text: string): CheckedPorts {
  if (parts.portsStart !== undefined) {
    const parsed = parsePorts(text.slice(parts.portsStart), parts.portsStart);
    return parsed.ok ? { ranges: parsed.ports, faults: [] } : { ranges: [], faults: parsed.faults };
  }
  const usual = parts.protocol === 'udp' ? 53 : 443;
  const help = `did you mean ${text}:${usual}?`;
  const message = 'expected host:port, found no port';
  const start = parts.targetStart;
  return { ranges: [], faults: [{ code: 'SL2002', message, start, end: text.length, help }] };
}
