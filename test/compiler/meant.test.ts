/** What is said of rules and texts that are written as in other languages. */
import { describe, expect, test } from 'vitest';
import { parseRule } from '../../compiler/rules.ts';
import { parseToml } from '../../compiler/toml.ts';

describe('a rule', () => {
  test.each([
    ['git@github.com:group/project.git', 'SL2014', 'did you mean github.com:22?'],
    ['user@db:5432', 'SL2014', 'did you mean db:5432?'],
    ['user@db', 'SL2014', 'did you mean db:22?'],
    ['registry.npmjs.org:443/', 'SL2003', 'did you mean registry.npmjs.org:443?'],
    ['tcp://example.com:80,443/a/b', 'SL2003', 'did you mean tcp://example.com:80,443?'],
    ['example.com:53/udp', 'SL2003', 'did you mean udp://example.com:53?'],
    ['example.com:53/TCP', 'SL2003', 'did you mean example.com:53?'],
    ['10.0.0.*:443', 'SL2015', 'did you mean 10.0.0.0/24:443?'],
    ['udp://10.*.*.*:53', 'SL2015', 'did you mean udp://10.0.0.0/8:53?'],
    ['*npmjs.org:443', 'SL2015', 'did you mean *.npmjs.org:443?'],
    [
      '192.0.2.1-192.0.2.9:443',
      'SL2010',
      'write a range of addresses as CIDRs, such as 192.0.2.0/28',
    ],
    ['!10.0.0.1:80', 'SL2010', 'what may not be reached stands in `deny`, without `!`'],
    ['8080', 'SL2019', 'for every address write :8080'],
    ['udp://53', 'SL2019', 'for every address write udp://:53'],
    ['/run/x.sock', 'SL2019', 'UNIX sockets are listed in `allow_unix`: "/run/x.sock"'],
    ['unix:/run/x.sock', 'SL2019', 'UNIX sockets are listed in `allow_unix`: "/run/x.sock"'],
    [
      'example.com:443 # why',
      'SL2017',
      'did you mean example.com:443? A comment stands behind the string',
    ],
    ['tls://example.com:853', 'SL2001', 'did you mean example.com:853?'],
    ['ping://192.0.2.7', 'SL2001', 'did you mean icmp://192.0.2.7?'],
    ['icmp', 'SL2002', 'did you mean icmp://*?'],
    ['Any', 'SL2002', 'did you mean *:443?'],
    ['"192.0.2.7:443"', 'SL2010', 'did you mean 192.0.2.7:443?'],
    ['example.com/path', 'SL2012', 'did you mean example.com:443?'],
    ['//example.com', 'SL2012', 'did you mean example.com:443?'],
    ['udp://example.com/', 'SL2012', 'did you mean udp://example.com:53?'],
    ['10.1/16:443', 'SL2010', 'did you mean 10.1.0.0/16:443?'],
    ['10.0.0/24', 'SL2010', 'did you mean 10.0.0.0/24:443?'],
    ['example.com:80, 443', 'SL2017', 'did you mean example.com:80,443?'],
  ])('%s: %s', (text, code, help) => {
    const parsed = parseRule(text, 'allow');
    if (parsed.ok) throw new Error('it parsed');
    expect(parsed.faults).toHaveLength(1);
    expect(parsed.faults[0]).toMatchObject({ code, help });
    // What is suggested as a rule is one.
    const [, rule] = /^did you mean (\S+)\?/.exec(help) ?? [];
    if (rule !== undefined) expect(parseRule(rule, 'allow')).toMatchObject({ ok: true });
  });

  test.each([
    ['99999'],
    ['300.*:443'],
    ['a@b@c:1'],
    ['256.1.1.1:443/'],
    ['a@-b:22'],
    ['/run/x:80'],
    ['10.1.2/16:443'],
    ['a.example:1,b.example:x'],
    ['"a.example"'],
  ])('%s is left to the parser', (text) => {
    const parsed = parseRule(text, 'allow');
    if (parsed.ok) throw new Error('it parsed');
    expect(parsed.faults.map(({ help }) => help).filter(Boolean)).toEqual([]);
  });
});

test.each([
  ['192.0.2.7:443,192.0.2.8:443', '"192.0.2.7:443", "192.0.2.8:443"'],
  ['192.0.2.7:80,443, 192.0.2.8:443', undefined],
  ['192.0.2.7:443, udp://192.0.2.8:53', '"192.0.2.7:443", "udp://192.0.2.8:53"'],
  ['a.example:443 b.example:443', '"a.example:443", "b.example:443"'],
])('of several rules in a string, each is told: %s', (text, rules) => {
  const parsed = parseRule(text, 'allow');
  if (parsed.ok) throw new Error('it parsed');
  const help = rules === undefined ? undefined : `write one rule a string: ${rules}`;
  expect(parsed.faults.map((fault) => fault.help)).toEqual([help]);
});

test('a help that is no rule leaves the other faults', () => {
  const parsed = parseRule('!10.0.0.1', 'allow');
  if (parsed.ok) throw new Error('it parsed');
  expect(parsed.faults.map(({ code }) => code)).toEqual(['SL2010', 'SL2002']);
});

test('a name is not suggested where none may stand', () => {
  const parsed = parseRule('git@example.com:a/b', 'deny');
  if (parsed.ok) throw new Error('it parsed');
  expect(parsed.faults[0]?.help).toBeUndefined();
});

describe('a text', () => {
  test.each([
    ['[network]\nallow = [“a.example:443”]\n', 'write plain quotes: "…"'],
    ['// a policy\n[network]\n', 'a comment begins with `#`'],
    ['[network]\nallow: ["a.example:443"]\n', 'write `=` between a key and its value'],
    ['[network\nallow = []\n', 'close the table header above: [network]'],
    ['[network]\nallow = [10.0.0.1:443]\n', 'strings stand in quotes: "10.0.0.1:443"'],
    ['[network]\nallow = [a.example:443]\n', 'strings stand in quotes: "a.example:443"'],
    ['{"network": {}}', /^this looks like JSON/],
    ['network:\n  allow:\n', /^this looks like YAML/],
    ['[network]\nallow = ["a.example:443"];\n', 'a line ends without `;`'],
    [
      '[network]\nallow = ["a.example:443"\ndeny = []\n',
      'a list ends with `]`, and a comma stands between two of its strings',
    ],
    ['[network]\nallow = []\n\n[network]\n', 'line 1 has it: put both together there'],
    ['[network]\nallow = [\n]\nallow = []\n', 'line 2 has it: put both together there'],
    ['[network]\nallow = []\n[sets]\na.b = 1\na.b = 1\n', undefined],
    ['[network]\nallow = ["a.example:443" "b.example:443"]\n', undefined],
    ['[network]\nallow = ["a.example:443"\n', undefined],
  ])('%j', (text, help) => {
    const parsed = parseToml('policy.toml', text);
    if (parsed.ok) throw new Error('it parsed');
    expect(parsed.diagnostic.code).toBe('SL1001');
    if (help === undefined) expect(parsed.diagnostic.help).toBeUndefined();
    else expect(parsed.diagnostic.help).toMatch(help);
  });
});
