/** Explanations against the golden model, and that the suggested rule does what it says. */
import { describe, expect, test } from 'vitest';
import { parseBindRule } from '../../compiler/bind-rules.ts';
import { type Explanation, explain } from '../../compiler/explain.ts';
import { formatExplanation, formatHint } from '../../compiler/explanation-text.ts';
import { familiesFor } from '../../compiler/families.ts';
import type { Rule, TableDraft } from '../../compiler/model.ts';
import { parseRule } from '../../compiler/rules.ts';
import { draftOf, rule, set } from '../reference/drafts.ts';
import { parseIp } from '../reference/ip.ts';
import { createModel, PROTOCOLS } from '../reference/model.ts';
import { opened, RELEASE, tableOf } from '../reference/modules.ts';
import {
  addressOf,
  createRandom,
  describeQuery,
  randomDraft,
  randomQueries,
} from '../reference/random.ts';

function explained(
  draft: TableDraft,
  protocol: Rule['protocol'],
  address: string,
  port: number,
  name?: string,
): Explanation {
  const table = opened(RELEASE, tableOf(RELEASE, draft));
  const question = { protocol, address: parseIp(address), port };
  return explain(table, name === undefined ? question : { ...question, name });
}

/** The suggested rule as it goes into a draft. */
function suggested({ suggestion }: Explanation): Rule {
  if (suggestion === undefined) throw new Error('nothing was suggested');
  const { list, rule: text } = suggestion;
  const parsed = list === 'allow_bind' ? parseBindRule(text) : parseRule(text, 'allow');
  if (!parsed.ok) throw new Error(`${text}: ${JSON.stringify(parsed.faults)}`);
  const { protocol, target, ports } = parsed.content;
  return { action: 'allow', protocol, target, ports, text, source: '', line: 0, column: 0 };
}

describe('of random policies', () => {
  test.each([
    [60, 1],
    [60, 8],
    [30, 40],
  ])(
    '%i with %i rules, verdict and rules are those of the model, and the suggestion opens the destination',
    (count, size) => {
      for (let seed = 1; seed <= count; seed++) {
        const random = createRandom(seed * 1000 + size);
        const draft = randomDraft(random, size);
        const model = createModel(draft);
        const table = opened(RELEASE, tableOf(RELEASE, draft));
        for (const query of randomQueries(random, draft, 150)) {
          const where = `seed ${seed}, ${describeQuery(query)}`;
          const protocol = PROTOCOLS[query.protocol] ?? 'tcp';
          const family = query.address >> 32n === 0xffffn ? 4 : 6;
          const address = addressOf(query);
          const answer = explain(table, { protocol, address, port: query.port });
          if (answer.cause === 'family') {
            const wanted = familiesFor(protocol, family);
            expect(
              wanted.some((one) => draft.facts.families.includes(one)),
              where,
            ).toBe(false);
            continue;
          }
          const allows = model.allows(query.protocol, query.address, query.port);
          expect(answer.verdict, where).toBe(allows ? 'allow' : 'deny');
          const deciding = model.deciding(query.protocol, query.address, query.port);
          expect(
            answer.rules.map(({ text }) => text),
            where,
          ).toEqual(deciding.map((index) => `rule ${index}`));
          for (const near of answer.nearest) expect(near.action, where).toBe('allow');
          if (answer.verdict === 'allow' || answer.cause === 'deny-rule' || query.port === 0)
            continue;
          const more = { ...draft, rules: [...draft.rules, suggested(answer)] };
          expect(createModel(more).allows(query.protocol, query.address, query.port), where).toBe(
            true,
          );
        }
      }
    },
  );
});

const SITE = draftOf(
  [
    rule('allow', 'tcp://10.0.0.0/8:443', 4),
    rule('allow', 'tcp://#db.example:5432', 5),
    rule('allow', 'tcp://@mirrors:80', 6),
    rule('allow', 'udp://192.0.2.53:53', 7),
    rule('deny', 'tcp://10.9.0.0/16:*', 8),
  ],
  {
    names: [{ name: 'db.example', addresses: [parseIp('192.0.2.9')] }],
    sets: [set('mirrors', ['151.101.0.0/16', '2a04:4e42::/32'])],
  },
);

