/**
 * Docker's default profile, no capabilities: descriptors can not be taken from the command, so the
 * supervisor makes its sockets and holds them. Real programs reach what they may and are refused
 * the rest, as anywhere; what a socket that is held, or let go, does otherwise than one that is not
 * is shown here.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openWeb } from '../e2e/harness/http.ts';
import { openTcp, openUdp } from '../e2e/harness/listen.ts';
import { makeRepository, readRepository } from '../e2e/harness/repository.ts';
import { policyOf, run, sandlock } from '../e2e/harness/run.ts';
import { makeDirectory, makeFile, node, users } from '../e2e/harness/stage.ts';
import { compile } from '../names/table.ts';
import { network } from '../walls/steps.ts';
import { container, TAKING } from './docker.ts';
import { unsealed } from './host.ts';

const GOOD = '127.0.0.1';
const BAD = '127.0.0.2';
const BODY = 'served\n';
const python = (script: string, ...args: string[]): string[] => ['python3', '-c', script, ...args];

/** Commands that print what a server serves, and how they fail when it is refused. */
const CLIENTS: readonly (readonly [string, (url: string) => string[], number, RegExp])[] = [
  ['curl', (url) => ['curl', '-sS', '--max-time', '10', url], 7, /^curl: \(7\) /],
  [
    'python',
    (url) =>
      python(
        `import urllib.request as u; print(u.urlopen('${url}', timeout=10).read().decode(), end='')`,
      ),
    1,
    /\[Errno 111\] Connection refused>\n$/,
  ],
  [
    'node',
    (url) => [
      ...[node, '-e'],
      `fetch('${url}').then((r) => r.text()).then((t) => process.stdout.write(t)).catch((e) => { console.error(e.cause.code); process.exitCode = 1; })`,
    ],
    1,
    /^ECONNREFUSED\n$/,
  ],
];

