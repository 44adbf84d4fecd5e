/**
 * `allow_families`: which sockets may exist. Every kind is made under the policy of every word, and
 * every family that Linux has a number for under the default.
 */
import { describe, expect, test } from 'vitest';
import { run, runSandboxed } from '../e2e/harness/run.ts';
import { probe, users } from '../e2e/harness/stage.ts';
import { expectSteps, lines, network, type Step } from './steps.ts';

/** Each kind of the language, with family, type and protocol of socket(2). */
const KINDS = {
  'unix/stream': '1 1 0',
  'unix/dgram': '1 2 0',
  'unix/seqpacket': '1 5 0',
  'inet/stream': '2 1 0',
  'inet/dgram': '2 2 0',
  'inet6/stream': '10 1 0',
  'inet6/dgram': '10 2 0',
  'netlink/route': '16 3 0',
  alg: '38 5 0',
} as const;
type Kind = keyof typeof KINDS;

/** Kernels without the cipher family exist: then it is missing bare as well. */
const [aes = ''] = lines(
  (await run({ name: 'root', uid: process.getuid?.() ?? 0 }, probe('sockets', '38,5,0'))).stdout,
);
const BARE: Partial<Record<Kind, string>> = / 0 -$/.test(aes)
  ? {}
  : { alg: aes.split(' ')[2] ?? '' };
const ALL = Object.keys(KINDS) as Kind[];

/** What a socket of a family answers that is not wholly allowed: the family is missing, or only this kind of it. */
function missing(kind: Kind, allowed: readonly Kind[]): string {
  const [family] = kind.split('/');
  const isPartly = allowed.some((other) => other.split('/')[0] === family);
  return isPartly ? 'ESOCKTNOSUPPORT' : 'EAFNOSUPPORT';
}

function makeAll(allowed: readonly Kind[], others: Partial<Record<Kind, string>> = {}): Step[] {
  return ALL.map((kind) => {
    const bare = BARE[kind] ?? '0';
    return [
      `new a ${KINDS[kind]}`,
      bare,
      others[kind] ?? (allowed.includes(kind) ? bare : missing(kind, allowed)),
    ];
  });
}

