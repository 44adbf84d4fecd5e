/**
 * Keys, types and words of a policy, with the complete text of each refusal; and the schema's
 * agreement with the parser.
 */
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { parseToml } from '../../compiler/toml.ts';
import { toPlain } from '../../compiler/toml-tree.ts';
import { KEYS, UNBUILT, validate } from '../../compiler/validate.gen.js';
import { diagnosticsOf, errorsOf } from './support.ts';

test('a file without keys is refused', async () => {
  expect(await errorsOf('# nothing\n')).toBe(`policy.toml:1:1: error SL2106: the policy says nothing
1 | # nothing
  | ^
help: write \`[network]\` with \`allow = []\` if nothing may be reached
`);
});

test.each([
  [
    'a lone rule in place of a list',
    '[network]\nallow = "a:1"',
    `policy.toml:2:9: error SL2102: \`network.allow\` can not be a string
2 | allow = "a:1"
  |         ^^^^^
expected: a list of rules, such as ["example.com:443"]
help: did you mean ["a:1"]?
`,
  ],
  [
    'a rule that is a number',
    '[network]\ndeny = ["10.0.0.1:*", 443]',
    `policy.toml:2:23: error SL2102: \`network.deny[1]\` can not be a number
2 | deny = ["10.0.0.1:*", 443]
  |                       ^^^
expected: a rule in quotes, such as "example.com:443"
`,
  ],
  [
    'a section that is a date',
    'network = 1979-05-27',
    `policy.toml:1:11: error SL2102: \`network\` can not be a date
1 | network = 1979-05-27
  |           ^^^^^^^^^^
expected: a table: \`[network]\`
`,
  ],
  [
    'a section that is an array of tables',
    '[[network]]\nallow = []',
    `policy.toml:1:3: error SL2102: \`network\` can not be a list
1 | [[network]]
  |   ^^^^^^^
expected: a table: \`[network]\`
`,
  ],
  [
    'a rule that is a date',
    '[network]\nallow = [1979-05-27]',
    `policy.toml:2:10: error SL2102: \`network.allow[0]\` can not be a date
2 | allow = [1979-05-27]
  |          ^^^^^^^^^^
expected: a rule in quotes, such as "example.com:443"
`,
  ],
  [
    'a key outside its section',
    'allow = []\n[network]',
    `policy.toml:1:1: error SL2101: unknown key \`allow\` at the top level
1 | allow = []
  | ^^^^^
expected: \`network\`, \`sets\`, \`dns\`, \`program\`
help: \`allow\` belongs into \`[network]\`
`,
  ],
  [
    'a mistyped section',
    '[netwrok]\nallow = []',
    `policy.toml:1:2: error SL2101: unknown key \`netwrok\` at the top level
1 | [netwrok]
  |  ^^^^^^^
expected: \`network\`, \`sets\`, \`dns\`, \`program\`
help: did you mean \`network\`?
`,
  ],
  [
    'an unknown word',
    '[dns]\nresolve = "exce"',
    `policy.toml:2:11: error SL2103: \`dns.resolve\` can not be \`exce\`
2 | resolve = "exce"
  |           ^^^^^^
expected: "compile", "exec", "live"
help: did you mean "exec"?
`,
  ],
  [
    'a word that is a boolean',
    '[dns]\nresolve = true',
    `policy.toml:2:11: error SL2103: \`dns.resolve\` can not be a boolean
2 | resolve = true
  |           ^^^^
expected: "compile", "exec", "live"
`,
  ],
  [
    'a set that is a path',
    '[sets]\ncloud = "cloud.txt"',
    `policy.toml:2:9: error SL2102: \`sets.cloud\` can not be a string
2 | cloud = "cloud.txt"
  |         ^^^^^^^^^^^
expected: a list such as ["10.0.0.0/8"], or { file = "path" }
help: did you mean { file = "cloud.txt" }?
`,
  ],
  [
    'a set without file',
    '[sets]\ncloud = {}',
    `policy.toml:2:9: error SL2104: \`sets.cloud\` lacks the key \`file\`
2 | cloud = {}
  |         ^^
expected: a list such as ["10.0.0.0/8"], or { file = "path" }
`,
  ],
  [
    'a set with a mistyped file',
    '[sets]\ncloud = { fiel = "x" }',
    `policy.toml:2:11: error SL2101: unknown key \`fiel\` in \`sets.cloud\`
2 | cloud = { fiel = "x" }
  |           ^^^^
expected: \`file\`
help: did you mean \`file\`?
`,
  ],
  [
    'a set name with a space',
    '[sets]\n"a b" = ["192.0.2.1"]',
    `policy.toml:2:1: error SL2016: \`a b\` can not name a set
2 | "a b" = ["192.0.2.1"]
  | ^^^^^
expected: letters, digits, \`-\` and \`_\`
`,
  ],
  [
    'a private list that is no list',
    '[dns]\nprivate = "db.internal"',
    `policy.toml:2:11: error SL2102: \`dns.private\` can not be a string
2 | private = "db.internal"
  |           ^^^^^^^^^^^^^
expected: a list of names, such as ["db.internal"]
help: did you mean ["db.internal"]?
`,
  ],
  [
    'an address in the private list',
    '[dns]\nprivate = ["10.0.0.1"]',
    `policy.toml:2:13: error SL2014: \`10.0.0.1\` is not a name
2 | private = ["10.0.0.1"]
  |             ^^^^^^^^
expected: a name such as db.internal, or *.internal for every name below
help: name what resolves to the address, or write a rule with the address
`,
  ],
])('%s is refused', async (_, text, complete) => {
  expect(await errorsOf(text)).toBe(complete);
});

