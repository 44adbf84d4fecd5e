/**
 * The plan: by what each protocol is held, for policies of every kind, and what people are told of
 * it. The expectation is written out for each row, and random drafts are held to the conditions
 * under which a mode is sound, as docs/enforcement.md has them.
 */
import { describe, expect, test } from 'vitest';
import type { Facts, FamilyName, Protocol, Rule, TableDraft } from '../../compiler/model.ts';
import { explainPlan, formatPlan } from '../../compiler/plan.ts';
import { draftOf, FACTS, rule, unixRule } from '../reference/drafts.ts';
import { createModel, PROTOCOLS, toNumber } from '../reference/model.ts';
import { opened, RELEASE, tableOf } from '../reference/modules.ts';
import { createRandom, randomDraft } from '../reference/random.ts';

const INTERNET: readonly FamilyName[] = [
  'inet/stream',
  'inet/dgram',
  'inet6/stream',
  'inet6/dgram',
];
const PAIRS: Facts = { families: [...INTERNET, 'unix/pair', 'netlink/route'], allowUserns: false };
const PATHS: Facts = {
  families: [...INTERNET, 'unix/stream', 'unix/seqpacket'],
  allowUserns: false,
};
const DATAGRAMS: Facts = { families: [...INTERNET, 'unix/pair', 'unix/dgram'], allowUserns: false };
const LOOKED_UP = undefined;

function planOf(rules: readonly string[], facts: Facts, rest: Partial<TableDraft> = {}): string[] {
  const written = rules.map((text, line) =>
    text.startsWith('!') ? rule('deny', text.slice(1), line) : rule('allow', text, line),
  );
  const plan = opened(RELEASE, tableOf(RELEASE, draftOf(written, { facts, ...rest }))).plan();
  return [plan.tcp, plan.udp, plan.icmp];
}

test.each([
  ['nothing', [], PAIRS, ['closed', 'closed', 'closed']],
  ['a port', ['tcp://*:443'], PAIRS, ['kernel', 'closed', 'closed']],
  [
    'a port, no UNIX socket at all',
    ['tcp://*:443'],
    { families: INTERNET, allowUserns: false },
    ['kernel', 'closed', 'closed'],
  ],
  ['ports but for one', ['tcp://*:1-100', '!tcp://*:25'], PAIRS, ['kernel', 'closed', 'closed']],
  ['256 ports', ['tcp://*:1-256'], PAIRS, ['kernel', 'closed', 'closed']],
  ['257 ports', ['tcp://*:1-257'], PAIRS, ['supervised', 'closed', 'closed']],
  ['every port', ['tcp://*:*'], PAIRS, ['open', 'closed', 'closed']],
  ['every port but one', ['tcp://*:*', '!tcp://*:25'], PAIRS, ['supervised', 'closed', 'closed']],
  [
    'a port, and one address not',
    ['tcp://*:443', '!tcp://10.0.0.1:443'],
    PAIRS,
    ['supervised', 'closed', 'closed'],
  ],
  ['the port of IPv4 alone', ['tcp://0.0.0.0/0:443'], PAIRS, ['supervised', 'closed', 'closed']],
  [
    'the port of both families by prefix',
    ['tcp://0.0.0.0/0:443', 'tcp://[::/0]:443'],
    PAIRS,
    ['kernel', 'closed', 'closed'],
  ],
  ['an address', ['tcp://10.0.0.1:443'], PAIRS, ['supervised', 'closed', 'closed']],
  [
    'a port that is denied',
    ['tcp://*:443', '!tcp://*:443'],
    PAIRS,
    ['supervised', 'closed', 'closed'],
  ],
  ['a port, UNIX sockets by path', ['tcp://*:443'], PATHS, ['supervised', 'closed', 'closed']],
  ['a port, UNIX datagrams', ['tcp://*:443'], DATAGRAMS, ['supervised', 'closed', 'closed']],
  [
    'a port, UDP by address',
    ['tcp://*:443', 'udp://1.1.1.1:53'],
    PAIRS,
    ['supervised', 'supervised', 'closed'],
  ],
  [
    'a port, UDP by port',
    ['tcp://*:443', 'udp://*:53'],
    PAIRS,
    ['supervised', 'supervised', 'closed'],
  ],
  ['a port, all of UDP', ['tcp://*:443', 'udp://*:*'], PAIRS, ['kernel', 'open', 'closed']],
  [
    'all of UDP, TCP by address',
    ['tcp://10.0.0.1:443', 'udp://*:*'],
    PATHS,
    ['supervised', 'open', 'closed'],
  ],
  [
    'all of UDP but a port',
    ['udp://*:*', '!udp://*:53'],
    PAIRS,
    ['closed', 'supervised', 'closed'],
  ],
  ['all of UDP, UNIX datagrams', ['udp://*:*'], DATAGRAMS, ['closed', 'supervised', 'closed']],
  [
    'all of UDP, ICMP by address',
    ['udp://*:*', 'icmp://10.0.0.1'],
    PAIRS,
    ['closed', 'supervised', 'supervised'],
  ],
  [
    'all of ICMP, no UDP',
    ['tcp://*:443', 'icmp://*'],
    PAIRS,
    ['supervised', 'closed', 'supervised'],
  ],
  [
    'all of UDP and ICMP',
    ['tcp://*:443', 'udp://*:*', 'icmp://*'],
    PAIRS,
    ['kernel', 'open', 'open'],
  ],
  [
    'a port, a server of UDP',
    ['tcp://*:443', 'udp-bind://*:53'],
    PAIRS,
    ['supervised', 'closed', 'closed'],
  ],
  [
    'a port, a server of TCP',
    ['tcp://*:443', 'tcp-bind://*:80'],
    PAIRS,
    ['kernel', 'closed', 'closed'],
  ],
] as const)('%s', (_, rules, facts, expected) => {
  expect(planOf(rules, facts)).toEqual(expected);
});

