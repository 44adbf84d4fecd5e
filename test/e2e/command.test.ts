/**
 * `sandlock exec` as a command among commands: statuses, signals, streams, what the program finds when it starts, and
 * what is told about refusals.
 */
import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTcp, openUdp } from './harness/listen.ts';
import { finished, policyOf, run, runSandboxed, sandlock, start } from './harness/run.ts';
import { launcher, makeDirectory, makeFile, probe, stage, users } from './harness/stage.ts';

const POLICY = policyOf(['127.0.0.1:*']);
const QUIET_END = { stderr: '', signal: null, timedOut: false };

describe.each(users)('as $name', (user) => {
  test.each([0, 1, 3, 77, 125, 255])(
    'a command that exits with %i: so does sandlock',
    async (status) => {
      const command = ['bash', '-c', `echo out; exit ${status}`];
      expect(await runSandboxed(user, POLICY, command)).toEqual({
        ...QUIET_END,
        stdout: 'out\n',
        status,
      });
    },
  );

  test.each(['SIGTERM', 'SIGKILL', 'SIGSEGV', 'SIGABRT', 'SIGPIPE'] as const)(
    'a command that dies of %s: sandlock dies of it too',
    async (signal) => {
      const command = ['bash', '-c', `ulimit -c 0; kill -${signal.slice(3)} $$`];
      expect(await runSandboxed(user, POLICY, command)).toEqual({
        ...QUIET_END,
        stdout: '',
        status: null,
        signal,
      });
    },
  );

  test('a signal death seen by a shell: 128 and the number', async () => {
    const script = '"$@"; echo "rc=$?"';
    const inner = sandlock(POLICY, ['bash', '-c', 'kill -TERM $$']);
    const outcome = await run(user, ['bash', '-c', script, 'bash', ...inner]);
    expect(outcome.stdout).toBe('rc=143\n');
  });

  test('a program that is not there: 127, and that name', async () => {
    expect(await runSandboxed(user, POLICY, ['no-such-program'])).toEqual({
      ...{ stdout: '', stderr: 'sandlock: no-such-program: not found\n' },
      ...{ status: 127, signal: null, timedOut: false },
    });
  });

  test('a file that can not be executed: 126', async () => {
    const file = makeFile('plain', 'text\n');
    expect(await runSandboxed(user, POLICY, [file])).toEqual({
      ...{ stdout: '', stderr: `sandlock: ${file}: permission denied\n` },
      ...{ status: 126, signal: null, timedOut: false },
    });
    chmodSync(file, 0o755);
    expect(await runSandboxed(user, POLICY, [file])).toEqual({
      ...{ stdout: '', stderr: `sandlock: ${file}: not a program\n` },
      ...{ status: 126, signal: null, timedOut: false },
    });
  });

  test('no policy, no command, a policy with an error, a file that is not there: 2, and nothing runs', async () => {
    const witness = join(makeDirectory(), 'ran');
    const touch = ['touch', witness];
    const bad = makeFile('bad.toml', '[network]\nallow = ["127.0.0.1"]\n');
    const good = makeFile('good.toml', POLICY);
    for (const args of [
      ['exec', '--', ...touch],
      ['exec', good, ...touch],
      ['exec', good, '--'],
      ['exec', bad, '--', ...touch],
      ['exec', `${good}.missing`, '--', ...touch],
      ['exec', good, '--unknown', '--', ...touch],
    ]) {
      const outcome = await run(user, [...launcher, ...args]);
      expect(outcome).toMatchObject({ stdout: '', status: 2, signal: null });
      expect(outcome.stderr).not.toBe('');
    }
    expect(() => readFileSync(witness)).toThrow('ENOENT');
    expect(await run(user, [...launcher, 'exec', good, '--', ...touch])).toMatchObject({
      status: 0,
    });
    expect(readFileSync(witness, 'utf8')).toBe('');
  });

  test('a compiled table: enforced as the policy it came from; damaged, it is refused', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const table = join(makeDirectory(), 'policy.bin');
    const source = makeFile('policy.toml', policyOf([a.rule]));
    const compiled = await run(user, [...launcher, 'compile', source, '-o', table]);
    expect(compiled).toMatchObject({ stdout: '', status: 0 });
    const command = probe('connect', `tcp=${a.at}`, `tcp=${b.at}`);
    expect(await runSandboxed(user, { file: table }, command)).toEqual({
      ...QUIET_END,
      stdout: `tcp=${a.at} 0 -\ntcp=${b.at} -1 ECONNREFUSED\n`,
      status: 0,
    });
    expect([await a.take(), await b.take()]).toEqual([['hello'], []]);
    const bytes = readFileSync(table);
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
    const damaged = await runSandboxed(user, { file: makeFile('policy.bin', bytes) }, command);
    expect(damaged).toMatchObject({ stdout: '', status: 2 });
    expect(damaged.stderr).toContain('checksum');
    expect(await a.take()).toEqual([]);
  });

  test('rules by option, with a policy and alone: added to it', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const command = probe('connect', `tcp=${a.at}`, `tcp=${b.at}`);
    const alone = [...launcher, 'exec', '--quiet', '--allow', a.rule, '--', ...command];
    expect((await run(user, alone)).stdout).toBe(`tcp=${a.at} 0 -\ntcp=${b.at} -1 ECONNREFUSED\n`);
    const options = ['--quiet', '--allow', b.rule, '--deny', a.rule];
    const added = sandlock(policyOf([a.rule]), command, options);
    expect((await run(user, added)).stdout).toBe(`tcp=${a.at} -1 ECONNREFUSED\ntcp=${b.at} 0 -\n`);
    expect([await a.take(), await b.take()]).toEqual([['hello'], ['hello']]);
  });

  test('arguments of any bytes: handed on as they are', async () => {
    const script = `"$@" $'\\xff\\xfe' '' ' two  words ' 'ü' -- --quiet | od -An -tx1 -v`;
    const inner = sandlock(POLICY, ['printf', '<%s>']);
    const outcome = await run(user, ['bash', '-c', script, 'bash', ...inner]);
    const bytes = outcome.stdout
      .trim()
      .split(/\s+/)
      .map((hex) => Number.parseInt(hex, 16));
    expect(Buffer.from(bytes).toString('latin1')).toBe(
      '<\xff\xfe><>< two  words ><\xc3\xbc><--><--quiet>',
    );
  });

  test('sandlock inside sandlock: refused with 125 and the reason, and the inner command does not run', async () => {
    const inner = sandlock(POLICY, ['echo', 'ran']);
    expect(await runSandboxed(user, POLICY, inner)).toEqual({
      stdout: '',
      stderr:
        'sandlock: already inside a sandbox that supervises system calls; a second one can not start in it (nested: EBUSY)\n',
      ...{ status: 125, signal: null, timedOut: false },
    });
  });

  test('a native library that is not there: 125, and nothing runs', async () => {
    const env = { SANDLOCK_LIBRARY: '/nonexistent/libsandlock.so' };
    const outcome = await runSandboxed(user, POLICY, ['echo', 'ran'], { env });
    expect(outcome).toMatchObject({ stdout: '', status: 125 });
    expect(outcome.stderr).toContain('/nonexistent/libsandlock.so');
  });

  test('a native library without the program beside it: 125, and nothing runs', async () => {
    const library = join(makeDirectory(), 'libsandlock.so');
    copyFileSync(join(stage, 'dist/libsandlock.so'), library);
    const env = { SANDLOCK_LIBRARY: library };
    const outcome = await runSandboxed(user, POLICY, ['echo', 'ran'], { env });
    expect(outcome).toMatchObject({ stdout: '', status: 125 });
    expect(outcome.stderr).toContain('sandlock-exec, which is to lie beside libsandlock.so');
  });

  test('what the program finds: a usual limit of open files, no blocked or ignored signals, no capabilities', async () => {
    const cwd = makeDirectory();
    expect(await runSandboxed(user, POLICY, probe('state'), { cwd })).toEqual({
      ...QUIET_END,
      stdout: [
        ...['nofile 1024', 'fd 0 open', 'fd 1 open', 'fd 2 open'],
        ...['SigBlk:\t0000000000000000', 'SigIgn:\t0000000000000000', 'CapEff:\t0000000000000000'],
        ...['no_new_privs 1', `cwd ${cwd}`, ''],
      ].join('\n'),
      status: 0,
    });
  });

  test('a hard limit of open files below the usual one: kept', async () => {
    const script = 'ulimit -n 256; "$@" | head -n 1';
    const outcome = await run(user, [
      'bash',
      '-c',
      script,
      'bash',
      ...sandlock(POLICY, probe('state')),
    ]);
    expect(outcome.stdout).toBe('nofile 256\n');
  });

  test('standard input, output, error and the environment: the command’s own', async () => {
    const input = 'line\n'.repeat(100_000);
    const script = 'wc -l; echo "to error" >&2; echo "$WORD"';
    const env = { WORD: 'word' };
    expect(await runSandboxed(user, POLICY, ['bash', '-c', script], { input, env })).toEqual({
      stdout: '100000\nword\n',
      ...{ stderr: 'to error\n', status: 0, signal: null, timedOut: false },
    });
  });

  test('a socket as standard input: kept when it is a connection, refused when it could send anywhere', async () => {
    const [tcp] = await openTcp('127.0.0.1');
    const [udp] = await openUdp('127.0.0.1');
    const through = (kind: string, at: string, command: readonly string[]) =>
      run(user, ['bash', '-c', `exec 0<>/dev/${kind}/${at}; "$@"`, 'bash', ...command]);
    const write = ['bash', '-c', 'echo -n hello >&0'];
    expect(await through('tcp', tcp.at, sandlock(POLICY, write))).toMatchObject({
      ...QUIET_END,
      status: 0,
    });
    expect(await tcp.take()).toEqual(['hello']);
    await through('udp', udp.at, write);
    expect(await udp.take()).toEqual(['hello']);
    expect(await through('udp', udp.at, sandlock(POLICY, write))).toEqual({
      stdout: '',
      stderr:
        'sandlock: standard input, output or error is a socket that could reach past the policy; redirect it; nothing was run (stdio: EPERM)\n',
      ...{ status: 125, signal: null, timedOut: false },
    });
    expect(await udp.take()).toEqual([]);
  });

  test('a non-blocking pipe as output: not made so by sandlock', async () => {
    const script = 'python3 -c "import os; print([os.get_blocking(n) for n in range(3)])"';
    const outcome = await runSandboxed(user, POLICY, ['bash', '-c', `${script} | cat`], {});
    expect(outcome.stdout).toBe('[True, True, True]\n');
  });

  test('a signal sent to sandlock: passed on to the command', async () => {
    const script = 'trap "echo got term; exit 5" TERM; echo ready; while :; do sleep 0.05; done';
    const child = start(user, sandlock(POLICY, ['bash', '-c', script]));
    const outcome = finished(child);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    child.kill('SIGTERM');
    expect(await outcome).toEqual({ ...QUIET_END, stdout: 'ready\ngot term\n', status: 5 });
  });

  test('refusals: one line each on standard error, none with --quiet, all of them in the log', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const [u] = await openUdp('::1');
    const policy = policyOf([a.rule, 'udp://127.0.0.1:1']);
    const log = join(makeDirectory(), 'log');
    const programs = [
      probe('connect', `tcp=${a.at}`, `tcp=${b.at}`),
      probe('send', `sendto=${u.at}`),
    ];
    const both = ['bash', '-c', programs.map((words) => words.join(' ')).join('; ')];
    const loud = await runSandboxed(user, policy, both, { options: ['--log', log] });
    expect(loud.stdout).toBe(
      `tcp=${a.at} 0 -\ntcp=${b.at} -1 ECONNREFUSED\nsendto=${u.at} -1 ECONNREFUSED\n`,
    );
    expect(loud.stderr.replaceAll(/\[\d+\](; .*)?$/gm, '[N]')).toBe(
      `sandlock: denied tcp 127.0.0.2:${b.port} — connect[N]\n` +
        `sandlock: denied udp [::1]:${u.port} — send[N]\n`,
    );
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
    const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const common = {
      ...{ event: 'decision', verdict: 'deny', errno: 'ECONNREFUSED' },
      ...{ time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) },
      ...{ pid: expect.any(Number), tid: expect.any(Number) },
    };
    expect(events).toEqual([
      expect.objectContaining({
        ...{ ...common, program: 'connect', syscall: 'connect', protocol: 'tcp' },
        ...{ destination: b.rule, address: '127.0.0.2', port: b.port },
      }),
      expect.objectContaining({
        ...{ ...common, program: 'send', syscall: 'sendto', protocol: 'udp' },
        ...{ destination: u.rule, address: '::1', port: u.port },
      }),
    ]);
    const quiet = await runSandboxed(user, policy, both);
    expect(quiet).toEqual({ ...loud, stderr: '' });
  });

  test('refusals where nothing is allowed, and of listening: told as well', async () => {
    const [a] = await openTcp('127.0.0.1');
    const closed = await runSandboxed(user, policyOf([]), probe('connect', `tcp=${a.at}`), {
      options: [],
    });
    expect(closed.stdout).toBe(`tcp=${a.at} -1 EACCES\n`);
    expect(closed.stderr.replaceAll(/\[\d+\](; .*)?$/gm, '[N]')).toBe(
      `sandlock: denied tcp ${a.rule} — connect[N]\n`,
    );
    const listening = await runSandboxed(user, POLICY, probe('walls', 'listen'), { options: [] });
    expect(listening.stderr.replaceAll(/\[\d+\](; .*)?$/gm, '[N]')).toBe(
      'sandlock: denied listen tcp 0.0.0.0:0 — walls[N]\n',
    );
  });

  test('a storm of refusals: one line and a count, every one of them in the log', async () => {
    const [, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const log = join(makeDirectory(), 'log');
    const outcome = await runSandboxed(
      user,
      POLICY,
      probe('connect', ...Array.from({ length: 500 }, () => `tcp=${b.at}`)),
      { options: ['--log', log] },
    );
    expect(outcome.stdout).toBe(`tcp=${b.at} -1 ECONNREFUSED\n`.repeat(500));
    const lines = outcome.stderr.trimEnd().split('\n');
    expect(lines.map((line) => line.replace(/\[\d+\].*/, ''))).toEqual([
      `sandlock: denied tcp ${b.rule} — connect`,
      `sandlock: denied 499 times more: tcp ${b.rule} — connect`,
    ]);
    expect(readFileSync(log, 'utf8').trimEnd().split('\n').length).toBe(500);
    expect(await b.take()).toEqual([]);
  });
});
