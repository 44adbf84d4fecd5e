/**
 * Rule strings beyond the reference decisions: every refused shape is one named test, with its complete text.
 */
import { expect, test } from 'vitest';
import { errorsOfRule, readRule } from './support.ts';

const PORTS = 'expected: a port (443), a range (8000-8010), a list of those, or `*`';
const RANGE = 'expected: a port from 1 to 65535';
const OCTETS = 'expected: four decimal octets, such as 192.0.2.7';
const LABELS =
  'expected: labels of letters, digits, `_` and inner hyphens, such as api.example.com';
const STAR = 'expected: `*` alone, or `*.` and a name';
const SIX = 'expected: an IPv6 address, such as 2001:db8::1';
const SET = 'expected: a set name of letters, digits, `-` and `_`';

/** One refusal: title, rule, then code with message, the carets under the rule, and what follows. */
type Refusal = readonly [string, string, string, string, ...string[]];

const REFUSALS: readonly Refusal[] = [
  [
    'an empty rule',
    '',
    'SL2018: the rule is empty',
    '^',
    'expected: scheme://target:ports, such as tcp://example.com:443',
  ],
  [
    'a scheme in capitals',
    'TCP://a:1',
    'SL2001: unknown scheme `TCP`',
    '^^^',
    'expected: tcp://, udp:// or icmp://, or no scheme for TCP',
    'help: did you mean tcp://a:1?',
  ],
  [
    'a mistyped scheme',
    'upd://a:1',
    'SL2001: unknown scheme `upd`',
    '^^^',
    'expected: tcp://, udp:// or icmp://, or no scheme for TCP',
    'help: did you mean udp://a:1?',
  ],
  [
    'a URL',
    'https://example.com/x',
    'SL2001: unknown scheme `https`',
    '^^^^^',
    'expected: tcp://, udp:// or icmp://, or no scheme for TCP',
    'help: did you mean example.com:443?',
  ],
  [
    'a URL with port and user',
    'ssh://git@example.com:2222/x',
    'SL2001: unknown scheme `ssh`',
    '^^^',
    'expected: tcp://, udp:// or icmp://, or no scheme for TCP',
    'help: did you mean example.com:2222?',
  ],
  [
    'a missing scheme name',
    '://a:1',
    'SL2001: unknown scheme ``',
    '^^^',
    'expected: tcp://, udp:// or icmp://, or no scheme for TCP',
  ],
  [
    'a scheme without slashes',
    'udp:example.com:53',
    'SL2019: more than one `:` follows the target',
    '               ^^^',
    'expected: scheme://target:ports, such as tcp://example.com:443',
    'help: did you mean udp://example.com:53?',
  ],
  [
    'two ports with colons',
    'example.com:80:90',
    'SL2019: more than one `:` follows the target',
    '              ^^^',
    'expected: scheme://target:ports, such as tcp://example.com:443',
  ],
  [
    'a scheme alone',
    'tcp://',
    'SL2002: expected host:port, found no port',
    '      ^',
    'help: did you mean tcp://:443?',
  ],
  [
    'udp without port',
    'udp://1.1.1.1',
    'SL2002: expected host:port, found no port',
    '      ^^^^^^^',
    'help: did you mean udp://1.1.1.1:53?',
  ],
  [
    'a bracketed address without port',
    '[::1]',
    'SL2002: expected host:port, found no port',
    '^^^^^',
    'help: did you mean [::1]:443?',
  ],
  [
    'a space before the rule',
    ' a:1',
    'SL2017: a rule can not hold a space',
    '^',
    'help: did you mean a:1?',
  ],
  [
    'a space in a port list',
    'a:1, 2',
    'SL2017: a rule can not hold a space',
    '    ^',
    'help: did you mean a:1,2?',
  ],
  ['a space between words', 'a b:1', 'SL2017: a rule can not hold a space', ' ^'],
  ['a negative port', 'a:-1', 'SL2003: invalid port: range `-1` lacks an end', '  ^^', PORTS],
  ['an open range', 'a:80-', 'SL2003: invalid port: range `80-` lacks an end', '  ^^^', PORTS],
  [
    'a backward range',
    'a:90-80',
    'SL2005: port range 90-80 is backwards',
    '  ^^^^^',
    'help: did you mean 80-90?',
  ],
  ['a port above 65535', 'a:65536', 'SL2004: port 65536 is above 65535', '  ^^^^^', RANGE],
  [
    'a port of many digits',
    'a:99999999999999999999',
    'SL2004: port 99999999999999999999 is above 65535',
    '  ^^^^^^^^^^^^^^^^^^^^',
    RANGE,
  ],
  [
    'port 0 in a range',
    'a:0-5',
    'SL2004: port 0 can not be reached',
    '  ^',
    RANGE,
    'help: write `*` for every port',
  ],
  [
    'port 00',
    'a:00',
    'SL2004: port 0 can not be reached',
    '  ^^',
    RANGE,
    'help: write `*` for every port',
  ],
  [
    'a leading zero',
    'a:080',
    'SL2003: invalid port `080`: leading zero',
    '  ^^^',
    'help: did you mean 80?',
  ],
  [
    'a service name',
    'a:https',
    'SL2003: invalid port `https`',
    '  ^^^^^',
    PORTS,
    'help: did you mean 443?',
  ],
  ['wide digits', 'a:４４３', 'SL2003: invalid port `４４３`', '  ^^^^^^', PORTS],
  [
    'an empty port item',
    'a:80,,90',
    'SL2003: invalid port: an item of the list is empty',
    '    ^',
    PORTS,
  ],
  ['a leading comma', 'a:,80', 'SL2003: invalid port: an item of the list is empty', '  ^', PORTS],
  [
    'icmp with every port',
    'icmp://*:*',
    'SL2007: icmp rules take no port',
    '        ^^',
    'help: did you mean icmp://*?',
  ],
  [
    'icmp with a port alone',
    'icmp://:80',
    'SL2007: icmp rules take no port',
    '       ^^^',
    'help: did you mean icmp://*?',
  ],
  [
    'icmp with a bare colon',
    'icmp://a:',
    'SL2007: icmp rules take no port',
    '        ^',
    'help: did you mean icmp://a?',
  ],
  [
    'icmp to IPv6 without brackets',
    'icmp://2001:db8::1',
    'SL2009: an IPv6 address stands in brackets',
    '       ^^^^^^^^^^^',
    'help: did you mean icmp://[2001:db8::1]?',
  ],
  [
    'IPv6 without brackets nor port',
    '2001:db8:0:0:0:0:0:1',
    'SL2009: an IPv6 address stands in brackets',
    '^^^^^^^^^^^^^^^^^^^^',
    'help: did you mean [2001:db8:0:0:0:0:0:1]:443?',
  ],
  [
    'an IPv6 CIDR without brackets',
    'udp://2001:db8::/32:53',
    'SL2009: an IPv6 address stands in brackets',
    '      ^^^^^^^^^^^^^^^^',
    'help: did you mean udp://[2001:db8::/32]:53?',
  ],
  [
    'a zone id',
    '[fe80::1%eth0]:80',
    'SL2011: `%eth0` is a zone id, which a policy can not hold',
    '        ^^^^^',
    SIX,
    'help: did you mean fe80::1?',
  ],
  [
    'a zone id without brackets',
    'fe80::1%eth0:80',
    'SL2011: a zone id can not stand in a policy',
    '       ^^^^^',
    'help: did you mean [fe80::1]:80?',
  ],
  [
    'an open bracket',
    '[::1:80',
    'SL2019: the `[` is not closed',
    '^',
    'expected: an IPv6 address and `]`',
  ],
  [
    'text behind the bracket',
    '[::1]80',
    'SL2019: `80` can not follow the `]`',
    '     ^^',
    'expected: `:` and ports',
  ],
  [
    'a length behind the bracket',
    '[2001:db8::]/32:80',
    'SL2012: a prefix length stands inside the brackets',
    '            ^^^^^^',
    'help: did you mean [2001:db8::/32]:80?',
  ],
  [
    'an IPv4 address in brackets',
    '[10.0.0.0/8]:80',
    'SL2019: an IPv4 address takes no brackets',
    '^^^^^^^^^^^^',
    'help: did you mean 10.0.0.0/8?',
  ],
  [
    'a name in brackets',
    '[example.com]:80',
    'SL2019: `example.com` is not an IPv6 address, and nothing else takes brackets',
    '^^^^^^^^^^^^^',
    'help: did you mean example.com?',
  ],
  ['empty brackets', '[]:80', 'SL2011: the address is missing', '^', SIX],
  ['two gaps in IPv6', '[1::2::3]:80', 'SL2011: `::` may stand once only', '     ^^', SIX],
  [
    'a long IPv6 group',
    '[2001:db8::12345]:80',
    'SL2011: group `12345` has more than 4 digits',
    '           ^^^^^',
    SIX,
  ],
  [
    'a strange IPv6 digit',
    '[2001:dbg::1]:80',
    'SL2011: `dbg` is not a group of hexadecimal digits',
    '      ^^^',
    SIX,
  ],
  ['too few IPv6 groups', '[1:2:3]:80', 'SL2011: `1:2:3` has 3 groups instead of 8', ' ^^^^^', SIX],
  [
    'too many IPv6 groups',
    '[1:2:3:4:5:6:7:8:9]:80',
    'SL2011: `1:2:3:4:5:6:7:8:9` has 9 groups instead of 8',
    ' ^^^^^^^^^^^^^^^^^',
    SIX,
  ],
  [
    'a gap for no group',
    '[1:2:3:4::5:6:7:8]:80',
    'SL2011: `1:2:3:4::5:6:7:8` has 8 groups beside `::`',
    ' ^^^^^^^^^^^^^^^^',
    SIX,
  ],
  [
    'a colon before IPv6',
    '[:1:2:3:4:5:6:7]:80',
    'SL2011: a single `:` stands at the start',
    ' ^',
    SIX,
  ],
  [
    'a colon behind IPv6',
    '[1:2:3:4:5:6:7:]:80',
    'SL2011: a single `:` stands at the end',
    '              ^',
    SIX,
  ],
  [
    'bad embedded IPv4',
    '[::ffff:1.2.3.400]:80',
    'SL2011: octet 400 is above 255',
    '              ^^^',
    OCTETS,
  ],
  [
    'embedded IPv4 before the end',
    '[1.2.3.4::1]:80',
    'SL2011: `1.2.3.4` may stand at the end only',
    ' ^^^^^^^',
    SIX,
  ],
  ['an octet above 255', '256.1.1.1:80', 'SL2010: octet 256 is above 255', '^^^', OCTETS],
  [
    'five octets',
    '1.2.3.4.5:80',
    'SL2010: `1.2.3.4.5` has 5 octets instead of 4',
    '^^^^^^^^^',
    OCTETS,
  ],
  [
    'one number',
    '2130706433:80',
    'SL2010: `2130706433` has 1 octet instead of 4',
    '^^^^^^^^^^',
    OCTETS,
  ],
  [
    'a hexadecimal number',
    '0x7f000001:80',
    'SL2010: `0x7f000001` is hexadecimal, which programs read differently',
    '^^^^^^^^^^',
    OCTETS,
  ],
  [
    'a dot behind IPv4',
    '127.0.0.1.:80',
    'SL2010: `127.0.0.1.` has an empty octet',
    '         ^',
    OCTETS,
  ],
  ['an empty octet', '1..2.3:80', 'SL2010: `1..2.3` has an empty octet', '  ^', OCTETS],
  ['a name that ends in a number', 'host.1:80', 'SL2010: `host` is not an octet', '^^^^', OCTETS],
  [
    'octal beyond an octet',
    '0400.1.1.1:80',
    'SL2010: `0400` has a leading zero, which some programs read as octal',
    '^^^^',
    OCTETS,
  ],
  [
    'a length above 32',
    '10.0.0.0/33:80',
    'SL2012: `/33` is not a prefix length of an IPv4 address',
    '        ^^^',
    'expected: a length from 0 to 32',
  ],
  [
    'a length above 128',
    '[::/129]:80',
    'SL2012: `/129` is not a prefix length of an IPv6 address',
    '   ^^^^',
    'expected: a length from 0 to 128',
  ],
  [
    'a length with a leading zero',
    '10.0.0.0/08:80',
    'SL2012: `/08` is not a prefix length of an IPv4 address',
    '        ^^^',
    'expected: a length from 0 to 32',
  ],
  [
    'an empty length',
    '10.0.0.0/:80',
    'SL2012: `/` is not a prefix length of an IPv4 address',
    '        ^',
    'expected: a length from 0 to 32',
  ],
  [
    'a netmask',
    '10.0.0.0/255.0.0.0:80',
    'SL2012: `/255.0.0.0` is not a prefix length of an IPv4 address',
    '        ^^^^^^^^^^',
    'expected: a length from 0 to 32',
    'help: did you mean 10.0.0.0/8?',
  ],
  [
    'a length behind a name',
    'example.com/24:80',
    'SL2012: `/24` stands behind `example.com`, which is not an address',
    '           ^^^',
    'expected: a name alone, or an address with its prefix length',
  ],
  [
    'IPv6 host bits',
    '[2001:db8::1/32]:80',
    'SL2013: `2001:db8::1/32` has bits set beyond its first 32',
    ' ^^^^^^^^^^^^^^',
    'help: did you mean [2001:db8::/32] (the network) or [2001:db8::1] (the one address)?',
  ],
  ['an empty label', 'a..b:80', 'SL2014: `a..b` has an empty label', '  ^', LABELS],
  ['a dot alone', '.:80', 'SL2014: `.` has an empty label', '^', LABELS],
  ['a hyphen at the start', 'a.-b:80', 'SL2014: label `-b` has a hyphen at its end', '  ^', LABELS],
  ['a hyphen at the end', 'a-.b:80', 'SL2014: label `a-` has a hyphen at its end', ' ^', LABELS],
  [
    'a label of 64',
    `${'a'.repeat(64)}.b:80`,
    'SL2014: a label has 64 characters, at most 63 are possible',
    '^'.repeat(64),
    LABELS,
  ],
  [
    'a broken A-label',
    'xn--a.example:80',
    'SL2014: `xn--a.example` is not a valid international name',
    '^^^^^^^^^^^^^',
    LABELS,
  ],
  [
    'a name that folds into an address',
    '１２７.0.0.１:80',
    'SL2014: `１２７.0.0.１` is not a valid international name',
    '^^^^^^^^^^^^^',
    LABELS,
  ],
  [
    'a star inside a label',
    'a*.example:80',
    'SL2015: `*` can not be a part of `a*.example`',
    ' ^',
    STAR,
  ],
  [
    'a star in a later label',
    'a.*.example:80',
    'SL2015: `*` can not be a part of `a.*.example`',
    '  ^',
    STAR,
  ],
  ['two stars', '*.*.example:80', 'SL2015: `*` can not be a part of `*.*.example`', '  ^', STAR],
  [
    'a wildcard of nothing',
    '*.:80',
    'SL2015: a wildcard needs the name that follows it',
    '^^',
    STAR,
  ],
  [
    'a wildcard of an address',
    '*.0.0.1:80',
    'SL2015: a wildcard stands for names, not for addresses',
    '^^^^^^^',
    'help: write a CIDR, such as 10.0.0.0/8',
  ],
  ['a set without name', '@:80', 'SL2016: the set name is missing behind `@`', '^', SET],
  ['a set name with a dot', '@a.b:80', 'SL2016: a set name can not hold `.`', '  ^', SET],
];

