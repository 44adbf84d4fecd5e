/**
 * Live names and wildcards: asked of a scripted server while the command runs, opened for what
 * their rules say before the answer comes, and nothing else. Servers listen on every loopback
 * address, so whatever is refused would have been reached.
 */
import { createSocket } from 'node:dgram';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { run, runSandboxed } from '../e2e/harness/run.ts';
import { node, probe, users } from '../e2e/harness/stage.ts';
import { compile } from './table.ts';
import { A, CNAME, type Reply, startUpstream, type Upstream, useServer } from './upstream.ts';

let upstream: Upstream;
let servers: readonly Server[];
/** The port that the rules name, and one that they do not; servers listen on both. */
let port = 0;
let otherPort = 0;
/** Local addresses at which connections arrived. */
const reached: string[] = [];
let turn = 0;

const many = (name: string): Reply => ({
  answers: Array.from({ length: 40 }, (_, i) => [name, A, 30, `127.0.3.${i + 1}`] as const),
});

/** What the names of these tests answer. */
function script(name: string, type: number, transport: 'udp' | 'tcp'): Reply {
  const [label = ''] = name.split('.');
  if (label === 'loop') return { answers: [[name, CNAME, 1, name]] };
  if (label === 'bad') return { rest: Buffer.from('c0ff00', 'hex') };
  if (label === 'pointer') return { rest: Buffer.from('c00c00010001000000010004', 'hex') };
  if (label === 'silent') return { isSilent: true };
  if (label === 'failing') return { code: 2 };
  if (label === 'missing') return { code: 3 };
  if (label === 'alias') return { answers: [[name, CNAME, 30, 'far.elsewhere.test']] };
  if (type !== A) return {};
  switch (label) {
    case 'turning':
      return { answers: [[name, A, 0, `127.0.1.${++turn}`]] };
    case 'chain':
      return {
        answers: [
          [name, CNAME, 30, 'x.else'],
          ['x.else', A, 30, '127.0.2.1'],
        ],
      };
    case 'denied':
      return { answers: [[name, A, 30, '127.0.5.77']] };
    case 'far':
      return { answers: [[name, A, 30, '127.0.2.2']] };
    case 'large':
      return transport === 'tcp' ? many(name) : { isTruncated: true };
    case 'inside':
      return {
        answers: [
          [name, A, 30, '127.0.4.1'],
          [name, A, 30, '10.0.0.1'],
        ],
      };
    default:
      return { answers: [[name, A, 30, '127.0.5.1']] };
  }
}

beforeAll(async () => {
  useServer('127.0.0.53');
  upstream = await startUpstream(script);
  servers = [1, 2].map(() =>
    createServer((socket: Socket) => {
      reached.push(socket.localAddress?.replace('::ffff:', '') ?? '');
      socket.on('error', () => {});
      socket.end('seen\n');
    }),
  );
  for (const server of servers) await new Promise<void>((done) => server.listen(0, done));
  [port = 0, otherPort = 0] = servers.map((server) => (server.address() as AddressInfo).port);
});
afterAll(() => {
  upstream.close();
  for (const server of servers) server.close();
});

/** Connects to each NAME:PORT or ADDRESS:PORT in turn; prints `ADDRESS seen`, or the error. */
const connect = (...places: readonly string[]): string[] => [
  node,
  '-e',
  `const {connect} = require('net');
   (async () => { for (const place of process.argv.slice(1)) {
     const [host, port] = place.split(':');
     await new Promise((done) => {
       const socket = connect({host, port, family: 4}, () => {});
       socket.on('data', (data) => { console.log(socket.remoteAddress, String(data).trim()); socket.destroy(); });
       socket.on('error', ({code}) => console.log(code)); socket.on('close', done);
     }); } })()`,
  ...places,
];

const policy = (rest: string = ''): string => `[network]
allow = ["turning.live.test:${port}", "inside.public.test:${port}", "*.wild.test:${port}", "udp://192.0.2.1:123"]
deny = ["127.0.5.77:*"]
[dns]
resolve = "live"
private = ["*.live.test", "*.wild.test"]
${rest}`;

