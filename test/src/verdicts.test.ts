/** What `check` answers, and its lines, for destinations, binds and UNIX sockets of real tables. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseDestination } from '../../compiler/destination.ts';
import { compilePolicy } from '../../compiler/index.ts';
import { openTable, type Table } from '../../compiler/table.ts';
import { loadPolicyModule } from '../../compiler/wasm.ts';
import { formatVerdict } from '../../src/commands/check.ts';
import { publicSuffixOf } from '../../src/suffixes.ts';
import { decideDestination } from '../../src/verdicts.ts';

const policyModule = loadPolicyModule(
  readFileSync(new URL('../../build/policy.release.wasm', import.meta.url)),
);

async function tableOf(text: string, name = 'policy.toml'): Promise<Table> {
  const result = await compilePolicy(
    { file: { name, text }, allow: [], deny: [] },
    {
      policyModule,
      publicSuffixOf,
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
  ['10.0.0.1:443', ['allow 10.0.0.1:443 — policy.toml:2:10 "10.0.0.0/8:443"']],
  [
    '10.0.0.1:80',
    [
      'deny  10.0.0.1:80 — no tcp rule for port 80 of this address',
      '      near: policy.toml:2:10 "10.0.0.0/8:443" (same address, other port)',
      '      near: policy.toml:2:28 "example.com:80" (same port, other address)',
      '      to allow: "10.0.0.1:80" in `allow`, after policy.toml:2',
    ],
  ],
  ['example.com:80', ['allow example.com:80 (192.0.2.1) — policy.toml:2:28 "example.com:80"']],
  [
    'example.com:81',
    [
      'deny  example.com:81 (192.0.2.1) — no tcp rule for port 81 of this address',
      '      near: policy.toml:2:28 "example.com:80" (same address, other port)',
      '      to allow: "example.com:81" in `allow`, after policy.toml:2',
    ],
  ],
  [
    'exmaple.com:80',
    [
      'unknown exmaple.com:80 — no rule has this name, so it does not resolve for the command',
      '      near: policy.toml:2:28 "example.com:80" (similar name)',
      '      to allow: "exmaple.com:80" in `allow`, after policy.toml:2',
    ],
  ],
  [
    'udp://10.0.0.1:443',
    [
      'deny  udp://10.0.0.1:443 — no rule allows udp',
      '      near: policy.toml:2:10 "10.0.0.0/8:443" (same address, other protocol)',
      '      to allow: "udp://10.0.0.1:443" in `allow`, after policy.toml:2',
    ],
  ],
  [
    'bind:tcp://127.0.0.1:8080',
    ['allow bind:tcp://127.0.0.1:8080 — policy.toml:3:15 "127.0.0.1:8080"'],
  ],
  [
    'bind:udp://127.0.0.1:8080',
    [
      'deny  bind:udp://127.0.0.1:8080 — no rule allows a udp bind',
      '      near: policy.toml:3:15 "127.0.0.1:8080" (same address, other protocol)',
      '      to allow: "udp://127.0.0.1:8080" in `allow_bind`, after policy.toml:3',
    ],
  ],
  [
    'bind::8080',
    [
      'deny  bind::8080 (0.0.0.0) — no tcp bind rule for port 8080 of this address',
      '      near: policy.toml:3:33 ":3000" (same address, other port)',
      '      near: policy.toml:3:15 "127.0.0.1:8080" (same port, other address)',
      '      to allow: "0.0.0.0:8080" in `allow_bind`, after policy.toml:3',
      'deny  bind::8080 (::) — no tcp bind rule for port 8080 of this address',
      '      near: policy.toml:3:33 ":3000" (same address, other port)',
      '      to allow: "[::]:8080" in `allow_bind`, after policy.toml:3',
    ],
  ],
  [
    'bind:tcp://:3000',
    [
      'allow bind:tcp://:3000 (0.0.0.0) — policy.toml:3:33 ":3000"',
      'allow bind:tcp://:3000 (::) — policy.toml:3:33 ":3000"',
    ],
  ],
  ['bind:[::]:3000', ['allow bind:[::]:3000 — policy.toml:3:33 ":3000"']],
  ['unix:/run/x.sock', ['allow unix:/run/x.sock — policy.toml:4:15 "/run/x.sock"']],
  [
    'unix:/run/x.sock2',
    [
      'deny  unix:/run/x.sock2 — no unix rule for this socket',
      '      near: policy.toml:4:15 "/run/x.sock" (similar name)',
      '      to allow: "/run/x.sock2" in `allow_unix`, after policy.toml:4',
    ],
  ],
  [
    'unix:/run/user/1000/a/b',
    ['allow unix:/run/user/1000/a/b — policy.toml:4:30 "/run/user/1000/"'],
  ],
  [
    'unix:/run/user/1000',
    [
      'deny  unix:/run/user/1000 — no unix rule for this socket',
      '      near: policy.toml:4:30 "/run/user/1000/" (similar name)',
      '      to allow: "/run/user/1000" in `allow_unix`, after policy.toml:4',
    ],
  ],
  ['unix:@name', ['allow unix:@name — policy.toml:4:49 "@name"']],
  [
    'unix:/name',
    [
      'deny  unix:/name — no unix rule for this socket',
      '      near: policy.toml:4:49 "@name" (similar name)',
      '      to allow: "/name" in `allow_unix`, after policy.toml:4',
    ],
  ],
])('%s is answered with the rules that decide or come close', async (text, lines) => {
  expect(answer(await tableOf(POLICY), text)).toBe(lines.map((line) => `${line}\n`).join(''));
});

test('every UNIX path lies below the directory /', async () => {
  const table = await tableOf('[network]\nallow_unix = ["/"]');
  expect(answer(table, 'unix:/run/x')).toBe('allow unix:/run/x — policy.toml:2:15 "/"\n');
  expect(answer(table, 'unix:@run')).toMatch(/^deny {2}unix:@run — no unix rule for this socket\n/);
});

test.each([
  ['1.2.3.4:80', 'allow 1.2.3.4:80 — policy.toml:3:10 ":80"\n'],
  [
    '[2001:db8::1]:80',
    'deny  [2001:db8::1]:80 — allow_families leaves out inet6/stream\n      to allow: "inet6/stream" in `allow_families`\n',
  ],
  [
    'bind:[::1]:80',
    'deny  bind:[::1]:80 — allow_families leaves out inet6/stream\n      to allow: "inet6/stream" in `allow_families`\n',
  ],
  [
    'udp://1.2.3.4:80',
    'deny  udp://1.2.3.4:80 — allow_families leaves out inet/dgram and inet6/dgram\n      to allow: "inet/dgram" in `allow_families`\n',
  ],
  [
    'unix:@x',
    'deny  unix:@x — allow_families leaves out unix/stream and unix/dgram and unix/seqpacket\n      to allow: "unix/stream" in `allow_families`\n',
  ],
])('%s is denied where no allowed family could do it', async (text, lines) => {
  const table = await tableOf(
    '[network]\nallow_families = ["inet/stream"]\nallow = [":80"]\nallow_bind = [":80"]\n',
  );
  expect(answer(table, text)).toBe(lines);
});

const LIVE = `[network]
allow = ["*.example.com:443", "www.example.com:80", "udp://*.www.example.com:53", "icmp://*.ping.example"]
allow_families = ["inet/stream", "unix"]
`;

test.each([
  [
    'www.example.com:443',
    [
      'allow www.example.com:443 — live.toml:2:10 "*.example.com:443"',
      '      opened when the command asks for the name, at the addresses it has then',
    ],
  ],
  [
    'a.b.Example.com.:443',
    [
      'allow a.b.Example.com.:443 — live.toml:2:10 "*.example.com:443"',
      '      opened when the command asks for the name, at the addresses it has then',
    ],
  ],
  [
    'www.example.com:81',
    [
      'unknown www.example.com:81 — no tcp rule for port 81 of this name; its addresses are not known before the command asks for them',
      '      near: live.toml:2:10 "*.example.com:443" (same address, other port)',
      '      near: live.toml:2:31 "www.example.com:80" (same address, other port)',
      '      to allow: "www.example.com:81" in `allow`, after live.toml:2',
    ],
  ],
  [
    'example.com:443',
    [
      'unknown example.com:443 — no rule has this name, so it does not resolve for the command',
      '      near: live.toml:2:10 "*.example.com:443" (similar name)',
      '      to allow: "example.com:443" in `allow`, after live.toml:2',
    ],
  ],
])('a live policy answers %s', async (text, lines) => {
  const policy = LIVE.replace(/, "(udp|icmp):[^"]*"/g, '');
  expect(answer(await tableOf(policy, 'live.toml'), text)).toBe(
    lines.map((line) => `${line}\n`).join(''),
  );
});

test('a live name needs its family like any other', async () => {
  const policy = LIVE.replace('"inet/stream"', '"inet"');
  const table = await tableOf(policy, 'live.toml');
  expect(answer(table, 'icmp://a.ping.example')).toMatch(/^allow icmp:/);
  expect(answer(table, 'udp://a.www.example.com:53')).toMatch(/^allow udp:/);
  expect(answer(table, 'udp://www.example.com:53')).toMatch(
    /^unknown .* no udp rule for this name/,
  );
});
