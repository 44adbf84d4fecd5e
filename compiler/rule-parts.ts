/**
 * Cuts a rule string into scheme, target and ports: `[scheme://]target[:ports]`.
 * Also the grammar of a destination. Decides where the parts stand and which protocol it is; what the parts say is not
 * looked at, except to suggest the brackets that an IPv6 address lacks.
 */
import type { Fault } from './diagnostic.ts';
import { isIpv6Target } from './host-pattern.ts';
import type { DestinationProtocol } from './model.ts';
import { nearest } from './nearest.ts';
import { parsePorts, type RuleUse } from './ports.ts';

/** A rule string cut into its parts; no fault so far. `portsStart` is undefined when no colon follows the target. */
export interface RuleParts {
  readonly protocol: DestinationProtocol;
  /** The scheme as written, `://` included, or nothing. */
  readonly scheme: string;
  readonly target: string;
  readonly targetStart: number;
  readonly portsStart: number | undefined;
}

const PROTOCOLS: readonly DestinationProtocol[] = ['tcp', 'udp', 'icmp'];

/** Ports of the URL schemes that people paste; suggestions only. */
const URL_PORTS: ReadonlyMap<string, number> = new Map([
  ['http', 80],
  ['https', 443],
  ['ws', 80],
  ['wss', 443],
  ['tls', 443],
  ['ssh', 22],
  ['sftp', 22],
  ['git', 9418],
  ['git+ssh', 22],
  ['git+https', 443],
  ['ftp', 21],
  ['postgres', 5432],
  ['postgresql', 5432],
  ['redis', 6379],
  ['rediss', 6379],
  ['mysql', 3306],
  ['mongodb', 27017],
  ['amqp', 5672],
]);

const FORMS: Readonly<Record<RuleUse, string>> = {
  reach: 'scheme://target:ports, such as tcp://example.com:443',
  bind: 'scheme://address:ports, such as tcp://127.0.0.1:8080',
};

const SCHEMES: Readonly<Record<RuleUse, string>> = {
  reach: 'tcp://, udp:// or icmp://, or no scheme for TCP',
  bind: 'tcp:// or udp://, or no scheme for TCP',
};

/**
 * Cuts a rule, or says why that can not be done. Offsets count from the start of `text`.
 */
