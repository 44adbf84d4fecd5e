/**
 * Socket options and control messages that would send packets elsewhere than their address says, or
 * make the kernel send some of its own: refused. What honest programs set and send goes through.
 * The network has a second link that nobody answers on.
 */
import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { openUdp } from '../e2e/harness/listen.ts';
import { users } from '../e2e/harness/stage.ts';
import { expectSteps, type Step } from './steps.ts';

const TCP = '2 1 0';
const UDP = '2 2 0';
const UDP6 = '10 2 0';
/** Not quite all of UDP, so that its messages are looked at. */
const POLICY = [':*', 'udp://0.0.0.0/0:*', 'udp://[::/1]:*', 'udp://[f000::/4]:*'];

/**
 * A number as `bytes` bytes in the order of this machine (all that Linux runs Node on are little-endian), hexadecimal.
 */
function number(value: number, bytes: number = 4): string {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntLE(value, 0, Math.min(bytes, 6));
  return buffer.toString('hex');
}

/** `struct sockaddr_storage` of a multicast group. */
function storage(family: number, address: string): string {
  const start = number(family, 2) + (family === 2 ? '0000' : '000000000000') + address;
  return start.padEnd(256, '0');
}

const GROUP = 'ef000009'; // 239.0.0.9
const SOURCE = '7f000001'; // 127.0.0.1, whose link is lo
const GROUP6 = `ff02${'00'.repeat(13)}99`; // ff02::99
const SELF6 = `${'00'.repeat(15)}01`; // ::1
const LOOPBACK = number(1); // ifindex of lo, in every network namespace
/** A segment routing header whose only segment is ::1 (RFC 8754). */
const ROUTE = `0002040000000000${SELF6}`;

/**
 * Name, socket, level, option, value, answer bare, bare for who has no capability if that differs,
 * answer under a policy.
 */
type Row = readonly [
  name: string,
  socket: string,
  level: number,
  option: number,
  value: string,
  bare: string,
  powerless?: string | undefined,
  walled?: string,
];
const REDIRECTING: readonly Row[] = [
  ['IP_OPTIONS', TCP, 0, 4, 'x01010101', '0'],
  ['IP_FREEBIND', UDP, 0, 15, '1', '0'],
  ['IP_TRANSPARENT', UDP, 0, 19, '1', '0', 'EPERM'],
  ['IP_ADD_MEMBERSHIP', UDP, 0, 35, `x${GROUP}00000000${LOOPBACK}`, '0'],
  ['IP_ADD_SOURCE_MEMBERSHIP', UDP, 0, 39, `x${GROUP}${SOURCE}${SOURCE}`, '0'],
  ['MCAST_JOIN_GROUP', UDP, 0, 42, `x${LOOPBACK}00000000${storage(2, GROUP)}`, '0'],
  [
    'MCAST_JOIN_SOURCE_GROUP',
    UDP,
    0,
    46,
    `x${LOOPBACK}00000000${storage(2, GROUP)}${storage(2, SOURCE)}`,
    '0',
  ],
  ['IP_UNICAST_IF', UDP, 0, 50, 'x00000001', '0'],
  ['SO_BINDTODEVICE', TCP, 1, 25, 'x6c6f00', '0'],
  ['SO_ZEROCOPY', TCP, 1, 60, '1', '0', undefined, 'EOPNOTSUPP'],
  ['SO_BINDTOIFINDEX', UDP, 1, 62, '1', '0'],
  // Asked of a socket that is not TCP, so that the answer does not depend on the modules of a kernel.
  ['TCP_ULP', UDP, 6, 31, 'x746c7300', 'ENOPROTOOPT', undefined, 'ENOENT'],
  ['IPV6_2292RTHDR', UDP6, 41, 5, '0', '0'],
  ['IPV6_2292PKTOPTIONS', UDP6, 41, 6, 'x', '0'],
  ['IPV6_JOIN_GROUP', UDP6, 41, 20, `x${GROUP6}${LOOPBACK}`, '0'],
  ['IPV6_JOIN_ANYCAST', UDP6, 41, 27, `x${SELF6}${LOOPBACK}`, 'EINVAL', 'EPERM'],
  ['MCAST_JOIN_GROUP', UDP6, 41, 42, `x${LOOPBACK}00000000${storage(10, GROUP6)}`, '0'],
  [
    'MCAST_JOIN_SOURCE_GROUP',
    UDP6,
    41,
    46,
    `x${LOOPBACK}00000000${storage(10, GROUP6)}${storage(10, SELF6)}`,
    '0',
  ],
  ['IPV6_HOPOPTS', UDP6, 41, 54, 'x', '0', 'EPERM'],
  ['IPV6_RTHDRDSTOPTS', UDP6, 41, 55, 'x', '0', 'EPERM'],
  ['IPV6_RTHDR', UDP6, 41, 57, `x${ROUTE}`, '0'],
  ['IPV6_DSTOPTS', UDP6, 41, 59, 'x', '0', 'EPERM'],
  ['IPV6_TRANSPARENT', UDP6, 41, 75, '1', '0', 'EPERM'],
  ['IPV6_UNICAST_IF', UDP6, 41, 76, 'x00000001', '0'],
  ['IPV6_FREEBIND', UDP6, 41, 78, '1', '0'],
];

