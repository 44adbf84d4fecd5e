/** Differences of tables against the golden model, and their text. */
import { describe, expect, test } from 'vitest';
import { type Change, diffTables, isSame, type Reach } from '../../compiler/diff.ts';
import { familiesFor } from '../../compiler/families.ts';
import type { TableDraft } from '../../compiler/model.ts';
import { parsePorts } from '../../compiler/ports.ts';
import type { Table } from '../../compiler/table.ts';
import { formatDifference } from '../../src/commands/diff.ts';
import { draftOf, FACTS, prefix, rule, unixRule } from '../reference/drafts.ts';
import { createLargeDraft } from '../reference/large.ts';
import { createModel, PROTOCOLS, toNumber } from '../reference/model.ts';
import { opened, RELEASE, tableOf } from '../reference/modules.ts';
import {
  createRandom,
  describeQuery,
  type Query,
  type Random,
  randomDraft,
  randomQueries,
} from '../reference/random.ts';

const open = (draft: TableDraft): Table => opened(RELEASE, tableOf(RELEASE, draft));

/** A draft with some rules left out, some moved and some new. */
function altered(random: Random, draft: TableDraft): TableDraft {
  const other = randomDraft(random, 3);
  const kept = draft.rules.filter(() => !random.oneIn(4));
  const fresh = other.rules.filter(
    ({ target }) => target.kind === 'any' || target.kind === 'prefix',
  );
  const { families, allowUserns } = random.oneIn(3) ? other.facts : draft.facts;
  return { ...draft, facts: { families, allowUserns }, rules: [...fresh, ...kept] };
}

/** Whether some line of a change holds the query. */
function holds({ reach }: Change, { protocol, address, port }: Query): boolean {
  const wanted = PROTOCOLS[protocol] ?? 'tcp';
  const canonical = protocol > 2 ? address : loopback(address);
  return reach.some((one) => one.protocol === wanted && covers(one, canonical, port));
}

function covers({ target, ports }: Reach, address: bigint, port: number): boolean {
  if (/^(\*\.)?host/.test(target)) return false;
  const { address: bytes, bits } = prefix(target);
  const host = BigInt(bytes.length * 8 - bits);
  const isIpv4 = address >> 32n === 0xffffn;
  if (isIpv4 !== (bytes.length === 4) || (toNumber(bytes) ^ address) >> host !== 0n) return false;
  if (ports === '*') return true;
  return ports.split(',').some((item) => {
    const [low = 0, high = low] = item.split('-').map(Number);
    return low <= port && port <= high;
  });
}

function loopback(address: bigint): bigint {
  if (address === 0n) return 1n;
  return address === 0xffff00000000n ? 0xffff7f000001n : address;
}

function allows(draft: TableDraft, query: Query): boolean {
  const protocol = PROTOCOLS[query.protocol] ?? 'tcp';
  const wanted = familiesFor(protocol, query.address >> 32n === 0xffffn ? 4 : 6);
  return (
    wanted.some((family) => draft.facts.families.includes(family)) &&
    createModel(draft).allows(query.protocol, query.address, query.port)
  );
}

describe('of random policies', () => {
  test.each([
    [80, 2],
    [80, 10],
    [25, 50],
  ])('%i pairs around %i rules differ where the model says so and nowhere else', (count, size) => {
    for (let seed = 1; seed <= count; seed++) {
      const random = createRandom(7000 + seed * 100 + size);
      const before = randomDraft(random, size);
      const after = altered(random, before);
      const difference = diffTables(open(before), open(after));
      const queries = [...randomQueries(random, before, 60), ...randomQueries(random, after, 60)];
      for (const query of queries) {
        const [was, is] = [allows(before, query), allows(after, query)];
        const where = `seed ${seed}, ${describeQuery(query)}`;
        expect(holds(difference.gained, query), where).toBe(is && !was);
        expect(holds(difference.lost, query), where).toBe(was && !is);
      }
      const reverse = diffTables(open(after), open(before));
      expect(reverse).toEqual({ gained: difference.lost, lost: difference.gained });
      expect(isSame(diffTables(open(before), open(before)))).toBe(true);
    }
  });
});

