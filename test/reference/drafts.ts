/** Small drafts by hand: the base of the damaged tables and the vectors. Rules are given as they would be written. */
import type {
  Action,
  AddressSet,
  Dns,
  Facts,
  Origin,
  PortRange,
  Prefix,
  Rule,
  TableDraft,
  UnixRule,
} from '../../compiler/model.ts';
import { parseIp } from './ip.ts';

const ALL_PORTS: readonly PortRange[] = [{ low: 0, high: 65535 }];

/** All families but `alg`, and no namespaces. */
export const FACTS: Facts = {
  families: [
    'unix/stream',
    'unix/dgram',
    'unix/seqpacket',
    'inet/stream',
    'inet/dgram',
    'inet6/stream',
    'inet6/dgram',
    'netlink/route',
  ],
  allowUserns: false,
};

/** Names are resolved when the command starts; none is private. */
export const DNS: Dns = { resolve: 'exec', pinnedAt: 0, maxAge: 0, privateNames: [] };

/** A draft of rules alone, or with names and sets. */
export function draftOf(rules: readonly Rule[], rest: Partial<TableDraft> = {}): TableDraft {
  return { facts: FACTS, unixRules: [], rules, names: [], dns: DNS, sets: [], ...rest };
}

/**
 * A rule from `tcp://10.0.0.0/8:80,443-444`; `*` any address, `@set`, `#name`, IPv6 in brackets;
 * icmp without ports; `tcp-bind://` what may be bound.
 */
