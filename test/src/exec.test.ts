/**
 * The built `sandlock exec` as a process of its own, on a stub library that replays records: exit statuses, what is
 * printed and logged, what reaches the library, and what is loaded on the way.
 */
import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const SANDLOCK = join(ROOT, 'dist/sandlock.cjs');

let folder = '';
let library = '';
let program = '';

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sandlock-exec-')));
  library = join(folder, 'stub.so');
  program = join(folder, 'sandlock-exec');
  const source = join(import.meta.dirname, 'stub-library.c');
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, source]);
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  writeFileSync(join(folder, 'p.bin'), TABLE);
  for (const name of ['log', 'seen']) rmSync(join(folder, name), { force: true });
});

/** Only its first bytes are looked at before the library gets it. */
const TABLE = 'SANDLOCK and the rest';

type Fill = (record: Buffer) => void;

function records(...fills: Fill[]): void {
  const bytes = fills.map((fill) => {
    const record = Buffer.alloc(64);
    fill(record);
    return record;
  });
  writeFileSync(join(folder, 'records'), Buffer.concat(bytes));
}

const STARTED: Fill = (record) => record.set([1]);
const ENDED: Fill = (record) => record.set([6]);

function ended(killed: number): Fill {
  return (record) => {
    record.set([6]);
    record.writeInt32LE(killed, 12);
  };
}

function exited(status: number, dropped = 0): Fill {
  return (record) => {
    record.set([4]);
    record.writeInt32LE(status, 12);
    record.writeUInt32LE(dropped, 60);
  };
}

function failed(stage: string, errno: number): Fill {
  return (record) => {
    record.set([5]);
    record.writeInt32LE(errno, 12);
    record.write(stage, 32);
  };
}

const DENIED: Fill = (record) => {
  record.set([2, 0, 80, 0]);
  record.writeUInt32LE(4711, 4);
  record.writeUInt32LE(4712, 8);
  record.writeInt32LE(111, 12);
  record.set([255, 255, 127, 0, 0, 2], 26);
  record.write('curl', 32);
  record.writeBigUInt64LE(1_700_000_000_123_456_789n, 48);
  record.writeUInt32LE(1, 56);
};

const DENIED_LINE = 'sandlock: denied tcp 127.0.0.2:80 — curl[4711]\n';

function sandlock(args: string[], env: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [SANDLOCK, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...environment(), ...env },
  });
}

function environment(): Record<string, string> {
  const records = join(folder, 'records');
  return { PATH: '/usr/bin:/bin', SANDLOCK_LIBRARY: library, STUB_RECORDS: records };
}

/**
 * Runs a program on a terminal of its own: prints whether it echoed before, the exit status, whether it echoes after.
 */
const TERMINAL = `
import os, subprocess, sys, termios
_, terminal = os.openpty()
echo = lambda: bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
before = echo()
ended = subprocess.run(sys.argv[1:], stdin=terminal, stdout=terminal, stderr=terminal)
print(before, ended.returncode, echo())
`;

/** Status or signal, and everything printed. */
function outcome(args: string[], env: NodeJS.ProcessEnv = {}): [number | string | null, string] {
  const { status, signal, stdout, stderr } = sandlock(args, env);
  expect(stdout).toBe('');
  return [signal ?? status, stderr];
}