test.each(REFUSALS)('%s is refused', async (_, text, head, carets, ...rest) => {
  const excerpt = [`  ${text}`.trimEnd(), `  ${carets}`];
  const complete = [`--allow: error ${head}`, ...excerpt, ...rest, ''].join('\n');
  expect(await errorsOfRule(text)).toBe(complete);
});

test('a path behind a name is refused, with the rule that is meant', async () => {
  expect(
    await errorsOfRule('example.com/x'),
  ).toBe(`--allow: error SL2012: \`/x\` stands behind \`example.com\`, which is not an address
  example.com/x
             ^^
expected: a name alone, or an address with its prefix length
help: did you mean example.com:443?
`);
});

test('a name of 254 octets is refused, in a window of its line', async () => {
  const name = `${'a.'.repeat(126)}bc`;
  expect(
    await errorsOfRule(`${name}:80`),
  ).toBe(`--allow: error SL2014: the name has 254 octets, at most 253 are possible
  ${name.slice(0, 160)}
  ${'^'.repeat(160)}
${LABELS}
`);
});

test.each([
  ['EXAMPLE.Com.:443', 'tcp name example.com 443'],
  ['localhost:80', 'tcp name localhost 80'],
  ['a1-b.3com.example:1-65535', 'tcp name a1-b.3com.example 1-65535'],
  ['bücher.example:443', 'tcp name xn--bcher-kva.example 443'],
  ['my_db.internal:5432', 'tcp name my_db.internal 5432'],
  ['_x.bücher_2.example.:1', 'tcp name _x.xn--bcher_2-n2a.example 1'],
  ['日本語。テスト:443', 'tcp name xn--wgv71a119e.xn--zckzah 443'],
  ['xn--bcher-KVA.example:443', 'tcp name xn--bcher-kva.example 443'],
  [`${'a.'.repeat(126)}b.:1`, `tcp name ${'a.'.repeat(126)}b 1`],
  ['0.0.0.0/0:1', 'tcp prefix 0.0.0.0/0 1'],
  ['0.0.0.0:1', 'tcp prefix 127.0.0.1/32 1'],
  ['[::]:1', 'tcp prefix ::1/128 1'],
  ['[::/0]:1', 'tcp prefix ::/0 1'],
  ['[::ffff:0.0.0.0]:1', 'tcp prefix 127.0.0.1/32 1'],
  ['[::ffff:10.0.0.0/104]:1', 'tcp prefix 10.0.0.0/8 1'],
  ['[::ffff:0:0/96]:1', 'tcp prefix 0.0.0.0/0 1'],
  ['[::fffe:0:0/95]:1', 'tcp prefix ::fffe:0:0/95 1'],
  ['[0:0:0:0:0:FFFF:1.2.3.4]:1', 'tcp prefix 1.2.3.4/32 1'],
  ['udp://:53', 'udp any 53'],
  ['a:22,20-21,443,19,444-500', 'tcp name a 19-22,443-500'],
  ['a:5,5,1-9', 'tcp name a 1-9'],
])('%s means %s', async (text, meaning) => {
  expect(await readRule(text)).toBe(meaning);
});

