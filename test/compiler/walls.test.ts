/**
 * `allow_unix`, `allow_families` and `[program] allow_userns`: what they mean, and the complete text of each refusal.
 */
import { expect, test } from 'vitest';
import { DEFAULT_FAMILIES } from '../../compiler/families.ts';
import type { TableDraft } from '../../compiler/model.ts';
import { errorsOf, goodDraft } from './support.ts';

function draftOf(text: string): Promise<TableDraft> {
  return goodDraft({ file: { name: 'policy.toml', text } });
}

test('UNIX rules are paths, directories and abstract names, with their places', async () => {
  const { unixRules } = await draftOf(`[network]
allow_unix = [
  "/run/postgresql/.s.PGSQL.5432",
  "/run/user/1000/", "@abstract-name",
  "/",
  "@@x", "/run/a b", "/run/üser", '/run/"q"',
]`);
  expect(
    unixRules.map(({ kind, text, line, column }) => `${line}:${column} ${kind} ${text}`),
  ).toEqual([
    '3:3 path /run/postgresql/.s.PGSQL.5432',
    '4:3 directory /run/user/1000',
    '4:22 abstract abstract-name',
    '5:3 directory /',
    '6:3 abstract @x',
    '6:10 path /run/a b',
    '6:22 path /run/üser',
    '6:35 path /run/"q"',
  ]);
});

test('UNIX rules tell the file without its directories', async () => {
  const text = '[network]\nallow_unix = ["/x"]';
  const { unixRules } = await goodDraft({ file: { name: 'some/where/p.toml', text } });
  expect(unixRules).toEqual([{ kind: 'path', text: '/x', source: 'p.toml', line: 2, column: 15 }]);
});

test('107 bytes are not too many, with the final slash of a directory not counted', async () => {
  const name = 'x'.repeat(106);
  const { unixRules } = await draftOf(
    `[network]\nallow_unix = ["/${name}", "/${name}/", "@x${name}"]`,
  );
  expect(unixRules.map(({ text }) => text.length)).toEqual([107, 107, 107]);
});

