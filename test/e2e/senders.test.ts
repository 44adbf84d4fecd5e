/**
 * Messages that only their sender can give, from processes with threads: credentials
 * (SCM_CREDENTIALS, as D-Bus clients send them) on connections of unix sockets, where messages are
 * looked at. Each runs while the other threads stand still; what those do meanwhile comes out as it
 * would without.
 */
import { describe, expect, test } from 'vitest';
import { claim } from './harness/claim.ts';
import { run } from './harness/run.ts';
import { users } from './harness/stage.ts';

const COMMON = `
import errno, os, select, socket, struct, sys, threading, time
def told(f):
    try: return f()
    except OSError as e: return errno.errorcode[e.errno]
def proof(pid=None): return [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack('iii', pid or os.getpid(), os.getuid(), os.getgid()))]
def take(s):
    data, ancillary, *_ = s.recvmsg(64, 64)
    return data, [struct.unpack('iii', d[:12]) for l, t, d in ancillary if t == socket.SCM_CREDENTIALS]
def pair(kind):
    a, b = socket.socketpair(socket.AF_UNIX, kind); b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1); return a, b
def started(f, *args):
    t = threading.Thread(target=f, args=args, daemon=True); t.start(); return t
def work(end):
    while not end.is_set(): pass
US = (os.getpid(), os.getuid(), os.getgid())
end = threading.Event()
`;

const SCRIPTS: readonly (readonly [what: string, script: string, prints: readonly string[]])[] = [
  [
    'beside threads that wait and one that works: streams and packets; another’s are refused by the kernel',
    `
for f in (end.wait, time.sleep): started(f, 9)
started(work, end)
for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
    a, b = pair(kind)
    print(told(lambda: a.sendmsg([b'a', b'b'], proof())), take(b) == (b'ab', [US]), told(lambda: a.sendmsg([b'c'], proof(1))) if os.getuid() else 'EPERM')
end.set()
`,
    ['2 True EPERM', '2 True EPERM'],
  ],
  [
    'a client and a server of named sockets, in one process: who connects shows itself first',
    `
os.chdir(sys.argv[1]); l = socket.socket(socket.AF_UNIX); l.bind('bus'); l.listen()
def serve():
    s, _ = l.accept(); s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1); s.send(b'?')
    print(take(s) == (b'\\0', [US])); s.send(b'OK'); print(s.recv(64))
t = started(serve); c = socket.socket(socket.AF_UNIX); c.connect('bus'); c.recv(1)
c.sendmsg([b'\\0'], proof()); print(c.recv(64)); c.send(b'BEGIN'); t.join()
`,
    ['True', "b'OK'", "b'BEGIN'"],
  ],
  [
    'eight threads at once to one reader, which is slower than they',
    `
a, b = pair(socket.SOCK_SEQPACKET); seen = {}
if (child := os.fork()) == 0:
    a.close()
    while (m := take(b))[0]: m = m[0], *m[1]; seen[m] = seen.get(m, 0) + 1; time.sleep(0.0001)
    print(sorted(seen.items()) == [((b'%d' % i, US), 100) for i in range(8)]); sys.stdout.flush(); os._exit(0)
def say(i):
    for _ in range(100): a.sendmsg([b'%d' % i], proof())
b.close(); threads = [started(say, i) for i in range(8)]
for t in threads: t.join()
a.close(); os.waitpid(child, 0)
`,
    ['True'],
  ],
  [
    'a full queue: the sender waits, is woken, and each message arrives once and in order',
    `
a, b = pair(socket.SOCK_SEQPACKET); count = 1200
def say():
    for i in range(count): a.sendmsg([b'%d' % i], proof())
t = started(say); time.sleep(0.3)
print(all(take(b) == (b'%d' % i, [US]) for i in range(count))); t.join()
a.setblocking(False)
def fill():
    while True: a.sendmsg([b'more'], proof())
started(end.wait); print(told(fill)); end.set()
`,
    ['True', 'EAGAIN'],
  ],
  [
    'beside a thread whose own send waits for room, and goes on afterwards',
    `
x, y = socket.socketpair(); x.send(b'x'); big = 4 << 20; sent = []
def whole():
    n = 0
    while n < big: n += x.sendmsg([bytes(big - n)])
    sent.append(n)
t = started(whole); time.sleep(0.2)
a, b = pair(socket.SOCK_STREAM)
print(all(a.sendmsg([b'a'], proof()) == 1 and take(b) == (b'a', [US]) for _ in range(50)))
n = -1
while n < big: n += len(y.recv(1 << 20))
t.join(); print(sent == [big], n == big)
`,
    ['True', 'True True'],
  ],
  [
    'what the other threads wait for comes as ever: reads, locks, polls, sleeps, signals, children',
    `
import signal, subprocess
r, w = os.pipe(); lock = threading.Lock(); lock.acquire(); told_by = []
p = select.epoll(); p.register(r, select.EPOLLIN)
def note(name, f): told_by.append((name, f()))
names = {'read': lambda: os.read(r, 1), 'lock': lambda: lock.acquire(timeout=20), 'poll': lambda: select.select([r], [], [], 20)[0] == [r],
    'epoll': lambda: len(p.poll(20)), 'child': lambda: subprocess.run(['sleep', '0.2']).returncode}
threads = [started(note, n, f) for n, f in names.items()]
signal.signal(signal.SIGALRM, lambda *_: told_by.append(('alarm', 1))); signal.setitimer(signal.ITIMER_REAL, 0.05)
a, b = pair(socket.SOCK_STREAM); until = time.monotonic() + 0.3
while time.monotonic() < until: a.sendmsg([b'a'], proof()); take(b)
os.write(w, b'yz'); lock.release(); [t.join() for t in threads]; print(sorted(told_by))
`,
    ["[('alarm', 1), ('child', 0), ('epoll', 1), ('lock', True), ('poll', True), ('read', b'y')]"],
  ],
];

describe.each(users)('as $name', (user) => {
  test.each(SCRIPTS)('%s', async (_, script, prints) => {
    const command = ['sh', '-c', 'exec python3 -c "$1" "$(mktemp -d)"', 'sh', COMMON + script];
    expect((await run(user, command)).stdout).toBe(`${prints.join('\n')}\n`);
    await claim({ user, policy: ['udp://127.0.0.1:*'], command, prints });
  });
});
