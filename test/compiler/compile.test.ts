/**
 * The whole compiler: examples and large policies to tables, with the real table builder; and what it may import.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compilePolicy, type PolicyInput } from '../../compiler/index.ts';
import type { Protocol } from '../../compiler/model.ts';
import { openTable, type Table } from '../../compiler/table.ts';
import { loadPolicyModule } from '../../compiler/wasm.ts';
import { publicSuffixOf } from '../../src/suffixes.ts';
import { parseIp } from './parse-ip.ts';

const root = new URL('../../', import.meta.url);
const policyModule = loadPolicyModule(readFileSync(new URL('build/policy.release.wasm', root)));

const NAMES: Readonly<Record<string, readonly string[]>> = {
  'api.example.com': ['192.0.2.10', '2001:db8:a::10'],
  'www.example.com': ['192.0.2.11'],
  'packages.example.org': ['192.0.2.12'],
  'db.internal': ['10.9.8.7'],
  localhost: ['127.0.0.1', '::1'],
};

async function compile(input: Partial<PolicyInput>) {
  const result = await compilePolicy(
    { allow: [], deny: [], ...input },
    {
      policyModule,
      resolve: async (name) => {
        const known = NAMES[name];
        return known === undefined
          ? { ok: false, reason: 'unknown' }
          : { ok: true, addresses: known.map(parseIp) };
      },
      publicSuffixOf,
      readSetFile: (path) => ({
        ok: true,
        content: readFileSync(new URL(`examples/${path}`, root)),
      }),
    },
  );
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics, undefined, 2));
  return result;
}

function open(bytes: Uint8Array): Table {
  const opened = openTable(policyModule, bytes);
  if (!opened.ok) throw new Error(opened.defect.text);
  return opened.table;
}

function example(name: string): Promise<Awaited<ReturnType<typeof compile>>> {
  const text = readFileSync(new URL(`examples/${name}`, root), 'utf8');
  return compile({ file: { name: `examples/${name}`, text } });
}

test.each([
  ['live.toml', { rules: 5, names: 4, sets: 0 }],
  ['micro.toml', { rules: 1, names: 0, sets: 0 }],
  ['mini.toml', { rules: 4, names: 1, sets: 0 }],
  ['quickstart.toml', { rules: 1, names: 0, sets: 0 }],
  ['verbose.toml', { rules: 19, names: 4, sets: 2 }],
])('examples/%s compiles without a warning', async (name, counts) => {
  const result = await example(name);
  expect(result.summary).toMatchObject(counts);
  expect(result.summary.bytes).toBe(result.table.length);
  expect(result.warnings).toEqual([]);
});

test('every example names its schema', () => {
  const names = readdirSync(new URL('examples/', root)).filter((name) => name.endsWith('.toml'));
  expect(names.length).toBeGreaterThan(5);
  for (const name of names) {
    const [first] = readFileSync(new URL(`examples/${name}`, root), 'utf8').split('\n');
    expect(first).toBe('#:schema ../compiler/policy.schema.json');
  }
});

test.each([
  ['tcp', '192.0.2.10', 443, 'allow'],
  ['tcp', '2001:db8:a::10', 443, 'allow'],
  ['tcp', '192.0.2.10', 80, 'deny'],
  ['tcp', '192.0.2.11', 80, 'allow'],
  ['tcp', '198.51.100.9', 6005, 'allow'],
  ['tcp', '198.51.100.9', 6011, 'deny'],
  ['tcp', '192.0.2.200', 443, 'allow'],
  ['tcp', '203.0.113.65', 443, 'allow'],
  ['tcp', '203.0.113.1', 443, 'deny'],
  ['tcp', '1.2.3.4', 8080, 'allow'],
  ['tcp', '169.254.169.254', 8080, 'deny'],
  ['tcp', '::ffff:169.254.169.254', 8080, 'deny'],
  ['tcp', '64:ff9b::169.254.169.254', 8080, 'deny'],
  ['udp', '1.2.3.4', 123, 'allow'],
  ['udp', '198.51.100.9', 123, 'deny'],
  ['udp', '192.0.2.10', 443, 'deny'],
  ['icmp', '192.0.2.7', 0, 'allow'],
  ['icmp', '192.0.2.6', 0, 'deny'],
  ['tcp', '10.9.8.7', 5432, 'allow'],
  ['tcp', '::1', 3000, 'allow'],
  ['tcp', '0.0.0.0', 3000, 'allow'],
] as const)(
  'examples/verbose.toml: %s to %s port %i is %s',
  async (protocol, address, port, verdict) => {
    const table = open((await example('verbose.toml')).table);
    expect(table.lookup(protocol, parseIp(address), port)).toBe(verdict);
  },
);

test.each([
  ['tcp-bind', '127.0.0.1', 8080, 'allow'],
  ['tcp-bind', '::ffff:127.0.0.1', 8080, 'allow'],
  ['tcp-bind', '0.0.0.0', 8080, 'deny'],
  ['tcp-bind', '::', 8080, 'deny'],
  ['tcp-bind', '::1', 9010, 'allow'],
  ['tcp-bind', '::1', 9011, 'deny'],
  ['tcp-bind', '::', 3000, 'allow'],
  ['tcp-bind', '198.51.100.1', 3000, 'allow'],
  ['udp-bind', '0.0.0.0', 5353, 'allow'],
  ['udp-bind', '127.0.0.1', 5353, 'deny'],
  ['udp-bind', '::', 5353, 'deny'],
  ['udp-bind', '127.0.0.1', 8080, 'deny'],
] as const)(
  'examples/verbose.toml: %s of %s port %i is %s',
  async (protocol, address, port, verdict) => {
    const table = open((await example('verbose.toml')).table);
    expect(table.lookup(protocol, parseIp(address), port)).toBe(verdict);
  },
);

test('examples/verbose.toml: the table has the walls as written', async () => {
  const table = open((await example('verbose.toml')).table);
  const source = 'verbose.toml';
  expect(table.unixRules()).toEqual([
    { kind: 'path', text: '/run/postgresql/.s.PGSQL.5432', source, line: 43, column: 3 },
    { kind: 'directory', text: '/run/user/1000', source, line: 44, column: 3 },
    { kind: 'abstract', text: 'abstract-name', source, line: 45, column: 3 },
  ]);
  expect(table.facts()).toEqual({
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
  });
});

test('the table of every word has every family, and namespaces', async () => {
  const text =
    '[network]\nallow_families = ["unix", "unix/dgram", "inet", "inet6", "netlink/route", "alg"]\n[program]\nallow_userns = true';
  const { table } = await compile({ file: { name: 'p.toml', text } });
  const { families, allowUserns } = open(table).facts();
  expect([families.length, families.at(-1), allowUserns]).toEqual([9, 'alg', true]);
});

test('deny_bind leaves everything else open, and denies every address with one', async () => {
  const text = '[network]\ndeny_bind = ["127.0.0.1:80", "udp://[::1]:53"]';
  const { table } = await compile({ file: { name: 'p.toml', text } });
  const opened = open(table);
  const ask = (protocol: Protocol, address: string, port: number): string =>
    opened.lookup(protocol, parseIp(address), port);
  expect(
    ['127.0.0.1', '0.0.0.0', '::', '127.0.0.2', '::1'].map((a) => ask('tcp-bind', a, 80)),
  ).toEqual(['deny', 'deny', 'deny', 'allow', 'allow']);
  expect(['::1', '::', '0.0.0.0', '127.0.0.1'].map((a) => ask('udp-bind', a, 53))).toEqual([
    'deny',
    'deny',
    'allow',
    'allow',
  ]);
  expect(ask('tcp', '127.0.0.2', 80)).toBe('deny');
  expect(
    opened
      .decidingRules('tcp-bind', parseIp('127.0.0.2'), 80)
      .map(({ text: rule, line }) => [rule, line]),
  ).toEqual([['deny_bind', 2]]);
});

test('rules of options join those of the file, and deny wins', async () => {
  const text = '[network]\nallow = ["192.0.2.0/24:443"]\n';
  const file = { name: 'some/policy.toml', text };
  const { table } = await compile({ file, allow: ['192.0.2.9:80'], deny: ['192.0.2.7:443'] });
  const opened = open(table);
  expect(
    opened.rules().map(({ source, line, column, text: rule }) => [source, line, column, rule]),
  ).toEqual([
    ['policy.toml', 2, 10, '192.0.2.0/24:443'],
    ['--allow', 0, 0, '192.0.2.9:80'],
    ['--deny', 0, 0, '192.0.2.7:443'],
  ]);
  expect(opened.lookup('tcp', parseIp('192.0.2.9'), 80)).toBe('allow');
  expect(opened.lookup('tcp', parseIp('192.0.2.7'), 443)).toBe('deny');
});

test('the same policy and answers give the same bytes', async () => {
  const [first, second] = await Promise.all([example('verbose.toml'), example('verbose.toml')]);
  expect(Buffer.from(first.table).equals(Buffer.from(second.table))).toBe(true);
});

test('no policy at all is an error, never an empty table', async () => {
  await expect(compile({})).rejects.toThrow('no policy was given');
});

test('100,000 rules compile', async () => {
  const rules = Array.from(
    { length: 100_000 },
    (_, i) => `  "tcp://10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:443",`,
  );
  const file = { name: 'p.toml', text: `[network]\nallow = [\n${rules.join('\n')}\n]\n` };
  const { summary, table } = await compile({ file });
  expect(summary.rules).toBe(100_000);
  expect(open(table).lookup('tcp', parseIp('10.1.134.159'), 443)).toBe('allow');
  expect(open(table).lookup('tcp', parseIp('10.1.134.160'), 443)).toBe('deny');
});

test('only what reads and formats TOML imports a package, and nothing in compiler/ imports Node', () => {
  const found: string[] = [];
  for (const name of readdirSync(new URL('compiler/', root))) {
    if (!/\.(ts|js)$/.test(name)) continue;
    const text = readFileSync(new URL(`compiler/${name}`, root), 'utf8');
    for (const [, from] of text.matchAll(/(?:from|import|require)\s*\(?\s*'([^']+)'/g)) {
      if (from !== undefined && !from.startsWith('./')) found.push(`${name} ${from}`);
    }
  }
  expect(found.sort()).toEqual([
    'format-policy.ts toml-eslint-parser',
    'toml.ts toml-eslint-parser',
  ]);
});