test.each([
  [
    'an empty socket',
    '[network]\nallow_unix = [""]',
    `policy.toml:2:15: error SL2021: the socket is missing
2 | allow_unix = [""]
  |               ^^
expected: an absolute path, a directory with a final \`/\`, or \`@\` and an abstract name
`,
  ],
  [
    'a relative path',
    '[network]\nallow_unix = ["run/x"]',
    `policy.toml:2:16: error SL2021: \`run/x\` is not an absolute path
2 | allow_unix = ["run/x"]
  |                ^^^^^
expected: an absolute path, a directory with a final \`/\`, or \`@\` and an abstract name
help: did you mean /run/x, or @run/x (abstract)?
`,
  ],
  [
    'a bare name',
    '[network]\nallow_unix = ["name"]',
    `policy.toml:2:16: error SL2021: \`name\` is not an absolute path
2 | allow_unix = ["name"]
  |                ^^^^
expected: an absolute path, a directory with a final \`/\`, or \`@\` and an abstract name
help: did you mean /name, or @name (abstract)?
`,
  ],
  [
    'a path from the working directory',
    '[network]\nallow_unix = ["./x"]',
    `policy.toml:2:16: error SL2021: \`./x\` is not an absolute path
2 | allow_unix = ["./x"]
  |                ^^^
expected: an absolute path, a directory with a final \`/\`, or \`@\` and an abstract name
help: write the path from the root
`,
  ],
  [
    'a home directory',
    '[network]\nallow_unix = ["~/x"]',
    `policy.toml:2:16: error SL2021: \`~/x\` is not an absolute path
2 | allow_unix = ["~/x"]
  |                ^^^
expected: an absolute path, a directory with a final \`/\`, or \`@\` and an abstract name
help: write the path in full: \`~\` and variables are not expanded
`,
  ],
  [
    'a variable',
    '[network]\nallow_unix = ["$XDG_RUNTIME_DIR/bus"]',
    `policy.toml:2:16: error SL2021: \`$XDG_RUNTIME_DIR/bus\` is not an absolute path
2 | allow_unix = ["$XDG_RUNTIME_DIR/bus"]
  |                ^^^^^^^^^^^^^^^^^^^^
expected: an absolute path, a directory with a final \`/\`, or \`@\` and an abstract name
help: write the path in full: \`~\` and variables are not expanded
`,
  ],
  [
    'a URL of a path',
    '[network]\nallow_unix = ["unix:///run/x"]',
    `policy.toml:2:16: error SL2021: \`unix:///run/x\` is not an absolute path
2 | allow_unix = ["unix:///run/x"]
  |                ^^^^^^^^^^^^^
expected: an absolute path, a directory with a final \`/\`, or \`@\` and an abstract name
help: did you mean /run/x?
`,
  ],
  [
    'a URL of an abstract name',
    '[network]\nallow_unix = ["unix:@x"]',
    `policy.toml:2:16: error SL2021: \`unix:@x\` is not an absolute path
2 | allow_unix = ["unix:@x"]
  |                ^^^^^^^
expected: an absolute path, a directory with a final \`/\`, or \`@\` and an abstract name
help: did you mean @x?
`,
  ],
  [
    'a blank before the path',
    '[network]\nallow_unix = [" /run/x"]',
    `policy.toml:2:16: error SL2021: \` /run/x\` is not an absolute path
2 | allow_unix = [" /run/x"]
  |                ^^^^^^^
expected: an absolute path, a directory with a final \`/\`, or \`@\` and an abstract name
help: did you mean /run/x?
`,
  ],
  [
    'a path with an empty step',
    '[network]\nallow_unix = ["/run//x"]',
    `policy.toml:2:16: error SL2021: \`/run//x\` is not the shortest form of its path
2 | allow_unix = ["/run//x"]
  |                ^^^^^^^
help: did you mean /run/x?
`,
  ],
  [
    'a path with a parent',
    '[network]\nallow_unix = ["/run/../etc/x"]',
    `policy.toml:2:16: error SL2021: \`/run/../etc/x\` is not the shortest form of its path
2 | allow_unix = ["/run/../etc/x"]
  |                ^^^^^^^^^^^^^
help: did you mean /etc/x?
`,
  ],
  [
    'a path that ends in a dot',
    '[network]\nallow_unix = ["/run/x/."]',
    `policy.toml:2:16: error SL2021: \`/run/x/.\` is not the shortest form of its path
2 | allow_unix = ["/run/x/."]
  |                ^^^^^^^^
help: did you mean /run/x/?
`,
  ],
  [
    'a path that ends in two dots',
    '[network]\nallow_unix = ["/run/x/.."]',
    `policy.toml:2:16: error SL2021: \`/run/x/..\` is not the shortest form of its path
2 | allow_unix = ["/run/x/.."]
  |                ^^^^^^^^^
help: did you mean /run/?
`,
  ],
  ...(['/proc/self/cwd/x', '/proc/1/root/run/', '/dev/fd/3', '/proc'] as const).map(
    (path): [string, string, string] => [
      `a path that is another for each process: ${path}`,
      `[network]\nallow_unix = ["${path}"]`,
      `policy.toml:2:16: error SL2021: \`${path.startsWith('/dev') ? '/dev/fd' : '/proc'}\` is another for each process that looks: no socket is known by a path there
2 | allow_unix = ["${path}"]
  |                ${'^'.repeat(path.length)}
help: write the path to which it leads
`,
    ],
  ),
  [
    'a wildcard',
    '[network]\nallow_unix = ["/run/*.sock"]',
    `policy.toml:2:21: error SL2021: \`*\` is no wildcard here: names are compared as they are
2 | allow_unix = ["/run/*.sock"]
  |                     ^
expected: an absolute path, a directory with a final \`/\`, or \`@\` and an abstract name
help: write /run/ for every socket below that directory
`,
  ],
  [
    'a question mark',
    '[network]\nallow_unix = ["/run/x?"]',
    `policy.toml:2:22: error SL2021: \`?\` is no wildcard here: names are compared as they are
2 | allow_unix = ["/run/x?"]
  |                      ^
expected: an absolute path, a directory with a final \`/\`, or \`@\` and an abstract name
help: write /run/ for every socket below that directory
`,
  ],
  [
    'a wildcard in an abstract name',
    '[network]\nallow_unix = ["@dbus-*"]',
    `policy.toml:2:22: error SL2021: \`*\` is no wildcard here: names are compared as they are
2 | allow_unix = ["@dbus-*"]
  |                      ^
expected: an absolute path, a directory with a final \`/\`, or \`@\` and an abstract name
`,
  ],
  [
    'an abstract name without name',
    '[network]\nallow_unix = ["@"]',
    `policy.toml:2:16: error SL2021: the abstract name is missing behind \`@\`
2 | allow_unix = ["@"]
  |                ^
expected: an absolute path, a directory with a final \`/\`, or \`@\` and an abstract name
`,
  ],
  [
    'an abstract name as the kernel has it',
    '[network]\nallow_unix = ["\\u0000abc"]',
    `policy.toml:2:15: error SL2021: a socket can not hold a NUL
2 | allow_unix = ["\\u0000abc"]
  |               ^^^^^^^^^^^
expected: an absolute path, a directory with a final \`/\`, or \`@\` and an abstract name
help: did you mean @abc?
`,
  ],
  [
    'a NUL in a path',
    '[network]\nallow_unix = ["/run/\\u0000x"]',
    `policy.toml:2:15: error SL2021: a socket can not hold a NUL
2 | allow_unix = ["/run/\\u0000x"]
  |               ^^^^^^^^^^^^^^
expected: an absolute path, a directory with a final \`/\`, or \`@\` and an abstract name
`,
  ],
  [
    'a path of 108 bytes',
    '[network]\nallow_unix = ["/run/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]',
    `policy.toml:2:16: error SL2021: the path has 108 bytes, at most 107 are possible
2 | allow_unix = ["/run/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]
  |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
help: allow a directory above it: /run/
`,
  ],
  [
    'an abstract name of 108 bytes',
    '[network]\nallow_unix = ["@éééééééééééééééééééééééééééééééééééééééééééééééééééééé"]',
    `policy.toml:2:17: error SL2021: the abstract name has 108 bytes, at most 107 are possible
2 | allow_unix = ["@éééééééééééééééééééééééééééééééééééééééééééééééééééééé"]
  |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
`,
  ],
  [
    'a lone path',
    '[network]\nallow_unix = "/x"',
    `policy.toml:2:14: error SL2102: \`network.allow_unix\` can not be a string
2 | allow_unix = "/x"
  |              ^^^^
expected: a list of paths and names, such as ["/run/x.sock", "@name"]
help: did you mean ["/x"]?
`,
  ],
  [
    'a socket that is a number',
    '[network]\nallow_unix = [3]',
    `policy.toml:2:15: error SL2102: \`network.allow_unix[0]\` can not be a number
2 | allow_unix = [3]
  |               ^
expected: a path, or \`@\` and a name, in quotes, such as "/run/x.sock"
`,
  ],
])('%s in allow_unix is refused', async (_, text, complete) => {
  expect(await errorsOf(text)).toBe(complete);
});

