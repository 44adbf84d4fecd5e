/**
 * The launcher without Node: a program inside finds what it finds under `sandlock exec`, and
 * whoever starts it sees the same statuses, lines and log. What a table enforces is the other
 * files' matter, which run under the launcher as well (`run.mjs --native`).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTcp } from './harness/listen.ts';
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
      `sandlock: denied tcp 127.0.0.2:${b.port} — connect[N]\n`,
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
      },
    ]);
    expect([await a.take(), await b.take()]).toEqual([['hello', 'hello'], []]);
  });

  test('--summary, --stats and --log-allowed: as from `sandlock exec`, but for the rules, which take the compiler', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const command = probe('connect', `tcp=${a.at}`, `tcp=${b.at}`);
    const file = join(makeDirectory(), 'log.json');
    const outcomes = await both(user, command, {
      options: ['--quiet', '--summary', '--stats', '--log-allowed', '--log', file],
    });
    const [node, bare] = outcomes.map((outcome) =>
      (outcome as { stderr: string }).stderr.replace(/(— connect): .*/g, '$1'),
    );
    expect(bare).toBe(
      `sandlock: reached 1× tcp ${a.rule} — connect\nsandlock: refused 1× tcp ${b.rule} — connect\n` +
        'sandlock: looked at 2 calls: 2 connects, 0 messages, 0 binds, 0 others\n',
    );
    expect(bare).toBe(node);
    // Two decisions of each.
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    const logged = lines.map((line) => JSON.parse(line)).map(({ verdict }) => verdict);
    expect(logged).toEqual(['allow', 'deny', 'allow', 'deny']);
    expect([await a.take(), await b.take()]).toEqual([['hello', 'hello'], []]);
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
