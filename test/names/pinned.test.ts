/**
 * Pinned names: every resolver gets exactly the pinned addresses, a name that no rule names fails
 * at once, and no question leaves the sandbox. The server behind it knows all names, so without
 * sandlock each program reaches what it is kept from here.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openTcp } from '../e2e/harness/listen.ts';
import { run, runSandboxed } from '../e2e/harness/run.ts';
import { makeDirectory, native, probe, stage, users } from '../e2e/harness/stage.ts';
import { RESOLVERS } from './resolvers.ts';
import { compile } from './table.ts';
import { A, AAAA, startUpstream, type Upstream, useServer } from './upstream.ts';

const PINNED = ['127.0.0.6', '127.0.0.7', '::1'];
const HOSTS = ['127.0.0.7 two.test', '127.0.0.6 two.test', '::1 two.test', '127.0.0.5 four.test'];
const POLICY = (port: string): string => `[network]
allow = ["two.test:${port}", "four.test:${port}"]
[dns]
resolve = "compile"
private = ["*.test"]
`;

/** Three sockets of one port ask a server each, all before the first is answered; prints who was answered what. */
const SHARED = `
import socket, sys
labels = b''.join(bytes([len(label)]) + label.encode() for label in sys.argv[1].split('.'))
sockets = []
for number in range(1, 4):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    udp.settimeout(2)
    udp.bind(('0.0.0.0', 5300))
    udp.connect((f'192.0.2.{number}', 53))
    sockets.append(udp)
for number, udp in enumerate(sockets, 1):
    udp.send(bytes([0, number]) + b'\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0' + labels + b'\\0\\0\\1\\0\\1')
told = []
for udp in sockets:
    try:
        data, source = udp.recvfrom(512)
        told += [source[0], str(data[1])]
    except TimeoutError:
        told += ['nothing']
print(*told)
`;

let upstream: Upstream;
beforeAll(async () => {
  useServer('127.0.0.53');
  upstream = await startUpstream((name, type) =>
    type === A || type === AAAA
      ? {
          answers:
            type === A ? [[name, A, 60, '127.0.0.9']] : [[name, AAAA, 60, '0:0:0:0:0:0:0:1']],
        }
      : {},
  );
});
afterAll(() => upstream.close());

