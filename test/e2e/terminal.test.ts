/**
 * Job control as without sandlock: an interactive shell on a terminal starts the command, and the keys that stop,
 * interrupt and continue do what they always do. Each dialogue is first held with the bare command.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { processesWith, readProc, until } from './harness/processes.ts';
import { killGroup, policyOf, run, sandlock, start } from './harness/run.ts';
import { makeDirectory, makeFile, users } from './harness/stage.ts';

type Step = readonly ['send' | 'expect' | 'without' | 'wait', string] | readonly ['hangup'];

/**
 * Lines typed have quotes inside their words, so that their echo is not taken for output. Not bash, which ignores
 * SIGQUIT until it has executed the last command.
 */
const WAITS = `sh -c 'echo rea""dy; exec sleep 100'`;

const DIALOGUES: Record<string, readonly Step[]> = {
  'Ctrl-C: the command dies of SIGINT, the shell sees 130': [
    ['send', `sl ${WAITS}\n`],
    ['expect', 'ready\r\n'],
    ['send', '\x03'],
    ['send', 'echo "rc="$?\n'],
    ['expect', 'rc=130\r\n'],
  ],
  'Ctrl-C in a loop of the shell: the loop ends': [
    ['send', `for i in 1 2 3; do sl ${WAITS}; echo ne""xt; done\n`],
    ['expect', 'ready\r\n'],
    ['send', '\x03'],
    ['send', 'echo do""ne\n'],
    ['expect', 'done\r\n'],
    ['without', 'next|ready'],
  ],
  'Ctrl-\\: the command dies of SIGQUIT, the shell sees 131': [
    ['send', `ulimit -c 0; sl ${WAITS}\n`],
    ['expect', 'ready\r\n'],
    ['send', '\x1c'],
    ['send', 'echo "rc="$?\n'],
    ['expect', 'rc=131\r\n'],
  ],
  'Ctrl-Z, fg, twice, then Ctrl-C: stopped, continued, interrupted': [
    [
      'send',
      `sl bash -c 'trap "echo conti\\"\\"nued" CONT; echo rea""dy; while :; do sleep 0.1; done'\n`,
    ],
    ['expect', 'ready\r\n'],
    ['send', '\x1a'],
    ['expect', 'Stopped'],
    ['send', 'fg\n'],
    ['expect', 'continued\r\n'],
    ['send', '\x1a'],
    ['expect', 'Stopped'],
    ['send', 'fg\n'],
    ['expect', 'continued\r\n'],
    ['send', '\x03'],
    ['send', 'echo "rc="$?\n'],
    ['expect', 'rc=130\r\n'],
  ],
  'a background job that reads the terminal: stopped until it is brought to the front': [
    ['send', `sl bash -c 'read line; echo "got $line"' &\n`],
    ['expect', '\\[1\\] \\d+'],
    ['send', 'sleep 0.5; jobs\n'],
    ['expect', 'Stopped'],
    ['send', 'fg\n'],
    ['send', 'words\n'],
    ['expect', 'got words\r\n'],
  ],
  'an interactive interpreter: Ctrl-C is its own affair': [
    ['send', 'sl python3 -q\n'],
    ['expect', '>>> '],
    // The interpreter shows its prompt a moment before it can be interrupted.
    ['wait', '0.5'],
    ['send', '\x03'],
    ['expect', 'KeyboardInterrupt'],
    ['send', 'print(6 * 7)\n'],
    ['expect', '42\r\n'],
    ['send', 'exit(7)\n'],
    ['send', 'echo "rc="$?\n'],
    ['expect', 'rc=7\r\n'],
  ],
  'the size of the terminal: the command sees it': [
    ['send', 'stty rows 33 cols 99; sl stty size\n'],
    ['expect', '33 99\r\n'],
  ],
  'a reader that ends early: the command dies of SIGPIPE, as in any pipe': [
    ['send', 'sl yes | head -n 1; declare -p PIPESTATUS\n'],
    ['expect', 'PIPESTATUS=\\(\\[0\\]="141" \\[1\\]="0"\\)\r\n'],
  ],
  'kill with SIGTERM: forwarded, the shell sees 143': [
    ['send', `sl ${WAITS} &\n`],
    ['expect', 'ready\r\n'],
    ['send', 'kill $!; wait $!; echo "rc="$?\n'],
    ['expect', 'rc=143\r\n'],
  ],
  'SIGUSR1 with a handler in the command: forwarded, and nothing else happens': [
    [
      'send',
      `sl bash -c 'trap "echo usr""one; exit 9" USR1; echo rea""dy; while :; do sleep 0.1; done' &\n`,
    ],
    ['expect', 'ready\r\n'],
    ['send', 'kill -USR1 $!; wait $!; wait $!; echo "rc="$?\n'],
    ['expect', 'usrone\r\n'],
    ['expect', 'rc=9\r\n'],
    ['without', 'inspector|Debugger'],
  ],
};