test('every independent fault of a rule is reported', async () => {
  expect(await errorsOfRule('a!b:0,x')).toBe(`--allow: error SL2014: a host name can not hold \`!\`
  a!b:0,x
   ^
${LABELS}

--allow: error SL2004: port 0 can not be reached
  a!b:0,x
      ^
${RANGE}
help: write \`*\` for every port

--allow: error SL2003: invalid port \`x\`
  a!b:0,x
        ^
${PORTS}
`);
});

test('a name in a deny rule is not completed with a port, because it could not stand there anyway', async () => {
  expect(
    await errorsOfRule('example.com', 'deny'),
  ).toBe(`--deny: error SL3001: a deny rule takes no name
  example.com
  ^^^^^^^^^^^
expected: an address, a CIDR, a set or \`*\`
help: a name that resolves to another address tomorrow would fail open; what no allow rule matches is refused anyway

--deny: error SL2002: expected host:port, found no port
  example.com
  ^^^^^^^^^^^
`);
});

test('a UNIX socket in a rule is told where it belongs', async () => {
  expect(await errorsOfRule('unix:///run/x')).toBe(`--allow: error SL2001: unknown scheme \`unix\`
  unix:///run/x
  ^^^^
expected: tcp://, udp:// or icmp://, or no scheme for TCP
help: UNIX sockets are listed in \`allow_unix\`
`);
});
