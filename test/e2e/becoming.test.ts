/**
 * `sandlock exec` becomes the launcher: what is there then, what it keeps of what the caller gave, and what happens
 * where it can not. What the launcher does is the other files' matter.
 */
import { chmodSync, cpSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readProc, until } from './harness/processes.ts';
import { compiled, policyOf, run, sandlock, start } from './harness/run.ts';
import { launcher, makeDirectory, makeFile, native, node, stage, users } from './harness/stage.ts';

const POLICY = makeFile('policy.toml', policyOf(['127.0.0.1:*']));
const TABLE = compiled(POLICY);
/** The short way, and the long one. */
const FILES = [TABLE, POLICY];

describe.each(users)('as $name', (user) => {
  test.each(FILES)(
    'what waits is small, has one thread and is shown as it was typed: %s',
    async (file) => {
      const child = start(user, sandlock({ file }, ['sh', '-c', 'echo ready; exec sleep 100']));
      onTestFinished(() => void child.kill('SIGKILL'));
      await new Promise((resolve) => child.stdout?.once('data', resolve));
      const status = readProc(`${child.pid}`, 'status');
      const number = (key: string) =>
        Number(new RegExp(`^${key}:\\s*(\\d+)`, 'm').exec(status)?.[1]);
      expect(/^Name:\s*(.*)$/m.exec(status)?.[1]).toBe('sandlock-exec');
      expect(number('Threads')).toBe(1);
      expect(number('VmRSS')).toBeLessThan(4096);
      const words = readProc(`${child.pid}`, 'cmdline').split('\0');
      expect(words[1]).toMatch(/^--table-fd=\d+$/);
      words.splice(1, 1);
      expect(words).toEqual([
        ...['sandlock exec', file, '--quiet', '--', 'sh', '-c', 'echo ready; exec sleep 100', ''],
      ]);
    },
  );

  test.each(FILES)(
    'a lock on a file that the caller opened is held to the end: %s',
    async (file) => {
      const lock = makeFile('lock', '');
      chmodSync(lock, 0o666);
      const script = 'exec 9>>"$1"; shift; flock 9; exec "$@"';
      const inner = sandlock({ file }, ['sh', '-c', 'echo ready; read line']);
      const child = start(user, ['bash', '-c', script, 'bash', lock, ...inner]);
      const isFree = async (): Promise<boolean> =>
        (await run(user, ['flock', '-n', lock, 'true'])).status === 0;
      await new Promise((resolve) => child.stdout?.once('data', resolve));
      expect(await isFree()).toBe(false);
      child.stdin?.end('go\n');
      await new Promise((resolve) => child.once('close', resolve));
      expect(await isFree()).toBe(true);
    },
  );

  test.each(FILES)('nothing else of the caller reaches the command: %s', async (file) => {
    const script = 'exec 5</etc/passwd 7>&1; exec "$@"';
    const inner = sandlock({ file }, [
      'bash',
      '-c',
      'for n in {3..40}; do [ -e /proc/$$/fd/$n ] && echo $n; done; echo over',
    ]);
    const outcome = await run(user, ['bash', '-c', script, 'bash', ...inner]);
    // 255 is bash's own, where there is one.
    expect(outcome).toMatchObject({ stdout: 'over\n', stderr: '', status: 0 });
  });

  test('a policy or table that can be read only once is read once', async () => {
    for (const file of FILES) {
      const script = 'exec "$@" <(cat "$0") --quiet -- echo ran';
      const outcome = await run(user, ['bash', '-c', script, file, ...launcher, 'exec']);
      expect(outcome).toMatchObject({ stdout: 'ran\n', stderr: '', status: 0 });
    }
  });

  test('an environment of any bytes: handed on as it is', async () => {
    for (const file of FILES) {
      const script = 'export ODD=$\'\\xff\\xfe \\n=\'; "$@" | od -An -tx1 -v';
      const inner = sandlock({ file }, ['sh', '-c', 'printf %s "$ODD"']);
      const { stdout } = await run(user, ['bash', '-c', script, 'bash', ...inner]);
      expect(stdout.trim()).toBe('ff fe 20 0a 3d');
    }
  });

  test('a launcher that is not there, or can not be executed: 125 with the fix, and nothing runs', async () => {
    const place = makeDirectory();
    cpSync(join(stage, 'dist'), join(place, 'dist'), { recursive: true });
    symlinkSync(join(stage, 'node_modules'), join(place, 'node_modules'));
    const program = join(place, 'dist/sandlock-exec');
    const exec = (file: string) =>
      run(user, [node, join(place, 'dist/sandlock.cjs'), 'exec', file, '--', 'echo', 'ran']);
    for (const file of FILES)
      expect(await exec(file)).toMatchObject({ stdout: 'ran\n', status: 0 });
    const refusal = 'sandlock: sandlock-exec, which is to lie beside libsandlock.so, is not there';
    chmodSync(program, 0o644);
    for (const file of FILES) {
      const outcome = await exec(file);
      expect([outcome.stdout, outcome.status]).toEqual(['', 125]);
      expect(outcome.stderr.startsWith(refusal)).toBe(true);
      expect(outcome.stderr.endsWith('(front: EACCES)\n')).toBe(true);
    }
    renameSync(program, `${program}-away`);
    for (const file of FILES) {
      const outcome = await exec(file);
      expect([outcome.stdout, outcome.status]).toEqual(['', 125]);
      expect(outcome.stderr.endsWith('(front: ENOENT)\n')).toBe(true);
    }
    rmSync(join(place, 'dist/exec.cjs'));
    for (const file of FILES) {
      const outcome = await exec(file);
      expect([outcome.stdout, outcome.status]).toEqual(['', 125]);
      expect(outcome.stderr).toContain('sandlock: its files can not be loaded: ');
    }
  });

  test('a link to the command, as npm makes one, is as good', async () => {
    const link = join(makeDirectory(), 'sandlock');
    symlinkSync(join(stage, 'dist/sandlock.cjs'), link);
    const outcome = await run(user, [link, 'exec', TABLE, '--', 'echo', 'ran']);
    expect(outcome).toMatchObject({ stdout: 'ran\n', stderr: '', status: 0 });
  });

  test('a table is taken by its descriptor only from a sealed memory file, and only under that name', async () => {
    const script = 'exec 3<"$1"; exec -a "$2" "$0" --table-fd=3 table -- echo ran';
    const as = (name: string, file = TABLE) =>
      run(user, ['bash', '-c', script, native, file, name]);
    const { stderr, ...usage } = await as('sandlock-exec');
    expect(usage).toMatchObject({ stdout: '', status: 2 });
    expect(stderr.startsWith('sandlock: unknown option --table-fd=3\n')).toBe(true);
    const refused = 'sandlock: the sandbox could not be started; nothing was run';
    expect(await as('sandlock exec')).toMatchObject({
      ...{ stdout: '', stderr: `${refused} (front: EINVAL)\n`, status: 125 },
    });
    const memory = `import os, sys
file = os.memfd_create('table', os.MFD_ALLOW_SEALING)
os.write(file, open(sys.argv[2], 'rb').read())
if sys.argv[3] == 'sealed':
    import fcntl
    fcntl.fcntl(file, 1033, 0xf)
os.dup2(file, 3)
os.execv(sys.argv[1], ['sandlock exec', '--table-fd=3', 'table', '--', 'echo', 'ran'])`;
    const given = (how: string) => run(user, ['python3', '-c', memory, native, TABLE, how]);
    expect(await given('sealed')).toMatchObject({ stdout: 'ran\n', stderr: '', status: 0 });
    expect(await given('open')).toMatchObject({
      ...{ stdout: '', stderr: `${refused} (front: EPERM)\n`, status: 125 },
    });
  });

  test('a table that is damaged: told by the name it was given, with status 2', async () => {
    const bytes = readFileSync(TABLE);
    bytes.writeUInt8(bytes.readUInt8(70) ^ 1, 70);
    const file = makeFile('damaged.bin', bytes);
    const outcome = await run(user, [...launcher, 'exec', file, '--', 'echo', 'ran']);
    expect(outcome).toMatchObject({ stdout: '', status: 2 });
    expect(outcome.stderr).toMatch(
      /^sandlock: \S*damaged\.bin is not a table that can be used: .* \(defect \d+ at byte \d+\)\n$/,
    );
  });

  test('stopped and continued while it starts: runs all the same', async () => {
    const child = start(user, sandlock({ file: TABLE }, ['echo', 'ran']));
    let text = '';
    child.stdout?.on('data', (chunk) => (text += chunk));
    const end = new Promise<number | null>((resolve) => child.once('close', resolve));
    for (let round = 0; round < 40 && child.exitCode === null; round += 1) {
      child.kill('SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, 1));
      child.kill('SIGCONT');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect([await end, text]).toEqual([0, 'ran\n']);
    await until('it is gone', () => readProc(`${child.pid}`, 'stat') === '');
  });
});
