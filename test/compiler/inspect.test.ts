/** What is read out of tables, and that walks end where look-ups do. */
import { expect, test } from 'vitest';
import { parseIpv4 } from '../../compiler/address.ts';
import { inspectTable, walkTable } from '../../compiler/inspect.ts';
import { formatInspection } from '../../src/commands/inspect.ts';
import { MIXED, NESTED } from '../reference/drafts.ts';
import { PROTOCOLS } from '../reference/model.ts';
import { opened, RELEASE, tableOf } from '../reference/modules.ts';
import { addressOf, createRandom, randomDraft, randomQueries } from '../reference/random.ts';

test('of a policy with everything, everything is counted', () => {
  const table = opened(RELEASE, tableOf(RELEASE, MIXED));
  const inspection = inspectTable(table);
  expect(inspection.protocols.map(({ protocol, allow, deny }) => [protocol, allow, deny])).toEqual(
    PROTOCOLS.map((protocol) => [
      protocol,
      ...(['allow', 'deny'] as const).map(
        (action) =>
          MIXED.rules.filter((rule) => rule.protocol === protocol && rule.action === action).length,
      ),
    ]),
  );
  expect(inspection.sets).toEqual([{ name: 'mirrors', number: 0, ranges4: 2, ranges6: 1 }]);
  const [socket, ...others] = JSON.parse(JSON.stringify(inspection.unix));
  expect(socket).toEqual({
    action: 'allow',
    text: '/run/postgresql/.s.PGSQL.5432',
    source: 'polïcy.toml',
    line: 10,
    column: 3,
  });
  expect(others.map(({ text }: { text: string }) => text)).toEqual([
    '/run/üser/1000/',
    '@sandlock',
  ]);
  expect(inspection.userns).toBe(true);
  const lines = formatInspection(inspection, 0);
  expect(lines[0]).toMatch(/, 14 rules, 3 UNIX rules, \d+ port sets$/);
  expect(lines).toContain('  @mirrors  2 IPv4 ranges, 1 IPv6 ranges');
  expect(lines).toContain('  polïcy.toml:11:3 "/run/üser/1000/"');
  expect(lines).toContain('  second.toml:2:3 "@sandlock"');
});

test('walks of random tables end with the verdict, inside the boundary that they name', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = createRandom(900 + seed);
    const draft = seed === 1 ? NESTED : randomDraft(random, 20);
    const table = opened(RELEASE, tableOf(RELEASE, draft));
    for (const query of randomQueries(random, draft, 50)) {
      const protocol = PROTOCOLS[query.protocol] ?? 'tcp';
      const walk = walkTable(table, protocol, addressOf(query), query.port);
      expect(walk.verdict).toBe(table.lookup(protocol, addressOf(query), query.port));
      expect(walk.child).toBeLessThan(2 ** walk.trie.rootBits);
      const [from, address, to] = [walk.from, walk.address, walk.to].map(parseIpv4);
      if (from === undefined || address === undefined || to === undefined) continue;
      expect(from <= address && address <= to).toBe(true);
    }
  }
});
