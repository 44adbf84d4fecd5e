/** The built `compile` and `check` as processes: what is written, what is printed, and the exit status. */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HELP } from '../../src/help.ts';
import { commandPages } from '../../src/help-text.ts';

const SANDLOCK = join(import.meta.dirname, '../../dist/sandlock.cjs');

const POLICY = `[network]
allow = [
  "tcp://10.0.0.0/8:443",
  "localhost:8080",
]
deny = ["tcp://10.9.0.0/16:*"]

[dns]
resolve = "compile"
`;

let folder = '';
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sandlock-commands-')));
  writeFileSync(join(folder, 'p.toml'), POLICY);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Pins have one age in all tables, so that they can be compared. */
const ENVIRONMENT = { ...process.env, SOURCE_DATE_EPOCH: '1800000000' };

interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function sandlock(...args: string[]): Result {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SANDLOCK, ...args], {
    cwd: folder,
    env: ENVIRONMENT,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

function withInput(input: string, ...args: string[]): Result {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SANDLOCK, ...args], {
    cwd: folder,
    encoding: 'utf8',
    input,
  });
  return { status, stdout, stderr };
}

const withoutTime = (text: string): string => text.replace(/[\d.]+ ms/, 'N ms');

describe('compile', () => {
  it('writes the table and sums it up on standard error', () => {
    const { status, stdout, stderr } = sandlock('compile', 'p.toml', '-o', 'p.bin');
    const { size } = statSync(join(folder, 'p.bin'));
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(withoutTime(stderr)).toMatch(
      new RegExp(
        `^p\\.toml → p\\.bin: 3 rules, \\d prefixes, ${size.toLocaleString('en')} bytes, N ms\\nplan: tcp supervised, udp closed, icmp closed\\n$`,
      ),
    );
    expect(readFileSync(join(folder, 'p.bin')).subarray(0, 8).toString()).toBe('SANDLOCK');
  });

  it('counts UNIX rules where there are some', () => {
    writeFileSync(join(folder, 'u.toml'), '[network]\nallow_unix = ["/run/x", "@y"]\n');
    const { stderr } = sandlock('compile', 'u.toml', '-o', 'u.bin');
    expect(stderr).toMatch(/^u\.toml → u\.bin: 0 rules, 2 UNIX rules, 0 prefixes, \d+ bytes, /);
  });

  it('to standard output writes the same bytes there', () => {
    sandlock('compile', 'p.toml', '-o', 'p.bin');
    const args = [SANDLOCK, 'compile', 'p.toml', '-o', '-'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: folder,
      env: ENVIRONMENT,
    });
    expect(stdout.equals(readFileSync(join(folder, 'p.bin')))).toBe(true);
    expect([status, stderr.toString().startsWith('p.toml → standard output: 3 rules, ')]).toEqual([
      0,
      true,
    ]);
  });

  it('of a policy with errors shows them all and touches no file', () => {
    writeFileSync(join(folder, 'p.toml'), '[network]\nallow = ["a.example:0", "10.0.0.1/8:1"]\n');
    writeFileSync(join(folder, 'p.bin'), 'SANDLOCK');
    const { status, stdout, stderr } = sandlock('compile', 'p.toml', '-o', 'p.bin');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr.match(/^p\.toml:2:\d+: error SL\d{4}: /gm)).toHaveLength(2);
    expect(stderr.endsWith('sandlock: 2 errors; nothing was written\n')).toBe(true);
    expect(readFileSync(join(folder, 'p.bin'), 'utf8')).toBe('SANDLOCK');
    expect(readdirSync(folder).sort()).toEqual(['p.bin', 'p.toml']);
  });

  it('--offline takes names from --hosts alone, and the same input gives the same bytes', () => {
    writeFileSync(
      join(folder, 'names.toml'),
      '[network]\nallow = ["a.example:1", "b.example:1"]\n',
    );
    writeFileSync(join(folder, 'hosts'), '192.0.2.1 a.example\n192.0.2.2 b.example\n');
    const offline = ['compile', 'names.toml', '--offline', '--hosts', 'hosts', '-o'];
    expect(sandlock(...offline, '1.bin').status).toBe(0);
    expect(sandlock(...offline, '2.bin').status).toBe(0);
    const first = readFileSync(join(folder, '1.bin'));
    expect(first.equals(readFileSync(join(folder, '2.bin')))).toBe(true);
    expect(sandlock('check', '1.bin', 'b.example:1').stdout).toContain(
      'allow b.example:1 (192.0.2.2)',
    );

    writeFileSync(join(folder, 'hosts'), '192.0.2.1 a.example\n');
    const { status, stderr } = sandlock(...offline, '3.bin');
    expect(status).toBe(2);
    expect(stderr).toContain('error SL4001: `b.example` does not resolve: hosts does not have it');
    expect(readdirSync(folder)).not.toContain('3.bin');

    writeFileSync(join(folder, 'hosts'), 'a.example 192.0.2.1\n');
    expect(sandlock(...offline, '3.bin').stderr).toContain('hosts:1:1: error SL1003: ');
    writeFileSync(
      join(folder, 'c.toml'),
      '[network]\nallow = ["a.example:1"]\n[dns]\nresolve = "compile"\n',
    );
    expect(sandlock('compile', 'c.toml', '--offline', '-o', '3.bin').stderr).toContain(
      '`a.example` does not resolve: nothing is asked (--offline)',
    );
  });

  it('leaves names for exec to look up, unless they are to be pinned', () => {
    writeFileSync(join(folder, 'n.toml'), '[network]\nallow = ["nowhere.invalid:1"]\n');
    expect(sandlock('compile', 'n.toml', '-o', 'n.bin').status).toBe(0);
    const unresolved = 'n.toml:2:11: error SL4001: `nowhere.invalid` does not resolve: ';
    expect(sandlock('check', 'n.bin', '192.0.2.1:1').stderr).toContain(unresolved);
    const run = sandlock('exec', 'n.bin', '--', 'touch', 'ran');
    expect([run.status, run.stderr.endsWith('sandlock: 1 error; nothing was run\n')]).toEqual([
      2,
      true,
    ]);
    expect(run.stderr).toContain(unresolved);
    expect(readdirSync(folder)).not.toContain('ran');
    const refresh = sandlock('compile', 'n.bin', '--refresh', '-o', 'r.bin');
    expect([refresh.status, refresh.stderr]).toEqual([
      2,
      'sandlock: n.bin has no pinned names to look up again: its names, if it has any, are looked up when a command runs\n',
    ]);
  });

  it('--refresh gives a table with new addresses, and exec --refresh runs nothing without them', () => {
    const hosts = (address: string) =>
      writeFileSync(join(folder, 'hosts'), `${address} a.example\n`);
    writeFileSync(
      join(folder, 'n.toml'),
      '[network]\nallow = ["a.example:1"]\n[dns]\nresolve = "compile"\nmax_age = "1h"\n',
    );
    hosts('192.0.2.1');
    expect(sandlock('compile', 'n.toml', '--hosts', 'hosts', '-o', 'n.bin').status).toBe(0);
    hosts('192.0.2.2');
    const refresh = [
      'compile',
      'n.bin',
      '--refresh',
      '--hosts',
      'hosts',
      '--offline',
      '-o',
      'r.bin',
    ];
    expect(sandlock(...refresh).stderr).toMatch(/^n\.bin → r\.bin: 1 rule, /);
    expect(sandlock('check', 'r.bin', 'a.example:1').stdout).toContain(
      'allow a.example:1 (192.0.2.2)',
    );
    expect(sandlock('check', 'n.bin', 'a.example:1').stdout).toContain(
      'allow a.example:1 (192.0.2.1)',
    );
    expect(sandlock('check', 'r.bin', '192.0.2.1:1').stdout).toMatch(/^deny /);
    expect(sandlock('check', 'r.bin', 'a.example:1').stdout).toMatch(/\n {6}pinned \d+ \w+ ago\n$/);

    const failed = sandlock('exec', '--refresh', 'r.bin', '--', 'touch', 'ran');
    expect([failed.status, failed.stderr]).toEqual([
      2,
      expect.stringContaining('n.toml:2:11: error SL4001: `a.example` does not resolve: '),
    ]);
    expect(readdirSync(folder)).not.toContain('ran');
  });

  it('with --format json gives summary and errors as data', () => {
    const good = sandlock('compile', 'p.toml', '-o', 'p.bin', '--format', 'json');
    expect(good.status).toBe(0);
    expect(JSON.parse(good.stderr)).toMatchObject({
      ok: true,
      summary: { rules: 3 },
      warnings: [],
    });
    writeFileSync(join(folder, 'p.toml'), '[network]\nallow = ["a.example:0"]\n');
    const bad = sandlock('compile', 'p.toml', '-o', 'p.bin', '--format=json');
    expect(bad.status).toBe(2);
    expect(JSON.parse(bad.stderr)).toMatchObject({
      ok: false,
      diagnostics: [{ code: 'SL2004', file: 'p.toml', line: 2, severity: 'error' }],
    });
  });

  it('reads set files beside the policy, wherever it is called from', () => {
    mkdirSync(join(folder, 'sub'));
    writeFileSync(join(folder, 'sub/ranges.txt'), '192.0.2.0/24\n');
    writeFileSync(
      join(folder, 'sub/s.toml'),
      '[network]\nallow = ["@r:1"]\n[sets]\nr = { file = "ranges.txt" }\n',
    );
    expect(sandlock('compile', 'sub/s.toml', '-o', 's.bin').status).toBe(0);
    expect(sandlock('check', 's.bin', '192.0.2.9:1').stdout).toBe(
      'allow 192.0.2.9:1 — s.toml:2:10 "@r:1"\n',
    );
    rmSync(join(folder, 'sub/ranges.txt'));
    const { status, stderr } = sandlock('compile', 'sub/s.toml', '-o', 's.bin');
    expect(status).toBe(2);
    expect(stderr).toContain('no such file or directory');
  });

  it('to a standard output that is full says so', () => {
    const args = [SANDLOCK, 'compile', join(folder, 'p.toml'), '-o', '-'];
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, args, {
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    expect([status, stderr.toString()]).toEqual([
      2,
      'sandlock: can not write standard output: no space left on device\n',
    ]);
  });

  it('replaces a table and an empty file, and nothing else', () => {
    writeFileSync(join(folder, 'empty'), '');
    for (const output of ['new.bin', 'new.bin', 'empty', '/dev/null']) {
      expect(sandlock('compile', 'p.toml', '-o', output).status).toBe(0);
    }
    symlinkSync('p.toml', join(folder, 'link'));
    for (const output of ['p.toml', './p.toml', 'link']) {
      expect(sandlock('compile', 'p.toml', '-o', output)).toEqual({
        status: 2,
        stdout: '',
        stderr: `sandlock: ${output} is there and is no table; it is not replaced: name another file, or delete it first\n`,
      });
    }
    expect(readFileSync(join(folder, 'p.toml'), 'utf8')).toBe(POLICY);
  });

  it('of a table says that it is one', () => {
    sandlock('compile', 'p.toml', '-o', 'p.bin');
    expect(sandlock('compile', 'p.bin', '-o', 'q.bin')).toEqual({
      status: 2,
      stdout: '',
      stderr:
        'sandlock: p.bin is a table already; compile takes a policy in TOML, or with --refresh a table to look its names up again\n',
    });
  });

  it('of a file that is missing names it', () => {
    expect(sandlock('compile', 'none.toml', '-o', 'p.bin')).toEqual({
      status: 2,
      stdout: '',
      stderr: 'sandlock: can not read none.toml: no such file or directory\n',
    });
  });
});

