/**
 * There is no way around the trap: other ways to make the call, other kinds of socket, descriptors from outside, one's
 * own listener, the supervisor itself. Where a way can carry a packet, a listener watches.
 */
import { describe, expect, onTestFinished, test } from 'vitest';
import { claim } from './harness/claim.ts';
import { openTcp, openUdp } from './harness/listen.ts';
import { policyOf, run, runSandboxed, sandlock, start } from './harness/run.ts';
import { probe, users } from './harness/stage.ts';

describe.each(users)('as $name', (user) => {
  test('io_uring, listening and namespaces: refused', async () => {
    const ways = {
      io_uring: 'ENOSYS',
      listen: 'EACCES',
      listen6: 'EACCES',
      'listen-bound': 'EACCES',
      'new-listener': 'EBUSY',
      'user-namespace': 'EPERM',
    };
    const command = probe('walls', ...Object.keys(ways));
    const bare = await run(user, command);
    expect(bare.stdout).toBe(
      Object.keys(ways)
        .map((way) => `${way} 0 -\n`)
        .join(''),
    );
    await claim({
      user,
      policy: ['127.0.0.1:*'],
      command,
      prints: Object.entries(ways).map(([way, errno]) => `${way} -1 ${errno}`),
    });
  });

  test('a call of the i386 table: the program is killed by SIGSYS', async () => {
    const command = probe('walls', 'own-limit', 'int80');
    expect(await run(user, command)).toMatchObject({ stdout: 'own-limit 0 -\nint80 0 -\n' });
    expect(await runSandboxed(user, policyOf([':*']), command)).toEqual({
      stdout: 'own-limit 0 -\n',
      stderr: '',
      status: null,
      signal: 'SIGSYS',
      timedOut: false,
    });
  });

  test('a call of the x32 table: ENOSYS, even to an allowed destination', async () => {
    const [a] = await openTcp('127.0.0.1');
    await claim({
      user,
      policy: [a.rule],
      command: probe('walls', `x32=${a.at}`),
      prints: ['x32 -1 ENOSYS'],
    });
    expect(await a.take()).toEqual([]);
  });

  test('TCP Fast Open: the sending form is refused, the connecting form judged', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    await claim({
      user,
      policy: [a.rule],
      command: probe(
        'walls',
        ...['fastopen', 'fastopen-message', 'fastopen-connect'].map((way) => `${way}=${b.at}`),
        `fastopen-connect=${a.at}`,
      ),
      prints: [
        'fastopen -1 EOPNOTSUPP',
        'fastopen-message -1 EOPNOTSUPP',
        'fastopen-connect -1 ECONNREFUSED',
        'fastopen-connect 0 -',
      ],
      reaches: [a],
      misses: [b],
    });
  });

  test('TCP Fast Open under a policy with UDP rules, where messages are supervised: refused as well', async () => {
    const [b] = await openTcp('127.0.0.2');
    await claim({
      user,
      policy: ['127.0.0.1:*', 'udp://127.0.0.1:*'],
      command: probe('walls', `fastopen=${b.at}`, `fastopen-message=${b.at}`),
      prints: ['fastopen -1 EOPNOTSUPP', 'fastopen-message -1 EOPNOTSUPP'],
      misses: [b],
    });
  });

  test('a thread with a descriptor table of its own: its own socket is judged', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    await claim({
      user,
      policy: [a.rule],
      command: probe('walls', `split-table=${a.at}`),
      prints: ['unshare 0 -', 'split-table 0 -'],
      reaches: [a],
    });
    await claim({
      user,
      policy: [a.rule],
      command: probe('walls', `split-table=${b.at}`),
      prints: ['unshare 0 -', 'split-table -1 ECONNREFUSED'],
      misses: [b],
    });
  });

  test('an address in memory that only its owner can read: never reached', async () => {
    const [b] = await openTcp('127.0.0.2');
    const { stdout } = await run(user, probe('walls', `secret-memory=${b.at}`));
    expect(stdout).toBe('secret-memory 0 -\n');
    const outcome = await runSandboxed(
      user,
      policyOf(['127.0.0.1:*']),
      probe('walls', `secret-memory=${b.at}`),
    );
    expect(['secret-memory -1 EFAULT\n', 'secret-memory -1 EPERM\n']).toContain(outcome.stdout);
    expect(await b.take()).toEqual(['hello']);
  });

  test('a connected socket left open as descriptor 9: closed before the program starts', async () => {
    const [b] = await openTcp('127.0.0.2');
    const script = (command: string[]) => [
      ...['bash', '-c', `exec 9<>/dev/tcp/${b.at}; exec "$@"`, 'bash'],
      ...command,
    ];
    const command = probe('walls', 'inherited', 'descriptors');
    expect((await run(user, script(command))).stdout).toMatch(
      /^inherited 5 -\ndescriptors [1-9] -\n$/,
    );
    expect(await b.take()).toEqual(['hello']);
    const outcome = await run(user, script(sandlock(policyOf([':*']), command)));
    expect(outcome.stdout).toBe('inherited -1 EBADF\ndescriptors 0 -\n');
    expect(await b.take()).toEqual(['']);
  });

  test('another process of the same user, outside: not to be signalled, traced or limited', async () => {
    const other = start(user, ['sleep', '60']);
    onTestFinished(() => {
      other.kill('SIGKILL');
    });
    const ways = ['signal', 'trace', 'limit'].map((way) => `${way}-outside`);
    const command = probe('walls', ...ways.map((way) => `${way}=${other.pid}`));
    expect((await run(user, command)).stdout).toBe(ways.map((way) => `${way} 0 -\n`).join(''));
    await claim({ user, policy: [':*'], command, prints: ways.map((way) => `${way} -1 EPERM`) });
  });

  test('priorities: not those of an outside process, a user or a group; those of a child are its own affair', async () => {
    const other = start(user, ['sleep', '60']);
    onTestFinished(() => {
      other.kill('SIGKILL');
    });
    const outside = ['affinity', 'scheduler', 'nice'].map((way) => `${way}-outside`);
    const command = probe('walls', ...outside.map((way) => `${way}=${other.pid}`));
    expect((await run(user, command)).stdout).toBe(outside.map((way) => `${way} 0 -\n`).join(''));
    await claim({
      user,
      policy: [':*'],
      command: [...command, 'nice-user', 'nice-group'],
      prints: [...outside, 'nice-user', 'nice-group'].map((way) => `${way} -1 EPERM`),
    });
    const child = probe('walls', 'schedule-child');
    const bare = await run(user, child);
    expect(bare.stdout).toContain('schedule-child 0 -\nnice 5 -\naffinity 0 -\nbatch 0 -\n');
    expect(await runSandboxed(user, policyOf([':*']), child)).toEqual(bare);
  });

  test('the supervisor: not to be signalled by what it supervises', async () => {
    const command = probe('walls', 'signal-parent');
    expect((await run(user, ['bash', '-c', '"$@"; true', 'bash', ...command])).stdout).toBe(
      'signal-parent 0 -\n',
    );
    await claim({ user, policy: [':*'], command, prints: ['signal-parent -1 EPERM'] });
  });

  test('what honest programs do among themselves: still works', async () => {
    await claim({
      user,
      policy: ['127.0.0.1:*'],
      command: probe('walls', 'own-filter', 'own-limit', 'trace-inside', 'own-affinity'),
      prints: [
        'own-filter 0 -',
        'own-limit 0 -',
        'trace-inside 0 -',
        'read memory 1 -',
        'own-affinity 0 -',
      ],
    });
  });

  test('options and control messages that redirect packets: refused; the others work', async () => {
    const [a] = await openUdp('127.0.0.1');
    await claim({
      user,
      policy: [':*', `udp://${a.rule}`],
      command: probe('redirect', a.at),
      prints: [
        'IP_OPTIONS -1 EPERM',
        'IPV6_RTHDR -1 EPERM',
        'SO_BINDTODEVICE -1 EPERM',
        'SO_BINDTOIFINDEX -1 EPERM',
        'IP_TRANSPARENT -1 EPERM',
        'SO_MARK -1 EPERM',
        'cmsg IP_RETOPTS -1 EPERM',
        'cmsg SO_MARK -1 EPERM',
        'TCP_NODELAY 0 -',
        'SO_REUSEADDR 0 -',
        'IPV6_V6ONLY 0 -',
        'IP_TTL 0 -',
        'IP_PKTINFO 0 -',
        'cmsg IP_TTL 5 -',
        'cmsg IP_TOS 5 -',
        'cmsg IP_PKTINFO 5 -',
      ],
    });
    expect(await a.take()).toEqual(['hello', 'hello', 'hello']);
  });
});
