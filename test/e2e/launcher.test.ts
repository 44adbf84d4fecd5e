/**
 * The launcher without Node: a program inside finds what it finds under `sandlock exec`, and
 * whoever starts it sees the same statuses, lines and log. What a table enforces is the other
 * files' matter, which run under the launcher as well (`run.mjs --native`).
 */
import { chmodSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openTcp, openUdp } from './harness/listen.ts';
import { compiled, policyOf, type RunOptions, run, sandlockExec } from './harness/run.ts';
import {
  launcher,
  makeDirectory,
  makeFile,
  native,
  probe,
  type User,
  users,
} from './harness/stage.ts';

const TABLE = compiled(makeFile('policy.toml', policyOf(['127.0.0.1:*', 'udp://127.0.0.1:*'])));

/** Serves where the policy of the test that starts it has no rule. */
const SERVE = `
from socket import *
for kind, place in [(SOCK_STREAM, ("127.0.0.1", 8471)), (SOCK_DGRAM, ("0.0.0.0", 8472))]:
    try: socket(AF_INET, kind).bind(place)
    except OSError: pass
`;

/** A first process that takes its own children alone: starts a command three times, then tells what is left. */
const INIT = `
import glob, subprocess, sys
print([subprocess.run(sys.argv[1:]).returncode for _ in range(3)])
for place in glob.glob("/proc/[0-9]*/stat"):
    pid, rest = open(place).read().split(" ", 1)
    if pid != "1": print(rest)
`;

/** Runs a command under both; what differs by chance (process ids, times) is evened out. */
async function both(
  user: User,
  command: readonly string[],
  { options = ['--quiet'], ...rest }: RunOptions = {},
): Promise<unknown[]> {
  const outcomes = [];
  for (const start of [[...launcher, 'exec'], [native]]) {
    const outcome = await run(user, [...start, TABLE, ...options, '--', ...command], rest);
    outcomes.push({ ...outcome, stderr: outcome.stderr.replace(/\[\d+\]/g, '[N]') });
  }
  return outcomes;
}

