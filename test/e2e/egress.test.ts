/**
 * The egress matrix: which destinations of TCP and UDP a policy lets through, and the exact errno of each that it does
 * not. Every denial names a live listener that the same probe reaches without sandlock.
 */
import { describe, test } from 'vitest';
import { claim } from './harness/claim.ts';
import { openTcp, openUdp } from './harness/listen.ts';
import { policyOf } from './harness/run.ts';
import { makeFile, probe, users } from './harness/stage.ts';

describe.each(users)('as $name', (user) => {
  test('an empty allow list: no TCP, neither blocking nor not', async () => {
    const [a] = await openTcp('127.0.0.1');
    const [b] = await openTcp('::1');
    await claim({
      user,
      policy: [],
      command: probe('connect', `tcp=${a.at}`, `tcp=${b.at}`, `tcp-nb=${a.at}`),
      prints: [`tcp=${a.at} -1 EACCES`, `tcp=${b.at} -1 EACCES`, `tcp-nb=${a.at} -1 EACCES`],
      misses: [a, b],
    });
  });

  test('an empty allow list: no UDP, in any form', async () => {
    const [a] = await openUdp('127.0.0.1');
    const forms = ['sendto', 'sendmsg', 'sendmmsg', 'unspec', 'connected'];
    await claim({
      user,
      policy: [],
      command: probe('send', ...forms.map((form) => `${form}=${a.at}`)),
      prints: forms.map((form) => `${form}=${a.at} -1 EACCES`),
      misses: [a],
    });
  });

  test('a rule for one address: that one works, its neighbour is refused', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    await claim({
      user,
      policy: [a.rule],
      command: probe('connect', `tcp=${a.at}`, `tcp=${b.at}`),
      prints: [`tcp=${a.at} 0 -`, `tcp=${b.at} -1 ECONNREFUSED`],
      reaches: [a],
      misses: [b],
    });
  });

  test('a rule for one port: another port of the same address is refused', async () => {
    const [a] = await openTcp('127.0.0.1');
    const [b] = await openTcp('127.0.0.1');
    await claim({
      user,
      policy: [a.rule],
      command: probe('connect', `tcp=${b.at}`, `tcp=${a.at}`),
      prints: [`tcp=${b.at} -1 ECONNREFUSED`, `tcp=${a.at} 0 -`],
      reaches: [a],
      misses: [b],
    });
  });

  test('`:*`: every TCP destination and no UDP', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.9');
    const [c] = await openTcp('::1');
    const [d] = await openUdp('127.0.0.1');
    await claim({
      user,
      policy: [':*'],
      command: probe(
        'connect',
        ...[a, b, c].map((listener) => `tcp=${listener.at}`),
        `udp=${d.at}`,
      ),
      prints: [
        ...[a, b, c].map((listener) => `tcp=${listener.at} 0 -`),
        // As a resolver would, it learns its source, and by a socket that can not send.
        ...[`udp=${d.at} 0 -`, 'send -1 EPIPE'],
      ],
      reaches: [a, b, c],
      misses: [d],
    });
  });

  test('a UDP rule: that address in every form, another is refused, TCP to the same port is closed', async () => {
    const [a, b] = await openUdp('127.0.0.1', '127.0.0.2');
    const forms = ['sendto', 'sendmsg', 'sendmmsg', 'unspec'];
    const results = ['5', '5', '1', '5'];
    await claim({
      user,
      policy: [`udp://${a.rule}`],
      command: probe('send', ...[a, b].flatMap(({ at }) => forms.map((form) => `${form}=${at}`))),
      prints: [
        ...forms.map((form, i) => `${form}=${a.at} ${results[i]} -`),
        ...forms.map((form) => `${form}=${b.at} -1 ECONNREFUSED`),
      ],
      reaches: [a],
      misses: [b],
    });
    const [tcp] = await openTcp('127.0.0.1');
    await claim({
      user,
      policy: [`udp://${tcp.rule}`],
      command: probe('connect', `tcp=${tcp.at}`),
      prints: [`tcp=${tcp.at} -1 EACCES`],
      misses: [tcp],
    });
  });

  test('`udp://*:*`: every UDP destination and no TCP', async () => {
    const [a, b] = await openUdp('127.0.0.1', '127.0.0.2');
    const [c] = await openUdp('::1');
    const [d] = await openTcp('127.0.0.1');
    await claim({
      user,
      policy: ['udp://*:*'],
      command: probe('connect', `udp=${a.at}`, `udp=${b.at}`, `udp=${c.at}`, `tcp=${d.at}`),
      prints: [
        ...[a, b, c].flatMap((listener) => [`udp=${listener.at} 0 -`, 'send 5 -']),
        `tcp=${d.at} -1 EACCES`,
      ],
      reaches: [a, b, c],
      misses: [d],
    });
  });

  test('rules of both protocols: neither says anything about the other', async () => {
    const [tcp] = await openTcp('127.0.0.1');
    const [tcpOnUdpPort] = await openTcp('127.0.0.1');
    const [udp] = await openUdp('127.0.0.1');
    await claim({
      user,
      policy: [tcp.rule, `udp://${udp.rule}`, `udp://${tcpOnUdpPort.rule}`],
      command: probe('connect', `tcp=${tcp.at}`, `udp=${udp.at}`, `tcp=${tcpOnUdpPort.at}`),
      prints: [
        `tcp=${tcp.at} 0 -`,
        `udp=${udp.at} 0 -`,
        'send 5 -',
        `tcp=${tcpOnUdpPort.at} -1 ECONNREFUSED`,
      ],
      reaches: [tcp, udp],
      misses: [tcpOnUdpPort],
    });
  });

  test('a deny rule inside an allowed prefix: deny wins, whatever the order', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    await claim({
      user,
      policy: policyOf([`127.0.0.0/8:*`, b.rule], ['127.0.0.2/32:*']),
      command: probe('connect', `tcp=${b.at}`, `tcp=${a.at}`),
      prints: [`tcp=${b.at} -1 ECONNREFUSED`, `tcp=${a.at} 0 -`],
      reaches: [a],
      misses: [b],
    });
  });

  test('a port list and a port range: their ports and no other', async () => {
    const [a] = await openTcp('127.0.0.1');
    const [b] = await openTcp('127.0.0.1');
    const [c] = await openTcp('127.0.0.1');
    const [low = a, middle = b, high = c] = [a, b, c].sort((x, y) => x.port - y.port);
    await claim({
      user,
      policy: [`127.0.0.1:${low.port},${high.port}`],
      command: probe('connect', ...[low, middle, high].map(({ at }) => `tcp=${at}`)),
      prints: [`tcp=${low.at} 0 -`, `tcp=${middle.at} -1 ECONNREFUSED`, `tcp=${high.at} 0 -`],
      reaches: [low, high],
      misses: [middle],
    });
    await claim({
      user,
      policy: [`127.0.0.1:${low.port}-${high.port - 1}`],
      command: probe('connect', ...[low, middle, high].map(({ at }) => `tcp=${at}`)),
      prints: [`tcp=${low.at} 0 -`, `tcp=${middle.at} 0 -`, `tcp=${high.at} -1 ECONNREFUSED`],
      reaches: [low, middle],
      misses: [high],
    });
  });

  test('address sets, inline and from a file beside the policy: their members and no other', async () => {
    const [a, b, c] = await openTcp('127.0.0.1', '127.0.0.2', '127.0.0.3');
    const file = makeFile('near.txt', '# two hosts\n127.0.0.2\n\n127.64.0.0/10 # and many\n');
    await claim({
      user,
      policy: policyOf(
        [`@near:${a.port}`, `@here:${a.port}`],
        [],
        `near = { file = ${JSON.stringify(file)} }\nhere = ["127.0.0.1/32"]`,
      ),
      command: probe('connect', ...[a, b, c].map(({ at }) => `tcp=${at}`)),
      prints: [`tcp=${a.at} 0 -`, `tcp=${b.at} 0 -`, `tcp=${c.at} -1 ECONNREFUSED`],
      reaches: [a, b],
      misses: [c],
    });
  });

  test('a host name in a rule: the addresses it has when the command starts', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    await claim({
      user,
      policy: [`localhost:${a.port}`],
      command: probe('connect', `tcp=${a.at}`, `tcp=${b.at}`),
      prints: [`tcp=${a.at} 0 -`, `tcp=${b.at} -1 ECONNREFUSED`],
      reaches: [a],
      misses: [b],
    });
  });

  test('a first task, a thread, a child, a grandchild and an executed program: all alike', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const tasks = ['first', 'thread', 'fork', 'grandchild', 'exec', 'leaderless'];
    await claim({
      user,
      policy: [a.rule],
      command: probe('tree', a.at),
      prints: tasks.map((task) => `${task} 0 -`),
      reaches: [a],
    });
    await claim({
      user,
      policy: [a.rule],
      command: probe('tree', b.at),
      prints: tasks.map((task) => `${task} -1 ECONNREFUSED`),
      misses: [b],
    });
  });
});
