/**
 * Uses to rules: hosts with their ports grouped, networks only where that was asked for. Pure.
 */
import {
  formatAddress,
  ipv4Bytes,
  maskAddress,
  parseIpv4,
  parseIpv6,
} from '../../compiler/address.ts';
import type { Use } from './observations.ts';

/** A rule to write, and the programs it is for. */
export interface LearntRule {
  readonly list: Use['list'];
  /** Without quotes. */
  readonly text: string;
  readonly programs: readonly string[];
}

/** How addresses become networks, and what ports the kernel chooses. */
export interface RuleOptions {
  /** Leading bits to which IPv4 addresses without a name are cut if there are several of one network. */
  readonly collapse: number | undefined;
  /** net.ipv4.ip_local_port_range */
  readonly ephemeralPorts: readonly [number, number];
}

/** IPv6 addresses are collapsed to a subnet: RFC 4291 §2.5.4. */
const COLLAPSE_IPV6 = 64;

/** Runs of this many ports become a range. */
const RANGE_FROM = 3;

interface Group {
  readonly list: Use['list'];
  readonly protocol: Use['protocol'];
  host: string;
  readonly ports: Set<number>;
  isEphemeral: boolean;
  readonly programs: Set<string>;
}

/** The rules that allow these uses, in the order of the uses. */
export function toRules(uses: readonly Use[], options: RuleOptions): readonly LearntRule[] {
  const groups = new Map<string, Group>();
  const collapse = networksOf(uses, options.collapse);
  for (const use of uses) {
    const { list, protocol } = use;
    const host = list === 'allow' ? collapse(use.host) : use.host;
    const key = `${list} ${protocol} ${host}`;
    const group = groups.get(key) ?? {
      ...{ list, protocol, host, isEphemeral: false },
      ...{ ports: new Set<number>(), programs: new Set<string>() },
    };
    if (use.isEphemeral) group.isEphemeral = true;
    else group.ports.add(use.port);
    for (const program of use.programs) group.programs.add(program);
    groups.set(key, group);
  }
  return [...groups.values()].map((group) => ({
    list: group.list,
    text: formatRule(group, options.ephemeralPorts),
    programs: [...group.programs],
  }));
}

function formatRule(group: Group, [low, high]: readonly [number, number]): string {
  const { list, protocol, host, ports, isEphemeral } = group;
  if (list === 'allow_unix' || list === 'allow_families') return host;
  const scheme = protocol === 'tcp' ? '' : `${protocol}://`;
  const isAny = list === 'allow_bind' && (host === '0.0.0.0' || host === '::');
  const written = host.includes(':') ? bracketed(host) : host;
  if (protocol === 'icmp') return `${scheme}${written}`;
  // Listening without a bind: Linux chooses the port, and all ports are simpler to read than the range it chooses from.
  if (ports.has(0)) return `${scheme}${isAny ? '' : written}:*`;
  const list_ = formatPorts([...ports], isEphemeral ? [low, high] : undefined);
  return `${scheme}${written}:${list_}`;
}

function bracketed(host: string): string {
  return `[${host}]`;
}

function formatPorts(
  ports: readonly number[],
  range: readonly [number, number] | undefined,
): string {
  const single = ports.filter((port) => range === undefined || port < range[0] || port > range[1]);
  const sorted = single.sort((a, b) => a - b);
  const items: string[] = [];
  for (let from = 0; from < sorted.length; ) {
    let to = from;
    while (sorted[to + 1] === (sorted[to] ?? 0) + 1) to += 1;
    const run = sorted.slice(from, to + 1);
    if (run.length >= RANGE_FROM) items.push(`${run[0]}-${run.at(-1)}`);
    else items.push(...run.map(String));
    from = to + 1;
  }
  if (range !== undefined) items.push(`${range[0]}-${range[1]}`);
  return items.join(',');
}

/** What a host becomes: the network that it shares with another address, or itself. */
function networksOf(uses: readonly Use[], bits: number | undefined): (host: string) => string {
  if (bits === undefined) return (host) => host;
  const members = new Map<string, Set<string>>();
  for (const { list, host } of uses) {
    const network = list === 'allow' ? networkOf(host, bits) : undefined;
    if (network === undefined) continue;
    members.set(network, (members.get(network) ?? new Set()).add(host));
  }
  return (host) => {
    const network = networkOf(host, bits);
    return network !== undefined && (members.get(network)?.size ?? 0) > 1 ? network : host;
  };
}

/** Undefined for names, and for loopback, where every address is another service. */
function networkOf(host: string, bits: number): string | undefined {
  const value = parseIpv4(host);
  if (value !== undefined) {
    if (value >>> 24 === 127) return undefined;
    return `${formatAddress(maskAddress(ipv4Bytes(value), bits))}/${bits}`;
  }
  const address = parseIpv6(host);
  if (address === undefined || host === '::1') return undefined;
  return `${formatAddress(maskAddress(address, COLLAPSE_IPV6))}/${COLLAPSE_IPV6}`;
}
