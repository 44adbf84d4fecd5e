/**
 * Warnings about rules: their texts, how they are silenced, and against the golden model that what
 * is called without effect has none.
 */
import { describe, expect, test } from 'vitest';
import { formatDiagnostics } from '../../compiler/diagnostic.ts';
import { compilePolicy } from '../../compiler/index.ts';
import { lintRules } from '../../compiler/lint.ts';
import type { TableDraft } from '../../compiler/model.ts';
import type { WrittenRule } from '../../compiler/written-rules.ts';
import { createModel } from '../reference/model.ts';
import { opened, RELEASE, tableOf } from '../reference/modules.ts';
import { createRandom, describeQuery, randomDraft, randomQueries } from '../reference/random.ts';
import { parseIp } from './parse-ip.ts';

async function warningsOf(
  text: string,
  names: Readonly<Record<string, string>> = {},
  purpose: 'compile' | 'exec' = 'compile',
): Promise<string> {
  const result = await compilePolicy(
    { file: { name: 'p.toml', text }, allow: [], deny: [], purpose },
    {
      policyModule: RELEASE,
      resolve: async (name) => ({ ok: true, addresses: [parseIp(names[name] ?? '192.0.2.1')] }),
      readSetFile: () => ({ ok: false, reason: 'no such file' }),
    },
  );
  if (!result.ok) throw new Error(formatDiagnostics(result.diagnostics));
  return formatDiagnostics(result.warnings);
}

/** Code and line of each warning. */
async function codesOf(text: string, names?: Readonly<Record<string, string>>): Promise<string[]> {
  const warnings = await warningsOf(`[dns]\nresolve = "compile"\n${text}`, names);
  return [...warnings.matchAll(/^p\.toml:(\d+):\d+: warning (SL\d+)/gm)].map(
    ([, line, code]) => `${code} ${Number(line) - 2}`,
  );
}

const network = (lines: readonly string[]): string => `[network]\n${lines.join('\n')}\n`;

describe('the texts', () => {
  test.each([
    [
      ['allow = [', '  "10.0.0.0/8:443",', '  "tcp://10.0.0.0/8:443",', ']'],
      [
        'p.toml:4:10: warning SL3101: the same rule stands elsewhere',
        '4 |   "tcp://10.0.0.0/8:443",',
        '  |          ^^^^^^^^^^',
        'help: remove one of the two',
        'note: p.toml:3:3 "10.0.0.0/8:443"',
      ],
    ],
    [
      ['allow = ["10.1.0.0/16:80", "10.0.0.0/8:1-100"]'],
      [
        'p.toml:2:11: warning SL3102: another rule allows all that this one allows',
        '2 | allow = ["10.1.0.0/16:80", "10.0.0.0/8:1-100"]',
        '  |           ^^^^^^^^^^^',
        'help: remove it, or narrow the other',
        'note: p.toml:2:28 "10.0.0.0/8:1-100"',
      ],
    ],
    [
      ['allow = ["10.1.0.0/16:80"]', 'deny = ["10.0.0.0/9:1-90"]'],
      [
        'p.toml:2:11: warning SL3103: nothing that this rule allows can be reached: deny rules refuse all of it',
        '2 | allow = ["10.1.0.0/16:80"]',
        '  |           ^^^^^^^^^^^',
        'help: remove it, or narrow the deny rules',
      ],
    ],
    [
      ['allow = ["10.1.0.0/16:80"]', 'deny = ["10.0.0.0/9:81"]'],
      [
        'p.toml:3:10: warning SL3104: nothing that this rule denies is allowed by another',
        '3 | deny = ["10.0.0.0/9:81"]',
        '  |          ^^^^^^^^^^',
        'help: remove it: what no rule allows is refused anyway',
      ],
    ],
    [
      ['allow = ["udp://*:53"]'],
      [
        'p.toml:2:17: warning SL3105: this rule allows every address by udp, on port 53',
        '2 | allow = ["udp://*:53"]',
        '  |                 ^',
        'help: name the hosts that are meant, or write `# sandlock-ignore SL3105` behind the rule',
      ],
    ],
    [
      ['allow_unix = ["/run/x/", "@x", "/run/x/"]'],
      [
        'p.toml:2:33: warning SL3101: the same rule stands elsewhere',
        '2 | allow_unix = ["/run/x/", "@x", "/run/x/"]',
        '  |                                 ^^^^^^^',
        'help: remove one of the two',
        'note: p.toml:2:15 "/run/x/"',
      ],
    ],
    [
      ['allow_unix = ["/run/x/y/a.sock", "/run/"]'],
      [
        'p.toml:2:16: warning SL3102: another rule allows all that this one allows',
        '2 | allow_unix = ["/run/x/y/a.sock", "/run/"]',
        '  |                ^^^^^^^^^^^^^^^',
        'help: remove it, or narrow the other',
        'note: p.toml:2:34 "/run/"',
      ],
    ],
    [
      ['allow_unix = ["/"]'],
      [
        'p.toml:2:16: warning SL3105: this rule allows every socket that has a path',
        '2 | allow_unix = ["/"]',
        '  |                ^',
        'help: name the sockets that are meant, or write `# sandlock-ignore SL3105` behind the rule',
      ],
    ],
  ])('of %j', async (lines, expected) => {
    expect(await warningsOf(network(lines))).toBe(`${expected.join('\n')}\n`);
  });
});

