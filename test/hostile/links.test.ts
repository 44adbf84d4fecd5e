/**
 * A socket that was accepted from a link-local address is tied to that link: what it connects to
 * next is looked for there, and may be another host's. Two networks of this test's own, with a link
 * between them; both hosts have fd00::66, and each listens there.
 */
import { expect, test } from 'vitest';
import { run, sandlock } from '../e2e/harness/run.ts';
import { users } from '../e2e/harness/stage.ts';
import { network } from '../walls/steps.ts';
import { answered } from './harness/row.ts';

/** The other host: calls the command by the link, and prints what came to its own fd00::66. */
const FAR = `
import socket, subprocess
print('made', flush=True)
input()
for line in ('addr add fe80::2/64 dev far nodad', 'addr add fd00::66/128 dev far nodad', 'link set far up',
             'route add fd77::/64 dev far'):
    subprocess.run(['ip', '-6', *line.split()], check=True)
server = socket.create_server(('fd00::66', 7001), family=socket.AF_INET6)
print('ready', flush=True)
input()
caller = socket.create_connection(('fe80::1%far', 7010), timeout=5)
caller.send(b'x')
print('called', flush=True)
input()
server.settimeout(0.5)
try:
    print('far', server.accept()[0].recv(9))
except TimeoutError:
    print('far nothing')
`;

/** This host: makes the link, starts the command, whose streams are pipes, and prints what came to fd00::66 here. */
const NEAR = `
import socket, subprocess, sys
open_pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
far = subprocess.Popen(['unshare', '--net', 'python3', '-c', sys.argv[1]], **open_pipes)
def told(process):
    return process.stdout.readline().strip()
assert told(far) == 'made'
for line in (f'link add near type veth peer name far netns {far.pid}', 'link set lo up', 'addr add fe80::1/64 dev near nodad',
             'addr add fd77::1/64 dev near nodad', 'addr add fd00::66/128 dev lo nodad', 'link set near up',
             'route add default dev near'):
    subprocess.run(['ip', '-6', *line.split()], check=True)
far.stdin.write('\\n')
assert told(far) == 'ready'
server = socket.create_server(('fd00::66', 7001), family=socket.AF_INET6)
command = subprocess.Popen(sys.argv[2:], stderr=subprocess.STDOUT, **open_pipes)
print(told(command))
far.stdin.write('\\n')
print(told(far))
print(command.stdout.read(), end='')
server.settimeout(0.5)
try:
    while True:
        print('near', server.accept()[0].recv(9))
except TimeoutError:
    pass
far.stdin.write('\\n')
print(told(far))
`;

/** Connects by the socket it accepts, then by another one. */
const ACCEPTS = `
import ctypes, errno, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
server = socket.create_server(('::', 7010), family=socket.AF_INET6)
print('listens', flush=True)
tied, peer = server.accept()
tied.recv(1)
assert libc.connect(tied.fileno(), bytes(28), 28) == 0
tied.bind(('fd77::1', 0))
for name, stream in (('tied', tied), ('free', socket.socket(socket.AF_INET6))):
    stream.settimeout(3)
    try:
        stream.connect(('fd00::66', 7001))
        stream.send(name.encode())
        print(name, 0)
    except OSError as error:
        print(name, errno.errorcode[error.errno])
`;

const root = users.filter(({ name }) => name === 'root');
test.each(root)(
  'E3 as $name: a socket accepted from a link leads to nobody there',
  async (user) => {
    const policy = network({ allow: ['[fd00::66]:7001'], allow_bind: [':7010'] });
    const outcome = (command: readonly string[]) =>
      run(user, ['unshare', '--net', 'python3', '-c', NEAR, FAR, ...command]);
    const command = ['python3', '-c', ACCEPTS];
    expect(await outcome(command)).toEqual(
      answered(['listens', 'called', 'tied 0', 'free 0', "near b'free'", "far b'tied'"]),
    );
    expect(await outcome(sandlock(policy, command))).toEqual(
      answered(['listens', 'called', 'tied ENETUNREACH', 'free 0', "near b'free'", 'far nothing']),
    );
  },
);
