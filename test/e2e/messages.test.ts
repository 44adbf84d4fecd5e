/**
 * Datagrams: the ways of giving a destination with them, sendmmsg's counting, and sockets that are connected first.
 */
import { describe, test } from 'vitest';
import { claim } from './harness/claim.ts';
import { openUdp } from './harness/listen.ts';
import { probe, users } from './harness/stage.ts';

describe.each(users)('as $name', (user) => {
  test.each([
    { kind: 'allowed, denied', order: 'ab', result: '1 -', lengths: '5 7777' },
    {
      kind: 'allowed, allowed, denied, allowed',
      order: 'aaba',
      result: '2 -',
      lengths: '5 5 7777 7777',
    },
    { kind: 'denied', order: 'b', result: '-1 ECONNREFUSED', lengths: '7777' },
    { kind: 'denied, allowed', order: 'ba', result: '-1 ECONNREFUSED', lengths: '7777 7777' },
  ])(
    'sendmmsg to $kind: what was sent before the refusal counts',
    async ({ order, result, lengths }) => {
      const [a, b] = await openUdp('127.0.0.1', '127.0.0.2');
      const sent = order.indexOf('b');
      await claim({
        user,
        policy: [`udp://${a.rule}`],
        command: probe('mmsg', ...[...order].map((which) => (which === 'a' ? a.at : b.at))),
        prints: [`sendmmsg ${result}`, `msg_len ${lengths}`],
        misses: [b],
        sees: order.includes('a') ? [[a, Array.from({ length: sent }, () => 'hello')]] : [],
      });
    },
  );

  test('sendmmsg of 40 messages to allowed destinations: all, in order, with their lengths', async () => {
    const [a] = await openUdp('127.0.0.1');
    await claim({
      user,
      policy: [`udp://${a.rule}`],
      command: probe('mmsg', ...Array.from({ length: 40 }, () => a.at)),
      prints: ['sendmmsg 40 -', `msg_len ${Array.from({ length: 40 }, () => '5').join(' ')}`],
      reaches: [a],
    });
  });

  test('a connected UDP socket: every send without an address goes to its peer', async () => {
    const [a, b] = await openUdp('127.0.0.1', '127.0.0.2');
    await claim({
      user,
      policy: [`udp://${a.rule}`],
      command: probe('send', `connected=${a.at}`, `connected=${b.at}`),
      prints: [
        `connected=${a.at} 0 -`,
        'send 5 -',
        'write 5 -',
        'sendto 5 -',
        'sendmsg 5 -',
        'sendmmsg 1 -',
        `connected=${b.at} -1 ECONNREFUSED`,
      ],
      reaches: [a],
      misses: [b],
    });
  });

  test('a connected UDP socket that names another destination: that one is judged', async () => {
    const [a, b, c] = await openUdp('127.0.0.1', '127.0.0.2', '127.0.0.3');
    await claim({
      user,
      policy: [`udp://${a.rule}`, `udp://${c.rule}`],
      command: probe('send', `sendto=${a.at}`, `renamed=${b.at}`, `renamed=${c.at}`),
      prints: [
        `sendto=${a.at} 5 -`,
        'connect 0 -',
        `renamed=${b.at} -1 ECONNREFUSED`,
        'connect 0 -',
        `renamed=${c.at} 5 -`,
      ],
      reaches: [a, c],
      misses: [b],
    });
  });

  test('a UDP socket that dissolves its peer with AF_UNSPEC: it may, and connects anew under the rules', async () => {
    const [a, b] = await openUdp('127.0.0.1', '127.0.0.2');
    await claim({
      user,
      policy: [`udp://${a.rule}`],
      command: probe('connect', `udp-again=${a.at}`, `udp-again=${b.at}`),
      prints: [
        'dissolve 0 -',
        `udp-again=${a.at} 0 -`,
        'send 5 -',
        'dissolve 0 -',
        `udp-again=${b.at} -1 ECONNREFUSED`,
      ],
      reaches: [a],
      misses: [b],
    });
  });

  test('a UDP socket that asks for its source towards an address only TCP may reach: told, and connected to nobody', async () => {
    const [a, b] = await openUdp('127.0.0.1', '127.0.0.2');
    const [six] = await openUdp('::1');
    await claim({
      user,
      policy: [a.rule, six.rule, 'udp://127.0.0.3:1'],
      command: probe('connect', ...[a, six, b].map(({ at }) => `source=${at}`)),
      prints: [
        ...[a, six].flatMap(({ host, at }) => [
          `source=${at} 0 -`,
          `from ${host}`,
          // A port of this machine at which nobody receives.
          'peer 0 -',
          'send 5 -',
          'sendto -1 ECONNREFUSED',
        ]),
        `source=${b.at} -1 ECONNREFUSED`,
      ],
      misses: [a, six, b],
    });
  });
});
