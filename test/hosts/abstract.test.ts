/**
 * Kernels whose Landlock does not keep abstract unix names inside (before Linux 6.12): the
 * supervisor does. Sockets of the sandbox reach each other by such names as ever; one outside with
 * the same name is never reached, whatever is closed and bound in between.
 */
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { finished, run, sandlock, start } from '../e2e/harness/run.ts';
import { isHeld, makeDirectory, type User, users } from '../e2e/harness/stage.ts';
import { openDaemon } from '../walls/others.ts';
import { network } from '../walls/steps.ts';
import { container, TAKING } from './docker.ts';
import { type Host, landlock, noLandlock, unkept, unsealed } from './host.ts';

const HOSTS: readonly (readonly [string, (user: User) => Host])[] = [
  ['without Landlock', () => noLandlock],
  ['with Landlock ABI 5', () => landlock(5)],
  [
    'without Landlock, in a container that forbids to take descriptors',
    (user) => [...noLandlock, ...container(user, ...TAKING)],
  ],
];

const UNIX = ['unix', 'unix/dgram'];
const POLICY = network({ allow: [], allow_families: ['inet', ...UNIX] });
const NAMESPACES = network(
  { allow: [], allow_families: ['inet', ...UNIX] },
  '[program]\nallow_userns = true',
);

const python = (script: string, ...args: readonly string[]): string[] => [
  ...['python3', '-c', script],
  ...args,
];

/**
 * What sockets of one program do among themselves; prints what came of it. Names have the process's
 * number in them, or are chosen by the kernel.
 */
const AMONG = `
import errno, os, socket, threading
S, D, Q = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET
unix = lambda kind: socket.socket(socket.AF_UNIX, kind)
def result(call, *args):
    try:
        return call(*args)
    except OSError as error:
        return errno.errorcode[error.errno]
mine = b'\\0sandlock-%d' % os.getpid()
for label, name in (('plain', mine), ('inner', mine + b'\\0\\0x\\0'), ('long', mine.ljust(108, b'l')), ('own', '')):
    for kind in (S, Q):
        server = unix(kind); server.bind(name); server.listen(2)
        at = server.getsockname()
        if os.fork() == 0:
            client = unix(kind); client.connect(at); client.sendall(b'hello'); os._exit(0)
        peer, _ = server.accept()
        print(label, kind, peer.recv(9), at == name or len(at) == 6); os.wait()
        peer.close(); server.close()
        print('closed', result(unix(kind).connect, at))
    server = unix(D); server.bind(name); at = server.getsockname()
    client = unix(D); client.bind('')
    print(label, 'dgram', client.sendto(b'to', at), client.sendmsg([b'by ', b'message'], [], 0, at))
    print(server.recvfrom(9)[0], server.recvfrom(9)[0], server.sendto(b'back', client.getsockname()), client.recv(9))
    client.connect(at); print(client.send(b'connected'), server.recv(9))
    # A name is one of its kind of socket.
    print('other kind', result(unix(S).connect, at)); server.close()
    print('closed', result(client.send, b'x'), result(unix(D).sendto, b'x', at))
again = [unix(S) for _ in range(3)]
for server in again:
    server.bind(mine); print('bound', result(unix(S).bind, mine)); server.listen(); client = unix(S); client.connect(mine)
    server.close()
# What another process has open is open.
server = unix(S); server.bind(mine); server.listen(); up, down = os.pipe()
if os.fork() == 0:
    os.close(up); up = os.dup(server.fileno()); os.write(down, b'x'); server.accept()[0].sendall(b'from the child'); os._exit(0)
server.close(); os.read(up, 1); client = unix(S); client.connect(mine); print(client.recv(20)); os.wait()
# Who waits for a place in a queue is told when the listener is gone.
server = unix(S); server.bind(mine); server.listen(0)
first = unix(S); first.connect(mine)
full = unix(S); full.setblocking(False); print('full', result(full.connect, mine))
limited = unix(S); limited.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, b'\\0' * 8 + (50000).to_bytes(8, 'little'))
print('limited', result(limited.connect, mine))
told = []
waits = threading.Thread(target=lambda: told.append(result(unix(S).connect, mine))); waits.start()
waits.join(0.2); server.close(); waits.join(); print('told', told)
print('nobody', result(unix(S).connect, mine), result(unix(D).sendto, b'x', mine), result(unix(D).connect, mine))
`;