describe('exec of a table', () => {
  it('exits with the status of the command', () => {
    for (const status of [0, 3, 255]) {
      records(STARTED, exited(status << 8), ENDED);
      expect(outcome(['exec', 'p.bin', '--', 'true'])).toEqual([status, '']);
    }
  });

  it('dies by the signal that the command died by', () => {
    for (const [number, name] of [
      [2, 'SIGINT'],
      [9, 'SIGKILL'],
      [15, 'SIGTERM'],
    ] as const) {
      records(STARTED, exited(number), ENDED);
      expect(outcome(['exec', 'p.bin', '--', 'true'])).toEqual([name, '']);
    }
  });

  it('hands over the program beside the library, the table and the request unchanged', () => {
    records(STARTED, exited(0), ENDED);
    const seen = join(folder, 'seen');
    const env = { STUB_SEEN: seen, ONLY: 'é' };
    expect(outcome(['exec', 'p.bin', '--linger=7', '--', 'a', '', '--x'], env)).toEqual([0, '']);
    const strings = [
      ...['a', '', '--x', 'PATH=/usr/bin:/bin', `SANDLOCK_LIBRARY=${library}`],
      ...[`STUB_RECORDS=${folder}/records`, `STUB_SEEN=${seen}`, 'ONLY=é', ''],
    ];
    const stdio = '\0\0\0\0\u0001\0\0\0\u0002\0\0\0';
    const header = `\u0003\0\0\0\u0005\0\0\0\u0001\0\0\0\0\0\0\0\u0007\0\0\0${stdio}`;
    const request = `${header}${strings.join('\0')}\0`;
    expect(readFileSync(seen, 'utf8')).toBe(`${program}\0${TABLE}${request}`);
  });

  it('tells of a denial on standard error and goes on', () => {
    records(STARTED, DENIED, exited(7 << 8), DENIED, ENDED);
    expect(outcome(['exec', 'p.bin', '--', 'c'])).toEqual([
      7,
      `${DENIED_LINE}sandlock: denied once more: tcp 127.0.0.2:80 — curl\n`,
    ]);
  });

  it('counts denials beyond the first, and lost records', () => {
    records(STARTED, ...Array(14).fill(DENIED), exited(0, 6), ENDED);
    expect(outcome(['exec', 'p.bin', '--', 'c'])).toEqual([
      0,
      `${DENIED_LINE}sandlock: denied 13 times more: tcp 127.0.0.2:80 — curl\n` +
        'sandlock: 6 records were lost: calls came faster than they could be told\n',
    ]);
  });

  it('says how many processes outlived the command and had to be ended', () => {
    records(STARTED, exited(4 << 8), ended(1));
    const one = 'sandlock: ended 1 process that outlived the command (see --linger)\n';
    expect(outcome(['exec', 'p.bin', '--', 'c'])).toEqual([4, one]);
    records(STARTED, exited(15), ended(3));
    const three = 'sandlock: ended 3 processes that outlived the command (see --linger)\n';
    expect(outcome(['exec', 'p.bin', '--', 'c'])).toEqual(['SIGTERM', three]);
    expect(outcome(['exec', 'p.bin', '-q', '--', 'c'])).toEqual(['SIGTERM', '']);
  });

  it('with --quiet prints nothing and still logs every denial', () => {
    records(STARTED, ...Array(12).fill(DENIED), exited(0, 6), ENDED);
    writeFileSync(join(folder, 'log'), 'before\n');
    expect(outcome(['exec', 'p.bin', '-q', '--log', 'log', '--', 'c'])).toEqual([0, '']);
    const line =
      '{"event":"decision","time":"2023-11-14T22:13:20.123Z","verdict":"deny","pid":4711,"tid":4712,"program":"curl",' +
      '"syscall":"connect","protocol":"tcp","destination":"127.0.0.2:80","address":"127.0.0.2","port":80,' +
      '"errno":"ECONNREFUSED"}\n';
    const log = readFileSync(join(folder, 'log'), 'utf8');
    expect(log.replace(/"time":"20[2-9][4-9][^"]*"/, '"time":"now"')).toBe(
      `before\n${line.repeat(12)}{"event":"lost","time":"now","count":6}\n`,
    );
  });

  it('goes on without a log that can no longer be written, and says so once', () => {
    records(STARTED, DENIED, DENIED, exited(0), ENDED);
    expect(outcome(['exec', 'p.bin', '-q', '--log', '/dev/full', '--', 'c'])).toEqual([
      0,
      'sandlock: the log ends here: /dev/full: no space left on device\n',
    ]);
  });

  /**
   * The files of JavaScript, and what was loaded natively, when `exec` ends as the command did; `before` is run before
   * it.
   */
  function loadedBy(last: Fill, before = ''): string[] {
    records(STARTED, exited(0), last);
    const hook = join(folder, 'hook.cjs');
    const list = join(folder, 'list');
    writeFileSync(
      hook,
      `${before}
      const { dlopen } = process;
      const native = new Set();
      process.dlopen = (module, path, ...rest) => {
        dlopen(module, path, ...rest);
        native.add(path);
        const { load } = module.exports;
        module.exports = { ...module.exports, load: (call) => {
          if (call.funcName === 'sl_exit') {
            const files = new Set([...Object.keys(require.cache), ...native]);
            const names = [...files].map((file) => require('path').basename(file));
            require('fs').writeFileSync(${JSON.stringify(list)}, names.sort().join(' '));
          }
          return load(call);
        } };
      };`,
    );
    expect(outcome(['exec', 'p.bin', '--', 'c'], { NODE_OPTIONS: `--require ${hook}` })[0]).toBe(0);
    return readFileSync(list, 'utf8')
      .split(' ')
      .filter((name) => name !== 'hook.cjs');
  }

  const NATIVE = `ffi-rs.linux-${process.arch}-gnu.node`;

  it('loads nothing but itself and the native half of ffi-rs, and one file more to tell something', () => {
    expect(loadedBy(ENDED)).toEqual([NATIVE, 'sandlock.cjs']);
    expect(loadedBy(ended(1))).toEqual([NATIVE, 'sandlock.cjs', 'telling.cjs']);
  });

  it('leaves the choice to ffi-rs where the native half is not there or can not be loaded', () => {
    const refused = `const { dlopen: first } = process;
      process.dlopen = (...args) => {
        if (!Object.keys(require.cache).some((file) => file.includes('/ffi-rs/'))) throw new Error('another C library');
        first(...args);
      };`;
    expect(loadedBy(ENDED, refused)).toEqual([NATIVE, 'index.js', 'sandlock.cjs']);
  });

  it('goes on without a word when what tells can not be loaded, but that', () => {
    records(STARTED, DENIED, exited(3 << 8), ENDED);
    const hook = join(folder, 'hook.cjs');
    const broken = `const Module = require('module');
      const { _load: load } = Module;
      Module._load = function (name, ...rest) {
        if (name.endsWith('telling.cjs')) throw new Error('it is gone');
        return load.call(this, name, ...rest);
      };`;
    writeFileSync(hook, broken);
    expect(outcome(['exec', 'p.bin', '--', 'c'], { NODE_OPTIONS: `--require ${hook}` })).toEqual([
      3,
      'sandlock: what is refused can not be told: it is gone\n',
    ]);
  });

  it('says how old pins are that are older than the policy wants, and how to renew them', () => {
    const policy =
      '[network]\nallow = ["a.example:1"]\n[dns]\nresolve = "compile"\nmax_age = "1h"\n';
    writeFileSync(join(folder, 'p.toml'), policy);
    writeFileSync(join(folder, 'hosts'), '192.0.2.1 a.example\n');
    const compile = ['compile', 'p.toml', '--hosts', 'hosts', '--offline', '-o', 'p.bin'];
    records(STARTED, exited(0), ENDED);
    expect(sandlock(compile).status).toBe(0);
    expect(sandlock(['exec', 'p.bin', '--', 'true']).stderr).toBe('');
    expect(sandlock(compile, { SOURCE_DATE_EPOCH: '1700000000' }).status).toBe(0);
    const { status, stderr } = sandlock(['exec', 'p.bin', '--', 'true']);
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^sandlock: the addresses of names in p\.bin are \d+ days old \(max_age is 1 hour\): --refresh looks them up again\n$/,
    );
    expect(sandlock(['exec', '-q', 'p.bin', '--', 'true']).stderr).toBe('');
  });

  it('with --refresh looks up first what a table pins', () => {
    writeFileSync(
      join(folder, 'p.toml'),
      '[network]\nallow = ["localhost:1"]\n[dns]\nresolve = "compile"\n',
    );
    writeFileSync(join(folder, 'hosts'), '127.0.0.77 localhost\n');
    expect(sandlock(['compile', 'p.toml', '--hosts', 'hosts', '-o', 'p.bin']).status).toBe(0);
    records(STARTED, exited(0), ENDED);
    const env = { STUB_SEEN: join(folder, 'seen') };
    expect(sandlock(['exec', '--refresh', 'p.bin', '--', 'true'], env)).toMatchObject({
      status: 0,
      stderr: '',
    });
    const handed = readFileSync(join(folder, 'seen')).toString('latin1');
    const address = (...octets: number[]) =>
      Buffer.from([...new Array(10).fill(0), 255, 255, ...octets]).toString('latin1');
    expect(handed).toContain(address(127, 0, 0, 1));
    expect(handed).not.toContain(address(127, 0, 0, 77));
  });

  it('leaves the terminal as the command left it', () => {
    records(STARTED, exited(0), ENDED);
    const script = join(folder, 'terminal.py');
    writeFileSync(script, TERMINAL);
    const args = [script, process.execPath, SANDLOCK, 'exec', 'p.bin', '--', 'c'];
    const env = { ...environment(), STUB_ECHO_OFF: '1' };
    expect(execFileSync('python3', args, { cwd: folder, encoding: 'utf8', env })).toBe(
      'True 0 False\n',
    );
  });

  it('reads the table before it opens a log, and leaves no file behind', () => {
    expect(outcome(['exec', 'none.bin', '--log', 'log', '--', 'c'])).toEqual([
      2,
      'sandlock: can not read none.bin: no such file or directory\n',
    ]);
    expect(readdirSync(folder)).not.toContain('log');
  });
});

