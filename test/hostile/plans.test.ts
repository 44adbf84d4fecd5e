/**
 * Plans that leave calls to the kernel: what is not looked at must be held by something else. The
 * ways out that do not depend on addresses are gone through again under a policy of TCP ports
 * alone, and programs/plans.c tries what such a policy leaves: pairs of unix sockets, names in
 * messages, connections put off, given up, handed over, inherited and exchanged. Allowed is TCP
 * port 7001 of every address.
 */
import { describe, expect, test } from 'vitest';
import { holdsTcp } from '../e2e/harness/kernel.ts';
import { policyOf, run, runSandboxed, sandlock } from '../e2e/harness/run.ts';
import { isHeld, probe, users } from '../e2e/harness/stage.ts';
import { answered, judge, type Row } from './harness/row.ts';
import { openWitness } from './harness/witness.ts';

const FAMILIES = 'allow_families = ["inet", "inet6", "unix/pair", "netlink/route"]';
const policyFor = (allow: readonly string[]): string => `${policyOf(allow)}${FAMILIES}\n`;
const PORT = policyFor([':7001']);
/** Connects are looked at, messages are not. */
const ADDRESSES = policyOf(['127.0.0.1:7001', '[::1]:7001']);
const NOTHING = policyFor([]);
/** TCP is closed and UDP open: neither is looked at. */
const DATAGRAMS = policyFor(['udp://*:*']);

const CLOSED = ['-1 EACCES'];
/**
 * Where the kernel can not hold ports the supervisor looks at the connects: it refuses a
 * destination that the policy lacks as ever, and a path whatever the state of the socket.
 */
const PORT_REFUSED = holdsTcp ? '-1 EACCES' : '-1 ECONNREFUSED';
const PATH_REFUSED = holdsTcp ? '-1 EISCONN' : '-1 EACCES';
/**
 * A disconnect with 2 bytes is looked at, and nothing can be where descriptors are not taken and
 * the policy needs no look.
 */
const SHORT = isHeld ? '-1 EPERM' : '0 -';
/** What `unmute` prints of one family: sockets that stay shut through everything, and have no port. */
const shut = (family: 4 | 6): string[] => {
  const round = ['-1 EPIPE', '-1 EPIPE', '0 -', '-1 EPIPE'];
  const turned = family === 6 ? ['0 -', '-1 EPIPE'] : [];
  const last = [...times(3, '-1 EPIPE'), '-1 EACCES', '-1 EPIPE'];
  return ['-1 EPIPE', ...round, ...round, ...turned, ...last];
};
const times = (count: number, answer: string): string[] =>
  Array.from({ length: count }, () => answer);
const row = (
  program: string,
  way: string,
  leaks: string,
  answers: readonly string[],
  rest: Partial<Row> = {},
): Row => ({
  ...{ row: 'plan', program, way, leaks: [leaks], answers, policy: PORT },
  ...rest,
});

const TCP = 'tcp 127.0.0.1:7003';
const TCP6 = 'tcp ::1:7003';