test('of sets with 60,000 prefixes, the prefixes of one more rule are found', () => {
  const { draft } = createLargeDraft(3, 30_000);
  const [first, second] = draft.rules;
  if (first === undefined || second === undefined) throw new Error('there are rules');
  const before = open({ ...draft, rules: [first] });
  const after = open({ ...draft, rules: [first, second] });
  const { gained, lost } = diffTables(before, after);
  expect(lost.reach).toEqual([]);
  expect(gained.reach.length).toBeGreaterThan(20_000);
  expect(new Set(gained.reach.map(({ ports }) => ports))).toEqual(new Set(['80-90']));
});

const lines = (before: TableDraft, after: TableDraft): readonly string[] =>
  formatDifference(diffTables(open(before), open(after)))
    .trimEnd()
    .split('\n');

describe('the lines', () => {
  test.each([
    [['tcp://10.0.0.0/9:443', 'tcp://10.128.0.0/9:443'], ['+ tcp://10.0.0.0/8:443']],
    [
      ['tcp://10.0.0.0/8:443', 'tcp://10.1.0.0/16:80,443'],
      ['+ tcp://10.0.0.0/8:443', '+ tcp://10.1.0.0/16:80'],
    ],
    [['tcp://*:*'], ['+ tcp://0.0.0.0/0:*', '+ tcp://[::/0]:*']],
    [
      ['udp://[::1]:53', 'udp://[::2]:53'],
      ['+ udp://[::1]:53', '+ udp://[::2]:53'],
    ],
    [['icmp://127.0.0.0/8'], ['+ icmp://127.0.0.0/8']],
    [['icmp://0.0.0.0/8'], ['+ icmp://0.0.0.0/8']],
    [['tcp-bind://*:8080'], ['+ bind:tcp://0.0.0.0/0:8080', '+ bind:tcp://[::/0]:8080']],
    [['tcp-bind://0.0.0.0:80'], ['+ bind:tcp://0.0.0.0:80']],
  ])('of %j from nothing are the fewest prefixes', (rules, expected) => {
    const after = draftOf(rules.map((text, i) => rule('allow', text, i + 1)));
    expect(lines(draftOf([]), after)).toEqual(expected);
    expect(lines(after, draftOf([]))).toEqual(expected.map((line) => line.replace('+', '-')));
  });

  test('a deny rule takes away what it covers, and rules that say the same in other words nothing', () => {
    const before = draftOf([rule('allow', 'tcp://10.0.0.0/8:1-100', 1)]);
    const after = draftOf([
      rule('allow', 'tcp://10.0.0.0/9:1-50', 1),
      rule('allow', 'tcp://10.0.0.0/8:51-100', 2),
      rule('allow', 'tcp://10.128.0.0/9:1-60', 3),
    ]);
    expect(lines(before, after)).toEqual(['']);
    const denied = { ...after, rules: [...after.rules, rule('deny', 'tcp://10.1.2.3:60-2000', 4)] };
    expect(lines(before, denied)).toEqual(['- tcp://10.1.2.3:60-100']);
  });

  test('families close what rules open, and UNIX sockets and namespaces are told', () => {
    const rules = [rule('allow', 'tcp://*:443', 1)];
    const before = draftOf(rules, {
      unixRules: [unixRule('directory', '/run', 1)],
    });
    const after = draftOf(rules, {
      facts: {
        families: FACTS.families.filter((one) => one !== 'inet6/stream'),
        allowUserns: true,
      },
      unixRules: [unixRule('path', '/run/x', 1), unixRule('abstract', 'name', 2)],
    });
    expect(lines(before, after)).toEqual([
      '- tcp://[::/0]:443',
      '- unix:/run/',
      '- family inet6/stream',
      '+ unix:@name',
      '+ user namespaces',
    ]);
  });

  test('names without pins are compared by their ports', () => {
    const names = [{ name: '*.example.com', addresses: [] }];
    const of = (ports: string): TableDraft =>
      draftOf([rule('allow', `tcp://#*.example.com:${ports}`, 1)], { names });
    expect(lines(of('443'), of('80,443'))).toEqual(['+ tcp://*.example.com:80']);
  });
});

test('every line is a rule that can be written', () => {
  const random = createRandom(11);
  const { gained } = diffTables(open(draftOf([])), open(randomDraft(random, 30)));
  for (const { ports } of gained.reach) {
    // Port 0 can be reached by `*` only, and is told when it is all that differs.
    if (ports === '*' || /^0\b/.test(ports)) continue;
    expect(parsePorts(ports, 0).ok).toBe(true);
  }
});