describe('exec of a policy', () => {
  const seen = (): string => readFileSync(join(folder, 'seen'), 'latin1');
  const started = (): boolean => readdirSync(folder).includes('seen');

  beforeEach(() => {
    records(STARTED, exited(0), ENDED);
    writeFileSync(join(folder, 'p.toml'), '[network]\nallow = ["192.0.2.1:443"]\n');
  });

  it('in TOML compiles it and hands over the table', () => {
    const args = ['exec', 'p.toml', '--', 'c'];
    expect(outcome(args, { STUB_SEEN: join(folder, 'seen') })).toEqual([0, '']);
    expect(seen().startsWith(`${program}\0SANDLOCK`)).toBe(true);
    expect(seen()).toContain('192.0.2.1:443');
  });

  it('from options only needs no file', () => {
    const args = ['exec', '--allow', 'udp://192.0.2.2:53', '--deny', '192.0.2.3:*', '--', 'c'];
    expect(outcome(args, { STUB_SEEN: join(folder, 'seen') })).toEqual([0, '']);
    expect(seen()).toContain('udp://192.0.2.2:53');
    expect(seen()).toContain('192.0.2.3:*');
  });

  it('in TOML takes more rules from options', () => {
    const args = ['exec', 'p.toml', '--deny', '192.0.2.1:*', '--', 'c'];
    expect(outcome(args, { STUB_SEEN: join(folder, 'seen') })).toEqual([0, '']);
    expect(seen()).toContain('192.0.2.1:443');
    expect(seen()).toContain('--deny');
  });

  it('with errors shows all of them and starts nothing', () => {
    writeFileSync(join(folder, 'p.toml'), '[network]\nallow = ["a.example:0"]\n');
    const args = ['exec', 'p.toml', '--allow', '192.0.2.1', '--', 'c'];
    const [status, text] = outcome(args, { STUB_SEEN: join(folder, 'seen') });
    expect(status).toBe(2);
    expect(text.match(/^(p\.toml:2:\d+|--allow): error SL\d{4}: /gm)).toHaveLength(2);
    expect(text.endsWith('sandlock: 2 errors; nothing was run\n')).toBe(true);
    expect(started()).toBe(false);
  });

  it('that is neither text nor a table is refused and starts nothing', () => {
    writeFileSync(join(folder, 'p.toml'), Buffer.of(0x7f, 0x45, 0xff, 0xfe));
    const args = ['exec', 'p.toml', '--', 'c'];
    expect(outcome(args, { STUB_SEEN: join(folder, 'seen') })[0]).toBe(2);
    expect(started()).toBe(false);
  });

  it('that is empty is refused and starts nothing', () => {
    writeFileSync(join(folder, 'p.toml'), '');
    const args = ['exec', 'p.toml', '--', 'c'];
    expect(outcome(args, { STUB_SEEN: join(folder, 'seen') })[0]).toBe(2);
    expect(started()).toBe(false);
  });
});