test.each([
  ['[]', []],
  ['["unix", "inet", "inet6", "netlink/route"]', DEFAULT_FAMILIES],
  ['["inet"]', ['inet/stream', 'inet/dgram']],
  ['["inet6"]', ['inet6/stream', 'inet6/dgram']],
  ['["unix"]', ['unix/stream', 'unix/seqpacket']],
  ['["unix/dgram", "unix"]', ['unix/stream', 'unix/dgram', 'unix/seqpacket']],
  ['["alg", "netlink/route", "inet6/dgram"]', ['inet6/dgram', 'netlink/route', 'alg']],
  ['["inet/dgram", "inet", "inet/dgram"]', ['inet/stream', 'inet/dgram']],
])('allow_families = %s allows exactly its kinds of sockets', async (list, kinds) => {
  const { facts } = await draftOf(`[network]\nallow_families = ${list}`);
  expect(facts.families).toEqual(kinds);
});

test.each([
  [
    'packet',
    '[network]\nallow_families = ["packet"]',
    `policy.toml:2:19: error SL2023: \`packet\` can not be allowed: what goes through it, no rule could hold
2 | allow_families = ["packet"]
  |                   ^^^^^^^^
help: remove it; programs find such sockets missing, as on a kernel without them
`,
  ],
  [
    'its constant',
    '[network]\nallow_families = ["AF_PACKET"]',
    `policy.toml:2:19: error SL2023: \`AF_PACKET\` can not be allowed: what goes through it, no rule could hold
2 | allow_families = ["AF_PACKET"]
  |                   ^^^^^^^^^^^
help: remove it; programs find such sockets missing, as on a kernel without them
`,
  ],
  [
    'raw sockets of inet',
    '[network]\nallow_families = ["inet/raw"]',
    `policy.toml:2:19: error SL2023: \`inet/raw\` can not be allowed: what goes through it, no rule could hold
2 | allow_families = ["inet/raw"]
  |                   ^^^^^^^^^^
help: remove it; programs find such sockets missing, as on a kernel without them
`,
  ],
  [
    'MPTCP',
    '[network]\nallow_families = ["mptcp"]',
    `policy.toml:2:19: error SL2023: \`mptcp\` can not be allowed: what goes through it, no rule could hold
2 | allow_families = ["mptcp"]
  |                   ^^^^^^^
help: remove it; programs find such sockets missing, as on a kernel without them
`,
  ],
  [
    'all of netlink',
    '[network]\nallow_families = ["netlink"]',
    `policy.toml:2:19: error SL2023: \`netlink\` can not be allowed: what goes through it, no rule could hold
2 | allow_families = ["netlink"]
  |                   ^^^^^^^^^
help: did you mean "netlink/route"?
`,
  ],
  [
    'another netlink protocol',
    '[network]\nallow_families = ["netlink/sock_diag"]',
    `policy.toml:2:19: error SL2023: \`netlink/sock_diag\` can not be allowed: what goes through it, no rule could hold
2 | allow_families = ["netlink/sock_diag"]
  |                   ^^^^^^^^^^^^^^^^^^^
help: did you mean "netlink/route"?
`,
  ],
  [
    'the constant of inet',
    '[network]\nallow_families = ["AF_INET"]',
    `policy.toml:2:19: error SL2022: no family is named \`AF_INET\`
2 | allow_families = ["AF_INET"]
  |                   ^^^^^^^^^
expected: "unix", "inet", "inet6", "unix/stream", "unix/dgram", "unix/seqpacket", "inet/stream", "inet/dgram", "inet6/stream", "inet6/dgram", "netlink/route", "alg", "unix/pair"
help: did you mean "inet"?
`,
  ],
  [
    'capital letters',
    '[network]\nallow_families = ["INET6"]',
    `policy.toml:2:19: error SL2022: no family is named \`INET6\`
2 | allow_families = ["INET6"]
  |                   ^^^^^^^
expected: "unix", "inet", "inet6", "unix/stream", "unix/dgram", "unix/seqpacket", "inet/stream", "inet/dgram", "inet6/stream", "inet6/dgram", "netlink/route", "alg", "unix/pair"
help: did you mean "inet6"?
`,
  ],
  [
    'another name of inet',
    '[network]\nallow_families = ["ipv4"]',
    `policy.toml:2:19: error SL2022: no family is named \`ipv4\`
2 | allow_families = ["ipv4"]
  |                   ^^^^^^
expected: "unix", "inet", "inet6", "unix/stream", "unix/dgram", "unix/seqpacket", "inet/stream", "inet/dgram", "inet6/stream", "inet6/dgram", "netlink/route", "alg", "unix/pair"
help: did you mean "inet"?
`,
  ],
  [
    'a protocol',
    '[network]\nallow_families = ["tcp"]',
    `policy.toml:2:19: error SL2022: no family is named \`tcp\`
2 | allow_families = ["tcp"]
  |                   ^^^^^
expected: "unix", "inet", "inet6", "unix/stream", "unix/dgram", "unix/seqpacket", "inet/stream", "inet/dgram", "inet6/stream", "inet6/dgram", "netlink/route", "alg", "unix/pair"
help: did you mean "inet/stream"?
`,
  ],
  [
    'a mistyped word',
    '[network]\nallow_families = ["unx"]',
    `policy.toml:2:19: error SL2022: no family is named \`unx\`
2 | allow_families = ["unx"]
  |                   ^^^^^
expected: "unix", "inet", "inet6", "unix/stream", "unix/dgram", "unix/seqpacket", "inet/stream", "inet/dgram", "inet6/stream", "inet6/dgram", "netlink/route", "alg", "unix/pair"
help: did you mean "unix"?
`,
  ],
  [
    'a word like no other',
    '[network]\nallow_families = ["zzz"]',
    `policy.toml:2:19: error SL2022: no family is named \`zzz\`
2 | allow_families = ["zzz"]
  |                   ^^^^^
expected: "unix", "inet", "inet6", "unix/stream", "unix/dgram", "unix/seqpacket", "inet/stream", "inet/dgram", "inet6/stream", "inet6/dgram", "netlink/route", "alg", "unix/pair"
`,
  ],
  [
    'an empty word',
    '[network]\nallow_families = [""]',
    `policy.toml:2:19: error SL2022: the family is missing
2 | allow_families = [""]
  |                   ^^
expected: "unix", "inet", "inet6", "unix/stream", "unix/dgram", "unix/seqpacket", "inet/stream", "inet/dgram", "inet6/stream", "inet6/dgram", "netlink/route", "alg", "unix/pair"
`,
  ],
  [
    'a kind that inet does not have',
    '[network]\nallow_families = ["inet/seqpacket"]',
    `policy.toml:2:19: error SL2022: no family is named \`inet/seqpacket\`
2 | allow_families = ["inet/seqpacket"]
  |                   ^^^^^^^^^^^^^^^^
expected: "unix", "inet", "inet6", "unix/stream", "unix/dgram", "unix/seqpacket", "inet/stream", "inet/dgram", "inet6/stream", "inet6/dgram", "netlink/route", "alg", "unix/pair"
help: did you mean "unix/seqpacket"?
`,
  ],
  [
    'a number',
    '[network]\nallow_families = [3]',
    `policy.toml:2:19: error SL2103: \`network.allow_families[0]\` can not be a number
2 | allow_families = [3]
  |                   ^
expected: "unix", "inet", "inet6", "unix/stream", "unix/dgram", "unix/seqpacket", "inet/stream", "inet/dgram", "inet6/stream", "inet6/dgram", "netlink/route", "alg", "unix/pair"
`,
  ],
  [
    'a lone word',
    '[network]\nallow_families = "inet"',
    `policy.toml:2:18: error SL2102: \`network.allow_families\` can not be a string
2 | allow_families = "inet"
  |                  ^^^^^^
expected: a list of families, such as ["unix", "inet", "inet6"]
help: did you mean ["inet"]?
`,
  ],
])('%s in allow_families is refused', async (_, text, complete) => {
  expect(await errorsOf(text)).toBe(complete);
});