describe.each(users)('as $name', (user) => {
  // Rules that every family could use, so that datagram sockets of IP are wanted at all.
  const rules = { inet: ['127.0.0.1:1', 'udp://127.0.0.1:1'], inet6: ['[::1]:1', 'udp://[::1]:1'] };
  const cases: readonly (readonly [
    word: string,
    allow: readonly string[],
    kinds: readonly Kind[],
  ])[] = [
    ['unix', [], ['unix/stream', 'unix/seqpacket']],
    ['unix/stream', [], ['unix/stream']],
    ['unix/dgram', [], ['unix/dgram']],
    ['unix/seqpacket', [], ['unix/seqpacket']],
    ['unix/pair', [], []],
    ['inet', rules.inet, ['inet/stream', 'inet/dgram']],
    ['inet/stream', rules.inet.slice(0, 1), ['inet/stream']],
    ['inet/dgram', rules.inet.slice(1), ['inet/dgram']],
    ['inet6', rules.inet6, ['inet6/stream', 'inet6/dgram']],
    ['inet6/stream', rules.inet6.slice(0, 1), ['inet6/stream']],
    ['inet6/dgram', rules.inet6.slice(1), ['inet6/dgram']],
    ['netlink/route', [], ['netlink/route']],
    ['alg', [], ['alg']],
  ];

  test.each(cases)(
    'allow_families = ["%s"]: those kinds of socket and no other',
    async (word, allow, kinds) => {
      // UNIX datagrams of a family that is there otherwise are refused as a matter of rights (docs/enforcement.md).
      const others: Partial<Record<Kind, string>> = kinds.includes('unix/stream')
        ? { 'unix/dgram': 'EACCES' }
        : {};
      await expectSteps(user, network({ allow, allow_families: [word] }), makeAll(kinds, others));
    },
  );

  test('an empty list: no socket and no pair of any kind', async () => {
    await expectSteps(user, network({ allow: [], allow_families: [] }), [
      ...makeAll([]),
      ['pair a b 1', '0', 'EAFNOSUPPORT'],
      ['pair a b 2', '0', 'EAFNOSUPPORT'],
      ['pair a b 5', '0', 'EAFNOSUPPORT'],
    ]);
  });

  test('the default: UNIX streams always, UNIX datagrams only where messages are looked at', async () => {
    const usual = ALL.filter((kind) => kind !== 'alg' && kind !== 'unix/dgram');
    const noIp = { 'inet/dgram': 'EACCES', 'inet6/dgram': 'EACCES' };
    const noDatagrams = { ...noIp, 'unix/dgram': 'EACCES' };
    const pairs = (datagrams: string): Step[] => [
      ['pair a b 1', '0'],
      ['pair a b 5', '0'],
      ['pair a b 2', '0', datagrams],
      ['pair a b 3', '0', datagrams],
    ];
    await expectSteps(user, network({ allow: [] }), [
      ...makeAll(usual, noDatagrams),
      ...pairs('EACCES'),
    ]);
    // UDP sockets are mute then.
    const tcp = [...makeAll(usual, { 'unix/dgram': 'EACCES' }), ...pairs('EACCES')];
    await expectSteps(user, network({ allow: [':*'] }), tcp);
    await expectSteps(user, network({ allow: [':*'], allow_bind: [':*'] }), tcp);
    for (const allow of ['udp://127.0.0.1:1', 'icmp://127.0.0.1']) {
      await expectSteps(user, network({ allow: [allow] }), [
        ...makeAll([...usual, 'unix/dgram']),
        ...pairs('0'),
      ]);
    }
    await expectSteps(user, network({ allow: [], allow_unix: ['/nowhere'] }), [
      ...makeAll([...usual, 'unix/dgram'], noIp),
      ...pairs('0'),
    ]);
  });

  test('unix/dgram by name under a policy of TCP rules: datagrams among its own, and none outside', async () => {
    const families = ['unix', 'unix/dgram', 'inet', 'inet6', 'netlink/route'];
    await expectSteps(
      user,
      network({ allow: [':*'], allow_families: families }),
      [
        ['new a 1 2 0', '0'],
        ['bind a {}/s', '0'],
        ['pair b c 2', '0'],
        ['sendto b {}/s', '5'],
        ['recv a', '5'],
        ['send b', '5'],
        ['recv c', '5'],
        ['new d 2 2 0', '0'],
      ],
      { inDirectory: true },
    );
  });

  test('every number of a family: missing unless it is one of the four', async () => {
    const triples: string[] = [];
    for (let family = 0; family < 48; family++) {
      for (const type of [1, 2, 3, 4, 5, 6, 10]) triples.push(`${family},${type},0`);
    }
    const allowed = new Set([
      '1,1',
      '1,2',
      '1,3',
      '1,5',
      '2,1',
      '2,2',
      '10,1',
      '10,2',
      '16,2',
      '16,3',
    ]);
    const policy = network({
      // Not all of UDP, so that messages are looked at and unix datagrams exist.
      allow: [':*', 'udp://127.0.0.1:*', 'icmp://*'],
      allow_bind: [':*', 'udp://:*'],
    });
    const command = probe('sockets', ...triples);
    const bare = lines((await run(user, command)).stdout);
    // A kernel without any other family would show nothing.
    expect(bare.filter((line) => / 0 -$/.test(line)).length).toBeGreaterThan(allowed.size);
    const walled = lines((await runSandboxed(user, policy, command)).stdout);
    expect(walled).toEqual(
      triples.map((triple) => {
        const [family = '', type = ''] = triple.split(',');
        if (allowed.has(`${family},${type}`)) return `${triple} 0 -`;
        if (family === '2' || family === '10')
          return `${triple} -1 ${type === '3' ? 'EPROTONOSUPPORT' : 'ESOCKTNOSUPPORT'}`;
        return `${triple} -1 ${family === '1' || family === '16' ? 'ESOCKTNOSUPPORT' : 'EAFNOSUPPORT'}`;
      }),
    );
  });
});
