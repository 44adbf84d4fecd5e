/**
 * A kernel whose Landlock does not keep signals inside (before Linux 6.12): the supervisor does.
 * Every way to signal a process outside is tried, and each really ends that process when tried
 * bare; what programs do among themselves works.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openTcp } from '../e2e/harness/listen.ts';
import { parentOf, processesWith, readProc, until } from '../e2e/harness/processes.ts';
import { finished, policyOf, run, sandlock, start } from '../e2e/harness/run.ts';
import { type User, users } from '../e2e/harness/stage.ts';
import { type Host, landlock, noLandlock, unkept, without } from './host.ts';

const HOSTS: readonly (readonly [string, Host])[] = [
  ['without Landlock', noLandlock],
  ['with Landlock ABI 5', landlock(5)],
  ['where descriptors can not be taken', [...noLandlock, ...without('pidfd_getfd=EPERM')]],
  ['before Linux 5.19', [...noLandlock, ...without('seccomp=EINVAL&1:0x20')]],
];

/** Each way of sending SIGKILL to another process. */
const WAYS = [
  'kill',
  'kill-group',
  'tkill',
  'tgkill',
  'sigqueue',
  'tgsigqueue',
  'pidfd',
  'directory',
  'owner',
  'owner-ex',
  'owner-ioctl',
] as const;

/** `python3 -c TRIES way pid`: prints `way 0`, or the error's name. */
const TRIES = `
import ctypes, errno, fcntl, os, signal, socket, struct, sys
way, pid = sys.argv[1], int(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    if libc.syscall(*args) < 0:
        raise OSError(ctypes.get_errno(), '')
information = ctypes.create_string_buffer(struct.pack('iii4xii', 9, 0, -1, os.getpid(), os.getuid()), 128)
def owned(set_owner):
    ours, theirs = socket.socketpair()
    set_owner(ours)
    fcntl.fcntl(ours, 10, 9) # F_SETSIG
    fcntl.fcntl(ours, fcntl.F_SETFL, fcntl.fcntl(ours, fcntl.F_GETFL) | os.O_ASYNC)
    theirs.send(b'x')
ways = {
    'kill': lambda: os.kill(pid, 9),
    'kill-group': lambda: os.kill(-pid, 9),
    'tkill': lambda: call(200, pid, 9),
    'tgkill': lambda: call(234, pid, pid, 9),
    'sigqueue': lambda: call(129, pid, 9, information),
    'tgsigqueue': lambda: call(297, pid, pid, 9, information),
    'pidfd': lambda: signal.pidfd_send_signal(os.pidfd_open(pid), 9),
    'directory': lambda: signal.pidfd_send_signal(os.open(f'/proc/{pid}', os.O_RDONLY), 9),
    'owner': lambda: owned(lambda s: fcntl.fcntl(s, fcntl.F_SETOWN, pid)),
    'owner-ex': lambda: owned(lambda s: fcntl.fcntl(s, 15, struct.pack('ii', 1, pid))),
    'owner-ioctl': lambda: owned(lambda s: fcntl.ioctl(s, 0x8901, struct.pack('i', pid))),
}
try:
    ways[way]()
    print(way, 0)
except OSError as error:
    print(way, errno.errorcode[error.errno])
`;