describe('rules that', () => {
  test.each([
    [
      'differ in ports, addresses, protocol or action',
      [
        'allow = ["10.0.0.0/8:80", "10.0.0.0/8:81", "10.0.0.0/9:79", "udp://10.0.0.0/8:80"]',
        'deny = ["10.0.0.1:80"]',
      ],
      [],
    ],
    [
      'are covered by a rule on every address',
      ['allow = ["10.0.0.0/8:80", "a.example:80", ":80"] # sandlock-ignore SL3105'],
      ['SL3102 2', 'SL3102 2'],
    ],
    [
      'are covered by a set',
      ['allow = ["@s:80", "10.1.2.0/24:80", "10.4.0.0/14:80"]', '[sets]', 's = ["10.0.0.0/15"]'],
      ['SL3102 2'],
    ],
    [
      'are sets covered by a prefix',
      ['allow = ["@s:80", "10.0.0.0/8:80"]', '[sets]', 's = ["10.0.0.0/15", "10.9.0.0/16"]'],
      ['SL3102 2'],
    ],
    [
      'are sets covered by a set',
      [
        'allow = ["@s:80", "@t:80"]',
        '[sets]',
        's = ["10.0.0.0/15", "10.9.0.0/16"]',
        't = ["10.0.0.0/9", "2001:db8::/32"]',
      ],
      ['SL3102 2'],
    ],
    [
      'are names below a prefix, whose addresses change',
      ['allow = ["a.example:80", "192.0.2.0/24:80"]'],
      [],
    ],
    [
      'are names, which deny rules may guard',
      ['allow = ["a.example:80"]', 'deny = ["10.0.0.0/8:80"]'],
      [],
    ],
    [
      'are names of another port than the deny rule',
      ['allow = ["a.example:80"]', 'deny = ["10.0.0.0/8:81"]'],
      ['SL3104 3'],
    ],
    [
      'are deny rules covered by others',
      ['allow = ["10.0.0.0/7:80"]', 'deny = ["10.1.0.0/16:80", "10.0.0.0/8:*"]'],
      ['SL3102 3'],
    ],
    [
      'are refused by two deny rules together',
      [
        'allow = ["10.0.0.0/8:80", "11.0.0.0/8:80"]',
        'deny = ["10.0.0.0/9:*", "10.128.0.0/9:1-100"]',
      ],
      ['SL3103 2'],
    ],
    ['deny what NAT64 carries', ['allow = ["[64:ff9b::/96]:80"]', 'deny = ["10.0.0.0/8:80"]'], []],
    [
      'stand alone with another protocol',
      ['allow = ["10.0.0.0/8:80"]', 'deny = ["udp://10.0.0.0/8:80"]'],
      ['SL3104 3'],
    ],
    ['bind every address', ['allow_bind = [":8080", "udp://*:*"]'], ['SL3105 2']],
    ['are implied', ['deny_bind = [":22"]'], []],
    [
      'open UNIX sockets of other names',
      ['allow_unix = ["/a", "/a/", "/ab/c", "/a.b", "@/a/b", "@a"]'],
      [],
    ],
    [
      'open UNIX sockets below another directory',
      ['allow_unix = ["/", "/a/b/", "/a/", "/a/b/c", "@a", "/a/b"]'],
      ['SL3105 2', 'SL3102 2', 'SL3102 2', 'SL3102 2', 'SL3102 2'],
    ],
    [
      'are about every address of a family',
      ['allow = ["0.0.0.0/0:443", "[::/0]:443"]'],
      ['SL3105 2', 'SL3105 2'],
    ],
  ])('%s', async (_, lines, expected) => {
    expect(await codesOf(network(lines))).toEqual(expected);
  });
});