describe('check', () => {
  it('gives verdict and deciding rule, the same for policy and table', () => {
    sandlock('compile', 'p.toml', '-o', 'p.bin');
    const args = ['tcp://10.1.2.3:443', '10.9.1.1:443', '[::ffff:10.1.2.3]:443', '192.0.2.1:443'];
    const expected = {
      status: 1,
      stdout: [
        'allow tcp://10.1.2.3:443 — p.toml:3:3 "tcp://10.0.0.0/8:443"',
        'deny  10.9.1.1:443 — p.toml:6:9 "tcp://10.9.0.0/16:*"',
        '      overrules: p.toml:3:3 "tcp://10.0.0.0/8:443"',
        'allow [::ffff:10.1.2.3]:443 — p.toml:3:3 "tcp://10.0.0.0/8:443"',
        'deny  192.0.2.1:443 — no tcp rule for this address',
        '      near: p.toml:3:3 "tcp://10.0.0.0/8:443" (same port, other address)',
        '      to allow: "192.0.2.1:443" in `allow`, after p.toml:4',
        '',
      ].join('\n'),
      stderr: '',
    };
    expect(sandlock('check', 'p.bin', ...args)).toEqual(expected);
    expect(sandlock('check', 'p.toml', ...args)).toEqual(expected);
  });

  it('exits 0 when everything is allowed', () => {
    expect(sandlock('check', 'p.toml', '10.0.0.1:443').status).toBe(0);
  });

  it('of a name answers for each pinned address', () => {
    sandlock('compile', 'p.toml', '-o', 'p.bin');
    const { status, stdout } = sandlock('check', 'p.bin', 'localhost:8080');
    expect(status).toBe(0);
    expect(stdout).toContain('allow localhost:8080 (127.0.0.1) — p.toml:4:3 "localhost:8080"\n');
    expect(sandlock('check', 'p.bin', 'localhost:81').status).toBe(1);
  });

  it('of a name that no rule has says that it is not known', () => {
    expect(sandlock('check', 'p.toml', 'other.example:443')).toEqual({
      status: 1,
      stdout: [
        'unknown other.example:443 — no rule has this name, so it does not resolve for the command',
        '      to allow: "other.example:443" in `allow`, after p.toml:4',
        '',
      ].join('\n'),
      stderr: '',
    });
  });

  it.each([['--json'], ['--format=json']])('with %s gives one object a line', (option) => {
    const args = ['10.9.1.1:443', '192.0.2.1:443'];
    const { status, stdout } = sandlock('check', 'p.toml', ...args, option);
    expect(status).toBe(1);
    const place = { source: 'p.toml', line: 3, column: 3 };
    const allow = { action: 'allow', text: 'tcp://10.0.0.0/8:443', ...place };
    const [first, second, last] = stdout.split('\n');
    expect(JSON.parse(first ?? '')).toEqual({
      destination: '10.9.1.1:443',
      protocol: 'tcp',
      address: '10.9.1.1',
      port: 443,
      verdict: 'deny',
      cause: 'deny-rule',
      reason: 'a deny rule refuses it',
      rules: [
        { action: 'deny', text: 'tcp://10.9.0.0/16:*', source: 'p.toml', line: 6, column: 9 },
      ],
      overruled: [allow],
      nearest: [],
    });
    expect(JSON.parse(second ?? '')).toEqual({
      destination: '192.0.2.1:443',
      protocol: 'tcp',
      address: '192.0.2.1',
      port: 443,
      verdict: 'deny',
      cause: 'address',
      reason: 'no tcp rule for this address',
      rules: [],
      overruled: [],
      nearest: [{ ...allow, nearness: 'address' }],
      suggestion: {
        list: 'allow',
        rule: '192.0.2.1:443',
        after: { source: 'p.toml', line: 4 },
      },
    });
    expect(last).toBe('');
  });

  it('of bad destinations shows every mistake and checks nothing', () => {
    const { status, stdout, stderr } = sandlock(
      'check',
      'p.toml',
      'a',
      '10.0.0.1:443',
      '1.2.3.4:0',
    );
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr.match(/^destination: error SL\d{4}: /gm)).toHaveLength(2);
    expect(stderr.endsWith('sandlock: 2 errors in destinations; nothing was checked\n')).toBe(true);
  });

  it.each([[[]], [['-']]])('with destinations %j reads standard input', (destinations) => {
    const input = '# comment\n\n  10.1.2.3:443 # here\r\n10.0.0.1:443\nunix:@a#b';
    const { status, stdout, stderr } = withInput(input, 'check', 'p.toml', ...destinations);
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    expect(stdout.match(/^\w+ +\S+/gm)).toEqual([
      'allow 10.1.2.3:443',
      'allow 10.0.0.1:443',
      'deny  unix:@a#b',
    ]);
  });

  it('answers a line of standard input that comes again as before', () => {
    const input = '10.0.0.1:443\n11.0.0.1:443\nx\n'.repeat(3);
    const once = sandlock('check', 'p.toml', '10.0.0.1:443', '11.0.0.1:443');
    const { status, stdout, stderr } = withInput(input, 'check', 'p.toml');
    expect({ status, stdout }).toEqual({ status: 2, stdout: once.stdout.repeat(3) });
    expect(stderr.match(/^stdin:[369]:1: error SL2002: /gm)).toHaveLength(3);
  });

  it('answers the good lines of standard input and tells the lines of the others', () => {
    const input = `${'x\n'.repeat(30)}10.0.0.1:443\n`;
    const { status, stdout, stderr } = withInput(input, 'check', 'p.toml', '10.0.0.2:443', '-');
    expect(status).toBe(2);
    expect(stdout.match(/^\w+ +\S+/gm)).toEqual(['allow 10.0.0.2:443', 'allow 10.0.0.1:443']);
    expect(stderr.match(/^stdin:\d+:1: error SL2002: /gm)).toHaveLength(20);
    expect(stderr).toContain('stdin:20:1: error');
    expect(stderr.endsWith('30 errors in destinations; everything else was checked\n')).toBe(true);
  });

  it('of a damaged table says where the damage is', () => {
    sandlock('compile', 'p.toml', '-o', 'p.bin');
    const bytes = readFileSync(join(folder, 'p.bin'));
    bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
    writeFileSync(join(folder, 'p.bin'), bytes);
    expect(sandlock('check', 'p.bin', '10.0.0.1:443')).toEqual({
      status: 2,
      stdout: '',
      stderr:
        'sandlock: p.bin is not a table that can be used: the checksum does not fit: the file was damaged or edited (defect 7 at byte 24)\n',
    });
  });
});