describe.each(users)('as $name', (user) => {
  const host = container(user, ...TAKING);
  const under = (policy: string | { readonly file: string }, command: readonly string[]) =>
    run(user, [...host, ...sandlock(policy, command, unsealed(user))]);
  const well = (stdout: string) => ({
    ...{ stdout, stderr: '', status: 0, signal: null, timedOut: false },
  });

  test.each(CLIENTS)(
    '%s: reads from the allowed server, and the other one sees nothing of it',
    async (_, command, status, refused) => {
      const web = await openWeb([GOOD, BAD], () => BODY);
      const [good, bad] = [GOOD, BAD].map((at) => command(`http://${at}:${web.port}/`));
      for (const each of [good, bad])
        expect(await run(user, [...host, ...(each ?? [])])).toEqual(well(BODY));
      const policy = policyOf([`${GOOD}:${web.port}`]);
      expect(await under(policy, good ?? [])).toEqual(well(BODY));
      const outcome = await under(policy, bad ?? []);
      expect(outcome).toMatchObject({ stdout: '', status, timedOut: false });
      expect(outcome.stderr).toMatch(refused);
      expect([web.requests(GOOD), web.requests(BAD)]).toEqual([['/', '/'], ['/']]);
    },
  );

  test('a rule for a port, and one for a name: as by address', async () => {
    const [web, other] = [await openWeb([GOOD], () => BODY), await openWeb([GOOD], () => BODY)];
    const names = `[network]\nallow = ["two.test:${web.port}"]\n[dns]\nresolve = "compile"\nprivate = ["*.test"]\n`;
    const policies = [
      [GOOD, policyOf([`:${web.port}`])],
      ['two.test', { file: compile(names, [`${GOOD} two.test`]) }],
    ] as const;
    for (const [name, policy] of policies) {
      for (const [, command, status] of CLIENTS) {
        expect(await under(policy, command(`http://${name}:${web.port}/`))).toEqual(well(BODY));
        const refused = await under(policy, command(`http://${name}:${other.port}/`));
        expect(refused).toMatchObject({ stdout: '', status });
      }
    }
    const unknown = await under(policies[1][1], ['curl', '-sS', `http://other.test:${web.port}/`]);
    expect(unknown).toMatchObject({ stdout: '', status: 6 });
    expect(other.requests(GOOD)).toEqual([]);
    expect(web.requests(GOOD)).toHaveLength(2 * CLIENTS.length);
  });

  test('git: clones from the allowed server only', async () => {
    const repository = makeRepository();
    const web = await openWeb([GOOD, BAD], (path) => readRepository(repository, path));
    const clone = (at: string, copy: string) => [
      ...['git', 'clone', '-q', `http://${at}:${web.port}/a.git`, copy],
    ];
    const policy = policyOf([`${GOOD}:${web.port}`]);
    const copy = join(makeDirectory(), 'copy');
    expect(await under(policy, clone(GOOD, copy))).toEqual(well(''));
    expect(readFileSync(join(copy, 'file.txt'), 'utf8')).toBe('content\n');
    const refused = clone(BAD, join(makeDirectory(), 'copy'));
    expect((await under(policy, refused)).status).toBe(128);
    expect(web.requests(BAD)).toEqual([]);
    expect((await run(user, [...host, ...refused])).status).toBe(0);
  });

  test('processes among themselves: pools, pairs, passed sockets, named sockets, servers', async () => {
    const script = `
import multiprocessing as m, os, socket
def square(n): return n * n
if __name__ == '__main__':
    a, b = socket.socketpair()
    x, y = socket.socketpair()
    socket.send_fds(a, [b'fd'], [y.fileno()])
    socket.socket(fileno=socket.recv_fds(b, 8, 1)[1][0]).send(b'passed')
    print(x.recv(64).decode())
    s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(('127.0.0.1', 8098)); s.listen(5); s.listen(9)
    if os.fork() == 0:
        c = socket.create_connection(('127.0.0.1', 8098)); c.sendmsg([b'over ', b'TCP']); c.close(); os._exit(0)
    c, _ = s.accept(); print(c.recv(64).decode(), c.recv(64)); os.wait()
    s.close(); s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(('127.0.0.1', 8098)); s.listen(5)
    u = socket.socket(socket.AF_UNIX); u.bind('held'); u.listen(5)
    c = socket.socket(socket.AF_UNIX); c.connect('held'); p, _ = u.accept()
    c.sendmsg([b'named']); c.close(); print(p.recv(64).decode(), p.recv(64))
    with m.get_context('fork').Pool(2) as pool: print(pool.map(square, range(5)))
`;
    const inside = ['sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh'];
    for (const allow of [[`${GOOD}:*`], [`${GOOD}:*`, 'udp://127.0.0.1:*']]) {
      const policy = network({ allow, allow_bind: [':8098'] });
      expect(await under(policy, [...inside, makeDirectory(), ...python(script)])).toEqual(
        well("passed\nover TCP b''\nnamed b''\n[0, 1, 4, 9, 16]\n"),
      );
    }
  });

  test('node: children, their channel, and a server of its own', async () => {
    const script = `
const { fork } = require('child_process'), http = require('http');
if (process.argv[1] === 'child') process.once('message', (m) => { process.send(m + 1); process.disconnect(); });
else {
  const child = fork('-e', [], { execArgv: ['-e', process.env.SCRIPT, 'child'] });
  child.on('message', (m) => console.log('child said', m)).on('exit', (code) => {
    console.log('child ended', code);
    const server = http.createServer((_, r) => r.end('own')).listen(8098, '127.0.0.1', () =>
      fetch('http://127.0.0.1:8098/').then((r) => r.text()).then((t) => { console.log(t); server.close(); }));
  });
  child.send(41);
}`;
    const policy = network({ allow: ['127.0.0.1:*', 'udp://*:*'], allow_bind: [':8098'] });
    const command = ['env', `SCRIPT=${script}`, node, '-e', script, 'parent'];
    expect(await under(policy, command)).toEqual(well('child said 42\nchild ended 0\nown\n'));
  });

  test('a connection ends for its peer when the program closes it, however it was made', async () => {
    const folder = makeDirectory();
    let ended = 0;
    const server = createServer((peer) => {
      peer.resume().on('end', () => writeFileSync(join(folder, `${ended++}`), ''));
    });
    await new Promise<void>((resolve) => server.listen(0, GOOD, resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const script = `
import os, select, socket, sys, time
for i, block in enumerate((True, False)):
    s = socket.socket(); s.setblocking(block)
    s.connect_ex(('127.0.0.1', int(sys.argv[1]))); select.select([], [s], []); s.close()
    while not os.path.exists(sys.argv[2] + '/' + str(i)): time.sleep(0.01)
print('seen')
`;
    const command = python(script, String(port), folder);
    expect(await under(policyOf([`${GOOD}:${port}`]), command)).toEqual(well('seen\n'));
  });

  test('a connection that is there can not be dissolved to make another', async () => {
    const [a, b] = await openTcp(GOOD, BAD);
    const script = `
import ctypes, errno, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
good, bad = [(h, int(p)) for h, p in (a.split('/') for a in sys.argv[1:])]
def told(f):
    try: f(); return 'done'
    except OSError as e: return errno.errorcode[e.errno]
s = socket.socket(); print(told(lambda: s.connect(good)))
print(libc.connect(s.fileno(), bytes(16), 16), errno.errorcode.get(ctypes.get_errno()))
print(told(lambda: s.connect(bad)), told(lambda: s.bind(('127.0.0.1', 0))), told(lambda: s.listen()))
s.send(b'hello')
`;
    const command = python(script, a.at, b.at);
    const bare = await run(user, [...host, ...command]);
    expect(bare.stdout.split('\n')[1]).toBe('0 None');
    await Promise.all([a.take(), b.take()]);
    expect(await under(policyOf([a.rule]), command)).toEqual(
      well('done\n-1 EISCONN\nEISCONN EINVAL EINVAL\n'),
    );
    expect([await a.take(), await b.take()]).toEqual([['hello'], []]);
  });

  test('messages on connections, of programs with threads too: each runs while the others stand still', async () => {
    const [a] = await openTcp(GOOD);
    const script = `
import errno, socket, sys, threading
host, port = sys.argv[1].split('/')
s = socket.create_connection((host, int(port))); x, y = socket.socketpair()
def told(f):
    try: f(); return 'sent'
    except OSError as e: return errno.errorcode[e.errno]
def say(): print(told(lambda: s.sendmsg([b'he', b'llo'])), told(lambda: x.sendmsg([b'x'])), told(lambda: x.send(b'x')))
say(); t = threading.Thread(target=say); t.start(); t.join()
def many():
    for i in range(50): s.sendmsg([b'ab', b'c'])
threads = [threading.Thread(target=many) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
`;
    const command = python(script, a.at);
    const both = 'sent sent sent\nsent sent sent\n';
    const [b] = await openUdp(BAD);
    for (const allow of [[a.rule], [a.rule, `udp://${b.rule}`]]) {
      expect(await under(policyOf(allow), command)).toEqual(well(both));
      expect(await a.take()).toEqual([`hellohello${'abc'.repeat(200)}`]);
    }
  });

  test('beside a process that may have its table, such messages are refused', async () => {
    const script = `
import ctypes, errno, os, socket, threading
libc = ctypes.CDLL(None, use_errno=True)
x, y = socket.socketpair(); end = threading.Event(); threading.Thread(target=end.wait).start()
def told(f):
    try: f(); return 'sent'
    except OSError as e: return errno.errorcode[e.errno]
print(told(lambda: x.sendmsg([b'x'])))
CLONE_FILES, SIGCHLD, SYS_clone = 0x400, 17, {'x86_64': 56, 'aarch64': 220}[os.uname().machine]
if libc.syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0) == 0: os._exit(0)
os.wait(); print(told(lambda: x.sendmsg([b'x']))); end.set()
`;
    const outcome = await under(policyOf(['udp://127.0.0.1:*']), python(script));
    expect(outcome).toMatchObject({ stdout: 'sent\nEPERM\n', status: 0 });
  });

  test('where ptrace is forbidden as well, or a debugger is faster: refused, and told once', async () => {
    const script = `
import errno, socket, threading
x, y = socket.socketpair(); end = threading.Event(); threading.Thread(target=end.wait).start()
def told(f):
    try: f(); return 'sent'
    except OSError as e: return errno.errorcode[e.errno]
print(*[told(lambda: x.sendmsg([b'x'])) for _ in range(3)], told(lambda: x.send(b'x'))); end.set()
`;
    const policy = policyOf(['udp://127.0.0.1:*']);
    const forbidden = container(user, ...TAKING, 'ptrace=EPERM');
    const options = unsealed(user).filter((option) => option !== '--quiet');
    const outcome = await run(user, [...forbidden, ...sandlock(policy, python(script), options)]);
    expect(outcome).toMatchObject({ stdout: 'EPERM EPERM EPERM sent\n', status: 0 });
    expect(outcome.stderr).toMatch(/^sandlock: can not look into python3\[\d+\][^\n]*\n$/);
    const traced = ['strace', '-f', '-o', '/dev/null', ...python(script)];
    expect((await under(policy, traced)).stdout).toBe('EPERM EPERM EPERM sent\n');
  });

  test('handles handed to other processes, by node and by multiprocessing', async () => {
    const script = `
const { fork } = require('child_process'), net = require('net');
if (process.argv[1] === 'child') process.on('message', (m, socket) => { socket.end('from child'); process.disconnect(); });
else {
  const child = fork('-e', [], { execArgv: ['-e', process.env.SCRIPT, 'child'] });
  const server = net.createServer({ pauseOnConnect: true }, (s) => { child.send('take', s); server.close(); });
  server.listen(8098, '127.0.0.1', () => net.connect(8098, '127.0.0.1').on('data', (d) => console.log(String(d))));
  child.on('exit', (code) => console.log('child ended', code));
}`;
    const allow = ['127.0.0.1:*', 'udp://127.0.0.1:*'];
    const policy = network({ allow, allow_bind: [':8098'] });
    const command = ['env', `SCRIPT=${script}`, node, '-e', script, 'parent'];
    expect(await under(policy, command)).toEqual(well('from child\nchild ended 0\n'));
    const handing = `
import multiprocessing as m, multiprocessing.reduction, socket, threading
def taker(c, q): socket.socket(fileno=m.reduction.recv_handle(c)).send(b'handed'); q.put('put')
if __name__ == '__main__':
    end = threading.Event(); threading.Thread(target=end.wait).start()
    for way in ('fork', 'forkserver', 'spawn'):
        with m.get_context(way).Manager() as manager:
            a, b = socket.socketpair(); c, d = m.Pipe(); q = manager.Queue()
            p = m.get_context(way).Process(target=taker, args=(d, q)); p.start()
            m.reduction.send_handle(c, a.fileno(), p.pid); print(way, b.recv(64).decode(), q.get()); p.join()
    end.set()
`;
    const file = makeFile('handing.py', handing);
    expect(await under(policy, ['python3', file])).toEqual(
      well('fork handed put\nforkserver handed put\nspawn handed put\n'),
    );
  });

  test('a datagram socket hidden in a message until it is let go sends nothing any more', async () => {
    const [a, b] = await openUdp(GOOD, BAD);
    const script = `
import errno, os, socket, sys
good, bad = [(h, int(p)) for h, p in (a.split('/') for a in sys.argv[1:])]
def told(f):
    try: f(); return 'sent'
    except OSError as e: return errno.errorcode[e.errno]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print(told(lambda: s.sendto(b'hello', good)))
x, y = socket.socketpair(); socket.send_fds(x, [b'fd'], [s.fileno()]); s.close()
for i in range(600): socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
s = socket.socket(fileno=socket.recv_fds(y, 8, 1)[1][0])
print(*[told(f) for f in (
    lambda: s.sendmsg([b'hello'], [], 0, bad),
    lambda: s.sendto(b'hello', bad),
    lambda: s.connect(bad),
    lambda: s.send(b'hello'),
)])
`;
    const command = python(script, a.at, b.at);
    expect((await run(user, [...host, ...command])).stdout).toBe('sent\nsent sent sent sent\n');
    expect([await a.take(), await b.take()]).toEqual([['hello'], ['hello', 'hello', 'hello']]);
    expect(await under(policyOf([`udp://${a.rule}`]), command)).toEqual(
      well('sent\nEPIPE EPIPE EISCONN EDESTADDRREQ\n'),
    );
    expect([await a.take(), await b.take()]).toEqual([['hello'], []]);
  });

  test('a thousand sockets made and closed: none is left over, and their ports are free again', async () => {
    const script = `
import os, socket
for i in range(1000):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 8097)); s.close()
    t = socket.socket(); t.bind(('127.0.0.1', 8096)); t.close()
keep = [socket.socket() for _ in range(500)]
print('done', len({os.fstat(s.fileno()).st_ino for s in keep}))
`;
    const policy = network({ allow: [], allow_bind: [':8096', 'udp://127.0.0.1:8097'] });
    expect(await under(policy, python(script))).toEqual(well('done 500\n'));
  });
});
