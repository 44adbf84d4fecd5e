/**
 * Policies without names under which UDP may leave: no name exists, every resolver learns that at
 * once, and it is told which was asked for. Where a rule opens port 53 of UDP nothing of this is
 * done, and without rules of UDP resolvers fail at once by themselves. The server behind knows
 * every name.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run, runSandboxed } from '../e2e/harness/run.ts';
import { users } from '../e2e/harness/stage.ts';
import { RESOLVERS } from './resolvers.ts';
import { compile } from './table.ts';
import { A, AAAA, startUpstream, type Upstream, useServer } from './upstream.ts';

let upstream: Upstream;
beforeAll(async () => {
  useServer('127.0.0.53');
  upstream = await startUpstream((name, type) => {
    if (type === A) return { answers: [[name, A, 60, '127.0.0.9']] };
    return type === AAAA ? { answers: [[name, AAAA, 60, '0:0:0:0:0:0:0:1']] } : {};
  });
});
afterAll(() => upstream.close());

const policy = (...rules: readonly string[]): string =>
  compile(`[network]\nallow = ${JSON.stringify(rules)}\n`);

describe.each(users)('as $name', (user) => {
  const dig = ['dig', '+short', '+tries=1', '+timeout=2', 'some.example', 'A'];

  test.each(RESOLVERS)('%s learns at once that there is no name', async (_, program) => {
    const started = Date.now();
    const bare = await run(user, [...program, 'some.example']);
    const bareMs = Date.now() - started;
    expect(bare.stdout).toContain('127.0.0.9');
    upstream.take();
    for (const [rule, told] of [
      ['udp://192.0.2.1:123', 'denied name some.example'],
      ['icmp://192.0.2.1', ''],
    ] as const) {
      const start = Date.now();
      const { status, stdout, stderr } = await runSandboxed(
        user,
        { file: policy(rule, '192.0.2.1:443') },
        [...program, 'some.example'],
        { options: [] },
      );
      expect(status).not.toBe(0);
      expect(stdout).not.toContain('127.0.0.9');
      expect(stderr).toContain(told);
      expect(Date.now() - start - bareMs).toBeLessThan(4000);
    }
    expect(upstream.take()).toEqual([]);
  });

  test.each(['udp://127.0.0.53:53', 'udp://127.0.0.0/8:50-60', 'udp://*:*'])(
    'a server that %s opens is asked',
    async (rule) => {
      upstream.take();
      const { stdout } = await runSandboxed(user, { file: policy(rule) }, dig);
      expect(stdout).toBe('127.0.0.9\n');
      expect(upstream.take()).toEqual(['some.example 1 udp']);
    },
  );

  test('a server that a rule of TCP opens is asked over TCP, and no other', async () => {
    const file = policy('127.0.0.53:1-100', 'udp://192.0.2.1:123');
    upstream.take();
    const ask = ['sh', '-c', `${dig.join(' ')} +tcp; ${dig.join(' ')} +tcp @127.0.0.54`];
    expect((await runSandboxed(user, { file }, ask)).stdout).toBe('127.0.0.9\n');
    expect(upstream.take()).toEqual(['some.example 1 tcp']);
  });
});