describe.each(users)('as $name', (user) => {
  const runs = async (command: readonly string[], options?: readonly string[]) => {
    reached.length = 0;
    upstream.take();
    const file = compile(policy());
    const outcome = await runSandboxed(user, { file }, command, {
      ...(options && { options }),
      timeoutMs: 30_000,
    });
    return { ...outcome, lines: outcome.stdout.trim().split('\n') };
  };

  test('an address that turns with every answer is reached each time, and earlier ones stay open', async () => {
    turn = 0;
    const name = `turning.live.test:${port}`;
    const { lines } = await runs(
      connect(name, name, name, `127.0.1.1:${port}`, `127.0.1.9:${port}`),
    );
    expect(lines).toEqual([
      '127.0.1.1 seen',
      '127.0.1.2 seen',
      '127.0.1.3 seen',
      '127.0.1.1 seen',
      'ECONNREFUSED',
    ]);
    expect(reached).toEqual(['127.0.1.1', '127.0.1.2', '127.0.1.3', '127.0.1.1']);
  });

  test('a wildcard opens what was answered, on its port, and not its own name, what nobody asked for, or what is denied', async () => {
    const { lines } = await runs(
      connect(
        `127.0.5.1:${port}`,
        `any.depth.wild.test:${port}`,
        `127.0.5.1:${port}`,
        `127.0.5.1:${otherPort}`,
        `wild.test:${port}`,
        `127.0.5.2:${port}`,
        `denied.wild.test:${port}`,
      ),
    );
    expect(lines).toEqual([
      'ECONNREFUSED',
      '127.0.5.1 seen',
      '127.0.5.1 seen',
      'ECONNREFUSED',
      'ENOTFOUND',
      'ECONNREFUSED',
      'ECONNREFUSED',
    ]);
    expect(reached).toEqual(['127.0.5.1', '127.0.5.1']);
    const asked = new Set(upstream.take().map((question) => question.split(' ')[0]));
    expect([...asked]).toEqual(['any.depth.wild.test', 'denied.wild.test']);
  });

  test('what a wildcard opens for TCP is not open for UDP', async () => {
    const datagrams: string[] = [];
    const udp = createSocket('udp4', (data) => datagrams.push(String(data)));
    await new Promise<void>((done) => udp.bind(port, '127.0.5.1', done));
    const send = `import socket
print(socket.gethostbyname("udp.wild.test"))
socket.create_connection(("127.0.5.1", ${port})).close()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
  udp.sendto(b"out", ("127.0.5.1", ${port}))
  print("sent")
except ConnectionRefusedError:
  print("refused")`;
    try {
      const { lines } = await runs(['python3', '-c', send]);
      expect(lines).toEqual(['127.0.5.1', 'refused']);
      expect(datagrams).toEqual([]);
      const bare = await run(user, ['python3', '-c', send]);
      expect(bare.stdout).toContain('sent');
      await vi.waitFor(() => expect(datagrams).toEqual(['out']));
    } finally {
      udp.close();
    }
  });

  test('aliases are followed, here and there, and answers that were cut are asked for again', async () => {
    const { lines } = await runs(
      connect(`chain.wild.test:${port}`, `alias.wild.test:${port}`, `large.wild.test:${port}`),
    );
    expect(lines.slice(0, 2)).toEqual(['127.0.2.1 seen', '127.0.2.2 seen']);
    expect(lines[2]).toMatch(/^127\.0\.3\.\d+ seen$/);
    const { stdout } = await runs([
      'sh',
      '-c',
      'dig +noall +answer large.wild.test; dig +noall +answer chain.wild.test',
    ]);
    const answers = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/));
    expect(answers).toHaveLength(41);
    expect(answers.at(-1)).toEqual([
      'chain.wild.test.',
      expect.any(String),
      'IN',
      'A',
      '127.0.2.1',
    ]);
  });

  test.each([
    ['loop', 'EAI_AGAIN'],
    ['bad', 'EAI_AGAIN'],
    ['pointer', 'EAI_AGAIN'],
    ['failing', 'EAI_AGAIN'],
    ['silent', 'EAI_AGAIN'],
    ['missing', 'ENOTFOUND'],
  ])('%s answers end in %s, in time, and open nothing', async (name, code) => {
    const start = Date.now();
    const { lines } = await runs(connect(`${name}.wild.test:${port}`));
    expect(lines).toEqual([code]);
    // A and AAAA at the same time, 4 seconds; glibc asks once more.
    expect(Date.now() - start).toBeLessThan(12_000);
    expect(reached).toEqual([]);
  });

  test('an address of the inside is left out, told with the fix, and not opened', async () => {
    const place = `inside.public.test:${port}`;
    const { lines, stderr } = await runs(connect(place, `127.0.4.1:${port}`), []);
    expect(lines).toEqual(['ENOTFOUND', 'ECONNREFUSED']);
    expect(stderr).toContain('denied name inside.public.test');
    expect(stderr).toContain('[dns] private = ["inside.public.test"]');
    expect(reached).toEqual([]);
  });

  test('names that no rule names are never asked for, whoever asks', async () => {
    const names = [
      'live.test',
      'x.turning.live.test',
      'secret.data.example',
      'wild.test.example',
      'xwild.test',
    ];
    const script = `for name in ${names.join(' ')}; do dig +short $name; dig +tcp +short $name TXT; getent hosts $name; done`;
    const { stdout } = await runs(['sh', '-c', script]);
    expect(stdout).toBe('');
    expect(upstream.take()).toEqual([]);
  });

  test('letters below a wildcard are bounded and slowed', async () => {
    const long = `${'a'.repeat(60)}.${'b'.repeat(60)}.wild.test`;
    const script = `dig +short ${long}; seq 100 | sed 's/.*/n&.wild.test/' | xargs -P 4 -n 25 dig +short +tries=1`;
    const start = Date.now();
    const { stderr } = await runs(['sh', '-c', script], []);
    const seconds = (Date.now() - start) / 1000;
    const asked = new Set(upstream.take().map((line) => line.split(' ')[0]));
    expect(asked.has(long)).toBe(false);
    expect(asked.size).toBeGreaterThanOrEqual(64);
    // A burst of 64, then one a second (executor/src/names/limit.rs).
    expect(asked.size).toBeLessThanOrEqual(65 + seconds);
    expect(stderr).toContain(`denied name ${long} `);
  });

  test('300 lookups at the same time are one question each for A and AAAA', async () => {
    const { stdout } = await runs(probe('go-lookup', 'many', '300', 'busy.wild.test'));
    expect(stdout).toBe('0 failed\n');
    expect(upstream.take().length).toBeLessThan(10);
  });
});
