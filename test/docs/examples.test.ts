/**
 * The policies in examples/: each compiles without a warning it does not explain, and each of the
 * new ones says how to run it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDestination } from '../../compiler/destination.ts';
import { compilePolicy } from '../../compiler/index.ts';
import { openTable, type Table } from '../../compiler/table.ts';
import { loadPolicyModule } from '../../compiler/wasm.ts';
import { publicSuffixOf } from '../../src/suffixes.ts';
import { decideDestination } from '../../src/verdicts.ts';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = join(ROOT, 'examples');
const policyModule = loadPolicyModule(readFileSync(join(ROOT, 'dist/policy.wasm')));

/** Names of the inside have an address of the inside, all others one of 192.0.2.0/24. */
async function compile(name: string): Promise<Table> {
  const text = readFileSync(join(FOLDER, name), 'utf8');
  const result = await compilePolicy(
    { file: { name, text }, allow: [], deny: [], purpose: 'exec' },
    {
      policyModule,
      publicSuffixOf,
      readSetFile: (path) => ({ ok: true, content: readFileSync(join(FOLDER, path)) }),
      async resolve(host) {
        const isInside = host.endsWith('.internal') || host === 'localhost';
        return {
          ok: true,
          addresses: [isInside ? Uint8Array.of(127, 0, 0, 1) : Uint8Array.of(192, 0, 2, 80)],
        };
      },
    },
  );
  if (!result.ok) throw new Error(result.diagnostics.map(({ message }) => message).join('\n'));
  const opened = openTable(policyModule, result.table);
  if (!opened.ok) throw new Error(opened.defect.text);
  return opened.table;
}

const ALL = readdirSync(FOLDER).filter((name) => name.endsWith('.toml'));

/** What each is for, and what it must not be for. */
const MEANT: Readonly<
  Record<string, { readonly allow: readonly string[]; readonly deny: readonly string[] }>
> = {
  'agent.toml': {
    allow: [
      'api.example.com:443',
      'git.example.com:22',
      '127.0.0.1:3000',
      'bind:tcp://127.0.0.1:3999',
    ],
    deny: [
      '169.254.169.254:80',
      '127.0.0.1:9229',
      '10.0.0.1:22',
      'udp://192.0.2.53:53',
      'bind:tcp://:3000',
      'unix:/run/docker.sock',
    ],
  },
  'npm-install.toml': {
    allow: ['packages.example.org:443'],
    deny: [
      'packages.example.org:80',
      '127.0.0.1:8080',
      '198.51.100.1:443',
      'bind:tcp://127.0.0.1:8080',
    ],
  },
  'ci.toml': {
    allow: [
      '198.51.100.7:443',
      'tcp://[2001:db8:1::7]:443',
      'cache.internal:6379',
      '127.0.0.1:5432',
      'bind:tcp://127.0.0.1:5432',
    ],
    deny: ['169.254.169.254:80', '198.51.100.7:22', 'bind:tcp://:5432'],
  },
  'database.toml': {
    allow: ['10.20.0.7:5432', 'unix:/run/postgresql/.s.PGSQL.5432'],
    deny: ['10.20.0.7:5433', '10.20.0.8:5432', 'unix:/run/postgresql/.s.PGSQL.5433'],
  },
  'ping.toml': {
    allow: ['icmp://10.20.0.1', 'icmp://[2001:db8::1]'],
    deny: ['icmp://10.21.0.1', '10.20.0.1:443', 'udp://10.20.0.1:53'],
  },
};

describe('examples/', () => {
  it.each(ALL)('%s compiles', async (name) => {
    expect((await compile(name)).rules().length).toBeGreaterThan(0);
  });

  it.each(Object.entries(MEANT))(
    '%s opens what it is for and nothing beside it',
    async (name, { allow, deny }) => {
      const table = await compile(name);
      for (const [verdict, list] of [
        ['allow', allow],
        ['deny', deny],
      ] as const) {
        for (const text of list) {
          const parsed = parseDestination(text);
          if (!parsed.ok) throw new Error(`${text} is no destination`);
          const seen = decideDestination(table, text, parsed.destination).map((one) => one.verdict);
          expect([...new Set(seen)], text).toEqual([verdict]);
        }
      }
      const text = readFileSync(join(FOLDER, name), 'utf8');
      expect(text).toMatch(
        new RegExp(`^#   sandlock (exec|compile) examples/${name.replace('.', '\\.')} `, 'm'),
      );
    },
  );
});
