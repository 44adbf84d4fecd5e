/**
 * Tables taken apart and built again: the same bytes without a change, other addresses for names
 * that are asked for anew.
 */
import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../compiler/address.ts';
import { formatDiagnostics } from '../../compiler/diagnostic.ts';
import type { RefreshOptions } from '../../compiler/refresh.ts';
import { refreshTable } from '../../compiler/refresh.ts';
import { draftOfTable } from '../../compiler/stored-draft.ts';
import { buildTable, type Table } from '../../compiler/table.ts';
import { draftOf, MIXED, NESTED, OPEN, rule } from '../reference/drafts.ts';
import { createLargeDraft } from '../reference/large.ts';
import { BUILDS, opened, tableOf } from '../reference/modules.ts';
import { createRandom, randomDraft } from '../reference/random.ts';
import { parseIp } from './parse-ip.ts';

const [{ module: policy }] = BUILDS;

test('a table gives the draft from which the same bytes are built', () => {
  const drafts = [MIXED, NESTED, OPEN];
  for (let seed = 1; seed <= 150; seed++) {
    drafts.push(randomDraft(createRandom(seed), seed % 30));
  }
  drafts.push(createLargeDraft(3, 2000).draft);
  for (const [index, draft] of drafts.entries()) {
    const bytes = tableOf(policy, draft);
    const again = buildTable(policy, draftOfTable(opened(policy, bytes)));
    expect(again.ok && Buffer.compare(again.bytes, bytes), `draft ${index}`).toBe(0);
  }
});

const POLICY = opened(
  policy,
  tableOf(
    policy,
    draftOf(
      [
        rule('allow', 'tcp://#pinned.example:443', 4),
        rule('allow', 'udp://#start.example:53', 5),
        rule('allow', 'tcp://#*.example:80', 6),
        rule('allow', 'tcp://10.0.0.0/8:443', 7),
        rule('deny', 'tcp://192.0.2.66:*', 8),
      ],
      {
        names: [
          { name: 'pinned.example', addresses: [parseIp('192.0.2.1')] },
          { name: 'start.example', addresses: [], atStart: true },
          { name: '*.example', addresses: [] },
        ],
        dns: {
          resolve: 'compile',
          pinnedAt: 1000,
          maxAge: 60,
          privateNames: [{ name: 'start.example', below: false, line: 9 }],
        },
      },
    ),
  ),
);

async function refresh(
  which: Omit<RefreshOptions, 'now'>,
  answers: Readonly<Record<string, readonly string[]>>,
) {
  const asked: string[] = [];
  const result = await refreshTable(
    policy,
    POLICY,
    { ...which, now: 2000 },
    {
      resolve: async (name) => {
        asked.push(name);
        const addresses = answers[name]?.map(parseIp);
        return addresses === undefined
          ? { ok: false, reason: 'the name does not exist' }
          : { ok: true, addresses };
      },
    },
  );
  return { asked, result };
}

function namesOf(table: Table): string[] {
  return table
    .names()
    .map(({ name, addresses, atStart }) =>
      [name, ...addresses.map(formatAddress), ...(atStart ? ['at start'] : [])].join(' '),
    );
}

describe('a table', () => {
  test('has only the names asked for that are wanted', async () => {
    const answers = { 'pinned.example': ['192.0.2.9'], 'start.example': ['192.0.2.5'] };
    const cases = [
      [{ missing: true, pinned: false }, ['start.example']],
      [{ missing: false, pinned: true }, ['pinned.example']],
      [{ missing: true, pinned: true }, ['pinned.example', 'start.example']],
    ] as const;
    for (const [which, names] of cases)
      expect((await refresh(which, answers)).asked).toEqual(names);
  });

  test('loses the old addresses of a name for the new ones, and keeps everything else', async () => {
    const answers = { 'pinned.example': ['192.0.2.9'], 'start.example': ['10.1.1.1', '192.0.2.5'] };
    const { result } = await refresh({ missing: true, pinned: true }, answers);
    if (!result.ok) throw new Error(formatDiagnostics(result.diagnostics));
    const table = opened(policy, result.table);
    expect(namesOf(table)).toEqual([
      'pinned.example 192.0.2.9',
      'start.example 10.1.1.1 192.0.2.5',
      '*.example',
    ]);
    expect(table.dns()).toEqual({ ...POLICY.dns(), pinnedAt: 2000 });
    expect(table.rules()).toEqual(POLICY.rules());
    expect(table.lookup('tcp', parseIp('192.0.2.9'), 443)).toBe('allow');
    expect(table.lookup('tcp', parseIp('192.0.2.1'), 443)).toBe('deny');
    expect(table.lookup('udp', parseIp('192.0.2.5'), 53)).toBe('allow');
  });

  test('does not open with a name what a deny rule denies', async () => {
    const answers = { 'pinned.example': ['192.0.2.66'] };
    const { result } = await refresh({ missing: false, pinned: true }, answers);
    if (!result.ok) throw new Error(formatDiagnostics(result.diagnostics));
    const table = opened(policy, result.table);
    expect(table.lookup('tcp', parseIp('192.0.2.66'), 443)).toBe('deny');
  });

  test('is not built when a name has no answer, or one of the inside alone', async () => {
    const { result } = await refresh(
      { missing: true, pinned: true },
      {
        'pinned.example': ['192.168.0.1'],
      },
    );
    expect(result.ok || formatDiagnostics(result.diagnostics)).toBe(
      `policy.toml:4:10: error SL4002: \`pinned.example\` resolves to private addresses only: 192.168.0.1
4 | …tcp://#pinned.example:443
  |        ^^^^^^^^^^^^^^^
help: if this is meant, add \`[dns] private = ["pinned.example"]\`

policy.toml:5:10: error SL4001: \`start.example\` does not resolve: the name does not exist
5 | …udp://#start.example:53
  |        ^^^^^^^^^^^^^^
`,
    );
  });

  test('keeps an answer of the inside that rules by address open already', async () => {
    const { result } = await refresh(
      { missing: false, pinned: true },
      {
        'pinned.example': ['10.9.9.9'],
      },
    );
    if (!result.ok) throw new Error(formatDiagnostics(result.diagnostics));
    expect(namesOf(opened(policy, result.table))[0]).toBe('pinned.example 10.9.9.9');
  });
});
