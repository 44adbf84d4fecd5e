/**
 * `allow_bind` and `deny_bind`: what their rules mean, and the complete text of each refusal.
 */
import { expect, test } from 'vitest';
import type { TableDraft } from '../../compiler/model.ts';
import { errorsOf, goodDraft, showRule } from './support.ts';

async function rulesOf(text: string): Promise<TableDraft['rules']> {
  return (await goodDraft({ file: { name: 'some/policy.toml', text } })).rules;
}

test.each([
  ['127.0.0.1:8080', 'tcp-bind prefix 127.0.0.1/32 8080'],
  ['udp://:5353', 'udp-bind any 5353'],
  [':3000-3010', 'tcp-bind any 3000-3010'],
  ['tcp://[::1]:*', 'tcp-bind prefix ::1/128 0-65535'],
  ['*:80,443', 'tcp-bind any 80,443'],
  ['udp://10.0.0.0/8:53', 'udp-bind prefix 10.0.0.0/8 53'],
  ['[2001:db8::/32]:80', 'tcp-bind prefix 2001:db8::/32 80'],
  ['[::ffff:192.0.2.1]:80', 'tcp-bind prefix 192.0.2.1/32 80'],
  ['@s:80', 'tcp-bind set s 80'],
])('the bind rule %s is %s', async (rule, meaning) => {
  const text = `[network]\nallow_bind = ["${rule}"]\n[sets]\ns = ["192.0.2.1"]`;
  expect((await rulesOf(text)).map(showRule)).toEqual([meaning]);
});

test.each([
  ['0.0.0.0:80', 'tcp-bind prefix 0.0.0.0/32 80'],
  ['[::]:80', 'tcp-bind prefix ::/128 80'],
  ['[::ffff:0.0.0.0]:80', 'tcp-bind prefix 0.0.0.0/32 80'],
])('%s is the bind to every address, not the loopback', async (rule, meaning) => {
  const [bind, reach] = await rulesOf(`[network]\nallow_bind = ["${rule}"]\nallow = ["${rule}"]`);
  expect(bind && showRule(bind)).toBe(meaning);
  expect(reach && showRule(reach)).toMatch(/^tcp prefix (127\.0\.0\.1\/32|::1\/128) 80$/);
});

test('bind rules keep their text and place, among the others in the order of the file', async () => {
  const text = '[network]\nallow_bind = [":80"]\nallow = ["192.0.2.1:1"]\n';
  expect(
    (await rulesOf(text)).map(({ action, text: rule, source, line, column }) => [
      action,
      rule,
      source,
      line,
      column,
    ]),
  ).toEqual([
    ['allow', ':80', 'policy.toml', 2, 15],
    ['allow', '192.0.2.1:1', 'policy.toml', 3, 10],
  ]);
});

test('deny_bind opens every other bind of both protocols, by rules at its key', async () => {
  const text = '[network]\n  deny_bind = [":22", "udp://:53"]\n';
  expect(
    (await rulesOf(text)).map((rule) => [
      rule.action,
      showRule(rule),
      rule.text,
      rule.source,
      rule.line,
      rule.column,
    ]),
  ).toEqual([
    ['allow', 'tcp-bind any 0-65535', 'deny_bind', 'policy.toml', 2, 3],
    ['allow', 'udp-bind any 0-65535', 'deny_bind', 'policy.toml', 2, 3],
    ['deny', 'tcp-bind any 22', ':22', 'policy.toml', 2, 16],
    ['deny', 'udp-bind any 53', 'udp://:53', 'policy.toml', 2, 23],
  ]);
});

test('an empty deny_bind opens every bind, an empty allow_bind none', async () => {
  const opened = await rulesOf('[network]\ndeny_bind = []');
  expect(opened.map(showRule)).toEqual(['tcp-bind any 0-65535', 'udp-bind any 0-65535']);
  expect(await rulesOf('[network]\nallow_bind = []')).toEqual([]);
});