test('a UNIX socket outside has everything looked at: who is behind it could hand any socket in', () => {
  const unixRules = [unixRule('path', '/run/x', 1)];
  expect(planOf(['tcp://*:443', 'udp://*:*'], PAIRS, { unixRules })).toEqual([
    'supervised',
    'supervised',
    'closed',
  ]);
});

describe('random drafts', () => {
  test('what is not looked up is the same for every address, and every call that is not looked at is held by something else', () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 120; seed++) {
      const draft = loosened(randomDraft(createRandom(seed), 1 + (seed % 7)), seed);
      const plan = opened(RELEASE, tableOf(RELEASE, draft)).plan();
      const model = createModel(draft);
      const addresses = ['0.0.0.0', '10.0.0.1', '255.255.255.255'].map((text) =>
        Uint8Array.from(text.split('.').map(Number)),
      );
      const every = [
        ...addresses,
        new Uint8Array(16).fill(0x20),
        new Uint8Array(16).fill(0xff),
      ].map(toNumber);
      for (const [number, protocol] of PROTOCOLS.entries()) {
        const mode = plan[protocol];
        seen.add(`${protocol} ${mode}`);
        if (mode === 'supervised') continue;
        for (const port of [0, 1, 53, 80, 443, 8000, 65535]) {
          const verdicts = new Set(every.map((address) => model.allows(number, address, port)));
          if (mode === 'closed') expect(verdicts).toEqual(new Set([false]));
          else if (mode === 'open') expect(verdicts).toEqual(new Set([true]));
          else expect(verdicts.size).toBe(1);
        }
      }
      expectSound(plan, draft);
    }
    const reached = [
      'tcp closed',
      'tcp supervised',
      'tcp kernel',
      'tcp open',
      'udp supervised',
      'udp open',
      'icmp open',
    ];
    expect([...seen]).toEqual(expect.arrayContaining(reached));
  });
});

