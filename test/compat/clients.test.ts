/**
 * Clients of servers outside: by name, by UDP, over ssh; and ping.
 */
import { createSocket } from 'node:dgram';
import { mkdirSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openWeb } from '../e2e/harness/http.ts';
import { finished, killGroup, run, start } from '../e2e/harness/run.ts';
import { makeDirectory, type User, users } from '../e2e/harness/stage.ts';
import { ownPort, unchanged } from './unchanged.ts';

const ROOT: User = { name: 'root', uid: 0 };

describe.each(users)('as $name', (user) => {
  test('curl and wget by name: both families of localhost', async () => {
    const web = await openWeb(['127.0.0.1', '::1'], () => 'served\n');
    const url = `http://localhost:${web.port}/`;
    await unchanged({
      user,
      port: web.port,
      policy: ['localhost:PORT'],
      script: `curl -sS ${url}; curl -4 -sS ${url}; curl -6 -sS ${url}; wget -q -O - ${url}
        curl -sS -o /dev/null --tcp-fastopen ${url}; curl -sS --interface 127.0.0.1 -4 ${url}`,
      prints: 'served\n'.repeat(5),
    });
    expect([web.requests('127.0.0.1').length > 0, web.requests('::1').length > 0]).toEqual([
      true,
      true,
    ]);
  });

  test('dig, and python by the resolver of libc: answers of a name server', async () => {
    const port = await openNameServer();
    await unchanged({
      user,
      port,
      policy: ['udp://127.0.0.1:PORT'],
      script: `dig +short +tries=1 +time=5 @127.0.0.1 -p ${port} host.test A
        dig +short +tries=1 +time=5 @127.0.0.1 -p ${port} host.test AAAA
        getent hosts localhost | sed 's/ .*//'`,
      prints: '192.0.2.7\n2001:db8::7\n::1\n',
    });
  });

  // sshd needs root and other users.
  if (users.length > 1) {
    test('git over ssh: clones and pushes', async () => {
      const { port, key } = await openSshd(user);
      await unchanged({
        user,
        port,
        policy: ['127.0.0.1:PORT'],
        env: {
          GIT_SSH_COMMAND: `ssh -q -F none -i ${key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes`,
        },
        script: `ssh_git() { git -c user.name=t -c user.email=t@example.com -c init.defaultBranch=main "$@"; }
          $GIT_SSH_COMMAND -p $PORT root@127.0.0.1 "git init -q --bare $PWD/away.git"
          ssh_git init -q work && cd work && echo one > file && ssh_git add file
          ssh_git commit -qm first
          ssh_git push -q ssh://root@127.0.0.1:$PORT$PWD/../away.git main
          cd .. && ssh_git clone -q -b main ssh://root@127.0.0.1:$PORT$PWD/away.git copy
          cat copy/file
          scp -q -F none -i ${key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \\
            -P $PORT copy/file root@127.0.0.1:$PWD/sent && cat sent`,
        prints: 'one\none\n',
      });
    });
  }

  test('ping with ICMP rules alone: both families, and the refused address says so', async () => {
    await unchanged({
      user,
      policy: ['icmp://127.0.0.1', 'icmp://[::1]'],
      script: `ping -n -c 2 -i 0.2 -W 2 127.0.0.1 | grep -o '2 packets transmitted, 2 received'
        ping -n -6 -c 1 -W 2 ::1 | grep -o '1 packets transmitted, 1 received'`,
      prints: '2 packets transmitted, 2 received\n1 packets transmitted, 1 received\n',
    });
  });

  test('python asyncio, requests by urllib, and node fetch at once to one server', async () => {
    const web = await openWeb(['127.0.0.1'], () => 'served\n');
    const url = `http://127.0.0.1:${web.port}/`;
    await unchanged({
      user,
      port: web.port,
      policy: ['127.0.0.1:PORT'],
      script: `python3 -c '
import asyncio
async def one():
    reader, writer = await asyncio.open_connection("127.0.0.1", ${web.port})
    writer.write(b"GET / HTTP/1.0\\r\\n\\r\\n")
    body = (await reader.read()).split(b"\\r\\n\\r\\n")[1]
    writer.close()
    return body
async def main(): print(len([x for x in await asyncio.gather(*[one() for _ in range(50)]) if x == b"served\\n"]))
asyncio.run(main())'
        for i in 1 2 3 4 5 6 7 8; do curl -sS ${url} & done; wait`,
      prints: `50\n${'served\n'.repeat(8)}`,
    });
  });
});

/** A name server with one answer of each family. */
async function openNameServer(): Promise<number> {
  const server = createSocket('udp4');
  server.on('message', (query, from) => {
    const end = query.indexOf(0, 12) + 5;
    const isV6 = query.readUInt16BE(end - 4) === 28;
    const header = Buffer.from([query[0] ?? 0, query[1] ?? 0, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    const data = isV6
      ? Buffer.from('20010db8000000000000000000000007', 'hex')
      : Buffer.from([192, 0, 2, 7]);
    const head = Buffer.from([0xc0, 12, 0, isV6 ? 28 : 1, 0, 1, 0, 0, 0, 60, 0, data.length]);
    server.send(Buffer.concat([header, query.subarray(12, end), head, data]), from.port);
  });
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  return server.address().port;
}

/** An ssh server that lets the user's new key in as root. */
async function openSshd(user: User): Promise<{ readonly port: number; readonly key: string }> {
  mkdirSync('/run/sshd', { recursive: true });
  const port = ownPort();
  const home = makeDirectory();
  const own = makeDirectory();
  const make = (owner: User, directory: string) =>
    run(owner, ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', `${directory}/key`]);
  expect((await make(ROOT, home)).status).toBe(0);
  expect((await make(user, own)).status).toBe(0);
  const options = [
    `AuthorizedKeysFile=${own}/key.pub`,
    'StrictModes=no',
    'UsePAM=no',
    'PidFile=none',
    'PermitRootLogin=yes',
    'Subsystem=sftp internal-sftp',
    'ListenAddress=127.0.0.1',
  ].flatMap((option) => ['-o', option]);
  const command = ['-D', '-e', '-f', '/dev/null', '-p', String(port), '-h', `${home}/key`];
  const server = start(ROOT, ['/usr/sbin/sshd', ...command, ...options]);
  const end = finished(server, 60_000);
  onTestFinished(async () => {
    if (server.pid !== undefined) killGroup(server.pid);
    await end;
  });
  await new Promise<void>((resolve, reject) => {
    server.stderr?.on('data', (text: string) => text.includes('listening') && resolve());
    server.once('close', () => reject(new Error('sshd ended')));
  });
  return { port, key: `${own}/key` };
}
