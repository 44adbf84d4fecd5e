"""A shell on a terminal of its own, driven step by step: terminal.py STEPS, where STEPS is JSON: [["send", text] |
["expect", regex] | ["without", regex] | ["wait", seconds] | ["hangup"], …]. `expect` waits up to 10 s for output that matches and consumes it;
`without` is about what the last `expect` consumed. Prints `ok`, or what went wrong with the output that was left."""
import json
import os
import pty
import re
import select
import signal
import sys
import time

pid, fd = pty.fork()
if pid == 0:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and that would be inherited
    os.environ.update(PS1='$ ', TERM='dumb', HISTFILE='/dev/null')
    os.execvp('bash', ['bash', '--norc', '--noprofile', '--noediting', '-i'])

seen, consumed = '', ''


def fail(message):
    print(f'{message}\nlast consumed: {consumed!r}\nunread: {seen!r}')
    os.close(fd)
    sys.exit(1)


for step in json.loads(sys.argv[1]):
    if step[0] == 'send':
        os.write(fd, step[1].encode())
    elif step[0] == 'wait':
        time.sleep(float(step[1]))
    elif step[0] == 'hangup':
        os.close(fd)
        os.waitpid(pid, 0)
        print('ok')
        sys.exit(0)
    elif step[0] == 'without':
        if re.search(step[1], consumed):
            fail(f'unwanted: {step[1]}')
    else:
        end = time.monotonic() + 10
        while not (match := re.search(step[1], seen)):
            if time.monotonic() > end or not select.select([fd], [], [], 10)[0]:
                fail(f'not seen: {step[1]}')
            try:
                seen += os.read(fd, 4096).decode(errors='replace')
            except OSError:
                fail(f'the shell ended before: {step[1]}')
        consumed, seen = seen[:match.end()], seen[match.end():]
os.write(fd, b'exit\n')
os.close(fd)
print('ok')
