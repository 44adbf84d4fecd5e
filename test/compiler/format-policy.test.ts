/** Formatting: its form, that it is final, and that neither values nor comments change. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { formatPolicy } from '../../compiler/format-policy.ts';
import { parseToml } from '../../compiler/toml.ts';
import { toPlain } from '../../compiler/toml-tree.ts';
import { seeded } from './seeded.ts';
import { goodDraft } from './support.ts';

function formatted(text: string | Uint8Array): string {
  const result = formatPolicy('p.toml', text);
  if (!result.ok) throw new Error(result.diagnostic.message);
  return result.text;
}

test('every rule of the form is kept to', () => {
  const text = `\ufeff# top\r
\r
\r
[ network ]   # net\r
allow=["a.example:443"   ,"b.example:80"  ]
  deny = [ # first
   "10.0.0.0/8:*" # one
   , "11.0.0.0/16:*"    # two

   # own
   , "12.0.0.0/8:*"

   ]
allow_bind=[]
# about sets
# more
[sets]
"a-b"  =  { file="x" }
big = ["10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/8"]
[ dns ]
 resolve='exec'  # mode`;
  expect(formatted(text)).toBe(`# top

[network]  # net
allow = ["a.example:443", "b.example:80"]
deny = [
  # first
  "10.0.0.0/8:*",   # one
  "11.0.0.0/16:*",  # two
  # own
  "12.0.0.0/8:*",
]
allow_bind = []

# about sets
# more
[sets]
"a-b" = { file = "x" }
big = [
  "10.0.0.0/8",
  "10.0.0.0/8",
  "10.0.0.0/8",
  "10.0.0.0/8",
  "10.0.0.0/8",
  "10.0.0.0/8",
  "10.0.0.0/8",
]

[dns]
resolve = 'exec'  # mode
`);
});

test.each([
  ['', ''],
  ['\n\n', ''],
  ['# only\n', '# only\n'],
  ['a=1', 'a = 1\n'],
  ['a = """\nx  \n  y"""  # z\n', 'a = """\nx  \n  y"""  # z\n'],
  ['a=[ [1,2] ,[ 3 ] ]', 'a = [[1, 2], [3]]\n'],
  ['[[a]]\nb=1\n[[a]]', '[[a]]\nb = 1\n\n[[a]]\n'],
  ['a . "b c" = {}', 'a."b c" = {}\n'],
  ['a = [\n]\n', 'a = [\n]\n'],
])('%j becomes %j', (text, expected) => {
  expect(formatted(text)).toBe(expected);
  expect(formatted(expected)).toBe(expected);
});

test('what is no TOML is refused with its place', () => {
  const result = formatPolicy('p.toml', 'a = \n');
  expect(result.ok ? undefined : result.diagnostic).toMatchObject({ code: 'SL1001', line: 1 });
});

describe('random policies', () => {
  const between = (random: (n: number) => number): string => [' ', '', '  ', '\t'][random(4)] ?? '';
  const comment = (random: (n: number) => number): string =>
    random(3) === 0 ? `${between(random)}# c${random(100)} "x" ] ${between(random)}` : '';
  const end = (random: (n: number) => number): string =>
    `${comment(random)}${random(4) === 0 ? '\r\n' : '\n'}${'\n'.repeat(random(3))}`;
  const strings = ['"10.0.0.0/8:443"', "'a.example:80'", '"udp://1.1.1.1:53"', '"\\u0031.2.3.4:5"'];

  function list(random: (n: number) => number): string {
    const isLong = random(2) === 0;
    const gap = (): string => (isLong ? end(random) : between(random));
    let text = `[${gap()}`;
    const count = random(6);
    for (let i = 0; i < count; i++) {
      text += `${between(random)}${strings[random(4)]}${gap()}`;
      if (i + 1 < count || random(2) === 0) text += `,${gap()}`;
    }
    return `${text}]`;
  }

  function policy(random: (n: number) => number): string {
    const tables = ['network', 'program', 'dns', 'sets'].slice(0, 1 + random(4));
    const keys = { network: 'allow', program: '"other key"', dns: 'private', sets: 'x . y' };
    return tables
      .map((name) => {
        const key = keys[name as keyof typeof keys];
        const own = random(3) === 0 ? `# own${end(random)}` : '';
        const header = `[${between(random)}${name}${between(random)}]${end(random)}`;
        return `${own}${header}${between(random)}${key}${between(random)}=${between(random)}${list(random)}${end(random)}z = { a = ${list(
          random,
        )
          .replace(/\s*#.*|[\r\n]/g, '')
          .replace(/,\s*\]/, ']')} }${end(random)}`;
      })
      .join('');
  }

  test('say the same afterwards, with all comments, and are formatted no further', () => {
    let changed = 0;
    for (let seed = 1; seed <= 1500; seed++) {
      const text = policy(seeded(seed));
      const before = parseToml('p.toml', text);
      if (!before.ok) throw new Error(`seed ${seed}: ${before.diagnostic.message}\n${text}`);
      const once = formatted(text);
      if (once !== text) changed += 1;
      const after = parseToml('p.toml', once);
      if (!after.ok) throw new Error(`seed ${seed}: ${after.diagnostic.message}\n${once}`);
      expect(toPlain(after.root), `seed ${seed}`).toEqual(toPlain(before.root));
      expect(once.match(/# (c\d+|own)/g), `seed ${seed}`).toEqual(text.match(/# (c\d+|own)/g));
      expect(formatted(once), `seed ${seed}`).toBe(once);
      expect(/[ \t]$|\n\n\n|\r/m.test(once), `seed ${seed}`).toBe(false);
    }
    expect(changed).toBeGreaterThan(1000);
  });
});

test('the examples give the same drafts but for places', async () => {
  const folder = join(import.meta.dirname, '../../examples');
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.toml'))) {
    const text = readFileSync(join(folder, name), 'utf8');
    const files = Object.fromEntries(
      [...text.matchAll(/file = "([^"]+)"/g)].map(([, path = '']) => [
        path,
        readFileSync(join(folder, path)),
      ]),
    );
    const draftOf = async (source: string): Promise<string> => {
      const draft = await goodDraft({ file: { name, text: source } }, { files });
      const hidden = new Set(['line', 'column']);
      return JSON.stringify(draft, (key, value) => (hidden.has(key) ? 0 : value));
    };
    expect(await draftOf(formatted(text)), name).toBe(await draftOf(text));
  }
});