test.each([
  ['[program]\nallow_userns = true', true],
  ['[program]\nallow_userns = false', false],
  ['[program]', false],
])('%j: user namespaces are allowed: %s', async (text, allowed) => {
  const { facts } = await draftOf(text);
  expect(facts).toEqual({ families: DEFAULT_FAMILIES, allowUserns: allowed });
});

test.each([
  [
    'a boolean in quotes',
    '[program]\nallow_userns = "true"',
    `policy.toml:2:16: error SL2102: \`program.allow_userns\` can not be a string
2 | allow_userns = "true"
  |                ^^^^^^
expected: true or false
help: did you mean true?
`,
  ],
  [
    'a word',
    '[program]\nallow_userns = "yes"',
    `policy.toml:2:16: error SL2102: \`program.allow_userns\` can not be a string
2 | allow_userns = "yes"
  |                ^^^^^
expected: true or false
`,
  ],
  [
    'a number',
    '[program]\nallow_userns = 1',
    `policy.toml:2:16: error SL2102: \`program.allow_userns\` can not be a number
2 | allow_userns = 1
  |                ^
expected: true or false
`,
  ],
  [
    'a mistyped key',
    '[program]\nallow_usrns = true',
    `policy.toml:2:1: error SL2101: unknown key \`allow_usrns\` in \`program\`
2 | allow_usrns = true
  | ^^^^^^^^^^^
expected: \`allow_userns\`
help: did you mean \`allow_userns\`?
`,
  ],
  [
    'the key in another section',
    '[network]\nallow_userns = true',
    `policy.toml:2:1: error SL2101: unknown key \`allow_userns\` in \`network\`
2 | allow_userns = true
  | ^^^^^^^^^^^^
expected: \`allow\`, \`deny\`, \`allow_bind\`, \`deny_bind\`, \`allow_unix\`, \`allow_families\`
help: \`allow_userns\` belongs into \`[program]\`
`,
  ],
  [
    'a section that is a boolean',
    'program = true',
    `policy.toml:1:11: error SL2102: \`program\` can not be a boolean
1 | program = true
  |           ^^^^
expected: a table: \`[program]\`
`,
  ],
])('%s for allow_userns is refused', async (_, text, complete) => {
  expect(await errorsOf(text)).toBe(complete);
});

