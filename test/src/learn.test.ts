/** Learning: from records to uses, from uses to rules, from rules to text. */
import { describe, expect, it } from 'vitest';
import { createObservations } from '../../src/learn/observations.ts';
import { addToPolicy, writePolicy } from '../../src/learn/policy-text.ts';
import { type LearntRule, toRules } from '../../src/learn/rules.ts';
import type { DecidedRecord, NameRecord } from '../../src/records.ts';

const RECORD: DecidedRecord = {
  kind: 'denied',
  timeMs: 1,
  pid: 7,
  tid: 7,
  program: 'curl',
  call: 'connect',
  protocol: 'tcp',
  address: '192.0.2.1',
  port: 443,
  errno: 0,
  dropped: 0,
};
const NAME: NameRecord = {
  ...{
    kind: 'name',
    reason: 'answered',
    timeMs: 0,
    pid: 7,
    tid: 7,
    program: 'curl',
    code: 0,
    dropped: 0,
  },
  ...{ name: 'api.example.org', address: '192.0.2.1' },
};

/** The texts of the rules that these records come to, with the list of each that is not `allow`. */
function learn(
  records: readonly (Partial<DecidedRecord> | NameRecord)[],
  collapse?: number,
  known: ReadonlyMap<string, string> = new Map(),
): string[] {
  const observations = createObservations(known, (name) => !name.startsWith('inside.'));
  for (const record of records) {
    if (record.kind === 'name') observations.named(record as NameRecord);
    else observations.decided({ ...RECORD, ...(record as Partial<DecidedRecord>) });
  }
  const rules = toRules(observations.uses(), { collapse, ephemeralPorts: [32768, 60999] });
  return rules.map(({ list, text }) => (list === 'allow' ? text : `${list} ${text}`));
}

