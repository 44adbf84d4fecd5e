import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { claim } from './harness/claim.ts';
import { finished, policyOf, run, runSandboxed, start } from './harness/run.ts';
import { makeDirectory, probe, users } from './harness/stage.ts';

const POLICIES = [
  { kind: 'nothing', datagrams: false, rules: [] },
  { kind: 'TCP', datagrams: false, rules: ['127.0.0.1:*'] },
  { kind: 'UDP', datagrams: true, rules: ['udp://127.0.0.1:*'] },
];

describe.each(users)('as $name', (user) => {
  describe.each(POLICIES)('under a policy that allows $kind', ({ rules, datagrams }) => {
    test('socket pairs: data and passed descriptors go through', async () => {
      const command = probe('unix', 'pair');
      const { stdout } = await run(user, command);
      expect(stdout).toContain('stream rights 1 -\ncarried 7 -\n');
      expect(stdout).not.toContain('-1');
      await claim({ user, policy: rules, command, prints: stdout.trimEnd().split('\n') });
    });

    test('a UNIX socket of its own on a path: listening, connecting, sending work', async () => {
      const lines = ['bind 0 -', 'listen 0 -', 'connect 0 -', 'accept 0 -', 'read 5 -'];
      const { stdout } = await run(user, probe('unix', 'own', makeDirectory()));
      expect(stdout).toBe(lines.map((line) => `${line}\n`).join(''));
      await claim({
        user,
        policy: rules,
        command: probe('unix', 'own', makeDirectory()),
        prints: lines,
      });
    });

    // A datagram socket honours a name in every message, so it exists only where messages are supervised.
    test(`a UNIX datagram socket of its own: ${datagrams ? 'works' : 'is refused'}`, async () => {
      const works = ['socket 0 -', 'bind 0 -', 'sendto 5 -', 'recv 5 -', 'pair 0 -'];
      const { stdout } = await run(user, probe('unix', 'datagram', makeDirectory()));
      expect(stdout).toBe(works.map((line) => `${line}\n`).join(''));
      await claim({
        user,
        policy: rules,
        command: probe('unix', 'datagram', makeDirectory()),
        prints: datagrams ? works : ['socket -1 EACCES', 'pair -1 EACCES'],
      });
    });

    test('UNIX sockets of others, on a path and abstract: nothing arrives', async () => {
      const path = join(makeDirectory(), 'daemon.sock');
      const abstract = `@${path}`;
      const command = probe('unix', 'reach', path, `${path}-d`, abstract, `${abstract}-d`);
      const daemon = await openDaemon(path);
      await run(user, command);
      // A connect each, and three datagrams each: by sendto, by sendmsg and from one end of a pair.
      expect(await daemon()).toBe('path 1 3\nabstract 1 3\n');
      const watched = await openDaemon(path);
      const outcome = await runSandboxed(user, policyOf(rules), command);
      expect(await watched()).toBe('path 0 0\nabstract 0 0\n');
      expect(outcome.status).toBe(0);
      for (const line of outcome.stdout.trimEnd().split('\n')) expect(line).toMatch(/ -1 E[A-Z]+$/);
    });

    test('the routing socket: interfaces and addresses are listed', async () => {
      const command = probe('netlink');
      const { stdout } = await run(user, command);
      expect(stdout).toContain('lo 1 -\ngetifaddrs 0 -\n127.0.0.1 1 -\n');
      await claim({ user, policy: rules, command, prints: stdout.trimEnd().split('\n') });
    });

    test('families and protocols that no rule speaks about: refused at socket()', async () => {
      const refused: Record<string, string> = {
        '2,1,262': 'EPROTONOSUPPORT',
        '10,1,262': 'EPROTONOSUPPORT',
        '2,1,132': 'EPROTONOSUPPORT',
        '2,2,136': 'EPROTONOSUPPORT',
        '2,3,1': 'EPROTONOSUPPORT',
        '10,3,58': 'EPROTONOSUPPORT',
        '2,3,255': 'EPROTONOSUPPORT',
        '17,3,768': 'EAFNOSUPPORT',
        '40,1,0': 'EAFNOSUPPORT',
        '38,5,0': 'EAFNOSUPPORT',
        '43,1,0': 'EAFNOSUPPORT',
        '44,3,0': 'EAFNOSUPPORT',
        '16,3,4': 'EPROTONOSUPPORT',
        '16,3,2': 'EPROTONOSUPPORT',
        '16,3,15': 'EPROTONOSUPPORT',
      };
      await claim({
        user,
        policy: rules,
        command: probe('sockets', ...Object.keys(refused)),
        prints: Object.entries(refused).map(([triple, errno]) => `${triple} -1 ${errno}`),
      });
    });
  });
});

/** A process outside that listens on four UNIX names; the function ends it and returns what it counted. */
async function openDaemon(path: string): Promise<() => Promise<string>> {
  const child = start({ name: 'root', uid: 0 }, probe('unix', 'daemon', path));
  const outcome = finished(child);
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return async () => {
    child.stdin?.end();
    return (await outcome).stdout.replace('ready\n', '');
  };
}
