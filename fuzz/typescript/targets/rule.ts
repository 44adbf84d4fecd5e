/**
 * One rule: any text is a rule or has faults inside it. A rule that is written anew from what was understood means the
 * same; an address means what Node's own parser reads.
 */
import { isIP } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { formatAddress } from '../../../compiler/address.ts';
import { parseBindRule } from '../../../compiler/bind-rules.ts';
import { parseDestination } from '../../../compiler/destination.ts';
import { type ParsedRule, parseRule, type RuleContent } from '../../../compiler/rules.ts';
import { parseIp } from '../../../test/compiler/parse-ip.ts';
import { checkDiagnostics, checkFaults, demand } from './places.ts';

/** The lists in which a rule may stand, each with its reader. */
const READERS = {
  allow: (text: string): ParsedRule => parseRule(text, 'allow'),
  deny: (text: string): ParsedRule => parseRule(text, 'deny'),
  allow_bind: parseBindRule,
} as const;

/** Reads a rule of each list. */
export function rule(input: Uint8Array): void {
  const text = new TextDecoder().decode(input);
  for (const [list, read] of Object.entries(READERS)) {
    const one = read(text);
    if (!one.ok) {
      checkFaults(text, one.faults);
      continue;
    }
    const { protocol, target, ports } = one.content;
    demand(list === 'allow' || target.kind !== 'name', () => `${list} takes a name`);
    demand(ports.length > 0, () => 'a rule without ports');
    let before = -2;
    for (const { low, high } of ports) {
      demand(low > before + 1 && low <= high && high <= 65535, () => `ports ${low}-${high}`);
      before = high;
    }
    const again = read(write(one.content));
    demand(again.ok, () => `${write(one.content)} is refused`);
    const meaning = ({ protocol, target, ports }: RuleContent): unknown => [
      protocol,
      target,
      ports,
    ];
    demand(isDeepStrictEqual(meaning(again.content), meaning(one.content)), () =>
      write(one.content),
    );
    if (protocol === 'icmp') demand(ports[0]?.low === 0 && ports[0].high === 65535, () => 'icmp');
  }
}

/** A rule in its plainest form. */
function write({ protocol, target, ports }: RuleContent): string {
  let host = '*';
  if (target.kind === 'name') host = target.name;
  if (target.kind === 'set') host = `@${target.set}`;
  if (target.kind === 'prefix') {
    const { address, bits } = target.prefix;
    const text = `${formatAddress(address)}/${bits}`;
    host = address.length === 4 ? text : `[${text}]`;
  }
  if (protocol === 'icmp') return `icmp://${host}`;
  const scheme = protocol.replace('-bind', '');
  const every = ports[0]?.low === 0;
  return `${scheme}://${host}:${every ? '*' : ports.map(({ low, high }) => `${low}-${high}`)}`;
}

/** Reads one destination, as `sandlock check` takes it. */
export function destination(input: Uint8Array): void {
  const text = new TextDecoder().decode(input);
  const parsed = parseDestination(text);
  // The host of a text that has nothing else around it.
  const [, bare] = /^udp:\/\/\[?([0-9a-f:.]*)\]?:53$/i.exec(text) ?? [];
  if (!parsed.ok) {
    checkDiagnostics(
      text,
      parsed.diagnostics.map((one) => ({ ...one, line: 0 })),
    );
    const form = bare?.includes(':') ? `udp://[${bare}]:53` : `udp://${bare}:53`;
    demand(bare === undefined || isIP(bare) === 0 || text !== form, () => 'an address is refused');
    return;
  }
  const found = parsed.destination;
  if (found.protocol === 'unix') {
    const form = found.kind === 'path' ? `unix:${found.text}` : `unix:@${found.text}`;
    demand(text === form, () => `the UNIX socket is ${found.text}`);
    const again = new TextEncoder().encode(found.text).length;
    demand(again >= 1 && again <= 107 && !found.text.includes('\0'), () => 'it has no address');
    return;
  }
  const { port, protocol } = found;
  demand(protocol === 'icmp' ? port === 0 : port >= 1 && port <= 65535, () => `port ${port}`);
  const [, bracketed, bare4] =
    /^(?:bind:)?(?:[a-z]+:\/\/)?(?:\[([^\]]*)\]|([^:]*))(?::[0-9]+)?$/i.exec(text) ?? [];
  const shown = bracketed ?? bare4 ?? '';
  const meant = (address: Uint8Array): void => {
    demand(isDeepStrictEqual([...address], [...parseIp(shown)]), () => `${shown} is misread`);
  };
  if ('addresses' in found) {
    const [address, ...more] = found.addresses;
    demand(address !== undefined, () => 'no address is bound');
    if (more.length === 0) meant(address);
    else
      demand(
        found.addresses.every((one) => one.every((byte) => byte === 0)),
        () => 'bind',
      );
  } else if (found.host.kind === 'address') meant(found.host.address);
  else {
    const { name } = found.host;
    demand(/^(?!-)[a-z0-9._-]{1,253}$/.test(name), () => `the name is ${name}`);
    demand(isIP(name) === 0, () => `the name ${name} is an address`);
  }
}
