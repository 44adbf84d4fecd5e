/**
 * Rows A, C, D, E of the catalogue and the deterministic ones of B: forms of addresses, other ways
 * to make the call, other protocols, options and control messages. Each must leak without sandlock
 * (harness/row.ts); the sniffer sees every packet of the network, so one that leaves counts,
 * whether anybody answers or not.
 */
import { describe, test } from 'vitest';
import { holdsThreads, rewritesCalls } from '../e2e/harness/kernel.ts';
import { probe, users } from '../e2e/harness/stage.ts';
import { judge, type Row } from './harness/row.ts';
import { ALLOWED, openWitness } from './harness/witness.ts';

const TCP = 'tcp 127.0.0.1:7003';
const UDP = 'udp 127.0.0.1:7004';
const REFUSED = ['-1 ECONNREFUSED'];

const addresses = (row: string, way: string, leaks: string, answers = REFUSED): Row => ({
  row,
  program: 'addresses',
  way,
  leaks: [leaks],
  answers,
});
const calls = (row: string, way: string, leaks: string, answers = REFUSED): Row => ({
  row,
  program: 'calls',
  way,
  leaks: [leaks],
  answers,
});
const protocols = (row: string, way: string, leaks: string, answers: string[]): Row => ({
  row,
  program: 'protocols',
  way,
  leaks: [leaks],
  answers,
});

/** Of a thread that shares its descriptors with no other, or whose process has lost its first thread. */
const APART = holdsThreads ? REFUSED : ['-1 EPERM'];
const NO_SEND = ['-1 ECONNREFUSED', 'send -1 EPIPE'];
const PROTOCOL = ['-1 EPROTONOSUPPORT'];
const DENY_SITE = { allow: ['udp://*:7004'], deny: ['udp://10.88.0.0/16:*'] };
/** An address of the loopback, looked for on another link. */
const ELSEWHERE = 'udp fd00::66:7002 on out0';
const TIED = ['bind 0 -', '-1 ENETUNREACH'];
/** By a socket that is tied to that link. */
const tied = (way: string, leaks: string, answers: string[]): Row => ({
  ...protocols('E3', `tied-${way}`, leaks, answers),
  piped: true,
});
const AS_ROOT = { leaksFor: ['root'] } as const;

