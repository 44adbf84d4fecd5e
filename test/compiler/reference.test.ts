/**
 * The reference decisions of the policy language, one by one, with the complete text of every refusal.
 */
import { expect, test } from 'vitest';
import { DNS } from '../reference/drafts.ts';
import { draftText, errorsOf, errorsOfRule, readRule } from './support.ts';

test.each([
  ['example.com:443', 'tcp name example.com 443'],
  ['github.com:22,80,443', 'tcp name github.com 22,80,443'],
  [':8080', 'tcp any 8080'],
  ['*:8080', 'tcp any 8080'],
  [':*', 'tcp any 0-65535'],
  ['*:*', 'tcp any 0-65535'],
  ['example.com:*', 'tcp name example.com 0-65535'],
  [':*,*', 'tcp any 0-65535'],
  ['udp://1.1.1.1:53', 'udp prefix 1.1.1.1/32 53'],
  ['udp://*:*', 'udp any 0-65535'],
  ['icmp://github.com', 'icmp name github.com 0-65535'],
  ['icmp://*', 'icmp any 0-65535'],
  ['api.example.com:443', 'tcp name api.example.com 443'],
  ['tcp://10.20.0.0/16:5432,6000-6010', 'tcp prefix 10.20.0.0/16 5432,6000-6010'],
  ['tcp://[2001:db8::/32]:443', 'tcp prefix 2001:db8::/32 443'],
  ['icmp://192.0.2.7', 'icmp prefix 192.0.2.7/32 0-65535'],
])('%s means %s', async (text, meaning) => {
  expect(await readRule(text)).toBe(meaning);
});

test('a rule on a set refers to the set', async () => {
  const result = await draftText(
    '[network]\nallow = ["tcp://@mirrors:443"]\n[sets]\nmirrors = ["151.101.0.0/16"]\n',
  );
  expect(result.ok && result.draft.rules[0]?.target).toEqual({ kind: 'set', set: 'mirrors' });
});

test.each(['tcp://169.254.169.254:*', 'udp://10.0.0.0/8:*', '*:*', 'icmp://[2001:db8::/32]'])(
  'a deny rule may be %s',
  async (text) => {
    expect(await errorsOfRule(text, 'deny')).toBe('');
  },
);

const MIX = `--allow: error SL2006: cannot mix \`*\` with ports
  example.com:PORTS
CARET
help: keep \`*\` alone for every port, or list the ports only
`;

test.each([
  ['example.com:80,*', MIX.replace('PORTS', '80,*').replace('CARET', '                 ^')],
  ['example.com:*,80', MIX.replace('PORTS', '*,80').replace('CARET', '              ^')],
  [
    'example.com:0',
    `--allow: error SL2004: port 0 can not be reached
  example.com:0
              ^
expected: a port from 1 to 65535
help: write \`*\` for every port
`,
  ],
  [
    'example.com:',
    `--allow: error SL2003: invalid port: nothing follows the \`:\`
  example.com:
             ^
expected: a port (443), a range (8000-8010), a list of those, or \`*\`
`,
  ],
  [
    'example.com',
    `--allow: error SL2002: expected host:port, found no port
  example.com
  ^^^^^^^^^^^
help: did you mean example.com:443?
`,
  ],
  [
    'icmp://github.com:80',
    `--allow: error SL2007: icmp rules take no port
  icmp://github.com:80
                   ^^^
help: did you mean icmp://github.com?
`,
  ],
  [
    'icmp://',
    `--allow: error SL2008: an icmp rule needs a host or \`*\`
  icmp://
  ^^^^^^^
help: write icmp://* for every destination
`,
  ],
  [
    'sctp://host:1234',
    `--allow: error SL2001: unknown scheme \`sctp\`
  sctp://host:1234
  ^^^^
expected: tcp://, udp:// or icmp://, or no scheme for TCP
`,
  ],
  [
    'icmp-raw://*',
    `--allow: error SL2001: unknown scheme \`icmp-raw\`
  icmp-raw://*
  ^^^^^^^^
expected: tcp://, udp:// or icmp://, or no scheme for TCP
help: raw sockets are never exposed
`,
  ],
  [
    '2001:db8::1:443',
    `--allow: error SL2009: an IPv6 address stands in brackets
  2001:db8::1:443
  ^^^^^^^^^^^^^^^
help: did you mean [2001:db8::1]:443?
`,
  ],
  [
    '10.0.0.1/8:443',
    `--allow: error SL2013: \`10.0.0.1/8\` has bits set beyond its first 8
  10.0.0.1/8:443
  ^^^^^^^^^^
help: did you mean 10.0.0.0/8 (the network) or 10.0.0.1 (the one address)?
`,
  ],
  [
    '010.0.0.1:443',
    `--allow: error SL2010: \`010\` has a leading zero, which some programs read as octal
  010.0.0.1:443
  ^^^
expected: four decimal octets, such as 192.0.2.7
help: did you mean 10.0.0.1, or 8.0.0.1 (octal)?
`,
  ],
  [
    '127.1:443',
    `--allow: error SL2010: \`127.1\` has 2 octets instead of 4
  127.1:443
  ^^^^^
expected: four decimal octets, such as 192.0.2.7
`,
  ],
  [
    '0x7f.1:443',
    `--allow: error SL2010: \`0x7f\` is hexadecimal, which programs read differently
  0x7f.1:443
  ^^^^
expected: four decimal octets, such as 192.0.2.7
`,
  ],
])('%s is refused', async (text, complete) => {
  expect(await errorsOfRule(text)).toBe(complete);
});

