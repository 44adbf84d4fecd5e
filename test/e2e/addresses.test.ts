/**
 * Many spellings of one destination: IPv6, IPv4 inside IPv6, the unspecified address, and sockaddrs whose family is not
 * that of the socket. What is compared with the rules is where the packet would go.
 */
import { describe, test } from 'vitest';
import { claim } from './harness/claim.ts';
import { openTcp, openUdp } from './harness/listen.ts';
import { probe, users } from './harness/stage.ts';

describe.each(users)('as $name', (user) => {
  test('an IPv6 rule: that address, and not its IPv4 twin', async () => {
    const [six, four] = await openTcp('::1', '127.0.0.1');
    await claim({
      user,
      policy: [six.rule],
      command: probe('connect', `tcp=${six.at}`, `tcp=${four.at}`, `tcp-nb=${four.at}`),
      prints: [
        `tcp=${six.at} 0 -`,
        `tcp=${four.at} -1 ECONNREFUSED`,
        `tcp-nb=${four.at} -1 ECONNREFUSED`,
      ],
      reaches: [six],
      misses: [four],
    });
  });

  test('IPv6 rules for UDP with a prefix: its members, and not their IPv4 twin', async () => {
    const [six, four] = await openUdp('::1', '127.0.0.1');
    const forms = ['sendto', 'sendmsg', 'sendmmsg'];
    await claim({
      user,
      policy: [`udp://[::/64]:${six.port}`],
      command: probe('send', ...[six, four].flatMap(({ at }) => forms.map((f) => `${f}=${at}`))),
      prints: [
        `sendto=${six.at} 5 -`,
        `sendmsg=${six.at} 5 -`,
        `sendmmsg=${six.at} 1 -`,
        ...forms.map((form) => `${form}=${four.at} -1 ECONNREFUSED`),
      ],
      reaches: [six],
      misses: [four],
    });
  });

  test('an IPv6 socket to an IPv4-mapped address: judged by the IPv4 rules, TCP', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const [good, bad] = [`::ffff:${a.at}`, `::ffff:${b.at}`];
    await claim({
      user,
      policy: [a.rule, `[::1]:*`],
      command: probe('connect', `tcp=${good}`, `tcp=${bad}`, `tcp-nb=${bad}`),
      prints: [`tcp=${good} 0 -`, `tcp=${bad} -1 ECONNREFUSED`, `tcp-nb=${bad} -1 ECONNREFUSED`],
      reaches: [a],
      misses: [b],
    });
  });

  test('an IPv6 socket to an IPv4-mapped address: judged by the IPv4 rules, UDP', async () => {
    const [a, b] = await openUdp('127.0.0.1', '127.0.0.2');
    const [good, bad] = [`::ffff:${a.at}`, `::ffff:${b.at}`];
    await claim({
      user,
      policy: [`udp://${a.rule}`],
      command: probe(
        'send',
        `sendto=${good}`,
        `sendmsg=${good}`,
        `sendto=${bad}`,
        `sendmmsg=${bad}`,
      ),
      prints: [
        `sendto=${good} 5 -`,
        `sendmsg=${good} 5 -`,
        `sendto=${bad} -1 ECONNREFUSED`,
        `sendmmsg=${bad} -1 ECONNREFUSED`,
      ],
      reaches: [a],
      misses: [b],
    });
  });

  test('an IPv6 datagram socket given an IPv4 sockaddr: judged as IPv4', async () => {
    const [a, b] = await openUdp('127.0.0.1', '127.0.0.2');
    await claim({
      user,
      policy: [`udp://${a.rule}`],
      command: probe('send', `mixed=${a.at}`, `mixed=${b.at}`),
      prints: [`mixed=${a.at} 5 -`, `mixed=${b.at} -1 ECONNREFUSED`],
      reaches: [a],
      misses: [b],
    });
  });

  test('0.0.0.0 and :: as TCP destinations: they are the loopback addresses', async () => {
    const [a, b] = await openTcp('127.0.0.1', '::1');
    const [any4, any6] = [`0.0.0.0/${a.port}`, `::/${a.port}`];
    await claim({
      user,
      policy: [a.rule, b.rule],
      command: probe('connect', `tcp=${any4}`, `tcp=${any6}`),
      prints: [`tcp=${any4} 0 -`, `tcp=${any6} 0 -`],
      reaches: [a, b],
    });
    await claim({
      user,
      policy: [`127.0.0.2:${a.port}`, `0.0.0.0/32:1`, `[::2]:${a.port}`],
      command: probe('connect', `tcp=${any4}`, `tcp=${any6}`, `tcp=::ffff:${any4}`),
      prints: [any4, any6, `::ffff:${any4}`].map((at) => `tcp=${at} -1 ECONNREFUSED`),
      misses: [a, b],
    });
  });

  test('0.0.0.0 and :: as UDP destinations: they are the loopback addresses', async () => {
    const [a, b] = await openUdp('127.0.0.1', '::1');
    const [any4, any6] = [`0.0.0.0/${a.port}`, `::/${a.port}`];
    await claim({
      user,
      policy: [`udp://${a.rule}`, `udp://${b.rule}`],
      command: probe('send', `sendto=${any4}`, `sendmsg=${any6}`),
      prints: [`sendto=${any4} 5 -`, `sendmsg=${any6} 5 -`],
      reaches: [a, b],
    });
    await claim({
      user,
      policy: [`udp://127.0.0.2:*`],
      command: probe('send', `sendto=${any4}`, `sendmsg=${any6}`, `unspec=${any4}`),
      prints: [`sendto=${any4}`, `sendmsg=${any6}`, `unspec=${any4}`].map(
        (line) => `${line} -1 ECONNREFUSED`,
      ),
      misses: [a, b],
    });
  });

  test('0.0.0.0 from a socket bound to another loopback address: that address is judged', async () => {
    const [bound, first] = await openUdp('127.0.0.5', '127.0.0.1');
    const command = probe('send', `sendto=${first.at}`, `bound=0.0.0.0/${bound.port}`);
    await claim({
      user,
      policy: [`udp://${first.rule}`],
      command,
      prints: [`sendto=${first.at} 5 -`, 'bind 0 -', `bound=0.0.0.0/${bound.port} -1 ECONNREFUSED`],
      reaches: [first],
      misses: [bound],
    });
    await claim({
      user,
      policy: [`udp://${first.rule}`, `udp://${bound.rule}`],
      command,
      prints: [`sendto=${first.at} 5 -`, 'bind 0 -', `bound=0.0.0.0/${bound.port} 5 -`],
      reaches: [first, bound],
    });
  });
});