describe('what is observed', () => {
  it('becomes one rule for a host, its ports sorted and runs of three a range', () => {
    const ports = [80, 443, 22, 8003, 8001, 8002].map((port) => ({ port }));
    expect(learn([...ports, { port: 80 }])).toEqual(['192.0.2.1:22,80,443,8001-8003']);
  });

  it.each([
    [{ protocol: 'udp', call: 'sendto', port: 53 }, 'udp://192.0.2.1:53'],
    [{ protocol: 'icmp', port: 0 }, 'icmp://192.0.2.1'],
    [{ address: '2001:db8::1' }, '[2001:db8::1]:443'],
    [{ call: 'bind', address: '127.0.0.1', port: 80 }, 'allow_bind 127.0.0.1:80'],
    [{ call: 'bind', protocol: 'udp', address: '::', port: 53 }, 'allow_bind udp://[::]:53'],
    [{ call: 'listen', address: '0.0.0.0', port: 0 }, 'allow_bind :*'],
    [{ protocol: 'unix', address: '/run/x', port: 0 }, 'allow_unix /run/x'],
    [{ protocol: 'unix', address: '@x', port: 0 }, 'allow_unix @x'],
    [{ protocol: 'other', call: 'socket', address: 'alg', port: 0 }, 'allow_families alg'],
  ] satisfies [Partial<DecidedRecord>, string][])('%o becomes %s', (change, rule) => {
    expect(learn([change])).toEqual([rule]);
  });

  it('needs no rule where the policy allows it, the kernel chose the port, or a service was only tried', () => {
    expect(learn([{ kind: 'allowed' }])).toEqual([]);
    expect(learn([{ call: 'bind', port: 0 }])).toEqual([]);
    expect(learn([{ protocol: 'unix', address: '/dev/log', port: 0 }])).toEqual([]);
    const unix = { protocol: 'unix', address: '@own', port: 0 } as const;
    expect(learn([{ ...unix, call: 'bind', kind: 'allowed' }, unix])).toEqual([]);
  });

  it('is written by the name that the program asked for, or that the policy has, if it may be', () => {
    expect(learn([NAME, {}])).toEqual(['api.example.org:443']);
    expect(learn([{}, NAME])).toEqual(['api.example.org:443']);
    const other = { ...NAME, pid: 8, name: 'other.example.org' };
    expect(learn([NAME, other, {}, { pid: 8, port: 80 }])).toEqual([
      'api.example.org:443',
      'other.example.org:80',
    ]);
    const known = new Map([['192.0.2.1', 'pinned.example.org']]);
    expect(learn([{}], undefined, known)).toEqual(['pinned.example.org:443']);
    expect(learn([{ ...NAME, name: 'inside.example.org' }, {}])).toEqual(['192.0.2.1:443']);
    expect(learn([{ ...NAME, address: undefined }, {}])).toEqual(['192.0.2.1:443']);
  });

  it('on a port that the kernel chose becomes the range of those, for the server and its clients', () => {
    const own = { address: '127.0.0.1', port: 40001 };
    const records = [{ ...own, call: 'bind', port: 0 }, { ...own, call: 'listen' }, own] as const;
    expect(learn(records)).toEqual(['allow_bind 127.0.0.1:32768-60999', '127.0.0.1:32768-60999']);
    const fixed = [{ ...own, call: 'bind' }, { ...own, call: 'listen' }, own] as const;
    expect(learn(fixed)).toEqual(['allow_bind 127.0.0.1:40001', '127.0.0.1:40001']);
  });

  it('of UDP connects keeps those of clients, not those of resolvers', () => {
    const udp = { protocol: 'udp' } as const;
    expect(learn([udp])).toEqual(['udp://192.0.2.1:443']);
    expect(learn([udp, {}])).toEqual(['192.0.2.1:443']);
    expect(learn([udp, { pid: 8 }])).toEqual(['udp://192.0.2.1:443', '192.0.2.1:443']);
    expect(learn([0, 9, 65535].map((port) => ({ ...udp, port })))).toEqual([]);
    expect(learn([udp, { ...udp, address: '192.0.2.2' }])).toEqual([]);
    expect(
      learn([
        { ...udp, port: 53 },
        { ...udp, port: 53, address: '192.0.2.2' },
      ]),
    ).toEqual(['udp://192.0.2.1:53', 'udp://192.0.2.2:53']);
    expect(learn([{ ...udp, call: 'sendto' }, {}])).toEqual([
      'udp://192.0.2.1:443',
      '192.0.2.1:443',
    ]);
  });

  it('becomes a network only when that was asked for and several are in it', () => {
    const hosts = ['192.0.2.1', '192.0.2.9', '198.51.100.1', '127.0.0.1', '127.0.0.2'];
    const six = ['2001:db8::1', '2001:db8::2', '::1'];
    const records = [...hosts, ...six].map((address) => ({ address }));
    expect(learn(records).length).toBe(8);
    expect(learn([...records, NAME, { port: 80 }], 24)).toEqual([
      'api.example.org:80,443',
      '192.0.2.9:443',
      '198.51.100.1:443',
      '127.0.0.1:443',
      '127.0.0.2:443',
      '[2001:db8::/64]:443',
      '[::1]:443',
    ]);
    expect(learn(records, 24)[0]).toBe('192.0.2.0/24:443');
  });
});

const rule = (
  text: string,
  list: LearntRule['list'] = 'allow',
  ...programs: string[]
): LearntRule => ({
  ...{ list, text, programs },
});

describe('a new policy', () => {
  it('has its lists in order, and a comment with the programs', () => {
    const rules = [
      rule('/run/x', 'allow_unix', 'a\n"b'),
      rule('a:1', 'allow', 'curl', 'git'),
      rule('alg', 'allow_families'),
      rule('b:1', 'allow', '1', '2', '3', '4', '5'),
    ];
    expect(writePolicy(rules, ['One.', 'Two.'])).toBe(`# One.
# Two.

[network]
allow = [
  "a:1",  # curl, git
  "b:1",  # 1, 2, 3, 4, …
]
allow_unix = [
  "/run/x",  # a?"b
]
allow_families = [
  "unix",
  "inet",
  "inet6",
  "netlink/route",
  "alg",
]
`);
    expect(writePolicy([], ['One.'])).toBe('# One.\n\n[network]\nallow = []\n');
  });
});