test.each(['example.com:443', '*.example.com:443', 'localhost:*'])(
  'a deny rule may not name %s',
  async (text) => {
    const target = text.slice(0, text.indexOf(':'));
    expect(await errorsOfRule(text, 'deny')).toBe(`--deny: error SL3001: a deny rule takes no name
  ${text}
  ${'^'.repeat(target.length)}
expected: an address, a CIDR, a set or \`*\`
help: a name that resolves to another address tomorrow would fail open; what no allow rule matches is refused anyway
`);
  },
);

/** What the language says holds when a policy does not mention it. */
const DEFAULT_FACTS = {
  families: [
    'unix/stream',
    'unix/seqpacket',
    'inet/stream',
    'inet/dgram',
    'inet6/stream',
    'inet6/dgram',
    'netlink/route',
  ],
  allowUserns: false,
};

test('an empty allow list compiles to no rule', async () => {
  const result = await draftText('[network]\nallow = []\n');
  expect(result).toMatchObject({
    ok: true,
    draft: { facts: DEFAULT_FACTS, unixRules: [], rules: [], names: [], dns: DNS, sets: [] },
    warnings: [],
  });
});

test('all errors of a file come in one run, in source order', async () => {
  expect(
    await errorsOf(
      `#:schema ./policy.schema.json
[limits]
memory = "512M"

[network]
allow = [
  "example.com:70000",
  "nowhere.example:443",
  "@mirror:443",
]
alow = []

[sets]
mirrors = ["192.0.2.0/24", "192.0.2.1/24"]
`,
      { names: { 'example.com': ['192.0.2.1'] } },
    ),
  ).toBe(`policy.toml:2:2: error SL2105: \`[limits]\` is not implemented yet
2 | [limits]
  |  ^^^^^^
help: remove it: a policy that is not enforced whole does not compile

policy.toml:7:16: error SL2004: port 70000 is above 65535
7 |   "example.com:70000",
  |                ^^^^^
expected: a port from 1 to 65535

policy.toml:8:4: error SL4001: \`nowhere.example\` does not resolve: the name does not exist
8 |   "nowhere.example:443",
  |    ^^^^^^^^^^^^^^^

policy.toml:9:4: error SL3002: no set is named \`mirror\`
9 |   "@mirror:443",
  |    ^^^^^^^
help: did you mean @mirrors?

policy.toml:11:1: error SL2101: unknown key \`alow\` in \`network\`
11 | alow = []
   | ^^^^
expected: \`allow\`, \`deny\`, \`allow_bind\`, \`deny_bind\`, \`allow_unix\`, \`allow_families\`
help: did you mean \`allow\`?

policy.toml:14:29: error SL2013: \`192.0.2.1/24\` has bits set beyond its first 24
14 | mirrors = ["192.0.2.0/24", "192.0.2.1/24"]
   |                             ^^^^^^^^^^^^
help: did you mean 192.0.2.0/24 (the network) or 192.0.2.1 (the one address)?
`);
});