describe('a table of an older major version', () => {
  it.each([
    ['check', 'old.bin', '10.0.0.1:443'],
    ['inspect', 'old.bin'],
    ['exec', 'old.bin', '--', 'true'],
    ['compile', '--refresh', 'old.bin', '-o', 'new.bin'],
  ])('is refused by %s, and nothing is read of it', (...args) => {
    copyFileSync(join(import.meta.dirname, '../bad-data/major-1.bin'), join(folder, 'old.bin'));
    expect(sandlock(...args)).toEqual({
      status: 2,
      stdout: '',
      stderr:
        'sandlock: old.bin is not a table that can be used: the table has a major version that this program does not know; compile its policy anew (defect 3 at byte 8)\n',
    });
  });
});

describe('fmt', () => {
  const untidy = '[network]\nallow=["10.0.0.0/8:443"] # all\n';
  const tidy = '[network]\nallow = ["10.0.0.0/8:443"]  # all\n';

  it('prints, writes or checks', () => {
    writeFileSync(join(folder, 'f.toml'), untidy);
    expect(sandlock('fmt', 'f.toml')).toEqual({ status: 0, stdout: tidy, stderr: '' });
    const check = sandlock('fmt', '--check', 'f.toml', 'p.toml');
    expect(check).toEqual({ status: 1, stdout: 'f.toml\n', stderr: '' });
    expect(readFileSync(join(folder, 'f.toml'), 'utf8')).toBe(untidy);
    expect(sandlock('fmt', '-w', 'f.toml')).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(readFileSync(join(folder, 'f.toml'), 'utf8')).toBe(tidy);
    expect(sandlock('fmt', '--check', 'f.toml').status).toBe(0);
  });

  it('writes nothing when one of the files is no TOML', () => {
    writeFileSync(join(folder, 'f.toml'), untidy);
    writeFileSync(join(folder, 'bad.toml'), 'a = \n');
    const { status, stderr } = sandlock('fmt', '-w', 'f.toml', 'bad.toml');
    expect(status).toBe(2);
    expect(stderr).toMatch(/^bad\.toml:1:\d+: error SL1001: /);
    expect(readFileSync(join(folder, 'f.toml'), 'utf8')).toBe(untidy);
    expect(sandlock('fmt', '-w', '--check', 'f.toml').status).toBe(2);
  });
});