describe.each(users)('as $name', (user) => {
  test('limits, signals, capabilities, descriptors, directory, environment, session: the same under both', async () => {
    const script =
      'ulimit -a; umask; env | sort; grep -E "^(SigBlk|SigIgn|Cap|No|Sec|Threads|Speculation|Groups|Uid)" /proc/self/status; ' +
      'ls -l /proc/self/fd | wc -l; cut -d" " -f4-8 /proc/self/stat | sed "s/[0-9][0-9]*/N/g"; cat /proc/self/oom_score_adj; pwd';
    for (const command of [probe('state'), ['bash', '-c', script, 'name']]) {
      const env = { ODD: '\u00fc = "x"', EMPTY: '' };
      const [node, bare] = await both(user, command, { env, cwd: '/', input: 'x' });
      expect(node).toMatchObject({ status: 0, stderr: '' });
      expect(bare).toEqual(node);
    }
  });

  test('closed streams: open on nothing, as under Node', async () => {
    const script = 'exec "$@" <&- >&- 2>&-';
    const file = join(makeDirectory(), 'state');
    const found = [];
    for (const start of [[...launcher, 'exec'], [native]]) {
      const inner = [
        ...start,
        TABLE,
        '--',
        'sh',
        '-c',
        `readlink /proc/$$/fd/0 /proc/$$/fd/2 > ${file}; true`,
      ];
      expect(await run(user, ['bash', '-c', script, 'bash', ...inner])).toMatchObject({
        status: 0,
      });
      found.push(readFileSync(file, 'utf8'));
    }
    expect(found).toEqual(Array(2).fill('/dev/null\n'.repeat(2)));
  });

  test.each([0, 1, 125, 255])(
    'a command that exits with %i: so does the launcher',
    async (status) => {
      const [node, bare] = await both(user, ['sh', '-c', `exit ${status}`]);
      expect(bare).toEqual({ stdout: '', stderr: '', status, signal: null, timedOut: false });
      expect(bare).toEqual(node);
    },
  );

  test.each(['SIGTERM', 'SIGKILL', 'SIGPIPE', 'SIGXFSZ'] as const)(
    'a command that dies of %s: the launcher dies of it too',
    async (signal) => {
      const [node, bare] = await both(user, [
        'sh',
        '-c',
        `ulimit -c 0; kill -${signal.slice(3)} $$`,
      ]);
      expect(bare).toEqual({ stdout: '', stderr: '', status: null, signal, timedOut: false });
      expect(bare).toEqual(node);
    },
  );

  test('refusals: a line each, none with --quiet, all of them in the log', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const log = makeFile('log.json', '');
    const command = probe('connect', `tcp=${a.at}`, `tcp=${b.at}`);
    const start = (...options: string[]) => run(user, sandlockExec(TABLE, command, options));
    const shown = await start();
    expect(shown.stdout).toBe(`tcp=${a.at} 0 -\ntcp=${b.at} -1 ECONNREFUSED\n`);
    expect(shown.stderr.replace(/\[\d+\]/, '[N]')).toBe(
      `sandlock: denied tcp ${b.rule} — connect[N]; no tcp rule for this address; to allow: "${b.rule}"\n`,
    );
    const quiet = await run(
      user,
      sandlockExec(TABLE, command, ['-q', '--log', join(log, '../own.json')]),
    );
    expect(quiet).toMatchObject({ stderr: '', status: 0 });
    const lines = readFileSync(join(log, '../own.json'), 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      {
        ...{ event: 'decision', verdict: 'deny', syscall: 'connect', protocol: 'tcp' },
        ...{ destination: `127.0.0.2:${b.port}`, address: '127.0.0.2' },
        ...{ port: b.port, errno: 'ECONNREFUSED', program: 'connect' },
        reason: 'no tcp rule for this address',
        suggestion: { list: 'allow', rule: b.rule },
      },
    ]);
    expect([await a.take(), await b.take()]).toEqual([['hello', 'hello'], []]);
  });

  test('lines, log, summary and counts: byte for byte those of `sandlock exec`', async () => {
    const [a, c] = await openTcp('127.0.0.1', '127.0.0.3');
    const [b] = await openTcp('127.0.0.2');
    const socket = join(makeDirectory(), 'socket');
    const server = createServer().listen(socket);
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    chmodSync(socket, 0o666);
    const [u, v] = await openUdp('127.0.0.1', '127.0.0.2');
    const words = [a, b, c, a, b].map(({ at }) => `tcp=${at}`);
    const programs = [
      probe('connect', ...words, 'tcp=127.0.0.1/1', 'tcp=::1/1', 'tcp=192.0.2.9/443'),
      probe('send', `sendto=${u.at}`, `sendto=${v.at}`),
      ['socat', '-lf/dev/null', `UNIX-CONNECT:${socket}`, '-'],
      ['python3', '-c', SERVE],
    ];
    const script = programs.map((program) => program.map((word) => `'${word}'`).join(' '));
    const command = ['bash', '-c', script.join('\n')];
    const network = [
      `allow = ["localhost:${a.port}", "udp://127.0.0.1/32:${u.port}", "tcp://127.0.0.0/30:${c.port},1-9"]`,
      'deny = ["tcp://127.0.0.0/8:1", "192.0.2.0/24:*"]',
      'allow_bind = ["127.0.0.1:9000-9010"]',
      'allow_unix = ["/tmp/sandlock/"]',
    ];
    const table = compiled(makeFile('policy.toml', `[network]\n${network.join('\n')}\n`));
    const told: string[] = [];
    for (const start of [
      [...launcher, 'exec', table],
      [native, table],
    ]) {
      const log = join(makeDirectory(), 'log.json');
      const options = ['--summary', '--stats', '--log-allowed', '--log', log];
      const { stderr } = await run(user, [...start, ...options, '--', ...command]);
      const text = stderr + readFileSync(log, 'utf8');
      told.push(
        text
          .replace(/\[\d+\]/g, '[N]')
          .replace(/"(pid|tid)":\d+/g, '"$1":0')
          .replace(/"time":"[^"]*"/g, '"time":""'),
      );
    }
    const [node, bare] = told;
    for (const text of [
      `denied tcp ${b.rule} — connect[N]; no tcp rule for port ${b.port} of this address; to allow: "${b.rule}"\n`,
      `denied udp ${v.rule} — send[N]; no udp rule for this address; to allow: "udp://${v.rule}"\n`,
      'denied tcp 127.0.0.1:1 (localhost) — connect[N]; by policy.toml:3:9 "tcp://127.0.0.0/8:1"\n',
      'denied tcp 192.0.2.9:443 — connect[N]; by policy.toml:3:32 "192.0.2.0/24:*"\n',
      'denied bind tcp 127.0.0.1:8471 (localhost) — python3[N]; no tcp bind rule for port 8471 of this address; to allow: "127.0.0.1:8471" in allow_bind\n',
      'denied bind udp 0.0.0.0:8472 — python3[N]; no rule allows a udp bind; to allow: "udp://0.0.0.0:8472" in allow_bind\n',
      `denied unix ${socket} — socat[N]; no unix rule for this socket; to allow: "${socket}" in allow_unix\n`,
      `reached 2× tcp ${a.rule} (localhost) — connect: policy.toml:2 "localhost:${a.port}"\n`,
      `denied once more: tcp ${b.rule} — connect\n`,
      '"rule":{"text":"tcp://127.0.0.0/8:1","source":"policy.toml","line":3,"column":9}',
      `"suggestion":{"list":"allow","rule":"${b.rule}"}`,
    ]) {
      expect(bare).toContain(text);
    }
    expect(bare).toBe(node);
    expect(await b.take()).toEqual([]);
    expect(await v.take()).toEqual([]);
  });

  test('a log that can not be opened or written: the same sentence from both', async () => {
    const [b] = await openTcp('127.0.0.2');
    const command = probe('connect', `tcp=${b.at}`);
    for (const [log, text] of [
      ['/dev/full', 'sandlock: the log ends here: /dev/full: no space left on device\n'],
      ['/', 'sandlock: can not write /: it is a directory, not a file\n'],
      ['/dev/null/log', 'sandlock: can not write /dev/null/log: not a directory\n'],
    ] as const) {
      const [node, bare] = await both(user, command, { options: ['--quiet', '--log', log] });
      expect(bare).toMatchObject({ stderr: text });
      expect(bare).toEqual(node);
    }
    expect(await b.take()).toEqual([]);
  });

  test('what can not be run: the same sentence and status as from `sandlock exec`, and nothing runs', async () => {
    const plain = makeFile('plain', 'text\n');
    for (const [command, status] of [
      [['no-such-program'], 127],
      [['/no/such/program'], 127],
      [[plain], 126],
    ] as const) {
      const [node, bare] = await both(user, command);
      expect(bare).toMatchObject({ stdout: '', status });
      expect(bare).toEqual(node);
    }
    const inner = sandlockExec(TABLE, ['echo', 'ran']);
    const [node, bare] = await both(user, inner);
    expect(bare).toMatchObject({ stdout: '', status: 125 });
    expect(bare).toEqual(node);
  });

  test('a policy, a table that is damaged, cut or absent: refused with the place, and nothing runs', async () => {
    const bytes = readFileSync(TABLE);
    const damaged = Buffer.from(bytes);
    damaged[damaged.length - 1] = (damaged[damaged.length - 1] ?? 0) ^ 1;
    for (const [file, text] of [
      [
        makeFile('policy.toml', policyOf(['127.0.0.1:*'])),
        'is not a compiled table; if it is a policy: sandlock compile',
      ],
      [
        makeFile('old.bin', readFileSync(join(import.meta.dirname, '../bad-data/major-1.bin'))),
        /major version .*; compile its policy anew \(defect 3 at byte 8\)/,
      ],
      [makeFile('damaged.bin', damaged), /checksum .* \(defect 7 at byte 24\)/],
      [
        makeFile('cut.bin', bytes.subarray(0, 100)),
        /is not a table that can be used: .* at byte \d+\)/,
      ],
      [join(makeDirectory(), 'absent.bin'), 'no such file or directory'],
    ] as const) {
      const outcome = await run(user, [native, file, '--', 'echo', 'ran']);
      expect(outcome).toMatchObject({ stdout: '', status: 2, signal: null });
      expect(outcome.stderr).toMatch(text);
    }
    expect(await run(user, [native, TABLE, '--', 'echo', 'ran'])).toMatchObject({
      stdout: 'ran\n',
      status: 0,
    });
  });

  test('an orphan that outlives the command: ended after --linger, and told', async () => {
    const command = ['sh', '-c', 'setsid sleep 100 > /dev/null 2>&1 < /dev/null & echo out'];
    const [node, bare] = await both(user, command, { options: ['--linger', '0'] });
    expect(bare).toMatchObject({
      ...{ stdout: 'out\n', status: 0 },
      stderr: 'sandlock: ended 1 process that outlived the command (see --linger)\n',
    });
    expect(bare).toEqual(node);
  });
});