describe('a comment', () => {
  const rule = '":80"';
  test.each([
    ['behind the rule', `allow = [${rule}] # sandlock-ignore SL3105`, []],
    ['with other codes', `allow = [${rule}] # sandlock-ignore SL3101, SL3105 because`, []],
    ['on the line above', `  # sandlock-ignore SL3105\nallow = [${rule}]`, []],
    ['behind a UNIX rule', 'allow_unix = ["/a", "/a"] # sandlock-ignore SL3101', []],
    ['with another code', `allow = [${rule}] # sandlock-ignore SL3104`, ['SL3105 2']],
    ['without a code', `allow = [${rule}] # sandlock-ignore`, ['SL3105 2']],
    ['two lines above', `# sandlock-ignore SL3105\n\nallow = [${rule}]`, ['SL3105 4']],
  ])('%s silences what it names there', async (_, text, expected) => {
    expect(await codesOf(network([text]))).toEqual(expected);
  });
});

test('a public name that is pinned inside since other rules open the address is told', async () => {
  const text = network(['allow = ["a.example:80", "10.0.0.0/8:80"]']);
  expect(await codesOf(text, { 'a.example': '10.1.2.3' })).toEqual(['SL4005 2']);
  const listed = `${text}[dns]\nprivate = ["a.example"]\nresolve = "compile"\n`;
  expect(await warningsOf(listed, { 'a.example': '10.1.2.3' })).toBe('');
});

test('before a run nothing of this is said', async () => {
  expect(await warningsOf(network(['allow = [":*", ":*"]']), {}, 'exec')).toBe('');
});

test('of many warnings the first fifty of a code are shown', async () => {
  const rules = Array.from({ length: 60 }, (_, i) => `"10.0.0.${i}:80"`);
  const warnings = await warningsOf(network([`allow = [${rules.join(', ')}, "10.0.0.0/8:80"]`]));
  expect(warnings.match(/^p\.toml/gm)).toHaveLength(50);
  expect(warnings.endsWith('note: 10 more rules are like this\n')).toBe(true);
});

describe('of random policies', () => {
  test.each([
    [120, 4],
    [120, 15],
    [20, 60],
  ])('%i with %i rules, a rule that is called without effect can be left out', (count, size) => {
    let found = 0;
    for (let seed = 1; seed <= count; seed++) {
      const random = createRandom(31_000 + seed * 100 + size);
      const draft = randomDraft(random, size);
      const allows = { ...draft, rules: draft.rules.filter(({ action }) => action === 'allow') };
      const judged = new Set<number>();
      const written = draft.rules.map(
        (rule, number): WrittenRule => ({
          rule,
          place: ({ code }) => {
            if (/^SL310[1-4]$/.test(code)) judged.add(number);
            return { at: 0, diagnostic: { code } as never };
          },
        }),
      );
      const open = (one: TableDraft) => opened(RELEASE, tableOf(RELEASE, one));
      lintRules(written, open(draft), open(allows));
      const model = createModel(draft);
      const queries = randomQueries(random, draft, 300);
      for (const number of judged) {
        found += 1;
        const less = createModel({ ...draft, rules: draft.rules.filter((_, i) => i !== number) });
        for (const query of queries) {
          const { protocol, address, port } = query;
          const where = `seed ${seed}, rule ${number}, ${describeQuery(query)}`;
          expect(less.allows(protocol, address, port), where).toBe(
            model.allows(protocol, address, port),
          );
        }
      }
    }
    expect(found).toBeGreaterThan(10);
  });
});

test('100,000 rules are judged in seconds', async () => {
  const rules = Array.from(
    { length: 100_000 },
    (_, i) => `"10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:${1 + (i % 60_000)}"`,
  );
  const text = network([
    `allow = [${rules.join(',')}]`,
    'deny = ["10.0.1.0/24:*", "11.0.0.0/8:*"]',
  ]);
  const startMs = performance.now();
  const warnings = await warningsOf(text);
  expect(performance.now() - startMs).toBeLessThan(40_000);
  expect(warnings).toContain('206 more rules are like this');
});