describe('inspect', () => {
  it('tells what a table contains, and walks it for a destination', () => {
    sandlock('compile', 'p.toml', '-o', 'p.bin');
    const { status, stdout } = sandlock('inspect', 'p.bin', '--explain', '10.9.1.1:443');
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^table {6}[\d,]+ bytes, format 2\.0, 3 rules, \d port sets\ntcp {8}2 allow, 1 deny; /,
    );
    expect(stdout).toMatch(/\nnames {6}1, 1 pinned \d+ seconds ago \(.*Z\), resolve = "compile"/);
    expect(stdout).toContain('\n  localhost  127.0.0.1');
    const walk = stdout.slice(stdout.indexOf('walk '));
    expect(walk).toMatch(
      /^walk {7}10\.9\.1\.1 in tcp IPv4\n {2}child \d+ of \d+ \(by the first \d bits\)\n {2}boundary 10\.9\.0\.0, up to 10\.9\.255\.255\n {2}port set 0: no port\n {2}deny\n$/,
    );
    expect(stdout.split('\n').every((line) => line.length < 140)).toBe(true);
  });

  it('gives the same as data, of a policy as well', () => {
    const { status, stdout } = sandlock('inspect', 'p.toml', '--json', '--explain', '10.1.1.1:443');
    expect(status).toBe(0);
    const data = JSON.parse(stdout);
    expect(data).toMatchObject({
      names: [{ name: 'localhost' }],
      dns: { resolve: 'compile' },
      sets: [],
      userns: false,
      unix: [],
      layout: { version: '2.0' },
      walks: [{ address: '10.1.1.1', ports: '443', verdict: 'allow' }],
    });
    expect(data.protocols[0]).toMatchObject({ protocol: 'tcp', allow: 2, deny: 1 });
    const { layout } = data;
    const last = layout.sections.reduce(
      (sum: number, { bytes }: { bytes: number }) => sum + bytes,
      0,
    );
    expect(last).toBeLessThan(layout.bytes);
    expect(layout.tries).toHaveLength(10);
    const first = layout.tries[0];
    expect(first.startsArrayBytes).toBe(first.boundaries * first.startBytes);
  });

  it.each([['unix:/x'], ['nowhere.example:443'], ['10.0.0.1']])('can not walk for %s', (text) => {
    const { status, stdout } = sandlock('inspect', 'p.toml', '--explain', text);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  });
});