/** Options of honest programs. */
const USUAL: readonly (readonly [string, string, number, number, string])[] = [
  ['SO_REUSEADDR', TCP, 1, 2, '1'],
  ['SO_SNDBUF', TCP, 1, 7, '65536'],
  ['SO_RCVBUF', TCP, 1, 8, '65536'],
  ['SO_KEEPALIVE', TCP, 1, 9, '1'],
  ['SO_LINGER', TCP, 1, 13, 'x0100000001000000'],
  ['SO_REUSEPORT', TCP, 1, 15, '1'],
  ['SO_RCVTIMEO', TCP, 1, 20, `x${number(1, 8)}${number(0, 8)}`],
  ['SO_TIMESTAMP', UDP, 1, 29, '1'],
  ['SO_BROADCAST', UDP, 1, 6, '1'],
  ['TCP_NODELAY', TCP, 6, 1, '1'],
  ['TCP_KEEPIDLE', TCP, 6, 4, '10'],
  ['IP_TOS', UDP, 0, 1, '16'],
  ['IP_TTL', UDP, 0, 2, '9'],
  ['IP_RETOPTS', UDP, 0, 7, '1'],
  ['IP_PKTINFO', UDP, 0, 8, '1'],
  ['IP_MTU_DISCOVER', UDP, 0, 10, '2'],
  ['IP_RECVERR', UDP, 0, 11, '1'],
  ['IP_MULTICAST_TTL', UDP, 0, 33, '1'],
  ['IPV6_MULTICAST_HOPS', UDP6, 41, 18, '1'],
  ['IPV6_V6ONLY', UDP6, 41, 26, '1'],
  ['IPV6_RECVPKTINFO', UDP6, 41, 49, '1'],
  ['IPV6_TCLASS', UDP6, 41, 67, '16'],
];

beforeAll(() => {
  execFileSync('ip', ['link', 'add', 'wall0', 'type', 'veth', 'peer', 'name', 'wall1']);
  execFileSync('ip', ['link', 'set', 'wall0', 'up']);
});

describe.each(users)('as $name', (user) => {
  test.each([
    ['TCP', TCP],
    ['UDP', UDP],
    ['UDP over IPv6', UDP6],
  ])('options that redirect packets, on a socket for %s: each is refused', async (_, socket) => {
    const rows = REDIRECTING.filter((row) => row[1] === socket);
    expect(rows.length).toBeGreaterThan(2);
    const steps = rows.flatMap(
      ([, , level, option, value, bare, powerless = bare, walled = 'EPERM']): Step[] => [
        [`new a ${socket}`, '0'],
        [`option a ${level} ${option} ${value}`, user.uid === 0 ? bare : powerless, walled],
      ],
    );
    await expectSteps(user, POLICY, steps);
  });

  test('options of honest programs: set as ever', async () => {
    const steps = USUAL.flatMap(([, socket, level, option, value]): Step[] => [
      [`new a ${socket}`, '0'],
      [`option a ${level} ${option} ${value}`, '0'],
    ]);
    await expectSteps(user, POLICY, steps);
  });

  test('control messages: harmless ones pass, an interface is taken out, the rest is refused', async () => {
    const [v4] = await openUdp('127.0.0.1');
    const [v6] = await openUdp('::1');
    const index = number(Number(execFileSync('sh', ['-c', 'ip -o link show wall0 | cut -d: -f1'])));
    // By who has capabilities alone.
    const marked = user.uid === 0 ? '5' : 'EPERM';
    const steps: Step[] = [
      [`new a ${UDP}`, '0'],
      [`message a ${v4.at} 17 103 x0300`, '5'],
      [`message a ${v4.at} 0 1 16`, '5'],
      [`message a ${v4.at} 0 2 9`, '5'],
      [`message a ${v4.at} 0 8 x00000000${SOURCE}00000000`, '5'],
      [`message a ${v4.at} 0 8 x000000007f00000900000000`, '5'],
      [`message a ${v4.at} 0 8 x${index}0000000000000000`, '5'],
      [`message a ${v4.at} 0 8 x${index}`, 'EINVAL'],
      [`message a ${v4.at} 0 8 x000000000a09090900000000`, 'ENETUNREACH'],
      [`message a ${v4.at} 0 7 x01010101`, '5', 'EPERM'],
      [`message a ${v4.at} 1 36 7`, marked, 'EPERM'],
      [`message a ${v4.at} 0 99 7`, 'EINVAL', 'EPERM'],
      [`message a ${v4.at} 1 2 x000000000000000000000000`, '5', 'EPERM'],
      [`new b ${UDP6}`, '0'],
      [`message b ${v6.at} 41 67 16`, '5'],
      [`message b ${v6.at} 41 52 9`, '5'],
      [`message b ${v6.at} 41 50 x${SELF6}00000000`, '5'],
      [`message b ${v6.at} 41 50 x${'00'.repeat(16)}${index}`, 'ENETUNREACH', '5'],
      [`message b ${v6.at} 41 57 x${ROUTE}`, 'EINVAL', 'EPERM'],
      [`message b ${v6.at} 41 5 x${ROUTE}`, 'EINVAL', 'EPERM'],
      [`message b ${v6.at} 41 54 x0000010400000000`, marked, 'EPERM'],
      [`message b ${v6.at} 41 59 x0000010400000000`, marked, 'EPERM'],
      [`message b ${v6.at} 41 55 x0000010400000000`, marked, 'EPERM'],
    ];
    const hello = (count: number): string[] => Array<string>(count).fill('hello');
    const isRoot = user.uid === 0;
    await expectSteps(user, POLICY, steps, {
      async between() {
        // What names the other link leaves by it, and arrives nowhere.
        expect(await v4.take()).toEqual(['hel', 'lo', ...hello(isRoot ? 7 : 6)]);
        expect(await v6.take()).toEqual(hello(isRoot ? 6 : 3));
      },
    });
    expect(await v4.take()).toEqual(['hel', 'lo', ...hello(5)]);
    expect(await v6.take()).toEqual(hello(4));
  });
});