export function rule(action: Action, text: string, line: number, source = 'policy.toml'): Rule {
  const parts = /^(tcp|udp|icmp|tcp-bind|udp-bind):\/\/(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(text);
  const [, protocol = '', target = '', ports = '*'] = parts ?? [];
  return {
    action,
    protocol: protocol as Rule['protocol'],
    ports: ports === '*' ? ALL_PORTS : ports.split(',').map(range),
    target: targetOf(target),
    ...originOf(text, line, source),
  };
}

/** A UNIX rule on a line of a file; line 0: not from one. */
export function unixRule(
  kind: UnixRule['kind'],
  text: string,
  line: number,
  source = 'policy.toml',
): UnixRule {
  return { kind, ...originOf(text, line, source) };
}

function originOf(text: string, line: number, source: string): Origin {
  return { text, source, line, column: line === 0 ? 0 : 3 };
}

function range(text: string): PortRange {
  const [low = 0, high = low] = text.split('-').map(Number);
  return { low, high };
}

function targetOf(text: string): Rule['target'] {
  if (text === '*') return { kind: 'any' };
  if (text.startsWith('@')) return { kind: 'set', set: text.slice(1) };
  if (text.startsWith('#')) return { kind: 'name', name: text.slice(1) };
  return { kind: 'prefix', prefix: prefix(text.replace(/[[\]]/g, '')) };
}

/** A prefix from `10.0.0.0/8` or `2001:db8::/32`; without a length, one address. */
export function prefix(text: string): Prefix {
  const [address = '', bits] = text.split('/');
  const bytes = parseIp(address);
  return { address: bytes, bits: bits === undefined ? bytes.length * 8 : Number(bits) };
}

/** A set from prefixes as text. */
export function set(name: string, prefixes: readonly string[]): AddressSet {
  const all = prefixes.map(prefix);
  const v4 = all.filter(({ address }) => address.length === 4);
  const v6 = all.filter(({ address }) => address.length === 16);
  return {
    name,
    prefixes: {
      v4: Uint32Array.from(v4, ({ address }) => new DataView(address.buffer).getUint32(0)),
      v4Bits: Uint8Array.from(v4, ({ bits }) => bits),
      v6: Uint8Array.from(v6.flatMap(({ address }) => [...address])),
      v6Bits: Uint8Array.from(v6, ({ bits }) => bits),
    },
  };
}

/** The rule of the worked example in docs/format.md. */
export const EXAMPLE: TableDraft = draftOf([rule('allow', 'tcp://10.0.0.0/8:443', 4)]);

/** Every kind of target, a closed protocol with a deny rule, binds, UNIX sockets, and text beyond ASCII. */
export const MIXED: TableDraft = {
  facts: { families: ['unix/stream', 'inet/stream', 'inet6/stream', 'alg'], allowUserns: true },
  unixRules: [
    unixRule('path', '/run/postgresql/.s.PGSQL.5432', 10, 'polïcy.toml'),
    unixRule('directory', '/run/üser/1000', 11, 'polïcy.toml'),
    unixRule('abstract', 'sandlock', 2, 'second.toml'),
  ],
  rules: [
    rule('allow', 'tcp://10.0.0.0/8:443,8000-8010', 4, 'polïcy.toml'),
    rule('allow', 'tcp://#db.example:5432', 5, 'polïcy.toml'),
    rule('allow', 'tcp://@mirrors:80,443', 6, 'polïcy.toml'),
    rule('deny', 'tcp://10.1.0.0/16:*', 7, 'polïcy.toml'),
    rule('allow', 'tcp://[2001:db8::/32]:443', 8, 'polïcy.toml'),
    rule('allow', 'tcp://[64:ff9b::/96]:443', 9, 'polïcy.toml'),
    rule('allow', 'udp://*:53', 0, '--allow'),
    rule('deny', 'udp://1.1.1.1:53', 0, '--deny'),
    rule('deny', 'icmp://192.0.2.7', 0, '--deny'),
    rule('allow', 'tcp-bind://127.0.0.1:8080', 12, 'polïcy.toml'),
    rule('allow', 'tcp-bind://0.0.0.0:8081', 12, 'polïcy.toml'),
    rule('allow', 'tcp-bind://@mirrors:3000-3010', 12, 'polïcy.toml'),
    rule('allow', 'tcp://#api.example:443', 13, 'polïcy.toml'),
    rule('allow', 'udp://#*.example:443', 14, 'polïcy.toml'),
  ],
  names: [
    {
      name: 'db.example',
      addresses: [parseIp('192.0.2.9'), parseIp('2001:db8::9'), parseIp('192.0.2.8')],
    },
    { name: 'api.example', addresses: [] },
    { name: '*.example', addresses: [] },
  ],
  dns: {
    resolve: 'live',
    pinnedAt: 1_764_161_000,
    maxAge: 86_400,
    privateNames: [
      { name: 'db.example', below: false, line: 20 },
      { name: 'internal.example', below: true, line: 21 },
    ],
  },
  sets: [set('mirrors', ['151.101.0.0/16', '2a04:4e42::/32', '198.51.100.7'])],
};

/** Enough boundaries for roots with several bits; IPv6 only in upper halves. */
export const NESTED: TableDraft = {
  facts: FACTS,
  unixRules: [],
  rules: [
    ...Array.from({ length: 24 }, (_, i) =>
      rule('allow', `tcp://10.${i * 8}.0.0/14:${443 + i}`, i + 1),
    ),
    rule('allow', 'tcp://10.0.0.0/8:22', 25),
    rule('deny', 'tcp://10.64.0.0/10:22', 26),
    ...Array.from({ length: 24 }, (_, i) =>
      rule('allow', `tcp://[2001:db8:${i * 8}::/47]:443`, 27 + i),
    ),
    rule('allow', 'icmp://10.0.0.0/8', 51),
    rule('deny', 'icmp://10.0.0.1', 52),
  ],
  names: [],
  dns: DNS,
  sets: [],
};

/** TCP by port alone, UDP and ICMP open, and no socket that keeps them from that. */
export const KERNEL: TableDraft = draftOf(
  [
    rule('allow', 'tcp://*:443,8000-8010', 1),
    rule('deny', 'tcp://*:8005', 2),
    rule('allow', 'udp://*:*', 3),
    rule('allow', 'icmp://*', 4),
  ],
  {
    facts: {
      families: ['unix/pair', 'inet/stream', 'inet/dgram', 'inet6/stream', 'inet6/dgram'],
      allowUserns: false,
    },
  },
);

/**
 * Everything allowed, but for what is denied: IPv4 in the forms that IPv6 carries, loopback and unspecified addresses.
 */
export const OPEN: TableDraft = {
  facts: { families: [], allowUserns: false },
  unixRules: [unixRule('directory', '/', 0, '')],
  rules: [
    rule('allow', 'tcp://*:*', 1),
    rule('allow', 'udp://*:*', 2),
    rule('allow', 'icmp://*', 3),
    rule('deny', 'tcp://169.254.169.254:*', 4),
    rule('deny', 'tcp://0.0.0.0:*', 5),
    rule('deny', 'udp://[::]:*', 6),
    rule('deny', 'udp://10.0.0.0/8:1-65534', 7),
    rule('deny', 'icmp://[::ffff:192.0.2.0/120]', 8),
    rule('allow', 'tcp-bind://*:*', 9),
    rule('deny', 'tcp-bind://10.0.0.0/8:*', 10),
    rule('deny', 'tcp-bind://[::]:*', 11),
    rule('allow', 'udp-bind://*:*', 12),
    rule('deny', 'udp-bind://[::ffff:0.0.0.0]:*', 13),
    rule('deny', 'udp-bind://127.0.0.1:*', 14),
  ],
  names: [],
  dns: DNS,
  sets: [],
};

/**
 * Sets in all the ways in which tables tell them: a and b overlap in a trie with ports, c is denied
 * there, d in one of every address; e is denied of a closed protocol and f opens nothing that all
 * addresses have not, so that these two have tries of their own.
 */
export const SETS: TableDraft = draftOf(
  [
    rule('allow', 'tcp://@a:443', 1),
    rule('allow', 'tcp://@b:80', 2),
    rule('deny', 'tcp://@c:443', 3),
    rule('allow', 'tcp://10.0.0.0/8:22', 4),
    rule('allow', 'udp://*:53', 5),
    rule('deny', 'udp://@d:53', 6),
    rule('deny', 'icmp://@e', 7),
    rule('allow', 'tcp-bind://*:8080', 8),
    rule('allow', 'tcp-bind://@f:8080', 9),
    rule('allow', 'tcp://#*.example:80,443', 10),
  ],
  {
    names: [{ name: '*.example', addresses: [] }],
    sets: [
      set('a', ['192.0.2.0/24', '198.51.100.0/25', '2001:db8:a::/48']),
      set('b', ['192.0.2.0/25', '198.51.100.0/24', '2001:db8::/32']),
      set('c', ['192.0.2.64/26', '203.0.113.0/24']),
      set('d', ['1.1.1.1', '2606:4700::/32']),
      set('e', ['10.1.0.0/16', '2001:db8:e::/48']),
      set('f', ['127.0.0.0/8', '::1']),
    ],
  },
);