test.each(users.filter(({ name }) => name === 'root'))(
  'as $name, what the supervisor needs is not there: nothing runs, not even for a moment',
  async (user) => {
    const directory = makeDirectory();
    const started = sandlockExec(TABLE, ['touch', join(directory, 'ran')]);
    // Without /dev there is no /dev/null; whether a program got that far was a race.
    const script = 'mount --bind "$0" /dev; for i in 1 2 3 4 5 6 7 8 9 10; do "$@"; done; ls "$0"';
    const apart = ['unshare', '-m', 'sh', '-c', script, directory, ...started];
    const text = 'the sandbox could not be started; nothing was run (prepare: ENOENT)';
    expect(await run(user, apart)).toEqual({
      ...{ stdout: '', stderr: `sandlock: ${text}\n`.repeat(10) },
      ...{ status: 0, signal: null, timedOut: false },
    });
  },
);

// Who makes such a process has to be root here.
test.each(process.getuid?.() === 0 ? users : [])(
  'as $name, under a first process that takes no orphans: nothing is left to it',
  async (user) => {
    const [root] = users.filter(({ uid }) => uid === 0);
    const as = [`--reuid=${user.uid}`, `--regid=${user.uid}`, '--clear-groups'];
    for (const start of [[...launcher, 'exec'], [native]]) {
      const outcome = await run(root ?? user, [
        ...['unshare', '--pid', '--fork', '--mount-proc', 'python3', '-c', INIT],
        ...['setpriv', ...as, ...start, TABLE, '--', 'sh', '-c', 'sleep 0.1 & exit 3'],
      ]);
      expect(outcome).toMatchObject({ stdout: '[3, 3, 3]\n', stderr: '', status: 0 });
    }
  },
);
