/**
 * Names that stand in the machine's own hosts file, which programs read before they ask anyone. The
 * mount namespace is the tests' own, and so is the file.
 */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openWeb } from '../e2e/harness/http.ts';
import { policyOf, run, runSandboxed } from '../e2e/harness/run.ts';
import { makeFile, users } from '../e2e/harness/stage.ts';
import { RESOLVERS } from './resolvers.ts';
import { A, AAAA, startUpstream, type Upstream, useServer } from './upstream.ts';

/** No route leads to 2001:db8::1, so every resolver puts it last; who can not ask for its source puts it first. */
const HOSTS = [
  '127.0.0.1 localhost',
  '::1 six.test',
  '2001:db8::1 both.test',
  '127.0.0.5 both.test',
  '127.0.0.6 OWN.live.test # a name that live rules allow',
  '127.0.0.7 inside.public.test',
];

let upstream: Upstream;
beforeAll(async () => {
  useServer('127.0.0.53');
  // Whoever asks for a name of the file hears another address, and one of the other family.
  upstream = await startUpstream((name, type) => {
    if (type === A) return { answers: [[name, A, 60, '127.0.0.9']] };
    return type === AAAA ? { answers: [[name, AAAA, 60, '0:0:0:0:0:0:0:1']] } : {};
  });

  const file = makeFile('hosts', HOSTS.map((line) => `${line}\n`).join(''));
  execFileSync('mount', ['--bind', file, '/etc/hosts']);
});
afterAll(() => {
  upstream.close();
  execFileSync('umount', ['/etc/hosts']);
});

/** Without a port, with one, and with one of their own. */
const SORTING = ['getent (glibc)', 'node dns.lookup', 'python', 'musl'];

describe.each(users)('as $name', (user) => {
  /** TCP by address alone: UDP is closed, and there are no names. */
  const policy = (port: string) =>
    policyOf([`127.0.0.5:${port}`, `[2001:db8::1]:${port}`, `[::1]:${port}`]);

  test.each(RESOLVERS.filter(([name]) => SORTING.includes(name)))(
    '%s puts addresses in the order that it puts them in without sandlock',
    async (_, program) => {
      const bare = await run(user, [...program, 'both.test']);
      expect(bare.stdout).toMatch(/^127\.0\.0\.5\n(.*\n)*2001:db8::1\n/);
      expect(await runSandboxed(user, policy('80'), [...program, 'both.test'])).toEqual(bare);
    },
  );

  test('curl reaches an address of IPv6, and an address of a name', async () => {
    const web = await openWeb(['127.0.0.5', '::1'], () => 'served\n');
    for (const [option, host] of [
      ['-6', '[::1]'],
      ['-6', 'six.test'],
      ['-4', 'both.test'],
    ] as const) {
      const command = ['curl', '-sS', option, `http://${host}:${web.port}/`];
      const bare = await run(user, command);
      expect(bare).toMatchObject({ stdout: 'served\n', status: 0 });
      expect(await runSandboxed(user, policy(`${web.port}`), command)).toEqual(bare);
    }
  });

  const live = (port: string | number) => `[network]
allow = ["own.live.test:${port}", "other.live.test:${port}", "inside.public.test:${port}"]
[dns]
resolve = "live"
private = ["*.live.test"]
`;

  // c-ares fails where one of the two families has no address.
  test.each(RESOLVERS.filter(([name]) => !name.includes('c-ares')))(
    '%s gets what the file says of a live name, and nobody is asked for it',
    async (_, program) => {
      upstream.take();
      const { stdout } = await runSandboxed(user, live(80), [...program, 'own.live.test']);
      expect([...new Set(stdout.trim().split('\n'))]).toEqual(['127.0.0.6']);
      expect(upstream.take()).toEqual([]);
      const other = await runSandboxed(user, live(80), [...program, 'other.live.test']);
      expect(other.stdout).toContain('127.0.0.9');
      expect(upstream.take()).toContain('other.live.test 1 udp');
    },
  );

  test('that address is open, by name and before anybody has asked, and the one of the server is not', async () => {
    const web = await openWeb(['127.0.0.6', '127.0.0.9'], () => 'served\n');
    const curl = (host: string) => ['curl', '-sS', `http://${host}:${web.port}/`];
    const under = (host: string) => runSandboxed(user, live(web.port), curl(host));
    for (const host of ['own.live.test', '127.0.0.6'])
      expect(await under(host)).toMatchObject({ stdout: 'served\n', status: 0 });
    expect(await under('127.0.0.9')).toMatchObject({ stdout: '', status: 7 });
    expect(await run(user, curl('127.0.0.9'))).toMatchObject({ stdout: 'served\n' });
    expect([web.requests('127.0.0.6'), web.requests('127.0.0.9')]).toEqual([['/', '/'], ['/']]);
  });

  test('an address of the inside needs the word of the policy, in the file as well, and is told when it is asked for', async () => {
    const web = await openWeb(['127.0.0.7'], () => 'served\n');
    const policy = live(web.port);
    const url = `http://inside.public.test:${web.port}/`;
    expect((await runSandboxed(user, policy, ['curl', '-sS', url])).status).not.toBe(0);
    expect(web.requests('127.0.0.7')).toEqual([]);
    const asked = await runSandboxed(user, policy, ['dig', '+short', 'inside.public.test'], {
      options: [],
    });
    expect(asked.stdout).toBe('');
    expect(asked.stderr).toContain('inside.public.test');
    expect(await run(user, ['curl', '-sS', url])).toMatchObject({ stdout: 'served\n' });
  });
});
