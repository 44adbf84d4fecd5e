/**
 * Programs that stay inside their policy do not notice: the same probe, bare and supervised, answers the same to every
 * odd argument; connects that take long behave as Linux has them and delay nobody else.
 */
import { describe, expect, test } from 'vitest';
import { openBacklog } from './harness/backlog.ts';
import { claim } from './harness/claim.ts';
import { openTcp, openUdp } from './harness/listen.ts';
import { policyOf, run, runSandboxed } from './harness/run.ts';
import { probe, users } from './harness/stage.ts';

/** Allows everything, and yet nothing can be let through unseen: there are denied addresses. */
const ALMOST_ALL = policyOf(
  [':*', 'udp://*:*'],
  ['192.0.2.0/24:*', 'udp://192.0.2.0/24:*', '[2001:db8::/32]:*', 'udp://[2001:db8::/32]:*'],
);

describe.each(users)('as $name', (user) => {
  test('calls with odd and broken arguments: the answers of the kernel, all of them', async () => {
    const [tcp4, tcp6] = await openTcp('127.0.0.1', '::1');
    const [udp4, udp6] = await openUdp('127.0.0.1', '::1');
    const command = probe('arguments', tcp4.at, udp4.at, tcp6.at, udp6.at);
    const bare = await run(user, command);
    expect(bare.status).toBe(0);
    expect(bare.stdout.split('\n').length).toBeGreaterThan(150);
    expect(await runSandboxed(user, ALMOST_ALL, command)).toEqual(bare);
  });

  test('a non-blocking connect: EINPROGRESS, writable, connected, EISCONN, and still non-blocking', async () => {
    const [a] = await openTcp('127.0.0.1');
    const command = probe('connect', `tcp-nb=${a.at}`);
    const { stdout } = await run(user, command);
    await a.take();
    expect(stdout).toBe(
      `tcp-nb=${a.at} -1 EINPROGRESS\npoll 1 -\nso_error 0 -\nagain 0 -\nand again -1 EISCONN\nflags 1 -\n`,
    );
    await claim({
      user,
      policy: [a.rule],
      command,
      prints: stdout.trimEnd().split('\n'),
      reaches: [a],
    });
  });

  test('an allowed port where nobody listens: ECONNREFUSED from the kernel, non-blocking by way of SO_ERROR', async () => {
    const [a] = await openTcp('127.0.0.1');
    const nobody = `127.0.0.8/${a.port}`;
    const command = probe('connect', `tcp=${nobody}`, `tcp-nb=${nobody}`, `tcp=${nobody}`);
    const bare = await run(user, command);
    expect(bare.stdout).toContain('so_error -1 ECONNREFUSED');
    expect(await runSandboxed(user, policyOf(['127.0.0.0/8:*']), command)).toEqual(bare);
  });

  test.each(['bulk', 'broken', 'flags'])(
    'sends that take more than one try (%s): as bare',
    async (mode) => {
      const [tcp] = await openTcp('127.0.0.1');
      const [udp] = await openUdp('127.0.0.1');
      const to = mode === 'flags' ? udp : tcp;
      const command = probe('streams', mode, to.at);
      const { stdout } = await run(user, command);
      await to.take();
      expect(stdout).toMatch(
        /^(sendmsg 4194304 -\nsendto 4194304|sendmsg -1 EPIPE\nSIGPIPE 1|more 4)\s/,
      );
      await claim({
        user,
        policy: ALMOST_ALL,
        command,
        prints: stdout.trimEnd().split('\n'),
        reaches: [to],
      });
    },
  );

  test('a datagram to a port where nobody listens: the next call on a connected socket has the error', async () => {
    const [udp] = await openUdp('127.0.0.1');
    const command = probe('streams', 'refused', `127.0.0.8/${udp.port}`);
    const bare = await run(user, command);
    expect(bare.stdout).toBe(
      'send 5 -\nsendto after -1 ECONNREFUSED\nunconnected 5 -\nunconnected after 5 -\n',
    );
    expect(await runSandboxed(user, ALMOST_ALL, command)).toEqual(bare);
  });

  test('200 connects that hang: another is made at once, another refused at once, and no thread waits', async () => {
    const hung = await openBacklog();
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    await claim({
      user,
      policy: [a.rule, `127.0.0.1:${hung.port}`],
      command: probe('hang', 'many', '200', hung.at, a.at, b.at),
      prints: ['good 0 -', 'quick', 'bad -1 ECONNREFUSED', 'quick', 'threads of the parent: few'],
      reaches: [a],
      misses: [b],
    });
  });

  test('a signal with a handler during a connect: EINTR at once', async () => {
    const hung = await openBacklog();
    const command = probe('hang', 'signal', hung.at);
    const bare = await run(user, command);
    expect(bare.stdout).toBe('hanging\nhandler\nconnect -1 EINTR\nquick\n');
    expect(await runSandboxed(user, policyOf([`127.0.0.1:*`]), command)).toEqual(bare);
  });

  test('a signal whose handler restarts calls, during a connect: it runs at once, the connect goes on', async () => {
    const hung = await openBacklog();
    const command = ['timeout', '1', ...probe('hang', 'signal', hung.at, 'restart')];
    const bare = await run(user, command);
    expect(bare).toMatchObject({ stdout: 'hanging\nhandler\n', status: 124 });
    expect(await runSandboxed(user, policyOf([`127.0.0.1:*`]), command)).toEqual(bare);
  });

  test('a send timeout on a socket that connects: EINPROGRESS when it is over', async () => {
    const hung = await openBacklog();
    const command = probe('hang', 'timeout', hung.at);
    const bare = await run(user, command);
    expect(bare.stdout).toBe('hanging\nconnect -1 EINPROGRESS\nquick\n');
    expect(await runSandboxed(user, policyOf([`127.0.0.1:*`]), command)).toEqual(bare);
  });

  test('a program that is ended while it hangs in a connect: gone at once', async () => {
    const hung = await openBacklog();
    const command = ['timeout', '-k', '5', '0.3', ...probe('hang', 'wait', hung.at)];
    const start = Date.now();
    expect(await runSandboxed(user, policyOf(['127.0.0.1:*']), command)).toEqual({
      stdout: 'hanging\n',
      ...{ stderr: '', status: 124, signal: null, timedOut: false },
    });
    expect(Date.now() - start).toBeLessThan(4000);
  });

  test('sixteen threads that connect at once: every answer is right', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    await claim({
      user,
      policy: [a.rule],
      command: probe('storm', '16', '50', a.at, b.at),
      prints: ['good 800 other 0', 'refused 800 other 0'],
      reaches: [a],
      misses: [b],
    });
  });
});