/** Tries to reach an outside name in every way: \`NAME\`, \`NAME-d\` for datagrams. */
const TRIES = `
import errno, socket, sys
name = b'\\0' + sys.argv[1].encode()
def tried(kind, call):
    s = socket.socket(socket.AF_UNIX, kind)
    try:
        call(s); return 0
    except OSError as error:
        return errno.errorcode[error.errno]
    finally:
        s.close()
# The same name, bound inside, for sockets of another kind.
if len(sys.argv) > 2:
    for kind, its in ((socket.SOCK_DGRAM, name), (socket.SOCK_SEQPACKET, name), (socket.SOCK_STREAM, name + b'-d'), (socket.SOCK_SEQPACKET, name + b'-d')):
        s = socket.socket(socket.AF_UNIX, kind); s.bind(its); globals()[f'kept{kind}{its}'] = s
        if kind != socket.SOCK_DGRAM: s.listen()
print(tried(socket.SOCK_STREAM, lambda s: s.connect(name)))
print(tried(socket.SOCK_DGRAM, lambda s: s.sendto(b'x', name + b'-d')))
print(tried(socket.SOCK_DGRAM, lambda s: s.sendmsg([b'x'], [], 0, name + b'-d')))
print(tried(socket.SOCK_DGRAM, lambda s: (s.connect(name + b'-d'), s.send(b'x'))))
`;

/** Somebody outside who takes a name whenever it is free, counts who comes, and says so at the end of its input. */
const SQUATTER = `
import select, socket, sys
name = b'\\0' + sys.argv[1].encode(); came = taken = 0
print('ready', flush=True)
while True:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        s.bind(name); s.listen(64); taken += 1
        for _ in range(20):
            if select.select([s], [], [], 0)[0]:
                s.accept()[0].close(); came += 1
    except OSError:
        pass
    s.close()
    if select.select([sys.stdin], [], [], 0)[0]:
        break
print('took the name' if taken else 'never took the name', 'and somebody came' if came else 'and nobody came')
`;

/** How often the racer gets the name. */
const ROUNDS = '1000';

/** Binds, connects to, and closes a name as fast as it goes, by three threads. */
const RACER = `
import socket, sys, threading
name = b'\\0' + sys.argv[1].encode(); rounds = int(sys.argv[2]); done = threading.Event(); made = [0]
def connects():
    while not done.is_set():
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            s.connect(name); made[0] += 1
        except OSError:
            pass
        s.close()
threads = [threading.Thread(target=connects) for _ in range(2)]
for thread in threads: thread.start()
bound = 0
while bound < rounds:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        s.bind(name); s.listen(64); bound += 1
    except OSError:
        pass
    s.close()
done.set()
for thread in threads: thread.join()
print('bound')
`;

/**
 * In a network namespace of its own a name is free that somebody outside has; a socket from before
 * is still one of the outer network.
 */
const NETWORKS = `
import ctypes, errno, os, socket, sys
name = b'\\0' + sys.argv[1].encode(); libc = ctypes.CDLL(None, use_errno=True)
unix = lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
before = unix()
if libc.unshare(0x10000000 | 0x40000000) != 0: sys.exit(errno.errorcode[ctypes.get_errno()])
server = unix(); server.bind(name); server.listen()
def tried(s):
    try:
        s.connect(name); return 0
    except OSError as error:
        return errno.errorcode[error.errno]
print('inner', tried(unix())); print('outer', tried(before))
`;