const SCRIPT = readFileSync(join(import.meta.dirname, 'harness/terminal.py'), 'utf8');

/** Runs a command on a terminal of its own, and prints its process id and what it writes. */
const ON_TERMINAL = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
print(pid, flush=True)
while piece := os.read(terminal, 4096): os.write(1, piece)
`;

describe.each(users)('as $name', (user) => {
  test.each(Object.keys(DIALOGUES))('%s', async (name) => {
    const steps = DIALOGUES[name] ?? [];
    const ok = { stdout: 'ok\n', stderr: '', status: 0, signal: null, timedOut: false };
    const hold = (command: readonly string[]) =>
      run(user, ['python3', '-c', SCRIPT, JSON.stringify([...alias(command), ...steps])]);
    expect(await hold([])).toEqual(ok);
    expect(await hold(sandlock(policyOf(['127.0.0.1:*']), []))).toEqual(ok);
  });

  test('stopped again before sandlock has gone on: what continues sandlock continues the command once, not twice', async () => {
    const loop = 'echo $$; while :; do sleep 0.05; done';
    const command = sandlock(policyOf([]), ['bash', '-c', loop]);
    const child = start(user, ['python3', '-c', ON_TERMINAL, ...command]);
    onTestFinished(() => void child.kill('SIGKILL'));
    const pids = new Promise<string>((resolve) => {
      let text = '';
      child.stdout?.on('data', (piece) => {
        text += piece;
        if (/\n[^\n]*\n/.test(text)) resolve(text);
      });
    });
    const [host = 0, pid = 0] = (await pids).split('\n').map(Number);
    onTestFinished(() => killGroup(host));
    const isStopped = (task: number): boolean => / T /.test(readProc(`${task}`, 'stat'));
    process.kill(pid, 'SIGSTOP');
    await until('sandlock stops as its command does', () => isStopped(host));
    process.kill(pid, 'SIGCONT');
    await until('the command goes on', () => !isStopped(pid));
    process.kill(pid, 'SIGSTOP');
    await until('it is stopped again', () => isStopped(pid));
    // Sandlock goes on from the first stop, finds the second and stops.
    process.kill(host, 'SIGCONT');
    await until('sandlock stops again', () => isStopped(host));
    expect(isStopped(pid)).toBe(true);
    process.kill(host, 'SIGCONT');
    await until('the command goes on with sandlock', () => !isStopped(pid));
    expect(isStopped(host)).toBe(false);
  });

  test('stopped without a terminal, and continued by a child: goes on and ends, and what others do is told meanwhile', async () => {
    const log = join(makeDirectory(), 'log');
    const tries = `: < /dev/tcp/127.0.0.1/9; sleep 0.3; grep -c connect ${log}`;
    const script = `(sleep 0.2; ${tries}; kill -CONT $$) 2> /dev/null & kill -STOP $$; wait; exit 7`;
    const outcome = await run(
      user,
      sandlock(policyOf([]), ['bash', '-c', script], ['-q', '--log', log]),
    );
    const told = { stdout: '1\n', stderr: '', status: 7, signal: null, timedOut: false };
    expect(outcome).toEqual(told);
  });

  test('leader of its session, with nobody to continue it: what Ctrl-Z sends stops nothing', async () => {
    // Linux discards the signal in an orphaned group (setpgid(2)); a supervisor in this session
    // would be a parent in it.
    const stops = ['sh', '-c', 'kill -TSTP $$; echo goes on'];
    const goesOn = { stdout: 'goes on\n', stderr: '', status: 0, signal: null, timedOut: false };
    expect(await run(user, stops)).toEqual(goesOn);
    expect(await run(user, sandlock(policyOf([]), stops))).toEqual(goesOn);
  });

  test('the terminal hangs up: nothing of the tree is left', async () => {
    const directory = makeDirectory();
    const script = makeFile('wait.sh', 'echo rea""dy; sleep 60; sleep 60\n');
    const steps: Step[] = [
      ...alias(sandlock(policyOf([]), [])),
      ['send', `sl bash ${script} ${directory}\n`],
      ['expect', 'ready\r\n'],
      ['hangup'],
    ];
    const outcome = await run(user, ['python3', '-c', SCRIPT, JSON.stringify(steps)]);
    expect(outcome.stdout).toBe('ok\n');
    await until('no process is left', () => processesWith(`${script} ${directory}`).length === 0);
  });
});

/** Steps that name the command `sl`; for no command, the words after it are run as they are. */
function alias(command: readonly string[]): Step[] {
  const words = command.map((word) => `'\\''${word}'\\''`).join(' ');
  return [
    ['send', `alias sl='${words === '' ? 'command' : words} '\n`],
    ['expect', '\\$ $'],
  ];
}