describe('an addition', () => {
  const add = (text: string, ...rules: LearntRule[]): string => {
    const added = addToPolicy(text, rules);
    return added.ok ? added.text : `refused: ${added.reason}`;
  };
  const b = rule('b:1', 'allow', 'curl');

  it.each([
    [
      'to a list on one line',
      '[network]\nallow = ["a:1"] # x\n',
      '[network]\nallow = ["a:1", "b:1"] # x\n',
    ],
    ['to an empty list', '[network]\nallow = []\n', '[network]\nallow = ["b:1"]\n'],
    [
      'to a list of lines',
      '[network]\nallow = [\n    "a:1", # x, y\n  # end\n]\n',
      '[network]\nallow = [\n    "a:1", # x, y\n  # end\n    "b:1",  # curl\n]\n',
    ],
    [
      'behind an item without a comma, whose comment has one',
      '[network]\nallow = [\n  "a:1" # x, y\n]\n',
      '[network]\nallow = [\n  "a:1", # x, y\n  "b:1",  # curl\n]\n',
    ],
    [
      'before a bracket on the last line',
      '[network]\nallow = [\n  "a:1",\n  "c:1"]\n',
      '[network]\nallow = [\n  "a:1",\n  "c:1",\n  "b:1",  # curl\n]\n',
    ],
    [
      'to an empty list of lines',
      '[network]\nallow = [\n  # none\n]\n',
      '[network]\nallow = [\n  # none\n  "b:1",  # curl\n]\n',
    ],
    [
      'of a list that is missing',
      '# top\n[network] # here\ndeny = []\n',
      '# top\n[network] # here\nallow = [\n  "b:1",  # curl\n]\ndeny = []\n',
    ],
    [
      'of a section that is missing',
      '[sets]\nx = ["192.0.2.1"]',
      '[sets]\nx = ["192.0.2.1"]\n\n[network]\nallow = [\n  "b:1",  # curl\n]\n',
    ],
    ['to nothing', '', '[network]\nallow = [\n  "b:1",  # curl\n]\n'],
    [
      'with its line ends',
      '[network]\r\nallow = [\r\n  "a:1",\r\n]\r\n',
      '[network]\r\nallow = [\r\n  "a:1",\r\n  "b:1",  # curl\r\n]\r\n',
    ],
    ['of what is there', "[network]\nallow = ['b:1']\n", "[network]\nallow = ['b:1']\n"],
    [
      'behind a byte order mark',
      '\ufeff[network]\nallow = []\n',
      '\ufeff[network]\nallow = ["b:1"]\n',
    ],
    ['below a dotted key', 'network.allow = ["a:1"]\n', 'network.allow = ["a:1", "b:1"]\n'],
    ['to a header without a line end', '[network]', '[network]\nallow = [\n  "b:1",  # curl\n]\n'],
  ])('%s', (_, text, expected) => {
    expect(add(text, b)).toBe(expected);
  });

  it('of several lists adds to each', () => {
    const text = '[network]\nallow = ["a:1"]\n';
    expect(add(text, b, rule('/run/x', 'allow_unix'))).toBe(
      '[network]\nallow_unix = [\n  "/run/x",\n]\nallow = ["a:1", "b:1"]\n',
    );
  });

  it('that has no place is refused, and the text is left', () => {
    expect(add('network.deny = []\n', b)).toBe(
      'refused: `[network]` has no header line below which `allow` could stand',
    );
    expect(add('network = { deny = [] }\n', b)).toContain('refused: ');
  });
});
