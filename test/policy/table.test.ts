/**
 * Tables by their interface (compiler/table.ts): what goes in comes out, equal drafts give equal
 * bytes, and what can not be built says why.
 */
import { describe, expect, test } from 'vitest';
import * as F from '../../compiler/format.gen.ts';
import type { Rule, TableDraft } from '../../compiler/model.ts';
import { buildTable, openTable } from '../../compiler/table.ts';
import { loadPolicyModule } from '../../compiler/wasm.ts';
import { draftOf, EXAMPLE, MIXED, OPEN, prefix, rule, set, unixRule } from '../reference/drafts.ts';
import { edit, seal } from '../reference/edit.ts';
import { parseIp } from '../reference/ip.ts';
import { BUILDS, opened, tableOf } from '../reference/modules.ts';

test('bytes that are no WebAssembly module are refused as such', () => {
  expect(() => loadPolicyModule(Uint8Array.of(1, 2, 3))).toThrow(
    new TypeError('the bytes are not a WebAssembly module'),
  );
});

test('a WebAssembly module without a builder is refused', () => {
  const empty = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  expect(() => loadPolicyModule(empty)).toThrow(
    new TypeError('the module is not policy.wasm: it exports no build'),
  );
});

describe.each(BUILDS)('$build', ({ module }) => {
  const open = (draft: TableDraft) => opened(module, tableOf(module, draft));

  test('a table gives its rules back as they were written', () => {
    expect(open(MIXED).rules()).toEqual(MIXED.rules);
  });

  test('a table gives its families, flags and UNIX sockets back', () => {
    const table = open(MIXED);
    expect(table.facts()).toEqual(MIXED.facts);
    expect(table.unixRules()).toEqual(MIXED.unixRules);
    expect(table.dns()).toEqual(MIXED.dns);
    expect(open(OPEN).facts()).toEqual({ families: [], allowUserns: false });
  });

  test('the order in which families were collected does not show in the bytes', () => {
    const families = EXAMPLE.facts.families.toReversed();
    const back = { ...EXAMPLE, facts: { ...EXAMPLE.facts, families } };
    expect(Buffer.compare(tableOf(module, back), tableOf(module, EXAMPLE))).toBe(0);
  });

  test('a table gives its pinned names back, their addresses sorted and once each', () => {
    const addresses = ['2001:db8::9', '192.0.2.9', '::ffff:192.0.2.8', '192.0.2.9', '0.0.0.0'];
    const draft = {
      ...draftOf([rule('allow', 'tcp://#b.example:1', 1), rule('allow', 'udp://#a.example:2', 2)]),
      names: [
        { name: 'a.example', addresses: [parseIp('::1')] },
        { name: 'b.example', addresses: addresses.map(parseIp) },
        { name: 'unused.example', addresses: [parseIp('::2')] },
      ],
    };
    const sorted = ['127.0.0.1', '192.0.2.8', '192.0.2.9', '2001:db8::9'];
    expect(open(draft).names()).toEqual([
      { name: 'b.example', addresses: sorted.map(parseIp) },
      { name: 'a.example', addresses: [parseIp('::1')] },
    ]);
  });

  test('a table says how each protocol is enforced and how much it holds', () => {
    const table = open(MIXED);
    expect(table.plan()).toEqual({
      tcp: 'supervised',
      udp: 'supervised',
      icmp: 'closed',
      'tcp-bind': 'supervised',
      'udp-bind': 'closed',
    });
    expect(table.summary()).toEqual({
      rules: 14,
      names: 3,
      sets: 1,
      boundaries: 15 + 16,
      portSets: 11,
      bytes: tableOf(module, MIXED).length,
    });
  });

  test('a build says how many prefixes were folded', () => {
    const built = buildTable(module, MIXED);
    // One prefix each for four rules, three addresses, three in the set, two for any, two deny
    // rules; two that are bound, and the set again.
    expect(built.ok && built.prefixes).toBe(4 + 3 + 3 + 2 + 2 + 2 + 3);
  });

  test('the order in which names and sets were collected does not show in the bytes', () => {
    const sets = [set('a', ['10.0.0.0/8']), set('b', ['11.0.0.0/8', '::/64'])];
    const names = ['x', 'y'].map((name, i) => ({ name, addresses: [Uint8Array.of(1, 2, 3, i)] }));
    const rules = ['tcp://@b:1', 'tcp://#y:2', 'udp://@a:3', 'udp://#x:4'].map((text, i) =>
      rule('allow', text, i),
    );
    const there = tableOf(module, draftOf(rules, { names, sets }));
    const back = tableOf(
      module,
      draftOf(rules, { names: names.toReversed(), sets: sets.toReversed() }),
    );
    expect(Buffer.compare(there, back)).toBe(0);
  });

  test('the order of prefixes in a set does not show in the bytes', () => {
    const texts = ['10.0.0.0/8', '10.1.0.0/16', '9.0.0.0/8', '2001:db8::/32', '::1', '0.0.0.0/0'];
    const table = (order: readonly string[]): Uint8Array =>
      tableOf(module, draftOf([rule('allow', 'tcp://@s:1', 1)], { sets: [set('s', order)] }));
    expect(Buffer.compare(table(texts), table(texts.toReversed()))).toBe(0);
  });

  test('an open table does not see later changes of the bytes it was opened from', () => {
    const bytes = tableOf(module, EXAMPLE);
    const table = opened(module, bytes);
    bytes.fill(0);
    expect(table.lookup('tcp', Uint8Array.of(10, 0, 0, 1), 443)).toBe('allow');
    expect(table.rules()).toEqual(EXAMPLE.rules);
  });

  test('adjacent prefixes with equal ports become one boundary', () => {
    const halves = draftOf([
      rule('allow', 'tcp://10.0.0.0/9:443', 1),
      rule('allow', 'tcp://10.128.0.0/9:443', 1),
    ]);
    expect(open(halves).summary().boundaries).toBe(open(EXAMPLE).summary().boundaries);
  });

  test('ports of different rules on one prefix are joined', () => {
    const table = open(
      draftOf([443, 80, 81, 442].map((port, i) => rule('allow', `tcp://10.0.0.0/8:${port}`, i))),
    );
    // Empty, the four as written, and the one that was folded.
    expect(table.summary().portSets).toBe(6);
    const ports = [79, 80, 81, 82, 441, 442, 443, 444];
    const verdicts = ports.map((port) => table.lookup('tcp', Uint8Array.of(10, 0, 0, 1), port));
    expect(verdicts.map((verdict) => verdict === 'allow')).toEqual(
      ports.map((port) => [80, 81, 442, 443].includes(port)),
    );
  });

  test('the deciding rules of a denied destination are its deny rules, through NAT64 and 6to4 as well', () => {
    const table = open(OPEN);
    const deciding = (address: string): readonly string[] =>
      table.decidingRules('tcp', parseIp(address), 80).map(({ text }) => text);
    const metadata = ['tcp://169.254.169.254:*'];
    expect(deciding('169.254.169.254')).toEqual(metadata);
    expect(deciding('64:ff9b::169.254.169.254')).toEqual(metadata);
    expect(deciding('2002:a9fe:a9fe::1')).toEqual(metadata);
    expect(deciding('0.0.0.0')).toEqual(['tcp://0.0.0.0:*']);
    expect(deciding('127.0.0.1')).toEqual(['tcp://0.0.0.0:*']);
    expect(deciding('192.0.2.1')).toEqual(['tcp://*:*']);
  });

  test('binding every address is decided and explained apart from binding the loopback', () => {
    const table = open(OPEN);
    const deciding = (protocol: 'tcp-bind' | 'udp-bind', address: string): readonly string[] => {
      const bytes = parseIp(address);
      const rules = table.decidingRules(protocol, bytes, 80);
      return [table.lookup(protocol, bytes, 80), ...rules.map(({ text }) => text)];
    };
    expect(deciding('tcp-bind', '0.0.0.0')).toEqual(['deny', 'tcp-bind://10.0.0.0/8:*']);
    expect(deciding('tcp-bind', '127.0.0.1')).toEqual(['allow', 'tcp-bind://*:*']);
    expect(deciding('tcp-bind', '::')).toEqual([
      'deny',
      'tcp-bind://10.0.0.0/8:*',
      'tcp-bind://[::]:*',
    ]);
    expect(deciding('tcp-bind', '::1')).toEqual(['allow', 'tcp-bind://*:*']);
    const every = ['deny', 'udp-bind://[::ffff:0.0.0.0]:*', 'udp-bind://127.0.0.1:*'];
    expect(deciding('udp-bind', '0.0.0.0')).toEqual(every);
    expect(deciding('udp-bind', '::ffff:0.0.0.0')).toEqual(every);
    expect(deciding('udp-bind', '::')).toEqual(every);
    expect(deciding('udp-bind', '127.0.0.1')).toEqual(['deny', 'udp-bind://127.0.0.1:*']);
    expect(deciding('udp-bind', '127.0.0.2')).toEqual(['allow', 'udp-bind://*:*']);
  });

  test.each([
    ['127.0.0.1', ['deny', 'deny', 'deny', 'allow']],
    ['[2001:db8::]', ['allow', 'allow', 'deny', 'allow']],
    ['@v4', ['deny', 'deny', 'deny', 'allow']],
    ['@v6', ['allow', 'allow', 'deny', 'allow']],
    ['@none', ['allow', 'allow', 'allow', 'allow']],
    ['@all', ['deny', 'deny', 'deny', 'deny']],
  ])('where %s may not be bound, every address may not be bound either', (target, verdicts) => {
    const rules = [rule('allow', 'tcp-bind://*:*', 1), rule('deny', `tcp-bind://${target}:80`, 2)];
    const sets = [
      set('v4', ['10.0.0.0/8']),
      set('v6', ['2001:db8::/32']),
      set('none', []),
      set('all', ['0.0.0.0/0', '::/0']),
    ];
    const table = open(draftOf(rules, { sets }));
    const asked = ['0.0.0.0', '::ffff:0.0.0.0', '::', '192.0.2.1'].map(parseIp);
    expect(asked.map((address) => table.lookup('tcp-bind', address, 80))).toEqual(verdicts);
    expect(asked.map((address) => table.lookup('tcp-bind', address, 81))).toEqual(
      Array.from({ length: 4 }, () => 'allow'),
    );
    const texts = asked.map((address) => table.decidingRules('tcp-bind', address, 80)[0]?.text);
    expect(texts).toEqual(
      verdicts.map((verdict) => (verdict === 'deny' ? rules[1]?.text : rules[0]?.text)),
    );
  });

  test('a deny rule on what may be bound says nothing about the forms that carry the address', () => {
    const table = open(OPEN);
    const verdicts = ['10.0.0.1', '::ffff:10.0.0.1', '64:ff9b::10.0.0.1', '2002:a00:1::'].map(
      (address) => table.lookup('tcp-bind', parseIp(address), 80),
    );
    expect(verdicts).toEqual(['deny', 'deny', 'allow', 'allow']);
  });

  test('a destination that nothing allows has no deciding rule', () => {
    expect(open(EXAMPLE).decidingRules('tcp', Uint8Array.of(11, 0, 0, 1), 443)).toEqual([]);
  });

  test('an address of another length or a port out of range is misuse', () => {
    const table = open(EXAMPLE);
    expect(() => table.lookup('tcp', new Uint8Array(5), 1)).toThrow(
      new TypeError('an address has 4 or 16 bytes, not 5'),
    );
    expect(() => table.lookup('tcp', new Uint8Array(4), 65536)).toThrow(
      new TypeError('65536 is no port'),
    );
  });

  test.each([
    [
      'ports out of order',
      {
        ports: [
          { low: 5, high: 6 },
          { low: 1, high: 2 },
        ],
      },
      'the draft breaks the rules of its layout',
    ],
    [
      'ports that touch',
      {
        ports: [
          { low: 1, high: 2 },
          { low: 3, high: 4 },
        ],
      },
      'the draft breaks the rules of its layout',
    ],
    ['no ports', { ports: [] }, 'the draft breaks the rules of its layout'],
    ['a port above 65535', { ports: [{ low: 1, high: 65536 }] }, '1-65536 is no range of ports'],
    ['icmp with ports', { protocol: 'icmp' }, 'the draft breaks the rules of its layout'],
    [
      'host bits',
      { target: { kind: 'prefix', prefix: { ...prefix('10.0.0.1'), bits: 8 } } },
      'a prefix has bits below its length',
    ],
    [
      'a prefix of 33 bits',
      { target: { kind: 'prefix', prefix: { ...prefix('10.0.0.1'), bits: 33 } } },
      'a prefix of 4 bytes has no length 33',
    ],
    [
      'an unknown name',
      { target: { kind: 'name', name: 'nowhere' } },
      'a rule names the unknown name nowhere',
    ],
    [
      'an unknown set',
      { target: { kind: 'set', set: 'none' } },
      'a rule names the unknown set none',
    ],
  ] as const)('a draft with %s is misuse', (_, change, message) => {
    const wrong = { ...rule('allow', 'tcp://10.0.0.0/8:443', 1), ...change };
    expect(() => buildTable(module, draftOf([wrong]))).toThrow(new TypeError(message));
  });

  test('a name that is bound is misuse', () => {
    const names = [{ name: 'a.example', addresses: [parseIp('192.0.2.1')] }];
    const draft = draftOf([rule('allow', 'tcp-bind://#a.example:1', 1)], { names });
    expect(() => buildTable(module, draft)).toThrow(
      new TypeError('the draft breaks the rules of its layout'),
    );
  });

  test.each([
    ['an empty text', 'abstract', ''],
    ['108 bytes', 'abstract', 'ü'.repeat(54)],
    ['a NUL', 'abstract', 'a\0'],
    ['a relative path', 'path', 'run/x'],
    ['a path that ends with a slash', 'path', '/run/'],
    ['the root as a path', 'path', '/'],
    ['a directory that ends with a slash', 'directory', '/run/'],
  ] as const)('a UNIX rule with %s is misuse', (_, kind, text) => {
    const draft = draftOf([], { unixRules: [unixRule(kind, text, 1)] });
    expect(() => buildTable(module, draft)).toThrow(
      new TypeError('the draft breaks the rules of its layout'),
    );
  });

  test.each([
    ['no column', { column: 0 }],
    ['no line', { line: 0 }],
  ])('a rule or UNIX rule of half a place, %s, is misuse', (_, part) => {
    const drafts = [
      draftOf([{ ...rule('allow', 'icmp://*', 1), ...part }]),
      draftOf([], { unixRules: [{ ...unixRule('path', '/x', 1), ...part }] }),
    ];
    for (const draft of drafts) {
      expect(() => buildTable(module, draft)).toThrow(
        new TypeError('the draft breaks the rules of its layout'),
      );
    }
  });

  test('a UNIX rule may have 107 bytes', () => {
    const unixRules = [unixRule('path', `/${'x'.repeat(106)}`, 7)];
    expect(open(draftOf([], { unixRules })).unixRules()).toEqual(unixRules);
  });

  test('a set whose prefix has host bits is misuse', () => {
    const { prefixes } = set('s', ['10.0.0.1']);
    const sets = [{ name: 's', prefixes: { ...prefixes, v4Bits: Uint8Array.of(8) } }];
    expect(() => buildTable(module, draftOf([rule('allow', 'tcp://@s:1', 1)], { sets }))).toThrow(
      new TypeError('the draft breaks the rules of its layout'),
    );
  });

  test('the 65,535th different port set is one too many beside the empty one', () => {
    const some = rule('allow', 'tcp://10.0.0.0/8:1', 1);
    const rules = Array.from({ length: 65_535 }, (_, i): Rule => {
      const [low, high] = [i % 256, 1000 + (i >> 8)];
      return {
        ...some,
        action: 'deny',
        ports: [
          { low, high: low },
          { low: high, high },
        ],
      };
    });
    expect(buildTable(module, draftOf(rules))).toEqual({
      ok: false,
      code: F.FAILURE_PORT_SETS,
      text: 'the policy needs more than 65535 different port sets',
    });
    expect(open(draftOf(rules.slice(1))).summary().portSets).toBe(65_535);
  });

  test('port sets without measure end the build instead of the memory', () => {
    const odd = Array.from({ length: 32_768 }, (_, i) => ({ low: 2 * i + 1, high: 2 * i + 1 }));
    const rules = Array.from({ length: 600 }, (_, i) =>
      rule('allow', `tcp://10.0.${i >> 8}.${i & 255}:${2 * i}`, i),
    );
    const wide = { ...rule('allow', 'tcp://10.0.0.0/8:1', 1), ports: odd };
    expect(buildTable(module, draftOf([wide, ...rules]))).toEqual({
      ok: false,
      code: F.FAILURE_TOO_LARGE,
      text: 'the policy needs a table above 4 GiB or more memory than there is',
    });
  });

  test('sixty thousand rules on one prefix are joined without storing every step', () => {
    const rules = Array.from({ length: 60_000 }, (_, i) =>
      rule('allow', `tcp://10.0.0.0/8:${i}`, i),
    );
    const table = open(draftOf(rules));
    expect(table.lookup('tcp', Uint8Array.of(10, 0, 0, 1), 59_999)).toBe('allow');
    expect(table.lookup('tcp', Uint8Array.of(10, 0, 0, 1), 60_000)).toBe('deny');
  });

  test('equal sets share their arrays, yet no table names them above the limit of the format', () => {
    const texts = Array.from({ length: 200 }, (_, i) => `10.${i}.0.0/17`);
    const count = 100;
    const sets = Array.from({ length: count }, (_, i) => set(`s${i}`, texts));
    const rules = sets.map(({ name }, i) => rule('allow', `tcp://@${name}:1`, i));
    const one = tableOf(module, draftOf(rules.slice(0, 1), { sets: sets.slice(0, 1) }));
    const all = tableOf(module, draftOf(rules, { sets }));
    expect(openTable(module, all).ok).toBe(true);
    // A rule, its texts and two descriptors are about 160 bytes; arrays stored for every set would add 3,200.
    expect(all.length - one.length).toBeLessThan(count * 500);
  });

  test('the defect of a newer minor version is named as such before the checksum is looked at', () => {
    const table = edit(tableOf(module, EXAMPLE));
    table.set16(F.HEADER_MINOR, 1);
    expect(openTable(module, seal(table.bytes))).toEqual({
      ok: false,
      defect: {
        code: F.DEFECT_MINOR,
        text: 'the table has a newer minor version than this program',
        offset: 10,
      },
    });
  });
});