test.each([
  [
    'a port without colon',
    '[network]\nallow_bind = ["8080"]',
    `policy.toml:2:16: error SL2002: \`8080\` stands where the address belongs
2 | allow_bind = ["8080"]
  |                ^^^^
expected: \`:\` before ports
help: did you mean :8080?
`,
  ],
  [
    'a list of ports without colon',
    '[network]\nallow_bind = ["80,3000-3010"]',
    `policy.toml:2:16: error SL2002: \`80,3000-3010\` stands where the address belongs
2 | allow_bind = ["80,3000-3010"]
  |                ^^^^^^^^^^^^
expected: \`:\` before ports
help: did you mean :80,3000-3010?
`,
  ],
  [
    'a UDP port without colon',
    '[network]\nallow_bind = ["udp://5353"]',
    `policy.toml:2:22: error SL2002: \`5353\` stands where the address belongs
2 | allow_bind = ["udp://5353"]
  |                      ^^^^
expected: \`:\` before ports
help: did you mean udp://:5353?
`,
  ],
  [
    'an address without port',
    '[network]\nallow_bind = ["127.0.0.1"]',
    `policy.toml:2:16: error SL2002: expected address:port, found no port
2 | allow_bind = ["127.0.0.1"]
  |                ^^^^^^^^^
help: did you mean 127.0.0.1:8080?
`,
  ],
  [
    'every address without port',
    '[network]\nallow_bind = ["*"]',
    `policy.toml:2:16: error SL2002: expected address:port, found no port
2 | allow_bind = ["*"]
  |                ^
help: did you mean *:8080?
`,
  ],
  [
    'an empty rule',
    '[network]\nallow_bind = [""]',
    `policy.toml:2:15: error SL2018: the rule is empty
2 | allow_bind = [""]
  |               ^^
expected: scheme://address:ports, such as tcp://127.0.0.1:8080
`,
  ],
  [
    'localhost',
    '[network]\nallow_bind = ["localhost:3000"]',
    `policy.toml:2:16: error SL3007: a bind rule takes no name
2 | allow_bind = ["localhost:3000"]
  |                ^^^^^^^^^
expected: an address, a CIDR, a set or \`*\`
help: did you mean 127.0.0.1:3000 or [::1]:3000?
`,
  ],
  [
    'localhost for UDP',
    '[network]\nallow_bind = ["udp://localhost:5353"]',
    `policy.toml:2:22: error SL3007: a bind rule takes no name
2 | allow_bind = ["udp://localhost:5353"]
  |                      ^^^^^^^^^
expected: an address, a CIDR, a set or \`*\`
help: did you mean udp://127.0.0.1:5353 or udp://[::1]:5353?
`,
  ],
  [
    'localhost without port',
    '[network]\nallow_bind = ["localhost"]',
    `policy.toml:2:16: error SL3007: a bind rule takes no name
2 | allow_bind = ["localhost"]
  |                ^^^^^^^^^
expected: an address, a CIDR, a set or \`*\`
help: did you mean 127.0.0.1:8080 or [::1]:8080?

policy.toml:2:16: error SL2002: expected address:port, found no port
2 | allow_bind = ["localhost"]
  |                ^^^^^^^^^
`,
  ],
  [
    'a name',
    '[network]\nallow_bind = ["example.com:80"]',
    `policy.toml:2:16: error SL3007: a bind rule takes no name
2 | allow_bind = ["example.com:80"]
  |                ^^^^^^^^^^^
expected: an address, a CIDR, a set or \`*\`
help: write the address that the program binds
`,
  ],
  [
    'a wildcard name',
    '[network]\nallow_bind = ["*.example.com:80"]',
    `policy.toml:2:16: error SL3007: a bind rule takes no name
2 | allow_bind = ["*.example.com:80"]
  |                ^^^^^^^^^^^^^
expected: an address, a CIDR, a set or \`*\`
help: write the address that the program binds
`,
  ],
  [
    'ICMP',
    '[network]\nallow_bind = ["icmp://*"]',
    `policy.toml:2:16: error SL2020: icmp has no ports to bind
2 | allow_bind = ["icmp://*"]
  |                ^^^^
help: ping needs no bind, only a rule in \`allow\`
`,
  ],
  [
    'ICMP with a port',
    '[network]\nallow_bind = ["icmp://192.0.2.7:5"]',
    `policy.toml:2:16: error SL2020: icmp has no ports to bind
2 | allow_bind = ["icmp://192.0.2.7:5"]
  |                ^^^^
help: ping needs no bind, only a rule in \`allow\`
`,
  ],
  [
    'port 0',
    '[network]\nallow_bind = ["127.0.0.1:0"]',
    `policy.toml:2:26: error SL2004: port 0 needs no rule
2 | allow_bind = ["127.0.0.1:0"]
  |                          ^
expected: a port from 1 to 65535
help: it leaves the choice to the kernel; name the port that the program binds
`,
  ],
  [
    'port 0 in a list',
    '[network]\nallow_bind = ["[::1]:80,0"]',
    `policy.toml:2:25: error SL2004: port 0 needs no rule
2 | allow_bind = ["[::1]:80,0"]
  |                         ^
expected: a port from 1 to 65535
help: it leaves the choice to the kernel; name the port that the program binds
`,
  ],
  [
    'IPv6 without brackets',
    '[network]\nallow_bind = ["::1:8080"]',
    `policy.toml:2:16: error SL2009: an IPv6 address stands in brackets
2 | allow_bind = ["::1:8080"]
  |                ^^^^^^^^
help: did you mean [::1]:8080?
`,
  ],
  [
    'every IPv6 address as netstat prints it',
    '[network]\nallow_bind = [":::8080"]',
    `policy.toml:2:16: error SL2009: an IPv6 address stands in brackets
2 | allow_bind = [":::8080"]
  |                ^^^^^^^
help: did you mean [::]:8080?
`,
  ],
  [
    'IPv6 without brackets and port',
    '[network]\nallow_bind = ["::1"]',
    `policy.toml:2:16: error SL2009: an IPv6 address stands in brackets
2 | allow_bind = ["::1"]
  |                ^^^
help: did you mean [::1]:8080?
`,
  ],
  [
    'an unknown scheme',
    '[network]\nallow_bind = ["sctp://:80"]',
    `policy.toml:2:16: error SL2001: unknown scheme \`sctp\`
2 | allow_bind = ["sctp://:80"]
  |                ^^^^
expected: tcp:// or udp://, or no scheme for TCP
`,
  ],
  [
    'a mistyped scheme',
    '[network]\nallow_bind = ["tdp://:80"]',
    `policy.toml:2:16: error SL2001: unknown scheme \`tdp\`
2 | allow_bind = ["tdp://:80"]
  |                ^^^
expected: tcp:// or udp://, or no scheme for TCP
help: did you mean tcp://:80?
`,
  ],
  [
    'a UNIX socket',
    '[network]\nallow_bind = ["unix:///run/x"]',
    `policy.toml:2:16: error SL2001: unknown scheme \`unix\`
2 | allow_bind = ["unix:///run/x"]
  |                ^^^^
expected: tcp:// or udp://, or no scheme for TCP
help: UNIX sockets are listed in \`allow_unix\`
`,
  ],
  [
    'a URL',
    '[network]\nallow_bind = ["http://127.0.0.1:3000/x"]',
    `policy.toml:2:16: error SL2001: unknown scheme \`http\`
2 | allow_bind = ["http://127.0.0.1:3000/x"]
  |                ^^^^
expected: tcp:// or udp://, or no scheme for TCP
help: did you mean 127.0.0.1:3000?
`,
  ],
  [
    'a space',
    '[network]\nallow_bind = ["127.0.0.1:80 "]',
    `policy.toml:2:28: error SL2017: a rule can not hold a space
2 | allow_bind = ["127.0.0.1:80 "]
  |                            ^
help: did you mean 127.0.0.1:80?
`,
  ],
  [
    'host bits',
    '[network]\nallow_bind = ["10.0.0.1/8:80"]',
    `policy.toml:2:16: error SL2013: \`10.0.0.1/8\` has bits set beyond its first 8
2 | allow_bind = ["10.0.0.1/8:80"]
  |                ^^^^^^^^^^
help: did you mean 10.0.0.0/8 (the network) or 10.0.0.1 (the one address)?
`,
  ],
  [
    'an octal octet',
    '[network]\nallow_bind = ["010.0.0.1:80"]',
    `policy.toml:2:16: error SL2010: \`010\` has a leading zero, which some programs read as octal
2 | allow_bind = ["010.0.0.1:80"]
  |                ^^^
expected: four decimal octets, such as 192.0.2.7
help: did you mean 10.0.0.1, or 8.0.0.1 (octal)?
`,
  ],
  [
    'two ports',
    '[network]\nallow_bind = [":8080:8081"]',
    `policy.toml:2:21: error SL2019: more than one \`:\` follows the target
2 | allow_bind = [":8080:8081"]
  |                     ^^^^^
expected: scheme://address:ports, such as tcp://127.0.0.1:8080
`,
  ],
  [
    'an undefined set',
    '[network]\nallow_bind = ["@nope:80"]',
    `policy.toml:2:16: error SL3002: no set is named \`nope\`
2 | allow_bind = ["@nope:80"]
  |                ^^^^^
help: define it in [sets]: nope = ["10.0.0.0/8"]
`,
  ],
  [
    'two mistakes in one rule',
    '[network]\nallow_bind = ["256.1.1.1:99999"]',
    `policy.toml:2:16: error SL2010: octet 256 is above 255
2 | allow_bind = ["256.1.1.1:99999"]
  |                ^^^
expected: four decimal octets, such as 192.0.2.7

policy.toml:2:26: error SL2004: port 99999 is above 65535
2 | allow_bind = ["256.1.1.1:99999"]
  |                          ^^^^^
expected: a port from 1 to 65535
`,
  ],
  [
    'a port range backwards',
    '[network]\nallow_bind = [":90-80"]',
    `policy.toml:2:17: error SL2005: port range 90-80 is backwards
2 | allow_bind = [":90-80"]
  |                 ^^^^^
help: did you mean 80-90?
`,
  ],
  [
    'a name in deny_bind',
    '[network]\ndeny_bind = ["localhost:80"]',
    `policy.toml:2:15: error SL3007: a bind rule takes no name
2 | deny_bind = ["localhost:80"]
  |               ^^^^^^^^^
expected: an address, a CIDR, a set or \`*\`
help: did you mean 127.0.0.1:80 or [::1]:80?
`,
  ],
  [
    'a port that is a number',
    '[network]\nallow_bind = [8080]',
    `policy.toml:2:15: error SL2102: \`network.allow_bind[0]\` can not be a number
2 | allow_bind = [8080]
  |               ^^^^
expected: a rule in quotes, such as "127.0.0.1:8080"
help: did you mean ":8080"?
`,
  ],
  [
    'a lone port that is a number',
    '[network]\ndeny_bind = 22',
    `policy.toml:2:13: error SL2102: \`network.deny_bind\` can not be a number
2 | deny_bind = 22
  |             ^^
expected: a list of rules, such as ["127.0.0.1:8080"]
help: did you mean [":22"]?
`,
  ],
  [
    'a number that is no port',
    '[network]\nallow_bind = [70000]',
    `policy.toml:2:15: error SL2102: \`network.allow_bind[0]\` can not be a number
2 | allow_bind = [70000]
  |               ^^^^^
expected: a rule in quotes, such as "127.0.0.1:8080"
`,
  ],
  [
    'a lone rule',
    '[network]\nallow_bind = ":80"',
    `policy.toml:2:14: error SL2102: \`network.allow_bind\` can not be a string
2 | allow_bind = ":80"
  |              ^^^^^
expected: a list of rules, such as ["127.0.0.1:8080"]
help: did you mean [":80"]?
`,
  ],
  [
    'deny_bind beside allow_bind',
    '[network]\nallow_bind = [":80"]\ndeny_bind = [":22"]',
    `policy.toml:3:1: error SL2107: \`deny_bind\` can not stand beside \`allow_bind\`
3 | deny_bind = [":22"]
  | ^^^^^^^^^
help: keep \`allow_bind\` to list all that may be bound, or \`deny_bind\` to open everything else
note: \`allow_bind\` stands at policy.toml:2:1
`,
  ],
  [
    'allow_bind beside deny_bind, both empty',
    '[network]\ndeny_bind = []\nallow = []\nallow_bind = []',
    `policy.toml:4:1: error SL2107: \`allow_bind\` can not stand beside \`deny_bind\`
4 | allow_bind = []
  | ^^^^^^^^^^
help: keep \`allow_bind\` to list all that may be bound, or \`deny_bind\` to open everything else
note: \`deny_bind\` stands at policy.toml:2:1
`,
  ],
  [
    'a set with 0.0.0.0',
    '[network]\nallow_bind = ["@s:80"]\n[sets]\ns = ["0.0.0.0", "10.0.0.1"]',
    `policy.toml:2:16: error SL3009: set \`s\` holds 0.0.0.0 or ::, which is every address to a bind and the loopback in a set
2 | allow_bind = ["@s:80"]
  |                ^^
help: take it out of the set, and write a bind rule with the address itself
`,
  ],
  [
    'a set with ::',
    '[network]\ndeny_bind = ["udp://@s:80"]\n[sets]\ns = ["::"]',
    `policy.toml:2:21: error SL3009: set \`s\` holds 0.0.0.0 or ::, which is every address to a bind and the loopback in a set
2 | deny_bind = ["udp://@s:80"]
  |                     ^^
help: take it out of the set, and write a bind rule with the address itself
`,
  ],
])('%s in a bind list is refused', async (_, text, complete) => {
  expect(await errorsOf(text)).toBe(complete);
});

test('a set with 0.0.0.0 may be named by rules of destinations', async () => {
  const text = '[network]\nallow = ["@s:80"]\n[sets]\ns = ["0.0.0.0"]';
  expect(await errorsOf(text)).toBe('');
});
