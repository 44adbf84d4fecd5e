/**
 * The kernel's ping socket under ICMP rules, in a network namespace of the test's own, where the group range that opens
 * such sockets may be set. The witness is the kernel's own count of echo requests received.
 */
import { describe, expect, test } from 'vitest';
import { type Outcome, policyOf, run, sandlock } from './harness/run.ts';
import { probe, type User, users } from './harness/stage.ts';

/** Where only one's own group exists (a user namespace), the kernel takes no higher one. */
const HIGHEST_GROUP = Math.max(...users.map((user) => user.uid));

const ROOT: User = { name: 'root', uid: 0 };

describe.each(users)('as $name', (user) => {
  test('an icmp rule: echo to that address is answered, to another refused', async () => {
    const command = probe('icmp', '127.0.0.1', '127.0.0.2');
    const answered = (host: string) => [
      ...[`sendto=${host} 8 -`, 'reply 1 -', `sendmsg=${host} 8 -`, 'reply 1 -'],
      ...[`connect=${host} 0 -`, 'send 8 -', 'reply 1 -'],
    ];
    const refused = (host: string) =>
      ['sendto', 'sendmsg', 'connect'].map((way) => `${way}=${host} -1 ECONNREFUSED`);
    await expectEchoes(user, command, [...answered('127.0.0.1'), ...answered('127.0.0.2')], 6);
    await expectEchoes(
      user,
      sandlock(policyOf(['icmp://127.0.0.1']), command),
      [...answered('127.0.0.1'), ...refused('127.0.0.2')],
      3,
    );
  });

  test('an icmp rule for an IPv6 address: answered there and nowhere else', async () => {
    const command = probe('icmp', '::1', '127.0.0.1');
    const lines = [
      'sendto=::1 8 -',
      'reply 1 -',
      'sendmsg=::1 8 -',
      'reply 1 -',
      'connect=::1 0 -',
    ];
    await expectEchoes(
      user,
      sandlock(policyOf(['icmp://[::1]']), command),
      [
        ...[...lines, 'send 8 -', 'reply 1 -'],
        ...['sendto', 'sendmsg', 'connect'].map((way) => `${way}=127.0.0.1 -1 ECONNREFUSED`),
      ],
      3,
    );
  });

  test.each([{ rules: [] }, { rules: [':*', 'udp://*:*'] }])(
    'no icmp rule among $rules: EACCES, nothing is sent',
    async ({ rules }) => {
      const command = probe('icmp', '127.0.0.1', '::1');
      await expectEchoes(
        user,
        sandlock(policyOf(rules), command),
        ['127.0.0.1', '::1'].flatMap((host) =>
          ['sendto', 'sendmsg', 'connect'].map((way) => `${way}=${host} -1 EACCES`),
        ),
        0,
      );
    },
  );

  test('ping under an icmp rule: gets its answer there, and none elsewhere', async () => {
    const ping = (host: string) => ['ping', '-n', '-q', '-c', '1', '-W', '2', host];
    const policy = policyOf(['icmp://127.0.0.1']);
    for (const { command, status, echoes } of [
      { command: ping('127.0.0.2'), status: 0, echoes: 1 },
      { command: sandlock(policy, ping('127.0.0.1')), status: 0, echoes: 1 },
      { command: sandlock(policy, ping('127.0.0.2')), status: 2, echoes: 0 },
    ]) {
      const { stdout } = await inNetwork(user, command);
      expect(stdout).toMatch(new RegExp(`(^|\n)status ${status}\nechoes ${echoes}\n$`));
    }
  });
});

/** Runs a probe as the user in a new network namespace; compares its lines and the echo requests received there. */
async function expectEchoes(
  user: User,
  command: readonly string[],
  lines: readonly string[],
  echoes: number,
): Promise<void> {
  expect(await inNetwork(user, command)).toEqual({
    stdout: [...lines, 'status 0', `echoes ${echoes}`].map((line) => `${line}\n`).join(''),
    ...{ stderr: '', status: 0, signal: null, timedOut: false },
  });
}

/** Runs a command there; its output ends with its status and the number of echo requests received. */
function inNetwork(user: User, command: readonly string[]): Promise<Outcome> {
  const script = `ip link set lo up && echo '0 ${HIGHEST_GROUP}' > /proc/sys/net/ipv4/ping_group_range
    ${user.uid === 0 ? '' : `setpriv --reuid=${user.uid} --regid=${user.uid} --clear-groups`} "$@"
    echo "status $?"
    awk '/^Icmp:/ && $10 ~ /^[0-9]+$/ {n += $10} /^Icmp6InEchos / {n += $2} END {print "echoes", n}' \\
      /proc/net/snmp /proc/net/snmp6`;
  return run(ROOT, ['unshare', '--net', 'bash', '-c', script, 'bash', ...command]);
}