test.each([
  [
    'tcp',
    '10.9.1.1',
    443,
    ['policy.toml:8:3 "tcp://10.9.0.0/16:*"', 'overrules: policy.toml:4:3 "tcp://10.0.0.0/8:443"'],
  ],
  [
    'tcp',
    '151.102.0.1',
    80,
    [
      'no tcp rule for this address',
      'near: policy.toml:6:3 "tcp://@mirrors:80" (same port, other address)',
      'to allow: "151.102.0.1:80" in `allow`, after policy.toml:7',
    ],
  ],
  [
    'tcp',
    '2a04:4e43::1',
    80,
    [
      'no tcp rule for this address',
      'near: policy.toml:6:3 "tcp://@mirrors:80" (same port, other address)',
      'to allow: "[2a04:4e43::1]:80" in `allow`, after policy.toml:7',
    ],
  ],
  [
    'tcp',
    '192.0.2.8',
    80,
    [
      'no tcp rule for this address',
      'near: policy.toml:6:3 "tcp://@mirrors:80" (same port, other address)',
      'near: policy.toml:5:3 "tcp://#db.example:5432" (other address nearby, other port)',
      'to allow: "192.0.2.8:80" in `allow`, after policy.toml:7',
    ],
  ],
  [
    'udp',
    '192.0.2.53',
    54,
    [
      'no udp rule for port 54 of this address',
      'near: policy.toml:7:3 "udp://192.0.2.53:53" (same address, other port)',
      'to allow: "udp://192.0.2.53:54" in `allow`, after policy.toml:7',
    ],
  ],
  [
    'icmp',
    '192.0.2.53',
    0,
    [
      'no rule allows icmp',
      'near: policy.toml:7:3 "udp://192.0.2.53:53" (same address, other protocol)',
      'to allow: "icmp://192.0.2.53" in `allow`, after policy.toml:7',
    ],
  ],
] as const)(
  '%s %s port %i is explained by rules that come close',
  (protocol, address, port, lines) => {
    expect(formatExplanation(explained(SITE, protocol, address, port))).toEqual(lines);
  },
);

test('who is refused a name server, where no rule allows udp, is told of rules with names', () => {
  const onlyTcp = draftOf([rule('allow', 'tcp://192.0.2.1/32:443', 0)]);
  expect(formatHint(explained(onlyTcp, 'udp', '192.0.2.53', 53))).toBe(
    'no rule allows udp (to reach a host by its name, allow the name instead); to allow: "udp://192.0.2.53:53"',
  );
  expect(formatHint(explained(onlyTcp, 'udp', '192.0.2.53', 54))).toBe(
    'no rule allows udp; to allow: "udp://192.0.2.53:54"',
  );
});

test('the half line about a refused call names the rule to add, by the name that the program used', () => {
  expect(formatHint(explained(SITE, 'tcp', '93.184.216.34', 443, 'api.example.org'))).toBe(
    'no tcp rule for this address; to allow: "api.example.org:443"',
  );
  expect(formatHint(explained(SITE, 'tcp-bind', '0.0.0.0', 80))).toBe(
    'no rule allows a tcp bind; to allow: "0.0.0.0:80" in allow_bind',
  );
  expect(formatHint(explained(SITE, 'tcp', '10.9.1.1', 443))).toBe(
    'by policy.toml:8:3 "tcp://10.9.0.0/16:*"',
  );
});

test('among 100,000 rules a question is answered in well under a millisecond', () => {
  const rules = Array.from({ length: 100_000 }, (_, i) =>
    rule('allow', `tcp://10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:${1 + (i % 60_000)}`, i + 1),
  );
  const table = opened(RELEASE, tableOf(RELEASE, draftOf(rules)));
  const ask = (i: number): Explanation =>
    explain(table, {
      protocol: 'tcp',
      address: Uint8Array.of(10, 1, 200 + (i >> 8), i),
      port: 443,
    });
  expect(ask(0).nearest.length).toBeGreaterThan(0);
  const startMs = performance.now();
  for (let i = 1; i <= 2000; i++) expect(ask(i).verdict).toBe('deny');
  expect((performance.now() - startMs) / 2000).toBeLessThan(1);
});