/** What programs do with signals among themselves; prints what came of it. */
const AMONG = `
import ctypes, os, signal, struct, subprocess, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
seen = []
for number in (10, 12, 15):
    signal.signal(number, lambda number, _: seen.append(number))
os.kill(os.getpid(), 10)
print('own', seen); seen.clear()
signal.raise_signal(12)
print('raised', seen); seen.clear()
thread = threading.Thread(target=time.sleep, args=(0.3,)); thread.start()
signal.pthread_kill(thread.ident, 10); thread.join()
print('thread', seen); seen.clear()
child = subprocess.Popen(['sleep', '31'])
child.terminate()
print('child', child.wait())
child = subprocess.Popen(['sh', '-c', 'trap "echo trapped; exit 7" USR1; echo up; while :; do sleep 0.02; done'], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
os.kill(child.pid, 0); signal.pidfd_send_signal(os.pidfd_open(child.pid), 10)
print('pidfd', child.communicate()[0].strip(), child.returncode)
child = subprocess.Popen(['sleep', '31'])
directory = os.open(f'/proc/{child.pid}', os.O_RDONLY)
def sent(descriptor):
    try:
        signal.pidfd_send_signal(descriptor, 15)
        return 0
    except OSError as error:
        return error.errno
others = [os.open(path, os.O_RDONLY) for path in ('/proc', '/', f'/proc/{child.pid}/task/{child.pid}', f'/proc/{child.pid}/stat')]
print('no pidfd', [sent(other) for other in others])
print('directory', sent(directory), child.wait(), sent(directory))
shell = 'set -m; sleep 31 & sleep 31 | sleep 31 & kill %1 %2; wait; echo jobs $?'
print(subprocess.run(['bash', '-c', shell], capture_output=True, text=True).stdout.strip())
shell = 'trap "echo group; exit 3" TERM; (trap - TERM; sleep 31) & kill 0; wait; sleep 2 & wait; echo never'
ended = subprocess.run(['bash', '-c', shell], capture_output=True, text=True, start_new_session=True)
print(ended.stdout.strip(), ended.returncode)
try:
    os.kill(2 ** 30, 0)
except OSError as error:
    print('nobody', error.errno)
class Info(ctypes.Structure):
    _fields_ = [('signo', ctypes.c_int), ('errno', ctypes.c_int), ('code', ctypes.c_int), ('pad', ctypes.c_int),
                ('pid', ctypes.c_int), ('uid', ctypes.c_uint), ('value', ctypes.c_int), ('rest', ctypes.c_byte * 100)]
signal.pthread_sigmask(signal.SIG_BLOCK, [34])
if (pid := os.fork()) == 0:
    got = signal.sigwaitinfo([34])
    os._exit(0 if (got.si_code, got.si_pid) == (-1, os.getppid()) else 1)
libc.sigqueue.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
print('queued', libc.sigqueue(pid, 34, 77), os.waitpid(pid, 0)[1])
`;