const BELOW = 'help: remove it: a policy that is not enforced whole does not compile';

test.each([
  ['[network]\nport_remap = true', '2:1', '`network.port_remap`'],
  ['[filesystem]\nread = ["/usr"]\nbogus = 3', '1:2', '`[filesystem]`'],
  ['[http]\nports = [80]', '1:2', '`[http]`'],
  ['[program]\nexec = 3', '2:1', '`program.exec`'],
  ['[program]\nallow_userns = true\nargs = []', '3:1', '`program.args`'],
  ['program.env = { A = "b" }', '1:9', '`program.env`'],
  ['[program]\ncwd = "/"', '2:1', '`program.cwd`'],
  ['[program]\nclean_env = false', '2:1', '`program.clean_env`'],
  ['limits.memory = "512M"', '1:1', '`[limits]`'],
])('%j is not implemented yet', async (text, place, what) => {
  const lines = (await errorsOf(text)).split('\n');
  expect(lines[0]).toBe(`policy.toml:${place}: error SL2105: ${what} is not implemented yet`);
  expect(lines.slice(3)).toEqual([BELOW, '']);
});

/** Keys that the compiler enforces; a key that is added to the schema has to be named here or as not built. */
test('every key of the schema is either built or refused', () => {
  const built = Object.entries(KEYS).flatMap(([table, keys]) =>
    keys.map((key) => `${table}/${key}`).filter((key) => !UNBUILT.includes(key)),
  );
  expect(built).toEqual([
    '/network',
    '/sets',
    '/dns',
    '/program',
    '/network/allow',
    '/network/deny',
    '/network/allow_bind',
    '/network/deny_bind',
    '/network/allow_unix',
    '/network/allow_families',
    '/sets/*/file',
    '/dns/resolve',
    '/dns/max_age',
    '/dns/private',
    '/dns/wide',
    '/program/allow_userns',
  ]);
});

interface SchemaNode {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly then?: SchemaNode;
  readonly additionalProperties?: SchemaNode | boolean;
}

const schema = JSON.parse(
  readFileSync(new URL('../../compiler/policy.schema.json', import.meta.url), 'utf8'),
) as SchemaNode;

test('every property of the schema has a description, for editors', () => {
  const bare: string[] = [];
  const visit = (node: SchemaNode, path: string): void => {
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      if (child.description === undefined) bare.push(`${path}/${key}`);
      visit(child, `${path}/${key}`);
    }
    if (node.then !== undefined) visit(node.then, path);
    if (typeof node.additionalProperties === 'object')
      visit(node.additionalProperties, `${path}/*`);
  };
  visit(schema, '');
  expect(bare).toEqual([]);
});

const SHARED = [
  '[network]\nallow = []',
  '[network]\nallow = ["a:1"]\ndeny = []\n[sets]\na = ["192.0.2.1"]\n[dns]\nresolve = "compile"\nprivate = []',
  '[sets]\na = { file = "f" }',
  '[sets]\na = { file = 3 }',
  '[sets]\na = { path = "f" }',
  '[sets]\na = 3',
  '[sets]\na = [3]',
  '[sets]\n"" = ["192.0.2.1"]',
  '[network]\nallow = {}',
  '[network]\nallow = [[]]',
  '[network]\nallow = [1.5, true, 1979-05-27, {}]',
  'network = []',
  'network = 3',
  '[dns]\nresolve = ["exec"]',
  '[dns]\nprivate = [1]',
  'x = 1',
  '[network]\nallow_bind = [":80"]\nallow_unix = ["/x", "@y"]\nallow_families = ["unix", "inet", "inet6/dgram", "alg"]',
  '[network]\ndeny_bind = []\nallow_families = ["unix/stream", "unix/dgram", "unix/seqpacket", "inet/stream"]',
  '[network]\nallow_families = ["inet/dgram", "inet6", "inet6/stream", "netlink/route"]',
  '[network]\nallow_families = []',
  '[network]\nallow_families = ["packet"]',
  '[network]\nallow_families = ["netlink"]',
  '[network]\nallow_families = [3]',
  '[network]\nallow_families = "inet"',
  '[network]\nallow_bind = [8080]',
  '[network]\nallow_unix = {}',
  '[program]\nallow_userns = true',
  '[program]\nallow_userns = "yes"',
  '[program]\n',
];

test.each(SHARED)('schema, generated validator and compiler agree about %j', async (text) => {
  const parsed = parseToml('p', text);
  if (!parsed.ok) throw new Error('the text is not TOML');
  const value = toPlain(parsed.root);
  const bySchema = new Ajv({ strict: false }).compile(schema)(value);
  expect(validate(value)).toBe(bySchema);
  const errors = await errorsOf(text, { files: { f: '192.0.2.1' } });
  expect(errors === '').toBe(bySchema);
});

test('a mistake in a key hides no mistake in a rule', async () => {
  const codes = (await diagnosticsOf('[network]\nallow = ["a:0", 3, "b:x"]\nfoo = 1')).map(
    ({ code }) => code,
  );
  expect(codes).toEqual(['SL2004', 'SL2102', 'SL2003', 'SL2101']);
});