describe('exec that can not run the command', () => {
  it.each([
    [failed('exec', 2), 127, 'sandlock: c: not found\n'],
    [failed('exec', 13), 126, 'sandlock: c: permission denied\n'],
    [
      failed('cwd', 2),
      125,
      'sandlock: the working directory could not be entered; nothing was run (cwd: ENOENT)\n',
    ],
    [
      failed('supervisor', 0),
      125,
      "sandlock: the supervisor died; the command's processes were ended, or have no network any more\n",
    ],
  ])('because of a failed stage says so', (record, status, text) => {
    records(record);
    expect(outcome(['exec', 'p.bin', '--', 'c'])).toEqual([status, text]);
  });

  it('because the supervisor died after the command ended does not claim success', () => {
    records(STARTED, exited(0), failed('supervisor', 0));
    expect(outcome(['exec', 'p.bin', '--', 'c'])[0]).toBe(125);
  });

  it('because records end without an end exits 125', () => {
    records(STARTED);
    expect(outcome(['exec', 'p.bin', '--', 'c'])[0]).toBe(125);
  });

  it('because the table is refused says where it is bad, with status 2', () => {
    records(failed('table', 22));
    const [status, text] = outcome(['exec', 'p.bin', '--', 'c']);
    expect([status, text]).toEqual([
      2,
      "sandlock: p.bin is not a table that can be used: the file is shorter than a table's header (defect 1 at byte 21)\n",
    ]);
  });

  it('because the start itself failed exits 125', () => {
    records();
    expect(outcome(['exec', 'p.bin', '--', 'c'], { STUB_START: '-11' })).toEqual([
      125,
      'sandlock: the sandbox could not be started; nothing was run (front: EAGAIN)\n',
    ]);
  });

  it('because the program beside the library is missing says which', () => {
    records(failed('front', 2));
    expect(outcome(['exec', 'p.bin', '--', 'c'])).toEqual([
      125,
      'sandlock: sandlock-exec, which is to lie beside libsandlock.so, is not there or can not be executed: rebuild or reinstall sandlock; nothing was run (front: ENOENT)\n',
    ]);
  });

  it('because the library has another version exits 125', () => {
    const text = `sandlock: ${library} speaks version 1 of the native interface, 4 is needed: rebuild or reinstall sandlock\n`;
    expect(outcome(['exec', 'p.bin', '--', 'c'], { STUB_ABI: '1' })).toEqual([125, text]);
  });

  it('because the library is missing names the path', () => {
    expect(outcome(['exec', 'p.bin', '--', 'c'], { SANDLOCK_LIBRARY: '/none.so' })).toEqual([
      125,
      'sandlock: SANDLOCK_LIBRARY names /none.so, which does not exist\n',
    ]);
  });

  it('because the library is no library says what the loader says', () => {
    const [status, text] = outcome(['exec', 'p.bin', '--', 'c'], { SANDLOCK_LIBRARY: SANDLOCK });
    expect(status).toBe(125);
    expect(text.startsWith(`sandlock: can not load ${SANDLOCK}: `)).toBe(true);
  });

  it('because a table is combined with rules exits 2', () => {
    expect(outcome(['exec', 'p.bin', '--allow', 'a:1', '--', 'c'])).toEqual([
      2,
      'sandlock: p.bin is compiled and can not be changed: give --allow and --deny together with the TOML policy\n',
    ]);
  });

  it('because the log can not be opened exits 2 and runs nothing', () => {
    const seen = join(folder, 'seen');
    const args = ['exec', 'p.bin', '--log', 'none/log', '--', 'c'];
    expect(outcome(args, { STUB_SEEN: seen })).toEqual([
      2,
      'sandlock: can not write none/log: no such file or directory\n',
    ]);
    expect(readdirSync(folder)).not.toContain(basename(seen));
  });
});