/** A process outside, which leads a group of its own. */
function openBystander(user: User): { readonly pid: number; ended(): Promise<NodeJS.Signals> } {
  const child = start(user, ['sleep', '320']);
  const ended = new Promise<NodeJS.Signals>((resolve) =>
    child.on('close', (_, signal) => resolve(signal as NodeJS.Signals)),
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  return { pid: child.pid ?? 0, ended: () => ended };
}

/** The process is `sleep` by now, and no leader of another's group. */
async function isUp(pid: number): Promise<void> {
  await until(
    'the bystander sleeps',
    () => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n',
  );
}

/** Those that are `sleep MARK` by now. */
function sleeping(mark: string): number[] {
  return processesWith(`sleep ${mark}`).filter((pid) => nameOf(pid) === 'sleep');
}

function nameOf(pid: number): string {
  return readProc(String(pid), 'comm').trim();
}

/** The supervisor of those that sleep, one of which the command has started. */
function supervisorOf(mark: string): number {
  const above = sleeping(mark).flatMap((pid) => [parentOf(pid), parentOf(parentOf(pid))]);
  const found = above.find((pid) => nameOf(pid) === 'sl-supervisor');
  if (found === undefined) throw new Error('there is no supervisor');
  return found;
}

describe.each(users)('as $name', (user) => {
  test.each(HOSTS)('a kernel %s: no way leads to a process outside', async (_, host) => {
    const kept = openBystander(user);
    await isUp(kept.pid);
    for (const way of WAYS) {
      const lost = openBystander(user);
      await isUp(lost.pid);
      const bare = await run(user, [...host, 'python3', '-c', TRIES, way, `${lost.pid}`]);
      expect(bare).toMatchObject({ stdout: `${way} 0\n`, stderr: '' });
      expect(await lost.ended(), way).toBe('SIGKILL');
      const command = ['python3', '-c', TRIES, way, `${kept.pid}`];
      const outcome = await run(user, [...host, ...sandlock(policyOf([]), command, unkept)]);
      expect(outcome.stdout).toBe(`${way} EPERM\n`);
      expect(readFileSync(`/proc/${kept.pid}/stat`, 'utf8')).toMatch(/\) S /);
    }
  });

  test.each(HOSTS)('a kernel %s: programs signal each other as ever', async (_, host) => {
    const command = ['python3', '-c', AMONG];
    const bare = await run(user, [...host, ...command]);
    expect(bare).toMatchObject({ status: 0, stderr: '' });
    expect(bare.stdout.split('\n')).toHaveLength(12);
    expect(await run(user, [...host, ...sandlock(policyOf([]), command, unkept)])).toEqual(bare);
  });

  test('a directory of /proc gives no descriptor of its process away', async () => {
    const script = `import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
pid = int(sys.argv[1])
for descriptor in (os.pidfd_open(pid), os.open(f'/proc/{pid}', os.O_RDONLY)):
    print(errno.errorcode[ctypes.get_errno()] if libc.syscall(438, descriptor, 1, 0) < 0 else 0)`;
    const other = openBystander(user);
    await isUp(other.pid);
    const command = ['python3', '-c', script, `${other.pid}`];
    expect(await run(user, command)).toMatchObject({ stdout: '0\nEBADF\n', stderr: '' });
    for (const [host, options, directory] of [
      [[], ['--quiet'], 'EBADF'],
      [landlock(5), ['--quiet'], 'EBADF'],
      [noLandlock, unkept, 'EPERM'],
    ] as const) {
      const outcome = await run(user, [...host, ...sandlock(policyOf([]), command, options)]);
      expect(outcome).toMatchObject({ stdout: `EPERM\n${directory}\n`, stderr: '' });
    }
  });

  test.each(HOSTS)('a kernel %s: to all means to all inside', async (_, host) => {
    const kept = openBystander(user);
    await isUp(kept.pid);
    const script =
      'sleep 33 & setsid sleep 33 & sleep 0.2; kill -9 -1; wait %1; echo $?; exec sleep 0.3';
    const command = sandlock(policyOf([]), ['bash', '-c', script], unkept);
    expect(await run(user, [...host, ...command])).toMatchObject({ stdout: '137\n', status: 0 });
    expect(processesWith('sleep 33')).toEqual([]);
    expect(readFileSync(`/proc/${kept.pid}/stat`, 'utf8')).toMatch(/\) S /);
  });

  test.each(HOSTS)(
    'a kernel %s: a PID namespace made inside leads to no group outside',
    async (_, host) => {
      const script = `trap '' USR1; unshare --user --pid --fork sh -c 'kill -USR1 0'; echo done`;
      const policy = `${policyOf([])}\n[program]\nallow_userns = true\n`;
      const outside = ['sh', '-c', `trap 'echo hit' USR1; "$@"; echo end`, 'outside'];
      const bare = await run(user, [...outside, 'sh', '-c', script]);
      expect(bare).toMatchObject({ stdout: 'done\nhit\nend\n', status: 0 });
      const command = sandlock(policy, ['sh', '-c', script], unkept);
      const outcome = await run(user, [...outside, ...host, ...command]);
      expect(outcome).toMatchObject({ stdout: 'done\nend\n', stderr: '', status: 0 });
    },
  );

  test.each(HOSTS)('a kernel %s: the command can not kill its supervisor', async (_, host) => {
    const [a] = await openTcp('127.0.0.1');
    const script = `kill -9 $PPID || echo alive; echo hello > /dev/tcp/${a.at}; exit 3`;
    const command = sandlock(policyOf([a.rule]), ['bash', '-c', script], unkept);
    const outcome = await run(user, [...host, ...command]);
    expect(outcome).toMatchObject({ stdout: 'alive\n', status: 3, signal: null });
    expect(await a.take()).toEqual(['hello\n']);
  });

  test('with scopes: the command can not kill its supervisor', async () => {
    const command = sandlock(policyOf([]), ['sh', '-c', 'kill -9 $PPID || echo alive; exit 3']);
    expect(await run(user, command)).toMatchObject({ stdout: 'alive\n', status: 3, signal: null });
  });

  test.each(HOSTS)(
    'a kernel %s: the supervisor is killed: all inside end, and who was a child before does not',
    async (_, host) => {
      const mark = `34${user.uid}`;
      const script = `setsid sleep ${mark} > /dev/null 2>&1 < /dev/null & sleep ${mark}`;
      const command = [...host, ...sandlock(policyOf([]), ['sh', '-c', script], unkept)];
      const killed = start(user, command);
      const ended = finished(killed);
      onTestFinished(() => void killed.kill('SIGKILL'));
      await until('both sleep', () => sleeping(mark).length === 2);
      process.kill(supervisorOf(mark), 'SIGKILL');
      await until('none sleeps', () => sleeping(mark).length === 0, 1000);
      expect(await ended).toMatchObject({ stdout: '', status: 125 });
      const kept = start(user, ['sh', '-c', 'sleep 35 & exec "$@"', 'sh', ...command]);
      onTestFinished(() => {
        for (const pid of [...sleeping(mark), ...processesWith('sleep 35')])
          process.kill(pid, 'SIGKILL');
        kept.kill('SIGKILL');
      });
      await until('both sleep', () => sleeping(mark).length === 2);
      process.kill(supervisorOf(mark), 'SIGKILL');
      await new Promise((resolve) => kept.on('exit', resolve));
      expect(processesWith('sleep 35')).toHaveLength(1);
    },
  );

  test.each(HOSTS)(
    'a kernel %s: sandlock is killed when the supervisor has no descriptor left: all inside end',
    async (_, host) => {
      const mark = `36${user.uid}`;
      const script = `setsid sleep ${mark} > /dev/null 2>&1 < /dev/null & sleep ${mark}`;
      const killed = start(user, [
        ...host,
        ...sandlock(policyOf([]), ['sh', '-c', script], unkept),
      ]);
      onTestFinished(() => void killed.kill('SIGKILL'));
      await until('both sleep', () => sleeping(mark).length === 2);
      const supervisor = supervisorOf(mark);
      // Below what is in use: a limit that poll(2) takes for the few that are watched.
      execFileSync('prlimit', [`--pid=${supervisor}`, '--nofile=5:'], {
        uid: user.uid,
        gid: user.uid,
      });
      process.kill(parentOf(supervisor), 'SIGKILL');
      await until('none sleeps', () => sleeping(mark).length === 0, 1000);
    },
  );

  test('sandlock killed, or the command ended before its orphans: all of them end', async () => {
    const mark = `31${user.uid}`;
    const orphan = `setsid sleep ${mark} > /dev/null 2>&1 < /dev/null &`;
    const killed = start(user, [
      ...noLandlock,
      ...sandlock(policyOf([]), ['sh', '-c', `${orphan} sleep ${mark}`], unkept),
    ]);
    onTestFinished(() => void killed.kill('SIGKILL'));
    const sleeping = (): number =>
      processesWith(`sleep ${mark}`).filter((pid) => readProc(String(pid), 'comm') === 'sleep\n')
        .length;
    await until('both sleep', () => sleeping() === 2);
    killed.kill('SIGKILL');
    await until('none sleeps', () => sleeping() === 0);
    const script = `${orphan} exit 5`;
    const command = sandlock(policyOf([]), ['sh', '-c', script], [...unkept, '--linger', '0']);
    expect(await run(user, [...noLandlock, ...command])).toMatchObject({ stdout: '', status: 5 });
    await until('none sleeps', () => sleeping() === 0);
  });
});
