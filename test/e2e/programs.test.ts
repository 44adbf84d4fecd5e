/**
 * Real programs against local servers, each once where it may go and once where it may not. The refused server is shown
 * to be reachable by the same command without sandlock.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openWeb } from './harness/http.ts';
import { openTcp, openUdp } from './harness/listen.ts';
import { makeRepository, readRepository } from './harness/repository.ts';
import { policyOf, run, runSandboxed } from './harness/run.ts';
import { makeDirectory, makeFile, node, probe, users } from './harness/stage.ts';

const GOOD = '127.0.0.1';
const BAD = '127.0.0.2';
const BODY = 'served\n';

const CLIENTS = [
  {
    name: 'curl',
    command: (url: string) => ['curl', '-sS', '--max-time', '10', url],
    refused:
      /^curl: \(7\) Failed to connect to 127\.0\.0\.2 port \d+ after \d+ ms: Could(n't| not) connect to server\n$/,
    status: 7,
  },
  {
    name: 'python3 urllib',
    command: (url: string) => [
      ...['python3', '-c'],
      `import urllib.request as u; print(u.urlopen('${url}', timeout=10).read().decode(), end='')`,
    ],
    refused: /urllib\.error\.URLError: <urlopen error \[Errno 111\] Connection refused>\n$/,
    status: 1,
  },
  {
    name: "node's fetch",
    command: (url: string) => [
      ...[node, '-e'],
      `fetch('${url}').then((r) => r.text()).then((t) => process.stdout.write(t))` +
        `.catch((e) => { console.error(e.cause.code); process.exitCode = 1; })`,
    ],
    refused: /^ECONNREFUSED\n$/,
    status: 1,
  },
  {
    name: 'nc',
    command: (url: string) => {
      const { hostname, port } = new URL(url);
      const ask = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -N ${hostname} ${port}`;
      return ['bash', '-c', `set -o pipefail; ${ask} | tail -n 1`];
    },
    refused: /^$/,
    status: 1,
  },
] as const;

describe.each(users)('as $name', (user) => {
  test.each(CLIENTS)(
    '$name: reads from the allowed server, is refused the other',
    async (client) => {
      const web = await openWeb([GOOD, BAD], () => BODY);
      const urls = [GOOD, BAD].map((host) => `http://${host}:${web.port}/`) as [string, string];
      const policy = policyOf([`${GOOD}:${web.port}`]);
      const served = { stdout: BODY, stderr: '', status: 0, signal: null, timedOut: false };
      for (const url of urls) expect(await run(user, client.command(url))).toEqual(served);
      expect(await runSandboxed(user, policy, client.command(urls[0]))).toEqual(served);
      const refused = await runSandboxed(user, policy, client.command(urls[1]));
      expect(refused).toMatchObject({ stdout: '', status: client.status, timedOut: false });
      expect(refused.stderr).toMatch(client.refused);
      expect([web.requests(GOOD), web.requests(BAD)]).toEqual([['/', '/'], ['/']]);
    },
  );

  test('curl by host name: the name resolves and its address is reached', async () => {
    const web = await openWeb([GOOD], () => BODY);
    const url = `http://localhost:${web.port}/`;
    const policy = policyOf([`localhost:${web.port}`]);
    expect(await runSandboxed(user, policy, ['curl', '-sS', url])).toEqual({
      ...{ stdout: BODY, stderr: '', status: 0, signal: null, timedOut: false },
    });
  });

  test('git clone over http: works where allowed, fails where not', async () => {
    const repository = makeRepository();
    const web = await openWeb([GOOD, BAD], (path) => readRepository(repository, path));
    const policy = policyOf([`${GOOD}:${web.port}`]);
    const clone = (host: string) => {
      const copy = join(makeDirectory(), 'copy');
      return { copy, command: ['git', 'clone', '-q', `http://${host}:${web.port}/a.git`, copy] };
    };
    const bare = clone(BAD);
    expect((await run(user, bare.command)).status).toBe(0);
    expect(readFileSync(join(bare.copy, 'file.txt'), 'utf8')).toBe('content\n');
    const asked = web.requests(BAD).length;
    const good = clone(GOOD);
    expect(await runSandboxed(user, policy, good.command)).toMatchObject({ stderr: '', status: 0 });
    expect(readFileSync(join(good.copy, 'file.txt'), 'utf8')).toBe('content\n');
    const refused = await runSandboxed(user, policy, clone(BAD).command);
    expect(refused.status).toBe(128);
    expect(refused.stderr).toContain(`fatal: unable to access 'http://${BAD}:${web.port}/a.git/'`);
    expect(web.requests(BAD).length).toBe(asked);
  });

  test('nc with UDP: the datagram arrives where allowed only', async () => {
    const [a, b] = await openUdp(GOOD, BAD);
    const command = (host: string) => [
      ...['bash', '-c', `printf hello | nc -u -w 1 ${host} ${a.port}; true`],
    ];
    await run(user, command(BAD));
    expect(await b.take()).toEqual(['hello']);
    const policy = policyOf([`udp://${a.rule}`]);
    await runSandboxed(user, policy, command(GOOD));
    await runSandboxed(user, policy, command(BAD));
    expect([await a.take(), await b.take()]).toEqual([['hello'], []]);
  });

  test('socat: relays to the allowed address, is refused the other', async () => {
    const [a, b] = await openTcp(GOOD, BAD);
    const policy = policyOf([a.rule]);
    const command = (host: string) => ['socat', '-u', 'STDIN', `TCP4:${host}:${a.port}`];
    const input = { input: 'through socat' };
    await run(user, command(BAD), input);
    expect(await b.take()).toEqual(['through socat']);
    expect(await runSandboxed(user, policy, command(GOOD), input)).toMatchObject({ status: 0 });
    const refused = await runSandboxed(user, policy, command(BAD), input);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/Connection refused\n/);
    expect([await a.take(), await b.take()]).toEqual([['through socat'], []]);
  });

  test.each([
    { kind: 'TCP', rules: ['127.0.0.1:*'] },
    { kind: 'UDP', rules: ['udp://127.0.0.1:*'] },
  ])(
    'python under a policy for $kind: worker processes and passed sockets work',
    async ({ rules }) => {
      const script = `
import array, multiprocessing as m, socket
def square(n): return n * n
if __name__ == '__main__':
    with m.get_context('fork').Pool(2) as pool: print(pool.map(square, range(5)))
    a, b = socket.socketpair()
    x, y = socket.socketpair()
    socket.send_fds(a, [b'fd'], [y.fileno()])
    message, fds, _, _ = socket.recv_fds(b, 8, 1)
    socket.socket(fileno=fds[0]).send(b'over the passed socket')
    print(x.recv(64).decode(), [name for _, name in socket.if_nameindex()][0])
    print(sorted({i[4][0] for i in socket.getaddrinfo('localhost', 80, socket.AF_INET)}))
`;
      expect(await runSandboxed(user, policyOf(rules), ['python3', '-c', script])).toEqual({
        stdout: "[0, 1, 4, 9, 16]\nover the passed socket lo\n['127.0.0.1']\n",
        ...{ stderr: '', status: 0, signal: null, timedOut: false },
      });
    },
  );

  test.each([
    { kind: 'TCP', more: [] },
    { kind: 'TCP and UDP', more: ['udp://127.0.0.1:*'] },
  ])(
    'node under a policy for $kind: hands a connected socket to a child process',
    async ({ more }) => {
      const [a] = await openTcp(GOOD);
      const script = `
const { fork } = require('node:child_process');
if (process.send) process.on('message', (_, s) => s.end('from the child', () => process.exit()));
else {
  const child = fork(__filename);
  const socket = require('node:net').connect(${a.port}, '${GOOD}', () => child.send('take it', socket));
  child.on('exit', (status) => console.log('child ended with', status));
}`;
      const file = makeFile('parent.cjs', script);
      expect(await runSandboxed(user, policyOf([a.rule, ...more]), [node, file])).toEqual({
        stdout: 'child ended with 0\n',
        ...{ stderr: '', status: 0, signal: null, timedOut: false },
      });
      expect(await a.take()).toEqual(['from the child']);
    },
  );

  test('ip addr: lists the interfaces as it does without sandlock', async () => {
    const command = ['ip', '-brief', 'addr', 'show', 'lo'];
    const bare = await run(user, command);
    expect(bare.stdout).toContain('127.0.0.1/8');
    expect(await runSandboxed(user, policyOf(['127.0.0.1:*']), command)).toEqual(bare);
  });

  test('strace -f: traces the programs it starts', async () => {
    const [a] = await openTcp(GOOD);
    const command = [
      'strace',
      '-f',
      '-qq',
      '-e',
      'trace=connect',
      ...probe('connect', `tcp=${a.at}`),
    ];
    const outcome = await runSandboxed(user, policyOf([a.rule]), command);
    expect(outcome).toMatchObject({ stdout: `tcp=${a.at} 0 -\n`, status: 0, timedOut: false });
    expect(outcome.stderr).toMatch(/^connect\(\d+, \{sa_family=AF_INET, .*\}, 16\) = 0\n$/);
    expect(await a.take()).toEqual(['hello']);
  });
});

/** A bare repository of one commit, ready for the plain-files protocol. */