const rows: readonly Row[] = [
  addresses('A1', 'unspec-sendto', UDP),
  addresses('A1', 'unspec-sendmsg', UDP),
  addresses('A1', 'unspec-sendmmsg', UDP),
  addresses('A1', 'named-on-connected', UDP, ['connect 0 -', '-1 ECONNREFUSED']),
  addresses('A2', 'unspec-then-connect', UDP, [
    ...['connect 0 -', 'disconnect 0 -'],
    ...['-1 ECONNREFUSED', 'send -1 EDESTADDRREQ'],
  ]),
  addresses('A3', 'short-v6', 'tcp ::1:7003'),
  addresses('A3', 'short-v6-datagram', 'udp ::1:7004'),
  addresses('A3', 'long-name', TCP),
  addresses('A4', 'mapped', TCP),
  addresses('A4', 'mapped-datagram', UDP),
  addresses('A5', 'v4-on-v6', UDP),
  addresses('A5', 'v4-on-v6-connect', UDP, ['-1 ECONNREFUSED', 'send -1 EDESTADDRREQ']),
  addresses('A7', 'zero', TCP),
  addresses('A7', 'zero6', 'tcp ::1:7003'),
  addresses('A7', 'zero-datagram', UDP),
  addresses('A7', 'zero-mapped', TCP),
  addresses('A7', 'zero-when-bound', 'udp 127.0.0.5:7002', ['bind 0 -', '-1 ECONNREFUSED']),
  addresses('A9', 'broadcast', 'udp 10.77.0.255:7004 on out0'),
  addresses('A9', 'multicast', 'udp 239.7.7.7:7004 on out0'),
  addresses('A9', 'multicast6', 'udp ff15::7777:7004 on out0'),
  { ...addresses('A10', 'embedded-nat64', 'udp 64:ff9b::a58:1:7004 on out0'), ...DENY_SITE },
  { ...addresses('A10', 'embedded-6to4', 'udp 2002:a58:1::1:7004 on out0'), ...DENY_SITE },
  { ...addresses('A10', 'embedded-mapped', 'udp 10.88.0.1:7004 on out0'), ...DENY_SITE },
  addresses('A11', 'other-host', 'tcp 127.0.0.2:7001'),
  addresses('A11', 'other-host-datagram', 'udp 127.0.0.2:7002'),
  addresses('A12', 'tcp-to-udp-port', 'tcp 127.0.0.1:7002'),
  addresses('A12', 'udp-to-tcp-port', 'udp 127.0.0.1:7001'),

  calls('B6', 'split-table', UDP, [...APART, 'send -1 EDESTADDRREQ']),
  calls('B6', 'leader-gone', TCP, APART),
  calls('B8', 'secret-memory', UDP, ['-1 EPERM']),
  calls('C1', 'fastopen-sendto', TCP, ['-1 EOPNOTSUPP']),
  calls('C1', 'fastopen-sendmsg', TCP, ['-1 EOPNOTSUPP']),
  calls('C1', 'fastopen-sendmmsg', TCP, ['-1 EOPNOTSUPP']),
  calls('C2', 'fastopen-connect', TCP, NO_SEND),
  calls('C3', 'last-of-many', UDP, ['599 -']),
  calls('C3', 'second-named', UDP, ['connect 0 -', '1 -']),
  { ...calls('C4', 'io-uring', TCP, ['-1 ENOSYS']), leaks: [TCP, UDP] },
  ...(process.arch === 'x64'
    ? (['i386-socketcall', 'i386-connect', 'i386-sendto'] as const).map(
        (way): Row => ({
          ...calls('C5', way, way === 'i386-sendto' ? UDP : TCP, []),
          signal: 'SIGSYS',
        }),
      )
    : []),
  calls('C7', 'in-child', TCP),
  calls('C7', 'in-vfork', TCP, NO_SEND),
  calls('C7', 'in-execed', TCP, ['plain -1 ECONNREFUSED']),
  calls('C7', 'in-thread', TCP),
  ...(process.arch === 'x64'
    ? [calls('C9', 'rewritten', TCP, NO_SEND), calls('C9', 'rewritten-filter', TCP, NO_SEND)]
    : []),
  ...(rewritesCalls ? [calls('C9', 'rewritten-information', TCP, NO_SEND)] : []),

  { ...protocols('D1', 'multipath', 'mptcp 127.0.0.1:7003', PROTOCOL) },
  { ...protocols('D7', 'multipath-rubbish', 'mptcp 127.0.0.1:7003', PROTOCOL) },
  protocols('D2', 'udplite', 'udplite 127.0.0.1:7004', PROTOCOL),
  protocols('D3', 'ping', 'icmp 127.0.0.2', ['-1 EACCES']),
  protocols('D3', 'ping6', 'icmp ::1', ['-1 EACCES']),
  { ...protocols('D5', 'raw', 'protocol 253 127.0.0.1', PROTOCOL), ...AS_ROOT },
  { ...protocols('D5', 'frame', 'frame 88b5', ['-1 EAFNOSUPPORT']), ...AS_ROOT },
  { ...protocols('D5', 'old-packet', 'frame 88b5', ['-1 EINVAL']), ...AS_ROOT },
  protocols('E1', 'route-datagram', 'source route ::1', ['-1 EPERM']),
  { ...protocols('E1', 'route-stream', 'source route ::1', ['-1 EPERM']), mute: true },
  { ...protocols('E2', 'source-route', 'source route 127.0.0.66', ['-1 EPERM']), ...AS_ROOT },
  {
    ...protocols('E4', 'source-route-message', 'source route 127.0.0.66', ['-1 EPERM']),
    ...AS_ROOT,
  },
  protocols('E3', 'to-device', 'udp 127.0.0.1:7002 on out0', ['-1 EPERM']),
  protocols('E3', 'to-interface', 'udp 127.0.0.1:7002 on out0', ['-1 EPERM']),
  protocols('E3', 'to-info', ELSEWHERE, ['-1 EPERM']),
  tied('datagram', ELSEWHERE, TIED),
  tied('connected', ELSEWHERE, [...TIED, 'send -1 EDESTADDRREQ']),
  tied('asking', 'udp fd00::66:9 on out0', [...TIED, 'send -1 EDESTADDRREQ']),
  {
    ...tied('peer', ELSEWHERE, ['connect 0 -', '-1 ENETUNREACH']),
    allow: [...ALLOWED, 'udp://[fe80::66]:7002'],
  },
  { ...tied('stream', 'tcp fd00::66:7001 on out0', TIED), mute: true },
  {
    ...tied('meanwhile', 'tcp fd00::66:7001 on out0', ['1 -']),
    mute: true,
    // Where rings are forbidden, as in containers, such a connect begins in a thread of its own.
    host: [...probe('without', 'io_uring_setup=EPERM'), '--'],
  },
  ...(['joins', 'joins-group', 'joins-source'] as const).map(
    (way): Row => ({ ...protocols('E5', way, 'igmp', ['-1 EPERM']), mute: true }),
  ),
  { ...protocols('E5', 'joins6', 'mld', ['-1 EPERM']), mute: true },
];

const witness = openWitness();

describe.each(users)('as $name', (user) => {
  test.each(rows)('$row $program $way: leaks bare, is refused under the policy', async (row) => {
    await judge(witness, user, row);
  });
});