export function splitRule(text: string, use: RuleUse = 'reach'): RuleParts | Fault {
  if (text === '') {
    const expected = FORMS[use];
    return { code: 'SL2018', message: 'the rule is empty', start: 0, end: 0, expected };
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const blank = /[\s\u0000-\u001f\u007f]+/u.exec(text);
  if (blank !== null) {
    const kind = /^[ \t]+$/.test(blank[0]) ? 'a space' : 'a control character';
    const place = { start: blank.index, end: blank.index + blank[0].length };
    const fault: Fault = { code: 'SL2017', message: `a rule can not hold ${kind}`, ...place };
    const [, bare] = /^(\S+)\s+#/.exec(text) ?? [];
    if (bare !== undefined) {
      return { ...fault, help: `did you mean ${bare}? A comment stands behind the string` };
    }
    // Between two words a blank may have been meant as anything, and a `:` behind a comma is of another rule;
    // elsewhere it is one too many.
    if (/\w\s+\w|[,;].*:/s.test(text) || kind !== 'a space') return fault;
    return { ...fault, help: `did you mean ${text.replace(/\s+/g, '')}?` };
  }
  const slashes = text.indexOf('://');
  const scheme = slashes < 0 ? '' : text.slice(0, slashes + 3);
  const protocol =
    slashes < 0 ? 'tcp' : PROTOCOLS.find((known) => known === text.slice(0, slashes));
  if (protocol === undefined) return unknownScheme(text, slashes, use);

  const targetStart = scheme.length;
  const rest = text.slice(targetStart);
  const cut = rest.startsWith('[')
    ? cutBracketed(rest, targetStart, scheme)
    : cutPlain(rest, text, scheme, use);
  if (typeof cut !== 'number') return cut;
  const target = rest.slice(0, cut);
  const portsStart = cut < rest.length ? targetStart + cut + 1 : undefined;
  return { protocol, scheme, target, targetStart, portsStart };
}

/** Length of a target in brackets, or a fault. */
function cutBracketed(rest: string, at: number, scheme: string): number | Fault {
  const close = rest.indexOf(']');
  if (close < 0) {
    const message = 'the `[` is not closed';
    return { code: 'SL2019', message, start: at, end: at + 1, expected: 'an IPv6 address and `]`' };
  }
  const after = rest.slice(close + 1);
  if (after === '' || after.startsWith(':')) return close + 1;
  const place = { start: at + close + 1, end: at + rest.length };
  const length = /^\/([0-9]{1,3})(?=:|$)/.exec(after);
  if (length !== null) {
    const help = `did you mean ${scheme}${rest.slice(0, close)}${length[0]}]${after.slice(length[0].length)}?`;
    return {
      code: 'SL2012',
      message: 'a prefix length stands inside the brackets',
      ...place,
      help,
    };
  }
  return {
    code: 'SL2019',
    message: `\`${after}\` can not follow the \`]\``,
    ...place,
    expected: '`:` and ports',
  };
}

/** Length of a target without brackets, or a fault when more than one colon stands in it. */
function cutPlain(rest: string, text: string, scheme: string, use: RuleUse): number | Fault {
  const at = scheme.length;
  const first = rest.indexOf(':');
  const last = rest.lastIndexOf(':');
  if (first < 0) return rest.length;
  if (first === last) return first;
  const place = { start: at, end: at + rest.length };
  const zone = /^([0-9a-f:.]+)%[^:/\]]*(.*)$/i.exec(rest);
  if (zone !== null && isIpv6Target(zone[1] ?? '')) {
    const message = 'a zone id can not stand in a policy';
    const help = `did you mean ${scheme}[${zone[1]}]${zone[2]}?`;
    return {
      code: 'SL2011',
      message,
      start: at + rest.indexOf('%'),
      end: at + rest.length - (zone[2] ?? '').length,
      help,
    };
  }
  const message = 'an IPv6 address stands in brackets';
  const host = rest.slice(0, last);
  const port = rest.slice(last + 1);
  if (scheme !== 'icmp://' && isIpv6Target(host) && parsePorts(port, 1).ok) {
    return { code: 'SL2009', message, ...place, help: `did you mean ${scheme}[${host}]:${port}?` };
  }
  if (isIpv6Target(rest)) {
    const usual = use === 'bind' ? ':8080' : ':443';
    const ports = scheme === 'icmp://' ? '' : usual;
    return { code: 'SL2009', message, ...place, help: `did you mean ${scheme}[${rest}]${ports}?` };
  }
  const extra = { start: at + last, end: text.length };
  const short = /^(tcp|udp|icmp):(.*)$/.exec(rest);
  const help = short === null ? {} : { help: `did you mean ${short[1]}://${short[2]}?` };
  return {
    code: 'SL2019',
    message: 'more than one `:` follows the target',
    ...extra,
    expected: FORMS[use],
    ...help,
  };
}

function unknownScheme(text: string, slashes: number, use: RuleUse): Fault {
  const scheme = text.slice(0, slashes);
  const rest = text.slice(slashes + 3);
  const fault: Fault = {
    code: 'SL2001',
    message: `unknown scheme \`${scheme}\``,
    start: 0,
    end: slashes === 0 ? 3 : slashes,
    expected: SCHEMES[use],
  };
  if (/raw|^ip$|packet/.test(scheme)) return { ...fault, help: 'raw sockets are never exposed' };
  if (scheme === 'unix') return { ...fault, help: 'UNIX sockets are listed in `allow_unix`' };
  const port = URL_PORTS.get(scheme.toLowerCase());
  if (port !== undefined) {
    const host = rest.replace(/[/?#].*$/, '').replace(/^.*@/, '');
    const ports = /:[0-9]+$/.test(host) ? '' : `:${port}`;
    return { ...fault, help: `did you mean ${host}${ports}?` };
  }
  if (scheme === 'ping' && use === 'reach')
    return { ...fault, help: `did you mean icmp://${rest}?` };
  const close = nearest(scheme, use === 'bind' ? ['tcp', 'udp'] : PROTOCOLS);
  return close === undefined ? fault : { ...fault, help: `did you mean ${close}://${rest}?` };
}
