/**
 * `allow_bind` and `deny_bind`: what may be bound and listened on. Where a socket may listen,
 * somebody outside comes and both sides hear each other; where it may not, nobody answers there.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { openUdp } from '../e2e/harness/listen.ts';
import { users } from '../e2e/harness/stage.ts';
import { callTcp, callUdp } from './others.ts';
import { expectSteps, network, type Step, serveSteps } from './steps.ts';

const CHOSEN = '/proc/sys/net/ipv4/ip_local_port_range';

/** Rows for one socket each: made, bound and, when that is TCP, listened on. */
function binding(family: number, type: number, where: string, walled: 'EACCES' | '0'): Step[] {
  const listened: Step[] = type === 1 ? [['listen a', '0', walled]] : [];
  const bound: Step = [`bind a ${where}`, '0', walled];
  return [
    [`new a ${family} ${type} 0`, '0'],
    bound,
    ...(walled === '0' ? listened : []),
    ['close a', '0'],
  ];
}

describe.each(users)('as $name', (user) => {
  test('a policy without allow_bind: no port of its own is bound, and nothing listens', async () => {
    const policy = network({ allow: [':*', 'udp://:*'] });
    await expectSteps(user, policy, [
      ...binding(2, 1, '127.0.0.1/8080', 'EACCES'),
      ...binding(2, 1, '0.0.0.0/8080', 'EACCES'),
      ...binding(10, 1, '::1/8080', 'EACCES'),
      ...binding(10, 1, '::/8080', 'EACCES'),
      ...binding(2, 2, '127.0.0.1/5353', 'EACCES'),
      ...binding(10, 2, '::/5353', 'EACCES'),
      ['new a 2 1 0', '0'],
      ['listen a', '0', 'EACCES'],
      ['new a 10 1 0', '0'],
      ['listen a', '0', 'EACCES'],
    ]);
  });

  test('rules with an address, a range, a CIDR, every port, UDP and IPv6: exactly those', async () => {
    const policy = network({
      allow: ['udp://192.0.2.1:1'],
      allow_bind: [
        ...['127.0.0.1:8080', '127.0.0.1:3000-3010', '127.9.0.0/16:7000', 'tcp://[::1]:*'],
        ...['udp://127.0.0.1:5353', 'udp://[::1]:5353,5355-5357'],
      ],
    });
    await expectSteps(user, policy, [
      ...binding(2, 1, '127.0.0.1/8080', '0'),
      ...binding(2, 1, '127.0.0.1/8081', 'EACCES'),
      ...binding(2, 1, '127.0.0.2/8080', 'EACCES'),
      ...binding(2, 1, '0.0.0.0/8080', 'EACCES'),
      ...binding(10, 1, '::/8080', 'EACCES'),
      ...binding(10, 1, '::ffff:127.0.0.1/8080', '0'),
      ...binding(10, 1, '::ffff:127.0.0.1/8081', 'EACCES'),
      ...binding(10, 1, '::ffff:0.0.0.0/8080', 'EACCES'),
      ...binding(2, 1, '127.0.0.1/2999', 'EACCES'),
      ...binding(2, 1, '127.0.0.1/3000', '0'),
      ...binding(2, 1, '127.0.0.1/3010', '0'),
      ...binding(2, 1, '127.0.0.1/3011', 'EACCES'),
      ...binding(2, 1, '127.9.255.254/7000', '0'),
      ...binding(2, 1, '127.10.0.1/7000', 'EACCES'),
      ...binding(10, 1, '::1/1024', '0'),
      ...binding(10, 1, '::1/65535', '0'),
      ...binding(10, 1, '::1/0', '0'),
      ...binding(10, 1, '::/1024', 'EACCES'),
      ...binding(2, 2, '127.0.0.1/5353', '0'),
      ...binding(2, 2, '127.0.0.1/8080', 'EACCES'),
      ...binding(2, 1, '127.0.0.1/5353', 'EACCES'),
      ...binding(2, 2, '0.0.0.0/5353', 'EACCES'),
      ...binding(10, 2, '::1/5356', '0'),
      ...binding(10, 2, '::1/5354', 'EACCES'),
    ]);
  });

  test('a rule without an address, and one on 0.0.0.0: what each of them covers', async () => {
    const policy = network({
      allow: [],
      allow_bind: [':8080', '0.0.0.0:8081', '[::]:8082', 'udp://*:5353'],
    });
    await expectSteps(user, policy, [
      ...binding(2, 1, '127.0.0.1/8080', '0'),
      ...binding(2, 1, '0.0.0.0/8080', '0'),
      ...binding(10, 1, '::/8080', '0'),
      ...binding(2, 1, '0.0.0.0/8081', '0'),
      ...binding(2, 1, '127.0.0.1/8081', 'EACCES'),
      ...binding(10, 1, '::/8081', 'EACCES'),
      ...binding(10, 1, '::/8082', '0'),
      ...binding(10, 1, '::1/8082', 'EACCES'),
      ...binding(2, 1, '0.0.0.0/8082', 'EACCES'),
      ...binding(2, 2, '0.0.0.0/5353', '0'),
      ...binding(10, 2, '::/5353', '0'),
    ]);
  });

  test('resolvers sort the addresses to bind: a probe of one that may be bound has its source, and reaches nobody', async () => {
    const steps = (four: string, six: string): Step[] => [
      ...(
        [
          ['a', 2, '0.0.0.0/8080', four],
          ['b', 10, '::/8080', six],
          ['c', 10, '::ffff:0.0.0.0/8080', four],
          ['d', 2, '0.0.0.0/8081', 'EACCES'],
        ] as const
      ).flatMap(([name, family, where, walled]): Step[] => [
        [`new ${name} ${family} 2 0`, '0'],
        [`connect ${name} ${where}`, '0', walled],
      ]),
    ];
    const allow = ['127.0.0.1:1'];
    await expectSteps(user, network({ allow }), steps('EACCES', 'EACCES'));
    const one = network({ allow, allow_bind: ['0.0.0.0:8080'] });
    await expectSteps(user, one, steps('0', 'EACCES'));
    await expectSteps(user, network({ allow, allow_bind: [':8080'] }), steps('0', '0'));
    await expectSteps(user, network({ allow_bind: ['0.0.0.0:8080'] }), steps('0', 'EACCES'));
    await expectSteps(
      user,
      network({ allow, allow_bind: ['127.0.0.1:8080'] }),
      steps('EACCES', 'EACCES'),
    );
  });

  // A socket that is mute can not send; one that may send elsewhere is answered as by a closed port.
  test.each([
    { allow: [], sent: ['EPIPE', 'EPIPE'] },
    { allow: ['127.0.0.1:1'], sent: ['EPIPE', 'EPIPE'] },
    { allow: ['udp://192.0.2.1:1'], sent: ['5', 'ECONNREFUSED'] },
  ])('what is sent through such a probe arrives nowhere, under $allow', async ({ allow, sent }) => {
    const [server] = await openUdp('127.0.0.1');
    const policy = network({ allow, allow_bind: [`0.0.0.0:${server.port}`] });
    const steps: Step[] = [
      ['new a 2 2 0', '0'],
      [`connect a 0.0.0.0/${server.port}`, '0'],
      ...sent.map((walled): Step => ['send a', '5', walled]),
    ];
    const heard: string[] = [];
    const between = async (): Promise<void> => {
      heard.push(...(await server.take()));
    };
    await expectSteps(user, policy, steps, { between });
    expect([heard, await server.take()]).toEqual([['hello', 'hello'], []]);
    await expectSteps(
      user,
      network({ allow: [`udp://127.0.0.1:${server.port}`] }),
      steps.map(([statement, bare]) => [statement, bare] as const),
    );
    expect(await server.take()).toHaveLength(4);
  });

  test('port 0: a client chooses a source, a server needs a rule for the port it got', async () => {
    await expectSteps(
      user,
      ['127.0.0.1:1', 'udp://127.0.0.1:1'],
      [
        ['new a 2 1 0', '0'],
        ['bind a 127.0.0.1/0', '0'],
        ['listen a', '0', 'EACCES'],
        ['new b 10 2 0', '0'],
        ['bind b ::/0', '0'],
      ],
    );
    await expectSteps(
      user,
      network({ allow: [], allow_bind: ['127.0.0.1:8080', 'udp://127.0.0.1:1'] }),
      [
        ['new a 2 1 0', '0'],
        ['bind a 127.0.0.1/0', '0', 'EACCES'],
        ['new b 2 2 0', '0'],
        ['bind b 127.0.0.1/0', '0', 'EACCES'],
      ],
    );
    await expectSteps(
      user,
      network({ allow: ['127.0.0.1:1'], allow_bind: ['127.0.0.1:1024-65535'] }),
      [
        ['new a 2 1 0', '0'],
        ['bind a 127.0.0.1/0', '0'],
        ['listen a', '0'],
        ['new b 2 1 0', '0'],
        ['bind b 0.0.0.0/0', '0'],
        ['listen b', '0', 'EACCES'],
      ],
    );
  });

  test('listening without a bind: only under a rule for every address and all ports that the kernel chooses from', async () => {
    const steps = (walled: string): Step[] => [
      ['new a 2 1 0', '0'],
      ['listen a', '0', walled],
      ['new b 10 1 0', '0'],
      ['listen b', '0', walled],
    ];
    await expectSteps(user, network({ allow: [], allow_bind: [':*'] }), steps('0'));
    const [low = '', high = ''] = readFileSync(CHOSEN, 'utf8').trim().split(/\s+/);
    const chosen = `:${low}-${high}`;
    await expectSteps(user, network({ allow: [], allow_bind: [chosen] }), steps('0'));
    const fewer = `:${low}-${Number(high) - 1}`;
    await expectSteps(user, network({ allow: [], allow_bind: [fewer] }), steps('EACCES'));
    await expectSteps(user, network({ allow: [], allow_bind: ['127.0.0.1:*'] }), steps('EACCES'));
  });

  test('two thousand sockets, bound first and listened on then: each of them listens, and none beside', async () => {
    const policy = network({ allow: [], allow_bind: ['127.0.0.1:10000-11999'] });
    await expectSteps(user, policy, [
      ['many 127.0.0.1/10000 2000', '2000'],
      ['listen-many', '2000'],
      ['new a 2 1 0', '0'],
      ['listen a', '0', 'EACCES'],
    ]);
  });

  test('deny_bind: everything else may be bound, and 0.0.0.0 not where an address is denied', async () => {
    const policy = network({
      allow: [],
      deny_bind: ['127.0.0.1:8080', '[::1]:8081', 'udp://:5353'],
    });
    await expectSteps(user, policy, [
      ...binding(2, 1, '127.0.0.1/8080', 'EACCES'),
      ...binding(10, 1, '::ffff:127.0.0.1/8080', 'EACCES'),
      ...binding(2, 1, '0.0.0.0/8080', 'EACCES'),
      ...binding(10, 1, '::/8080', 'EACCES'),
      ...binding(2, 1, '127.0.0.2/8080', '0'),
      ...binding(10, 1, '::1/8080', '0'),
      ...binding(10, 1, '::1/8081', 'EACCES'),
      ...binding(10, 1, '::/8081', 'EACCES'),
      ...binding(2, 1, '0.0.0.0/8081', '0'),
      ...binding(2, 2, '127.0.0.1/5353', 'EACCES'),
      ...binding(10, 2, '::/5353', 'EACCES'),
      ...binding(2, 2, '127.0.0.1/8080', '0'),
    ]);
  });

  test('a server that may listen: who comes from outside is heard and answered', async () => {
    const servers = [
      { bind: '127.0.0.1/8080', family: 2, rule: '127.0.0.1:8080', from: '127.0.0.1' },
      { bind: '0.0.0.0/8080', family: 2, rule: '0.0.0.0:8080', from: '127.0.0.1' },
      { bind: '::1/8080', family: 10, rule: '[::1]:8080', from: '::1' },
      { bind: '::/8080', family: 10, rule: ':8080', from: '127.0.0.1' },
    ];
    for (const { bind, family, rule, from } of servers) {
      const steps = [`new a ${family} 1 0`, `bind a ${bind}`, 'listen a', 'serve a'];
      const others = [callTcp(from, 8080)];
      const works = {
        lines: [`${steps[0]} = 0`, `${steps[1]} = 0`, 'listen a = 0', 'serve a = 4'],
        got: ['pong'],
      };
      expect(await serveSteps(user, undefined, steps, 'listen', others)).toEqual(works);
      const policy = network({ allow: [], allow_bind: [rule] });
      expect(await serveSteps(user, policy, steps, 'listen', others)).toEqual(works);
      const another = network({ allow: [':*'], allow_bind: ['127.0.0.1:8081'] });
      expect(await serveSteps(user, another, steps, 'listen', others)).toEqual({
        lines: [`${steps[0]} = 0`, `${steps[1]} = EACCES`, 'listen a = EACCES', 'serve a = EINVAL'],
        got: ['ECONNREFUSED'],
      });
    }
  });

  test('a UDP server: hears whoever comes, and answers only whom a rule allows', async () => {
    const steps = ['new a 2 2 0', 'bind a 127.0.0.1/5353', 'answer a'];
    const others = [callUdp('127.0.0.1', 5353, 6000)];
    const bound = ['new a 2 2 0 = 0', 'bind a 127.0.0.1/5353 = 0'];
    const works = { lines: [...bound, 'answer a = 4'], got: ['pong'] };
    expect(await serveSteps(user, undefined, steps, 'bind', others)).toEqual(works);
    const bind = { allow_bind: ['udp://127.0.0.1:5353'] };
    const open = network({ allow: ['udp://127.0.0.1:6000'], ...bind });
    expect(await serveSteps(user, open, steps, 'bind', others)).toEqual(works);
    const other = network({ allow: ['udp://127.0.0.1:6001'], ...bind });
    expect(await serveSteps(user, other, steps, 'bind', others)).toEqual({
      lines: [...bound, 'answer a = ECONNREFUSED'],
      got: ['silence'],
    });
    const closed = network({ allow: ['udp://127.0.0.1:6000'] });
    expect(await serveSteps(user, closed, steps, 'bind', others)).toEqual({
      lines: ['new a 2 2 0 = 0', 'bind a 127.0.0.1/5353 = EACCES', 'answer a = ETIMEDOUT'],
      got: ['ECONNREFUSED'],
    });
  });
});