describe('lint', () => {
  it('is silent and exits 0 where there is nothing to say', () => {
    expect(sandlock('lint', 'p.toml')).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it('exits 1 for warnings, 2 for errors, and writes a line of JSON for each', () => {
    writeFileSync(join(folder, 'w.toml'), '[network]\nallow = ["*:80"]\n');
    writeFileSync(join(folder, 'e.toml'), '[network]\nallow = ["x"]\n');
    const warned = sandlock('lint', 'w.toml');
    expect(warned.status).toBe(1);
    expect(warned.stdout).toMatch(/^w\.toml:2:11: warning SL3105: this rule allows every address/);
    const { status, stdout } = sandlock('lint', 'w.toml', 'e.toml', '--json');
    expect(status).toBe(2);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { severity: 'warning', code: 'SL3105', file: 'w.toml', line: 2, column: 11, length: 1 },
      { severity: 'error', code: 'SL2002', file: 'e.toml', line: 2 },
    ]);
  });

  it('refuses a table', () => {
    sandlock('compile', 'p.toml', '-o', 'p.bin');
    expect(sandlock('lint', 'p.bin').status).toBe(2);
  });

  it('is what compile --deny-warnings goes by', () => {
    writeFileSync(join(folder, 'w.toml'), '[network]\nallow = ["*:80"]\n');
    const { status, stderr } = sandlock('compile', 'w.toml', '-o', 'w.bin', '--deny-warnings');
    expect(status).toBe(2);
    expect(stderr).toMatch(/1 warning, and --deny-warnings was given; nothing was written\n$/);
    expect(readdirSync(folder)).not.toContain('w.bin');
    const json = sandlock('compile', 'w.toml', '-o', 'w.bin', '--deny-warnings', '--json');
    expect(JSON.parse(json.stderr)).toMatchObject({ ok: false, diagnostics: [{ code: 'SL3105' }] });
    expect(sandlock('compile', 'w.toml', '-o', 'w.bin').status).toBe(0);
    expect(sandlock('compile', 'p.toml', '-o', 'p.bin', '--deny-warnings').status).toBe(0);
  });
});

