/**
 * Programs that talk only among themselves: their own unix sockets, passed descriptors, debuggers,
 * schedulers. They need nothing of the network, and no kind of network rule may disturb them.
 */
import { describe, test } from 'vitest';
import { makeFile, node, users } from '../e2e/harness/stage.ts';
import { each, withDatagrams } from './policies.ts';
import { unchanged } from './unchanged.ts';

const FORKSERVER = `
import multiprocessing as m, multiprocessing.reduction as r, os, socket
def square(n): return n * n
def answer(connection):
    end = connection.recv()
    end.send(b'from the other process')
    end.close()
if __name__ == '__main__':
    c = m.get_context('forkserver')
    with c.Pool(2) as pool: print(pool.map(square, range(5)))
    ours, theirs = c.Pipe()
    child = c.Process(target=answer, args=(theirs,))
    child.start()
    a, b = socket.socketpair()
    ours.send(b)
    b.close()
    print(a.recv(64).decode())
    child.join()
    with c.Manager() as manager:
        d = manager.dict()
        workers = [c.Process(target=d.__setitem__, args=(i, i * i)) for i in range(3)]
        for w in workers: w.start()
        for w in workers: w.join()
        print(sorted(d.items()))
`;

const INTERFACES = `
const { networkInterfaces } = require('node:os');
console.log(networkInterfaces().lo.map((one) => one.address).join(' '));`;

const PLACES = `
#include <omp.h>
#include <stdio.h>
int main(void) {
  int sum = 0;
  #pragma omp parallel for reduction(+:sum)
  for (int i = 0; i < 1000; i++) sum += i;
  printf("%d %d\\n", sum, omp_get_proc_bind() != omp_proc_bind_false);
}`;

const LEAK = `
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
  char *kept = malloc(100);
  memset(kept, 1, 100);
  if (argc > 1) kept = 0; else free(kept);
  return 0;
}`;

describe.concurrent.each(users)('as $name', (user) => {
  // It has a pair of datagram sockets for its signal handlers, which a policy without datagram rules has to name.
  test.each(withDatagrams)(
    'socat under $rules: listens and connects on a unix socket',
    ({ policy }) =>
      unchanged({
        user,
        policy,
        script: `socat -u UNIX-LISTEN:stream STDOUT > got & server=$!
        until echo one | socat -u STDIN UNIX-CONNECT:stream 2> log; do sleep 0.05; done
        socat -u UNIX-RECV:datagram STDOUT > more & second=$!
        until [ -S datagram ]; do sleep 0.01; done
        echo two | socat -u STDIN UNIX-SENDTO:datagram
        until [ -s more ]; do sleep 0.01; done
        kill $second; wait $server; cat got more`,
        prints: 'one\ntwo\n',
      }),
  );

  describe.each(each)('under $rules', ({ policy }) => {
    test('python: forkserver, a manager, a socket passed to another process', () =>
      unchanged({
        user,
        policy,
        script: `python3 ${makeFile('forkserver.py', FORKSERVER)}`,
        prints: '[0, 1, 4, 9, 16]\nfrom the other process\n[(0, 0), (1, 1), (2, 4)]\n',
      }));

    test('node: os.networkInterfaces()', () =>
      unchanged({
        user,
        policy,
        script: `${node} ${makeFile('interfaces.cjs', INTERFACES)}`,
        prints: '127.0.0.1 ::1\n',
      }));

    test('sftp with its server: a file there and back', () =>
      unchanged({
        user,
        policy,
        script: `echo content > there
          printf 'get there back\\nput back again\\n' |
            sftp -q -D /usr/lib/openssh/sftp-server -b - > log
          cat back again`,
        prints: 'content\ncontent\n',
      }));

    test('ssh-agent: holds a key for ssh-add', () =>
      unchanged({
        user,
        policy,
        script: `ssh-keygen -q -t ed25519 -N '' -C ours -f key
          eval "$(ssh-agent -a agent)" > log
          ssh-add -q key
          ssh-add -l | sed 's/.* \\(ours .*\\)/\\1/'
          ssh-agent -k > log`,
        prints: 'ours (ED25519)\n',
      }));

    test('tmux: a server, a session, a command in it', () =>
      unchanged({
        user,
        policy,
        script: `export TMUX_TMPDIR=$PWD
          export SHELL=/bin/sh
          tmux -f /dev/null new-session -d -s one -x 80 -y 24 sh
          tmux send-keys -t one 'echo $((6 * 7)) > out; tmux wait-for -S done' Enter
          tmux wait-for done
          tmux list-sessions -F '#{session_name} #{session_windows}'
          tmux kill-server
          cat out`,
        prints: 'one 1\n42\n',
      }));

    test('dbus-run-session: a bus, a client that asks it', () =>
      unchanged({
        user,
        policy,
        script: `dbus-run-session -- dbus-send --session --print-reply=literal \\
            --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetConnectionUnixUser \\
            string:org.freedesktop.DBus | grep -o "uint32 $(id -u)" | sed "s/ .*//"`,
        prints: 'uint32\n',
        complains: /^(dbus-daemon.*\n)*$/,
      }));

    test('OpenMP with bound threads', () =>
      unchanged({
        user,
        policy,
        script: `gcc -fopenmp -o places -x c ${makeFile('places.c', PLACES)}
          OMP_PROC_BIND=true OMP_NUM_THREADS=2 ./places`,
        prints: '499500 1\n',
      }));

    test('AddressSanitizer: its leak check at the end, with and without a leak', () =>
      unchanged({
        user,
        policy,
        script: `gcc -g -fsanitize=address -o leak -x c ${makeFile('leak.c', LEAK)}
          ./leak; echo $?
          ./leak yes 2> log || echo $?
          grep -o 'ERROR: LeakSanitizer: detected memory leaks' log`,
        prints: '0\n1\nERROR: LeakSanitizer: detected memory leaks\n',
      }));

    test('gdb: runs a program to a breakpoint and reads it', () =>
      unchanged({
        user,
        policy,
        script: `gcc -g -O0 -o leak -x c ${makeFile('leak.c', LEAK)}
          gdb -nx -batch -ex 'break 6' -ex run -ex 'print argc' -ex continue ./leak \\
            < /dev/null 2> log | grep -E '^\\$1|exited'`,
        prints: /^\$1 = 1\n\[Inferior 1 \(process \d+\) exited normally\]\n$/,
      }));

    test('strace -f: a program and its children', () =>
      unchanged({
        user,
        policy,
        script: `strace -f -qq -e trace=execve -o log sh -c '/bin/true; /bin/true'
          grep -c 'execve("/bin/true".* = 0' log`,
        prints: '2\n',
      }));

    test('priorities of one’s own processes: nice, renice, taskset, prlimit, ionice, chrt', () =>
      unchanged({
        user,
        policy,
        script: `sleep 30 & child=$!
          renice -n 5 -p $child > log
          ps -o ni= -p $child | tr -d ' '
          taskset -pc 0 $child | tail -n 1 | sed 's/.*: //'
          ionice -c 3 -p $child; ionice -p $child
          chrt -i -p 0 $child; chrt -p $child | head -n 1 | sed 's/.*: //'
          nice -n 3 taskset -c 0 nice
          kill $child`,
        prints: '5\n0\nidle\nSCHED_IDLE\n3\n',
      }));
  });
});