describe.each(users)('as $name', (user) => {
  test.each(HOSTS)('a kernel %s: names among the command’s own as ever', async (_, host) => {
    const command = python(AMONG);
    const bare = await run(user, [...host(user), ...command]);
    expect(bare).toMatchObject({ status: 0, stderr: '' });
    expect(bare.stdout.split('\n').length).toBeGreaterThan(40);
    // Who sends to a datagram socket that was held and closed is told later (docs/enforcement.md §7).
    const isHere = isHeld || host(user).includes('pidfd_getfd=EPERM');
    const stdout = isHere ? bare.stdout.replaceAll(/closed ECONN\w+ /g, 'closed 1 ') : bare.stdout;
    const walled = sandlock(POLICY, command, [...unsealed(user), ...unkept]);
    expect(await run(user, [...host(user), ...walled])).toEqual({ ...bare, stdout });
  });

  test.each(HOSTS)(
    'a kernel %s: a name outside is refused, also where sockets of other kinds have it inside, and reached if it is allowed',
    async (_, host) => {
      const path = join(makeDirectory(), 'daemon');
      const at = host(user);
      const options = [...unsealed(user), ...unkept];
      let daemon = await openDaemon(path);
      const reached = '0\n0\n0\n0\n';
      for (const more of [[], ['inside']]) {
        const bare = await run(user, [...at, ...python(TRIES, path, ...more)]);
        expect(bare).toMatchObject({ stdout: reached, stderr: '' });
      }
      expect(await daemon()).toEqual(['path 0 0', 'abstract 2 6']);
      daemon = await openDaemon(path);
      for (const more of [[], ['inside']]) {
        const tries = python(TRIES, path, ...more);
        const refused = await run(user, [...at, ...sandlock(POLICY, tries, options)]);
        expect(refused).toMatchObject({ stdout: 'EACCES\n'.repeat(4), stderr: '' });
      }
      expect(await daemon()).toEqual(['path 0 0', 'abstract 0 0']);
      daemon = await openDaemon(path);
      const allowing = network({
        allow: [],
        allow_families: ['inet', ...UNIX],
        allow_unix: [`@${path}`, `@${path}-d`],
      });
      const allowed = sandlock(allowing, python(TRIES, path), options);
      expect(await run(user, [...at, ...allowed])).toMatchObject({ stdout: reached, stderr: '' });
      expect(await daemon()).toEqual(['path 0 0', 'abstract 1 3']);
    },
  );

  test.each(HOSTS)(
    'a kernel %s: somebody outside who takes a name whenever it is free sees nobody',
    async (_, host) => {
      const squatted = async (command: (name: string) => string[]): Promise<string> => {
        const name = join(makeDirectory(), 'name');
        const squatter = start(user, python(SQUATTER, name));
        onTestFinished(() => void squatter.kill('SIGKILL'));
        const outcome = finished(squatter, 80_000);
        await new Promise((resolve) => squatter.stdout?.once('data', resolve));
        const racer = await run(user, [...host(user), ...command(name)], { timeoutMs: 80_000 });
        expect(racer).toMatchObject({ stdout: 'bound\n', stderr: '', status: 0 });
        squatter.stdin?.end();
        return (await outcome).stdout;
      };
      expect(await squatted((name) => python(RACER, name, ROUNDS))).toBe(
        'ready\ntook the name and somebody came\n',
      );
      const walled = (name: string): string[] =>
        sandlock(POLICY, python(RACER, name, ROUNDS), [...unsealed(user), ...unkept]);
      expect(await squatted(walled)).toBe('ready\ntook the name and nobody came\n');
    },
  );

  test.each(HOSTS.slice(0, 2))(
    'a kernel %s: a name of another network namespace opens none of this one',
    async (_, host) => {
      const path = join(makeDirectory(), 'daemon');
      let daemon = await openDaemon(path);
      const tries = python(NETWORKS, path);
      const bare = await run(user, [...host(user), ...tries]);
      expect(bare).toMatchObject({ stdout: 'inner 0\nouter 0\n', stderr: '' });
      expect(await daemon()).toEqual(['path 0 0', 'abstract 1 0']);
      daemon = await openDaemon(path);
      const outcome = await run(user, [...host(user), ...sandlock(NAMESPACES, tries, unkept)]);
      expect(outcome).toMatchObject({ stdout: 'inner 0\nouter EACCES\n', stderr: '' });
      expect(await daemon()).toEqual(['path 0 0', 'abstract 0 0']);
    },
  );
});