test.each([
  [
    'rules of UDP and ICMP',
    '[network]\nallow_families = ["unix", "inet/stream"]\nallow = ["udp://192.0.2.1:53", "icmp://*"]',
    `policy.toml:3:17: error SL3008: the rule can never work: \`allow_families\` leaves out \`inet/dgram\` and \`inet6/dgram\`
3 | allow = ["udp://192.0.2.1:53", "icmp://*"]
  |                 ^^^^^^^^^
help: add "inet/dgram" or "inet6/dgram" to \`allow_families\`, or remove the rule
note: \`allow_families\` stands at policy.toml:2:1

policy.toml:3:40: error SL3008: the rule can never work: \`allow_families\` leaves out \`inet/dgram\` and \`inet6/dgram\`
3 | allow = ["udp://192.0.2.1:53", "icmp://*"]
  |                                        ^
help: add "inet/dgram" or "inet6/dgram" to \`allow_families\`, or remove the rule
note: \`allow_families\` stands at policy.toml:2:1
`,
  ],
  [
    'a rule on IPv6',
    '[network]\nallow_families = ["unix", "inet/stream"]\nallow = ["[::1]:80"]',
    `policy.toml:3:11: error SL3008: the rule can never work: \`allow_families\` leaves out \`inet6/stream\`
3 | allow = ["[::1]:80"]
  |           ^^^^^
help: add "inet6/stream" to \`allow_families\`, or remove the rule
note: \`allow_families\` stands at policy.toml:2:1
`,
  ],
  [
    'binds',
    '[network]\nallow_families = ["unix", "inet/stream"]\nallow_bind = ["udp://:53", "[::1]:80"]',
    `policy.toml:3:22: error SL3008: the rule can never work: \`allow_families\` leaves out \`inet/dgram\` and \`inet6/dgram\`
3 | allow_bind = ["udp://:53", "[::1]:80"]
  |                      ^
help: add "inet/dgram" or "inet6/dgram" to \`allow_families\`, or remove the rule
note: \`allow_families\` stands at policy.toml:2:1

policy.toml:3:29: error SL3008: the rule can never work: \`allow_families\` leaves out \`inet6/stream\`
3 | allow_bind = ["udp://:53", "[::1]:80"]
  |                             ^^^^^
help: add "inet6/stream" to \`allow_families\`, or remove the rule
note: \`allow_families\` stands at policy.toml:2:1
`,
  ],
  [
    'a set of IPv6 addresses only',
    '[network]\nallow_families = ["unix", "inet/stream"]\nallow = ["@s:1"]\n[sets]\ns = ["2001:db8::/32"]',
    `policy.toml:3:11: error SL3008: the rule can never work: \`allow_families\` leaves out \`inet6/stream\`
3 | allow = ["@s:1"]
  |           ^^
help: add "inet6/stream" to \`allow_families\`, or remove the rule
note: \`allow_families\` stands at policy.toml:2:1
`,
  ],
  [
    'a rule on a name',
    '[network]\nallow = ["example.com:443"]\nallow_families = ["inet/dgram"]',
    `policy.toml:2:11: error SL3008: the rule can never work: \`allow_families\` leaves out \`inet/stream\` and \`inet6/stream\`
2 | allow = ["example.com:443"]
  |           ^^^^^^^^^^^
help: add "inet/stream" or "inet6/stream" to \`allow_families\`, or remove the rule
note: \`allow_families\` stands at policy.toml:3:1
`,
  ],
  [
    'ping to IPv4 without inet/dgram',
    '[network]\nallow_families = ["inet6"]\nallow = ["icmp://192.0.2.1"]',
    `policy.toml:3:18: error SL3008: the rule can never work: \`allow_families\` leaves out \`inet/dgram\`
3 | allow = ["icmp://192.0.2.1"]
  |                  ^^^^^^^^^
help: add "inet/dgram" to \`allow_families\`, or remove the rule
note: \`allow_families\` stands at policy.toml:2:1
`,
  ],
  [
    'UNIX sockets',
    '[network]\nallow_families = []\nallow_unix = ["/run/x", "@y"]',
    `policy.toml:3:16: error SL3008: the socket can never be reached: \`allow_families\` leaves out \`unix\`
3 | allow_unix = ["/run/x", "@y"]
  |                ^^^^^^
help: add "unix" to \`allow_families\`, or remove the socket
note: \`allow_families\` stands at policy.toml:2:1

policy.toml:3:26: error SL3008: the socket can never be reached: \`allow_families\` leaves out \`unix\`
3 | allow_unix = ["/run/x", "@y"]
  |                          ^^
help: add "unix" to \`allow_families\`, or remove the socket
note: \`allow_families\` stands at policy.toml:2:1
`,
  ],
])('%s: what no allowed family can do is refused', async (_, text, complete) => {
  expect(await errorsOf(text)).toBe(complete);
});

