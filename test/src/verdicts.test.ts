/** What `check` answers, and its lines, for destinations, binds and UNIX sockets of real tables. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseDestination } from '../../compiler/destination.ts';
import { compilePolicy } from '../../compiler/index.ts';
import { openTable, type Table } from '../../compiler/table.ts';
import { loadPolicyModule } from '../../compiler/wasm.ts';
import { formatVerdict } from '../../src/commands/check.ts';
import { decideDestination } from '../../src/verdicts.ts';

const policyModule = loadPolicyModule(
  readFileSync(new URL('../../build/policy.release.wasm', import.meta.url)),
);

async function tableOf(text: string): Promise<Table> {
  const result = await compilePolicy(
    { file: { name: 'policy.toml', text }, allow: [], deny: [] },
    {
      policyModule,
      resolve: async () => ({ ok: true, addresses: [Uint8Array.of(192, 0, 2, 1)] }),
      readSetFile: () => ({ ok: false, reason: 'no such file' }),
    },
  );
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
  const opened = openTable(policyModule, result.table);
  if (!opened.ok) throw new Error(opened.defect.text);
  return opened.table;
}

function answer(table: Table, text: string): string {
  const parsed = parseDestination(text);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.diagnostics));
  return decideDestination(table, text, parsed.destination).map(formatVerdict).join('');
}

const POLICY = `[network]
allow = ["10.0.0.0/8:443", "example.com:80"]
allow_bind = ["127.0.0.1:8080", ":3000"]
allow_unix = ["/run/x.sock", "/run/user/1000/", "@name"]
`;

test.each([
  ['10.0.0.1:443', 'allow 10.0.0.1:443 — policy.toml:2 "10.0.0.0/8:443"\n'],
  ['10.0.0.1:80', 'deny  10.0.0.1:80 — no rule allows it\n'],
  ['example.com:80', 'allow example.com:80 (192.0.2.1) — policy.toml:2 "example.com:80"\n'],
  [
    'bind:tcp://127.0.0.1:8080',
    'allow bind:tcp://127.0.0.1:8080 — policy.toml:3 "127.0.0.1:8080"\n',
  ],
  ['bind:udp://127.0.0.1:8080', 'deny  bind:udp://127.0.0.1:8080 — no rule allows it\n'],
  [
    'bind::8080',
    'deny  bind::8080 (0.0.0.0) — no rule allows it\ndeny  bind::8080 (::) — no rule allows it\n',
  ],
  [
    'bind:tcp://:3000',
    'allow bind:tcp://:3000 (0.0.0.0) — policy.toml:3 ":3000"\nallow bind:tcp://:3000 (::) — policy.toml:3 ":3000"\n',
  ],
  ['bind:[::]:3000', 'allow bind:[::]:3000 — policy.toml:3 ":3000"\n'],
  ['unix:/run/x.sock', 'allow unix:/run/x.sock — allow_unix:4 "/run/x.sock"\n'],
  ['unix:/run/x.sock2', 'deny  unix:/run/x.sock2 — no rule allows it\n'],
  ['unix:/run/user/1000/a/b', 'allow unix:/run/user/1000/a/b — allow_unix:4 "/run/user/1000/"\n'],
  ['unix:/run/user/1000', 'deny  unix:/run/user/1000 — no rule allows it\n'],
  ['unix:/run/user/10000/a', 'deny  unix:/run/user/10000/a — no rule allows it\n'],
  ['unix:@name', 'allow unix:@name — allow_unix:4 "@name"\n'],
  ['unix:/name', 'deny  unix:/name — no rule allows it\n'],
])('%s is answered with the rules that decide', async (text, lines) => {
  expect(answer(await tableOf(POLICY), text)).toBe(lines);
});

test('every UNIX path lies below the directory /', async () => {
  const table = await tableOf('[network]\nallow_unix = ["/"]');
  expect(answer(table, 'unix:/run/x')).toBe('allow unix:/run/x — allow_unix:2 "/"\n');
  expect(answer(table, 'unix:@run')).toBe('deny  unix:@run — no rule allows it\n');
});

test.each([
  ['1.2.3.4:80', 'allow 1.2.3.4:80 — policy.toml:3 ":80"\n'],
  ['[2001:db8::1]:80', 'deny  [2001:db8::1]:80 — allow_families leaves out inet6/stream\n'],
  ['bind:[::1]:80', 'deny  bind:[::1]:80 — allow_families leaves out inet6/stream\n'],
  [
    'udp://1.2.3.4:80',
    'deny  udp://1.2.3.4:80 — allow_families leaves out inet/dgram and inet6/dgram\n',
  ],
  [
    'unix:@x',
    'deny  unix:@x — allow_families leaves out unix/stream and unix/dgram and unix/seqpacket\n',
  ],
])('%s is denied where no allowed family could do it', async (text, lines) => {
  const table = await tableOf(
    '[network]\nallow_families = ["inet/stream"]\nallow = [":80"]\nallow_bind = [":80"]\n',
  );
  expect(answer(table, text)).toBe(lines);
});
