/**
 * What becomes of names: wildcards and how wide they may be, when names are asked for, how old pins
 * may grow, and rules that open name servers beside them.
 */
import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../compiler/address.ts';
import { formatDiagnostics } from '../../compiler/diagnostic.ts';
import { draftPolicy } from '../../compiler/draft.ts';
import type { TableDraft } from '../../compiler/model.ts';
import { RELEASE } from '../reference/modules.ts';
import { draft, draftText, errorsOf, goodDraft, readRule, warningsOf } from './support.ts';

/** The names of a draft as `a.example 192.0.2.1`, `b.example live`, `c.example at start`. */
function show({ names }: TableDraft): string[] {
  return names.map(({ name, addresses, atStart }) => {
    const what = addresses.map(formatAddress).join(' ');
    return `${name} ${what === '' ? (atStart ? 'at start' : 'live') : what}`;
  });
}

async function namesOf(text: string, purpose: 'compile' | 'exec' = 'exec'): Promise<string[]> {
  return show(await goodDraft({ file: { name: 'policy.toml', text }, purpose }));
}

describe('a wildcard', () => {
  test.each([
    ['*.example.com:443', 'tcp name *.example.com 443'],
    ['udp://*.Example.COM.:53,443', 'udp name *.example.com 53,443'],
    ['icmp://*.example.com', 'icmp name *.example.com 0-65535'],
    ['*.bücher.example:443', 'tcp name *.xn--bcher-kva.example 443'],
    ['*._tcp.example.com:443', 'tcp name *._tcp.example.com 443'],
    ['*.internal:443', 'tcp name *.internal 443'],
    ['*.home.arpa:443', 'tcp name *.home.arpa 443'],
    ['*.you.github.io:443', 'tcp name *.you.github.io 443'],
  ])('%s means %s', async (text, meaning) => {
    expect(await readRule(text)).toBe(meaning);
  });

  test.each([
    'com',
    'co.uk',
    'github.io',
    'xn--fiqs8s',
    '中国',
    's3.amazonaws.com',
    'corp',
    'a.ck',
  ])('below the public suffix %s is refused', async (suffix) => {
    const result = await draft({ allow: [`*.${suffix}:443`] });
    expect(result.ok || result.diagnostics.map(({ code }) => code)).toEqual(['SL3011']);
  });

  test('as wide as a public suffix is told how to be narrower, and how to be accepted', async () => {
    expect(await errorsOf('[network]\nallow = ["udp://*.co.uk:443"]')).toBe(
      `policy.toml:2:17: error SL3011: anybody can register a name below co.uk, so \`*.co.uk\` would open whatever they want
2 | allow = ["udp://*.co.uk:443"]
  |                 ^^^^^^^
help: name who is meant, such as *.example.co.uk, or accept the whole of it by \`[dns] wide = ["*.co.uk"]\`
`,
    );
    const accepted = '[network]\nallow = ["*.co.uk:443"]\n[dns]\nwide = ["*.CO.uk."]';
    expect(await namesOf(accepted)).toEqual(['*.co.uk live']);
    const other = '[network]\nallow = ["*.co.uk:443"]\n[dns]\nwide = ["*.uk"]';
    expect(await errorsOf(other)).toContain('SL3011');
  });

  test('in the list of wide ones is written as a wildcard', async () => {
    expect(await errorsOf('[dns]\nwide = ["github.io", "*.10.0.0.1"]')).toBe(
      `policy.toml:2:10: error SL2015: \`github.io\` is not a wildcard
2 | wide = ["github.io", "*.10.0.0.1"]
  |          ^^^^^^^^^
expected: a wildcard such as *.github.io
help: did you mean *.github.io?

policy.toml:2:23: error SL2014: \`*.10.0.0.1\` is not a name
2 | wide = ["github.io", "*.10.0.0.1"]
  |                       ^^^^^^^^^^
expected: a wildcard such as *.github.io
help: name what resolves to the address, or write a rule with the address
`,
    );
  });

  test('below localhost is told the addresses that it would stand for', async () => {
    expect(await errorsOf('[network]\nallow = ["*.app.localhost:3000"]')).toBe(
      `policy.toml:2:11: error SL3013: names below app.localhost are the loopback, whatever stands in front
2 | allow = ["*.app.localhost:3000"]
  |           ^^^^^^^^^^^^^^^
help: write rules on 127.0.0.1 and [::1] with the same ports
`,
    );
  });

  test('is too wide whatever it is when nobody knows the public suffixes', async () => {
    const result = await draftPolicy(
      { allow: ['*.example.com:443'], deny: [] },
      {
        resolve: async () => ({ ok: false, reason: 'unused' }),
        policyModule: RELEASE,
        readSetFile: () => ({ ok: false, reason: 'unused' }),
      },
    );
    expect(result.ok || result.diagnostics.map(({ code }) => code)).toEqual(['SL3011']);
  });

  test('makes the names below it live, whatever the policy says of others', async () => {
    const rules = '"*.a.example:443", "x.a.example:80", "a.example:1", "xa.example:1"';
    for (const resolve of ['compile', 'exec']) {
      expect(await namesOf(`[network]\nallow = [${rules}]\n[dns]\nresolve = "${resolve}"`)).toEqual(
        ['*.a.example live', 'x.a.example live', 'a.example 192.0.2.1', 'xa.example 192.0.2.1'],
      );
    }
  });

  test('is asked of nobody', async () => {
    const asked: string[] = [];
    await draft({ allow: ['*.a.example:443', 'x.a.example:80'] }, {}, asked);
    expect(asked).toEqual([]);
  });
});