test.each([
  ['deny rules', 'allow_families = []\ndeny = ["udp://*:*", "[::1]:80"]'],
  ['deny_bind', 'allow_families = []\ndeny_bind = [":22"]'],
  ['empty lists', 'allow_families = []\nallow = []\nallow_bind = []\nallow_unix = []'],
  [
    'IPv4 through sockets of inet6',
    'allow_families = ["inet6"]\nallow = ["10.0.0.1:80", "udp://10.0.0.1:53"]',
  ],
  [
    'any address through one family',
    'allow_families = ["inet/stream"]\nallow = [":80"]\nallow_bind = [":80"]',
  ],
  ['a name through one family', 'allow_families = ["inet6/stream"]\nallow = ["example.com:80"]'],
  ['UNIX sockets of one kind', 'allow_families = ["unix/dgram"]\nallow_unix = ["/dev/log"]'],
])('%s need no other family', async (_, lines) => {
  expect(await errorsOf(`[network]\n${lines}`)).toBe('');
});

test('a rule of an option is held to allow_families, too', async () => {
  const text = '[network]\nallow_families = ["unix"]';
  await expect(
    goodDraft({ file: { name: 'policy.toml', text }, allow: ['udp://192.0.2.1:53'] }),
  ).rejects.toThrow(`--allow: error SL3008: the rule can never work: \`allow_families\` leaves out \`inet/dgram\` and \`inet6/dgram\`
  udp://192.0.2.1:53
        ^^^^^^^^^
help: add "inet/dgram" or "inet6/dgram" to \`allow_families\`, or remove the rule
note: \`allow_families\` stands at policy.toml:2:1
`);
});

test('mistakes of all walls come in one run, in the order of the file', async () => {
  const text = `[network]
allow_families = ["packet", "unix"]
allow = ["192.0.2.1:80"]
allow_bind = ["8080", "localhost:1"]
allow_unix = ["x", "@"]
deny_bind = [":0"]
[program]
allow_userns = 1
exec = "make"`;
  const places = (await errorsOf(text)).match(/^policy\.toml:\S+ error \S+/gm);
  expect(places).toEqual([
    'policy.toml:2:19: error SL2023:',
    'policy.toml:3:11: error SL3008:',
    'policy.toml:4:16: error SL2002:',
    'policy.toml:4:24: error SL3007:',
    'policy.toml:5:16: error SL2021:',
    'policy.toml:5:21: error SL2021:',
    'policy.toml:6:1: error SL2107:',
    'policy.toml:6:16: error SL2004:',
    'policy.toml:8:16: error SL2102:',
    'policy.toml:9:1: error SL2105:',
  ]);
});
