/**
 * The built `sandlock exec` as a process of its own, up to where it becomes the launcher: what reaches the library, a
 * stub that ends the process then, what is loaded on the way, and what is said where it can not. What the launcher
 * does with it, test/e2e sees.
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
import { join } from 'node:path';
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
  for (const name of ['log', 'seen', 'list']) rmSync(join(folder, name), { force: true });
});

/** Only its first bytes are looked at before the library gets it. */
const TABLE = 'SANDLOCK and the rest';

function sandlock(args: string[], env: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [SANDLOCK, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...environment(), ...env },
  });
}

function environment(): Record<string, string> {
  return { PATH: '/usr/bin:/bin', SANDLOCK_LIBRARY: library, STUB_SEEN: join(folder, 'seen') };
}

/** What the library was given: program, table and words; undefined when it was not called. */
function seen(): string | undefined {
  if (!readdirSync(folder).includes('seen')) return undefined;
  return readFileSync(join(folder, 'seen'), 'latin1');
}

/** Status, and everything printed. */
function outcome(args: string[], env: NodeJS.ProcessEnv = {}): [number | null, string] {
  const { status, stdout, stderr } = sandlock(args, env);
  expect(stdout).toBe('');
  return [status, stderr];
}

describe('exec of a table', () => {
  it('hands over the program beside the library, the table and the words unchanged', () => {
    const args = ['p.bin', '--linger=7', '-q', '--', 'a', '', '--x', 'é'];
    expect(outcome(['exec', ...args])).toEqual([0, '']);
    const words = Buffer.from(`${args.join('\0')}\0`).toString('latin1');
    expect(seen()).toBe(`${program}\0${TABLE}${words}`);
  });

  it('hands over bytes that are no UTF-8 as they are', () => {
    const script = "exec \"$@\" --log $'\\xe9' -- cat $'\\xff'";
    const inner = [process.execPath, SANDLOCK, 'exec', 'p.bin'];
    const options = { cwd: folder, env: environment() };
    execFileSync('bash', ['-c', script, 'bash', ...inner], options);
    expect(seen()).toBe(`${program}\0${TABLE}p.bin\0--log\0\xe9\0--\0cat\0\xff\0`);
  });

  /**
   * The files of JavaScript, and what was loaded natively, when this process is about to become the launcher by
   * `call`, which then ends it; `before` is run before.
   */
  function loadedBy(call: string, env: NodeJS.ProcessEnv, before = ''): string[] {
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
          if (call.funcName === ${JSON.stringify(call)}) {
            const files = new Set([...Object.keys(require.cache), ...native]);
            const names = [...files].map((file) => require('path').basename(file));
            require('fs').writeFileSync(${JSON.stringify(list)}, names.sort().join(' '));
            process.exit(9);
          }
          return load(call);
        } };
      };`,
    );
    const args = ['exec', 'p.bin', '--', 'c'];
    expect(outcome(args, { NODE_OPTIONS: `--require ${hook}`, ...env })).toEqual([9, '']);
    return readFileSync(list, 'utf8')
      .split(' ')
      .filter((name) => name !== 'hook.cjs');
  }

  const NATIVE = `ffi-rs.linux-${process.arch}-gnu.node`;

  it('loads nothing but its first file and the native half of ffi-rs', () => {
    const own = { SANDLOCK_LIBRARY: undefined };
    expect(loadedBy('sl_become_at_once', own)).toEqual([NATIVE, 'sandlock.cjs']);
  });

  it('loads one file more on the long way', () => {
    expect(loadedBy('sl_become', {})).toEqual(['exec.cjs', NATIVE, 'sandlock.cjs']);
  });

  it('leaves the choice to ffi-rs where the native half is not there or can not be loaded', () => {
    const refused = `const { dlopen: first } = process;
      process.dlopen = (...args) => {
        if (!Object.keys(require.cache).some((file) => file.includes('/ffi-rs/'))) throw new Error('another C library');
        first(...args);
      };`;
    const files = ['exec.cjs', NATIVE, 'index.js', 'sandlock.cjs'];
    expect(loadedBy('sl_become', {}, refused)).toEqual(files);
    const own = { SANDLOCK_LIBRARY: undefined };
    expect(loadedBy('sl_become', own, refused)).toEqual(files);
  });

  it('says how old pins are that are older than the policy wants, and how to renew them', () => {
    const policy =
      '[network]\nallow = ["a.example:1"]\n[dns]\nresolve = "compile"\nmax_age = "1h"\n';
    writeFileSync(join(folder, 'p.toml'), policy);
    writeFileSync(join(folder, 'hosts'), '192.0.2.1 a.example\n');
    const compile = ['compile', 'p.toml', '--hosts', 'hosts', '--offline', '-o', 'p.bin'];
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
    expect(outcome(['exec', '--refresh', 'p.bin', '--', 'true'])).toEqual([0, '']);
    const handed = seen();
    const address = (...octets: number[]) =>
      Buffer.from([...new Array(10).fill(0), 255, 255, ...octets]).toString('latin1');
    expect(handed).toContain(address(127, 0, 0, 1));
    expect(handed).not.toContain(address(127, 0, 0, 77));
  });
});

describe('exec of a policy', () => {
  beforeEach(() => {
    writeFileSync(join(folder, 'p.toml'), '[network]\nallow = ["192.0.2.1:443"]\n');
  });

  it('in TOML compiles it and hands over the table', () => {
    const args = ['exec', 'p.toml', '--', 'c'];
    expect(outcome(args)).toEqual([0, '']);
    expect(seen()?.startsWith(`${program}\0SANDLOCK`)).toBe(true);
    expect(seen()).toContain('192.0.2.1:443');
  });

  it('from options only needs no file', () => {
    const args = ['exec', '--allow', 'udp://192.0.2.2:53', '--deny', '192.0.2.3:*', '--', 'c'];
    expect(outcome(args)).toEqual([0, '']);
    expect(seen()).toContain('udp://192.0.2.2:53');
    expect(seen()).toContain('192.0.2.3:*');
  });

  it('in TOML takes more rules from options', () => {
    const args = ['exec', 'p.toml', '--deny', '192.0.2.1:*', '--', 'c'];
    expect(outcome(args)).toEqual([0, '']);
    expect(seen()).toContain('192.0.2.1:443');
    expect(seen()).toContain('--deny');
  });

  it('with errors shows all of them and starts nothing', () => {
    writeFileSync(join(folder, 'p.toml'), '[network]\nallow = ["a.example:0"]\n');
    const args = ['exec', 'p.toml', '--allow', '192.0.2.1', '--', 'c'];
    const [status, text] = outcome(args);
    expect(status).toBe(2);
    expect(text.match(/^(p\.toml:2:\d+|--allow): error SL\d{4}: /gm)).toHaveLength(2);
    expect(text.endsWith('sandlock: 2 errors; nothing was run\n')).toBe(true);
    expect(seen()).toBe(undefined);
  });

  it('that is neither text nor a table is refused and starts nothing', () => {
    writeFileSync(join(folder, 'p.toml'), Buffer.of(0x7f, 0x45, 0xff, 0xfe));
    const args = ['exec', 'p.toml', '--', 'c'];
    expect(outcome(args)[0]).toBe(2);
    expect(seen()).toBe(undefined);
  });

  it('that is empty is refused and starts nothing', () => {
    writeFileSync(join(folder, 'p.toml'), '');
    const args = ['exec', 'p.toml', '--', 'c'];
    expect(outcome(args)[0]).toBe(2);
    expect(seen()).toBe(undefined);
  });
});

describe('exec that can not run the command', () => {
  it('because the launcher can not be executed says which', () => {
    for (const [errno, name] of [
      [2, 'ENOENT'],
      [13, 'EACCES'],
    ] as const) {
      expect(outcome(['exec', 'p.bin', '--', 'c'], { STUB_BECOME: `-${errno}` })).toEqual([
        125,
        `sandlock: sandlock-exec, which is to lie beside libsandlock.so, is not there or can not be executed: rebuild or reinstall sandlock; nothing was run (front: ${name})\n`,
      ]);
    }
    expect(outcome(['exec', 'p.bin', '--', 'c'], { STUB_BECOME: '-11' })).toEqual([
      125,
      'sandlock: the sandbox could not be started; nothing was run (front: EAGAIN)\n',
    ]);
  });

  it('because the table can not be read exits 2', () => {
    expect(outcome(['exec', 'none.bin', '--log', 'log', '--', 'c'])).toEqual([
      2,
      'sandlock: can not read none.bin: no such file or directory\n',
    ]);
    expect(seen()).toBe(undefined);
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
      'sandlock: p.bin is compiled and can not be changed: give rules by options together with the TOML policy\n',
    ]);
  });
});