describe('names', () => {
  const policy = (resolve: string) =>
    `[network]\nallow = ["a.example:443"]\n[dns]\nresolve = "${resolve}"`;

  test.each([
    ['exec', 'exec', 'a.example 192.0.2.1'],
    ['exec', 'compile', 'a.example at start'],
    ['compile', 'exec', 'a.example 192.0.2.1'],
    ['compile', 'compile', 'a.example 192.0.2.1'],
    ['live', 'exec', 'a.example live'],
    ['live', 'compile', 'a.example live'],
  ] as const)('of a policy that resolves at %s are, for %s: %s', async (resolve, purpose, name) => {
    expect(await namesOf(policy(resolve), purpose)).toEqual([name]);
  });

  test('of the loopback are pinned in a live policy', async () => {
    const text = '[network]\nallow = ["localhost:1", "app.localhost:1"]\n[dns]\nresolve = "live"';
    expect(await namesOf(text)).toEqual(['localhost 127.0.0.1 ::1', 'app.localhost 127.0.0.1 ::1']);
  });

  test('of the loopback are not left to the start, and have no age', async () => {
    const text = '[network]\nallow = ["localhost:1"]';
    const file = { name: 'policy.toml', text };
    const kept = await goodDraft({ file, purpose: 'compile', now: 1_800_000_000 }, { names: {} });
    expect([show(kept), kept.dns.pinnedAt]).toEqual([['localhost 127.0.0.1 ::1'], 0]);
  });

  test('that are not asked for need no resolver', async () => {
    for (const resolve of ['exec', 'live']) {
      const asked: string[] = [];
      const file = { name: 'policy.toml', text: policy(resolve) };
      const result = await draft({ file, purpose: 'compile' }, { names: {} }, asked);
      expect([result.ok, asked]).toEqual([true, []]);
    }
  });

  test('are pinned in a table that is kept when the caller says so, and only then grow old', async () => {
    const file = { name: 'policy.toml', text: policy('exec') };
    const pinned = await goodDraft({ file, purpose: 'compile', pinNow: true, now: 1_800_000_000 });
    expect(pinned.dns).toEqual({
      resolve: 'compile',
      pinnedAt: 1_800_000_000,
      maxAge: 604_800,
      privateNames: [],
    });
    const live = await goodDraft({
      file: { name: 'policy.toml', text: policy('live') },
      purpose: 'compile',
      pinNow: true,
      now: 1_800_000_000,
    });
    expect(live.dns).toEqual({ resolve: 'live', pinnedAt: 0, maxAge: 0, privateNames: [] });
  });

  test.each([
    ['90s', 90],
    ['15m', 900],
    ['12h', 43_200],
    ['30d', 2_592_000],
    ['49710d', 4_294_944_000],
  ])('may be as old as max_age = "%s"', async (text, seconds) => {
    const file = { name: 'policy.toml', text: `${policy('compile')}\nmax_age = "${text}"` };
    expect((await goodDraft({ file })).dns.maxAge).toBe(seconds);
  });

  test.each(['', '7', '0d', '07d', '7 d', '7D', '1w', '-1d', '1.5h', '49711d', '99999999999s'])(
    'are never as old as "%s"',
    async (text) => {
      expect(await errorsOf(`[dns]\nresolve = "compile"\nmax_age = "${text}"`)).toContain(
        `error SL2024: \`${text}\` is no length of time`,
      );
    },
  );

  test('that are not pinned when compiling have no age', async () => {
    expect(await errorsOf('[dns]\nmax_age = "7d"')).toBe(
      `policy.toml:2:1: error SL3012: \`max_age\` is about names that are pinned when the policy is compiled
2 | max_age = "7d"
  | ^^^^^^^
help: write \`resolve = "compile"\` beside it, or remove it
`,
    );
  });
});

describe('a name server beside names', () => {
  const of = (rule: string, names = '"a.example:443", ') =>
    `[network]\nallow = [${names}"${rule}"]`;

  test('is warned of on port 53', async () => {
    expect(await warningsOf(of('udp://192.0.2.53:53'))).toBe(
      `policy.toml:2:34: warning SL4004: a rule on port 53 lets programs ask a name server for any name, past the names of this policy
2 | allow = ["a.example:443", "udp://192.0.2.53:53"]
  |                                  ^^^^^^^^^^
help: names resolve without this rule: remove it, unless it is meant for this
`,
    );
  });

  test.each([
    '192.0.2.53:53',
    '*:53',
    'udp://192.0.2.0/24:53,123',
    '1.1.1.1:443',
    '[2001:4860:4860::8888]:853',
    'dns.google:443',
    'udp://9.9.9.9:853',
  ])('is warned of: %s', async (rule) => {
    expect(await warningsOf(of(rule))).toContain('warning SL4004');
  });

  test.each([
    '*:443',
    '*:*',
    'udp://192.0.2.0/24:50-60',
    '1.1.1.0/24:443',
    '1.1.1.1:80',
    'icmp://1.1.1.1',
    'b.example:53',
    'dns.google:80',
  ])('is not what %s is', async (rule) => {
    expect(await warningsOf(of(rule))).toBe('');
  });

  test('is nothing to warn of in a policy without names, or one that denies it', async () => {
    expect(await warningsOf(of('udp://1.1.1.1:53', ''))).toBe('');
    const denied = '[network]\nallow = ["a.example:443"]\ndeny = ["udp://1.1.1.1:53"]';
    const result = await draftText(denied);
    expect(result.ok && formatDiagnostics(result.warnings)).toBe('');
  });
});