/** Random rules name addresses nearly always; some drafts are left with those that do not. */
function loosened(draft: TableDraft, seed: number): TableDraft {
  const all: Rule[] = [
    rule('allow', seed % 5 === 0 ? 'tcp://*:*' : 'tcp://*:443,8000-8010', 1),
    ...(seed % 3 === 0 ? [] : [rule('allow', 'udp://*:*', 2)]),
    ...(seed % 4 === 1 ? [rule('allow', 'icmp://*', 3)] : []),
  ];
  const pairs = {
    ...draft.facts,
    families: draft.facts.families.filter(
      (name) => name === 'unix/pair' || !name.startsWith('unix/'),
    ),
  };
  if (seed % 2 === 0) return draft;
  const facts = seed % 7 === 0 ? draft.facts : pairs;
  return {
    ...draft,
    facts,
    rules: seed % 11 === 0 ? [...draft.rules, ...all] : all,
    unixRules: seed % 13 === 0 ? draft.unixRules : [],
  };
}

/** Written from docs/enforcement.md, not from policy/plan.ts. */
function expectSound(
  plan: Readonly<Record<Protocol, string>>,
  { facts, unixRules }: TableDraft,
): void {
  const isFree = (mode: string): boolean => mode === 'kernel' || mode === 'open';
  const anyMessageFree = plan.udp === 'open' || plan.icmp === 'open';
  if (anyMessageFree || isFree(plan.tcp)) {
    expect(unixRules).toEqual([]);
    expect(facts.families).not.toContain('unix/dgram');
    expect([plan.udp, plan.icmp]).not.toContain('supervised');
    if (plan.udp === 'closed') expect([plan.icmp, plan['udp-bind']]).toEqual(['closed', 'closed']);
  }
  if (isFree(plan.tcp)) {
    expect(facts.families).not.toContain('unix/stream');
    expect(facts.families).not.toContain('unix/seqpacket');
  }
}

test.each([
  ['a port', ['tcp://*:443'], PAIRS, LOOKED_UP],
  ['an address', ['tcp://10.0.0.1:443'], FACTS, LOOKED_UP],
  ['257 ports', ['tcp://*:1-257'], FACTS, LOOKED_UP],
  [
    'a port, UNIX sockets',
    ['tcp://*:443'],
    PATHS,
    'UNIX sockets are connected to paths by the same call; "unix/pair" for "unix" in `allow_families` leaves TCP to the kernel',
  ],
  [
    'a port, UNIX datagrams',
    ['tcp://*:443'],
    DATAGRAMS,
    '`unix/dgram` in `allow_families` has every message looked at',
  ],
  [
    'a port, UDP by port',
    ['tcp://*:443', 'udp://*:53'],
    PAIRS,
    'its calls are those of udp, which is looked up',
  ],
  [
    'a port, ping',
    ['tcp://*:443', 'icmp://*'],
    PAIRS,
    'programs have UDP sockets, to ping or to serve, and UDP may not leave; `udp://*:*` would let it',
  ],
] as const)('what keeps TCP from costing less is told: %s', (_, texts, facts, because) => {
  const rules = texts.map((text, line) => rule('allow', text, line));
  const table = opened(RELEASE, tableOf(RELEASE, draftOf(rules, { facts })));
  const explained = explainPlan({ plan: table.plan(), rules, facts, unixRules: [] });
  expect(explained[0]?.because).toBe(because);
});

test('the plan in words', () => {
  const words = formatPlan([
    { protocol: 'tcp', mode: 'supervised', because: 'of something' },
    { protocol: 'udp', mode: 'open', because: undefined },
    { protocol: 'icmp', mode: 'closed', because: undefined },
    { protocol: 'tcp-bind', mode: 'supervised', because: undefined },
  ]);
  expect(words).toBe('plan: tcp supervised, udp open, icmp closed\n      tcp: of something\n');
});