describe.each(users)('as $name', (user) => {
  const table = compile(POLICY('80'), HOSTS);

  test.each(RESOLVERS)(
    '%s gets exactly the pinned addresses, and an unlisted name fails at once',
    async (_, program) => {
      const bare = await run(user, [...program, 'unlisted.example']);
      expect(bare.status).toBe(0);
      expect(bare.stdout).toContain('127.0.0.9');
      upstream.take();

      const started = Date.now();
      const listed = await runSandboxed(user, { file: table }, [...program, 'two.test']);
      const usualMs = Date.now() - started;
      expect(listed.stderr).toBe('');
      const lines = [...new Set(listed.stdout.trim().split('\n'))].sort();
      expect(lines).toEqual(PINNED);
      const start = Date.now();
      const unlisted = await runSandboxed(user, { file: table }, [...program, 'unlisted.example']);
      expect(unlisted.status).not.toBe(0);
      expect(unlisted.stdout).not.toMatch(/127\.0\.0\.9|::1/);
      expect(Date.now() - start - usualMs).toBeLessThan(4000);
      expect(upstream.take()).toEqual([]);
    },
  );

  test('curl and git reach a pinned name, and not a name that is not listed', async () => {
    const [listed, unlisted] = [await openTcp('127.0.0.5'), await openTcp('127.0.0.9')].flat();
    const port = (listed?.at ?? '').split(/[:/]/).at(-1) ?? '';
    const other = (unlisted?.at ?? '').split(/[:/]/).at(-1) ?? '';
    const file = compile(POLICY(port), HOSTS);
    for (const program of [
      ['curl', '-m', '2'],
      ['git', 'ls-remote'],
    ]) {
      const denied = [...program, `http://unlisted.example:${other}/`];
      await run(user, denied, { timeoutMs: 3000 });
      expect(await unlisted?.take(), 'reached without sandlock').not.toEqual([]);
      const { stderr } = await runSandboxed(user, { file }, denied, { timeoutMs: 8000 });
      expect(stderr).toMatch(/resolve host/i);
      expect(await unlisted?.take()).toEqual([]);
      await runSandboxed(user, { file }, [...program, `http://four.test:${port}/`], {
        timeoutMs: 3000,
      });
      expect(await listed?.take()).not.toEqual([]);
    }
  });

  test('a name that is denied is told, once, with who asked; search domains of a listed one are not', async () => {
    const names = [
      'one.example',
      'one.example',
      'two.test.search.example',
      '1.0.0.127.in-addr.arpa',
    ];
    const script = `for name in ${names.join(' ')}; do dig +short $name; done`;
    const { stderr } = await runSandboxed(user, { file: table }, ['sh', '-c', script], {
      options: [],
    });
    expect(stderr).toMatch(/^sandlock: denied name one\.example — \S+\[\d+\]; no rule names it\n$/);
  });

  test('a receive gets its answer from the server that was asked, in every way there is', async () => {
    const command = ['python3', `${stage}/bin/receive.py`, 'two.test'];
    const { stdout, stderr } = await runSandboxed(user, { file: table }, command);
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n')).toEqual([
      "recvfrom 1234 ('192.0.2.53', 53)",
      "recvmsg 20 True ('192.0.2.54', 53)",
      "peek 16 ('192.0.2.55', 53)",
      "after the peek True ('192.0.2.55', 53)",
      'nothing left',
      'timeout True',
      'signal True',
      "v6 ('2001:db8::53', 53, 0, 0)",
      "mapped ('::ffff:192.0.2.56', 53, 0, 0)",
      "connected ('192.0.2.57', 53)",
      'a pair untouched',
      "control SCM_TIMESTAMP ('192.0.2.60', 53)",
      'recvmmsg 2 53 53',
      'tcp True',
    ]);
  });

  test('several sockets at one port are answered, each what it asked', async () => {
    const rule = 'allow_bind = ["udp://*:5300"]\n[dns]';
    const file = compile(POLICY('80').replace('[dns]', rule), HOSTS);
    const command = ['python3', '-c', SHARED, 'two.test'];
    expect(await runSandboxed(user, { file }, command)).toMatchObject({
      stdout: '192.0.2.1 1 192.0.2.2 2 192.0.2.3 3\n',
      stderr: '',
    });
  });

  test('nobody outside of the sandbox is answered', async () => {
    const over = join(makeDirectory(), 'over');
    const script = `dig +short two.test A; dig +tcp +short two.test A; until [ -e ${over} ]; do sleep 0.1; done`;
    const running = runSandboxed(user, { file: table }, ['sh', '-c', script]);
    const open = (protocol: string, state: string): string[] =>
      [
        ...readFileSync(`/proc/net/${protocol}`, 'latin1').matchAll(
          / 0100007F:(\w+) (\w+):\w+ (\w+) /g,
        ),
      ]
        .filter(([, , peer, is]) => peer === '00000000' && is === state)
        .map(([, port]) => String(Number.parseInt(port ?? '', 16)));
    // The states of an unconnected socket and of a listener.
    await vi.waitFor(() => expect(open('tcp', '0A')).not.toEqual([]), { timeout: 30_000 });
    const asked = [
      ...open('udp', '07').map((port) => ['-p', port]),
      ...open('tcp', '0A').map((port) => ['+tcp', '-p', port]),
    ];
    expect(asked.length).toBeGreaterThanOrEqual(2);
    const dig = ['dig', '+short', '+tries=1', '+time=1', '@127.0.0.1'];
    const answers = await Promise.all(
      asked.map((where) => run(user, [...dig, ...where, 'two.test', 'A'])),
    );
    writeFileSync(over, '');
    for (const { stdout } of answers) expect(stdout).not.toContain('127.0.0.6');
    const own = (await running).stdout.trim().split('\n').sort();
    expect(own).toEqual(['127.0.0.6', '127.0.0.6', '127.0.0.7', '127.0.0.7']);
  });

  test('whatever server is asked, and over IPv6, the answer is the same', async () => {
    const script = 'dig +short @192.0.2.1 two.test A; dig +short @2001:db8::1 two.test AAAA';
    const { stdout } = await runSandboxed(user, { file: table }, ['sh', '-c', script]);
    expect(stdout.trim().split('\n').sort()).toEqual(PINNED);
  });

  test('other types of a listed name are empty, and every other name has none', async () => {
    const ask = (name: string, type: string) =>
      `dig +noall +comments ${name} ${type} | grep -o 'status: [A-Z]*\\|ANSWER: [0-9]*'`;
    upstream.take();
    const script = [
      ask('two.test', 'HTTPS'),
      ask('TWO.test', 'A'),
      ask('two.test', 'ANY'),
      ask('four.test', 'AAAA'),
      ask('localhost', 'A'),
      ask('x.two.test', 'A'),
      ask('two.test', 'A CH'),
    ].join('; ');
    const { stdout } = await runSandboxed(user, { file: table }, ['sh', '-c', script]);
    const answers = stdout.trim().split('\n');
    expect(answers.map((line) => line.replace(/.*: /, '')).join(' ')).toBe(
      'NOERROR 0 NOERROR 2 NOERROR 3 NOERROR 0 NOERROR 1 NXDOMAIN 0 REFUSED 0',
    );
    expect(upstream.take()).toEqual([]);
  });

  test('300 lookups at the same time all succeed', async () => {
    const outcome = await runSandboxed(
      user,
      { file: table },
      probe('go-lookup', 'many', '300', 'two.test'),
    );
    expect(outcome.stdout).toBe('0 failed\n');
  });

  test('a rule that speaks of a name server is what it says, and a wide one is not', async () => {
    const raw = (rule: string) =>
      `[network]\nallow = ["two.test:80", "${rule}"]\n[dns]\nresolve = "compile"\nprivate = ["*.test"]\n`;
    const dig = ['dig', '+short', '@127.0.0.53', 'unlisted.example', 'A'];
    const server = compile(raw('udp://127.0.0.53:53'), HOSTS);
    expect((await runSandboxed(user, { file: server }, dig)).stdout).toBe('127.0.0.9\n');
    expect(upstream.take()).toEqual(['unlisted.example 1 udp']);
    const wide = compile(raw('udp://*:*'), HOSTS);
    expect((await runSandboxed(user, { file: wide }, dig)).stdout).toBe('');
    expect(upstream.take()).toEqual([]);
  });
});