const rows: readonly Row[] = [
  row('addresses', 'mapped', TCP, [PORT_REFUSED]),
  row('addresses', 'zero', TCP, [PORT_REFUSED]),
  row('addresses', 'zero6', TCP6, [PORT_REFUSED]),
  row('calls', 'fastopen-sendto', TCP, ['-1 EOPNOTSUPP']),
  row('calls', 'fastopen-sendmsg', TCP, ['-1 EOPNOTSUPP']),
  row('calls', 'fastopen-sendmmsg', TCP, ['-1 EOPNOTSUPP']),
  row('calls', 'fastopen-connect', TCP, [PORT_REFUSED, 'send -1 EPIPE']),
  row('calls', 'plain', TCP, [PORT_REFUSED]),
  row('protocols', 'multipath', 'mptcp 127.0.0.1:7003', ['-1 EPROTONOSUPPORT']),
  row('others', 'path-stream', 'unix stream', ['-1 EAFNOSUPPORT']),
  row('others', 'path-seqpacket', 'unix seqpacket', ['-1 EAFNOSUPPORT']),
  row('others', 'path-dgram', 'unix dgram', ['-1 EAFNOSUPPORT']),
  row('others', 'path-sendmsg', 'unix dgram', ['-1 EAFNOSUPPORT']),
  row('others', 'abstract-stream', 'abstract stream', ['-1 EAFNOSUPPORT']),
  row('others', 'listen-unbound', 'inbound tcp', CLOSED),
  row('others', 'listen-bound', 'inbound tcp', ['bind 0 -', '-1 EACCES']),
  row('others', 'listen-port', 'inbound tcp', ['bind -1 EACCES', '-1 EACCES']),
  row('plans', 'pair-stream', 'unix stream', times(5, PATH_REFUSED)),
  row('plans', 'pair-seqpacket', 'unix seqpacket', times(5, PATH_REFUSED)),
  row('plans', 'named', 'unix dgram', [
    ...(isHeld ? times(2, '-1 EACCES') : times(6, '-1 EPIPE')),
    '-1 EAFNOSUPPORT',
    '-1 ESOCKTNOSUPPORT',
    ...times(3, '-1 EISCONN'),
    ...times(3, '0 -'),
    ...times(3, '-1 EPIPE'),
    ...times(3, '0 -'),
    ...times(3, '-1 EPERM'),
  ]),
  row('plans', 'deferred', TCP, ['0 -', '0 -', '0 -', '0 -', PORT_REFUSED, '-1 ECONNRESET']),
  row('plans', 'reused', TCP, ['0 -', SHORT, '0 -', PORT_REFUSED]),
  row('plans', 'passed', TCP, ['0 -', PORT_REFUSED, '-1 EINVAL']),
  row('plans', 'turned', 'unix stream', ['0 -']), // bare, the port is reached as well
  row('plans', 'flipped', TCP, ['1 -']),
  row('plans', 'reused', TCP, ['-1 EACCES', SHORT, '0 -', '-1 EACCES'], { policy: NOTHING }),
  row('plans', 'unmute', 'udp 127.0.0.1:7004', [...shut(4), ...shut(6)], {
    policy: isHeld ? ADDRESSES : PORT, // UDP sockets exist where binds are looked at
  }),
  row('plans', 'unmute', 'udp ::1:7004', [...shut(4), ...shut(6)], { policy: ADDRESSES }),
  row('calls', 'plain', TCP, CLOSED, { policy: NOTHING }),
  row('calls', 'fastopen-sendto', TCP, ['-1 EOPNOTSUPP'], { policy: NOTHING }),
  row('calls', 'plain', TCP, CLOSED, { policy: DATAGRAMS }),
  row('plans', 'pair-stream', 'unix stream', times(5, PATH_REFUSED), { policy: DATAGRAMS }),
  row('protocols', 'ping', 'icmp 127.0.0.2', CLOSED, { policy: DATAGRAMS, mute: true }),
  row('protocols', 'udplite', 'udplite 127.0.0.1:7004', ['-1 EPROTONOSUPPORT'], {
    policy: DATAGRAMS,
  }),
];

const witness = openWitness();

describe.each(users)('as $name', (user) => {
  test.each(rows.map((one) => [one.program, one.way, one] as const))(
    '%s %s: leaks bare, is held where nothing is looked at',
    async (_program, _way, one) => {
      await judge(witness, user, one);
    },
  );

  test('a connection inherited as standard input is given up, and can go nowhere else', async () => {
    const script = (command: readonly string[]): string[] => [
      ...['bash', '-c', 'exec 0<>/dev/tcp/127.0.0.1/7001; exec "$@"', 'bash'],
      ...command,
    ];
    const nonce = await witness.begin();
    const bare = await run(user, script(probe('hostile-plans', nonce, 'inherited')));
    expect(bare).toEqual(answered(['inherited 0 -', 'inherited 0 -']));
    expect(await witness.report()).toMatchObject([{ where: TCP, nonced: 1 }]);
    const second = await witness.begin();
    const command = sandlock(PORT, probe('hostile-plans', second, 'inherited'));
    expect(await run(user, script(command))).toEqual(
      answered(['inherited 0 -', `inherited ${PORT_REFUSED}`]),
    );
    expect(await witness.report()).toEqual([]);
  });

  test('UDP that may go anywhere has no port of its own, and TCP beside it stays closed', async () => {
    const nonce = await witness.begin();
    const command = probe('hostile-plans', nonce, 'serve-udp');
    const way = (answer: string): string => `serve-udp ${answer}`;
    expect(await run(user, command)).toEqual(
      answered(['0 -', '-1 EOPNOTSUPP', '-1 EINVAL', '0 -', '-1 ECONNREFUSED'].map(way)),
    );
    expect(await runSandboxed(user, DATAGRAMS, command)).toEqual(
      answered(['-1 EACCES', '-1 EOPNOTSUPP', '0 -', '0 -', '-1 EACCES'].map(way)),
    );
  });
});