describe('diff', () => {
  it('exits like diff(1), and prints what changed', () => {
    writeFileSync(join(folder, 'q.toml'), POLICY.replace('10.0.0.0/8', '10.0.0.0/9'));
    sandlock('compile', 'p.toml', '-o', 'p.bin');
    expect(sandlock('diff', 'p.bin', 'p.toml')).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(sandlock('diff', 'p.bin', 'q.toml')).toEqual({
      status: 1,
      stdout: '- tcp://10.128.0.0/9:443\n',
      stderr: '',
    });
    const { status, stdout } = sandlock('diff', 'q.toml', 'p.bin', '--json');
    expect(status).toBe(1);
    const nothing = { unix: [], families: [], userns: false };
    expect(JSON.parse(stdout)).toEqual({
      same: false,
      gained: {
        reach: [{ protocol: 'tcp', target: '10.128.0.0/9', ports: '443' }],
        ...nothing,
      },
      lost: { reach: [], ...nothing },
    });
    expect(sandlock('diff', 'p.bin').status).toBe(2);
  });
});

describe('the command line', () => {
  it('prints its version', () => {
    expect(sandlock('--version')).toEqual({ status: 0, stdout: 'sandlock 0.1.0\n', stderr: '' });
  });

  it.each([
    ['--help'],
    ['help'],
    ...Object.keys(HELP).map((topic) => ['help', topic]),
    ...commandPages().map(({ topic }) => [topic, '--help']),
  ])('%s %s prints help that fits a screen of 80 × 24', (...args) => {
    const { status, stdout, stderr } = sandlock(...args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    // The prompt needs a line, too.
    expect(lines.length).toBeLessThan(24);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines[0]).toContain('sandlock');
  });

  it.each([
    [[], 'sandlock: no command was given\n'],
    [
      ['explain', 'p.toml'],
      "sandlock: unknown command 'explain'\ncommands: exec, compile, fmt, inspect, lint, diff, check, learn, doctor, completion\nsee: sandlock --help\n",
    ],
    [
      ['p.toml', '--', 'ls'],
      "sandlock: unknown command 'p.toml'\nto run a command: sandlock exec POLICY -- COMMAND …\nsee: sandlock --help\n",
    ],
    [
      ['--allow', 'a:1', '--', 'ls'],
      "sandlock: unknown option '--allow'\nto run a command: sandlock exec POLICY -- COMMAND …\nsee: sandlock --help\n",
    ],
    [
      ['compil'],
      "sandlock: unknown command 'compil'\n(Did you mean compile?)\nsee: sandlock --help\n",
    ],
    [
      ['compile', 'x'],
      "sandlock: required option '-o, --output <file>' not specified\nsee: sandlock compile --help\n",
    ],
    [
      ['compile', 'x', '-o', 'y', '--format', 'xml'],
      "sandlock: option '--format <format>' argument 'xml' is invalid. Allowed choices are text, json.\nsee: sandlock compile --help\n",
    ],
  ])('refuses %j with status 2', (args, text) => {
    const { status, stdout, stderr } = sandlock(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr.endsWith(text)).toBe(true);
  });
});