test('the hosts file of a command of root shows localhost and the pinned names', async () => {
  const root = users.find(({ name }) => name === 'root');
  if (root === undefined) throw new Error('only root has a mount namespace');
  const table = compile(POLICY('80'), HOSTS);
  const { stdout } = await runSandboxed(root, { file: table }, ['cat', '/etc/hosts']);
  expect(stdout).toBe(
    '127.0.0.1 localhost\n::1 localhost\n::1 two.test\n127.0.0.6 two.test\n127.0.0.7 two.test\n127.0.0.5 four.test\n',
  );
  const written = await runSandboxed(root, { file: table }, ['sh', '-c', 'echo x >> /etc/hosts']);
  expect(written.stderr).toContain('Read-only');
});

test('the hosts file of an image keeps its own lines, and localhost is added for each family that it lacks', () => {
  const image = makeDirectory();
  execFileSync('mount', ['--bind', image, image]);
  const programs = { '/run': native, '/cat': '/bin/cat' };
  const libraries = execFileSync('ldd', Object.values(programs), { encoding: 'utf8' });
  for (const [, library = ''] of libraries.matchAll(/(\/\S+) \(0x/g)) {
    mkdirSync(join(image, dirname(library)), { recursive: true });
    copyFileSync(library, join(image, library));
  }
  for (const [to, from] of Object.entries(programs)) copyFileSync(from, join(image, to));
  copyFileSync(compile(POLICY('80'), HOSTS), join(image, 'policy.bin'));
  for (const name of ['etc', 'dev', 'proc', 'tmp']) mkdirSync(join(image, name));
  execFileSync('mknod', [join(image, 'dev/null'), 'c', '1', '3']);
  execFileSync('mount', ['-t', 'proc', 'proc', join(image, 'proc')]);
  try {
    const pinned = '::1 two.test\n127.0.0.6 two.test\n127.0.0.7 two.test\n127.0.0.5 four.test\n';
    for (const [own, added] of [
      ['10.0.0.9 build # ::1 localhost\n127.0.0.1 localhost', '\n::1 localhost\n'],
      ['# 127.0.0.1 localhost\n::1 localhost ip6-localhost\n', '127.0.0.1 localhost\n'],
      ['127.0.0.1 localhost\n::1 localhost\n', ''],
    ] as const) {
      writeFileSync(join(image, 'etc/hosts'), own);
      const command = ['/run', '/policy.bin', '--', '/cat', '/etc/hosts'];
      const shown = execFileSync('chroot', [image, ...command], { encoding: 'utf8' });
      expect(shown).toBe(`${own}${added}${pinned}`);
      expect(readFileSync(join(image, 'etc/hosts'), 'utf8')).toBe(own);
    }
  } finally {
    // Lazily: who has just ended may be there a moment longer.
    execFileSync('umount', ['-l', join(image, 'proc'), image]);
  }
});
