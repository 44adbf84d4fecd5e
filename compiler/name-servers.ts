/**
 * Warnings for rules that open a name server to a policy with names. Names resolve without such a
 * rule; with it, programs can ask for any name, which carries data out, and get addresses that are
 * not those of the policy. Over TLS or HTTPS only servers that are widely known are told from
 * others.
 */
import { formatAddress } from './address.ts';
import type { Prefix, Rule } from './model.ts';
import type { Placed } from './placed.ts';
import type { WrittenRule } from './written-rules.ts';

/** Public resolvers by address and name: Cloudflare, Google, Quad9, OpenDNS, AdGuard, NextDNS. */
const SERVERS: ReadonlySet<string> = new Set([
  ...['1.1.1.1', '1.0.0.1', '2606:4700:4700::1111', '2606:4700:4700::1001'],
  ...['cloudflare-dns.com', 'one.one.one.one'],
  ...['8.8.8.8', '8.8.4.4', '2001:4860:4860::8888', '2001:4860:4860::8844', 'dns.google'],
  ...['9.9.9.9', '149.112.112.112', '2620:fe::fe', '2620:fe::9', 'dns.quad9.net'],
  ...['208.67.222.222', '208.67.220.220', 'doh.opendns.com'],
  ...['94.140.14.14', '94.140.15.15', 'dns.adguard-dns.com', 'dns.nextdns.io'],
]);

/** RFC 1035 §4.2. */
export const DNS_PORT = 53;
/** DNS over TLS and QUIC (RFC 7858, RFC 9250), over HTTPS (RFC 8484). */
const SECURE_PORTS: readonly number[] = [853, 443];

/** The warnings of all rules; none when the policy has no names. */
export function findNameServers(written: readonly WrittenRule[]): readonly Placed[] {
  const hasNames = written.some(({ rule }) => rule.target.kind === 'name');
  if (!hasNames) return [];
  return written.flatMap((at) => {
    const { rule } = at;
    if (rule.action === 'deny' || (rule.protocol !== 'tcp' && rule.protocol !== 'udp')) return [];
    const kind = opensServer(rule);
    if (kind === undefined) return [];
    const message =
      kind === 'plain'
        ? `a rule on port ${DNS_PORT} lets programs ask a name server for any name, past the names of this policy`
        : `${kind} answers questions for any name, past the names of this policy`;
    const help = 'names resolve without this rule: remove it, unless it is meant for this';
    return [at.place({ code: 'SL4004', message, help }, { severity: 'warning' })];
  });
}

/** `plain`, the name or address of a public resolver, or undefined. A range of ports is not about name servers. */
function opensServer({ target, ports }: Rule): string | undefined {
  const lists = (port: number): boolean =>
    ports.some(({ low, high }) => low === port && high === port);
  if (target.kind !== 'name' && lists(DNS_PORT)) return 'plain';
  if (!SECURE_PORTS.some(lists)) return undefined;
  if (target.kind === 'prefix') return serverAt(target.prefix);
  return target.kind === 'name' && SERVERS.has(target.name) ? target.name : undefined;
}

function serverAt({ address, bits }: Prefix): string | undefined {
  const text = formatAddress(address);
  return bits === address.length * 8 && SERVERS.has(text) ? text : undefined;
}
