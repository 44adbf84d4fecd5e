/**
 * `sandlock learn` with real programs: what a command did under observation, unhindered, it does
 * again under the learnt policy, with the same output and without a refusal; and the same policy
 * keeps it from another destination.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openWeb } from '../e2e/harness/http.ts';
import { openTcp } from '../e2e/harness/listen.ts';
import { type Outcome, run, start } from '../e2e/harness/run.ts';
import { launcher, makeDirectory, makeFile, node, type User, users } from '../e2e/harness/stage.ts';
import { ownPort } from './unchanged.ts';

interface Learnt {
  readonly outcome: Outcome;
  readonly policy: string;
  readonly file: string;
}

async function learn(
  user: User,
  command: readonly string[],
  options: readonly string[] = [],
  file = join(makeDirectory(), 'policy.toml'),
  env: Readonly<Record<string, string>> = {},
): Promise<Learnt> {
  const learning = [...launcher, 'learn', '-o', file, ...options, '--', ...command];
  const outcome = await run(user, learning, { timeoutMs: 60_000, env });
  return { outcome, policy: readFileSync(file, 'utf8'), file };
}

/** Learns, then runs the command under what was learnt: same output, nothing refused. */
async function relearn(
  user: User,
  script: string,
  prints: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const command = ['bash', '-c', `set -eu; cd $(mktemp -d); ${script}`];
  const { outcome, policy, file } = await learn(user, command, [], undefined, env);
  expect([outcome.status, outcome.stdout, outcome.stderr]).toEqual([
    0,
    prints,
    expect.stringMatching(/^sandlock: learnt \d+ rules? → .*\n$/),
  ]);
  const log = join(makeDirectory(), 'log');
  const again = await run(user, [...launcher, 'exec', file, '--log', log, '--', ...command], {
    timeoutMs: 60_000,
    env,
  });
  expect([again.status, again.stdout, again.stderr, readFileSync(log, 'utf8'), policy]).toEqual([
    ...[0, prints, '', ''],
    policy,
  ]);
  return policy;
}

/** The policy without its comments. */
function rules(policy: string): string {
  return policy
    .split('\n')
    .map((line) => line.replace(/\s*# .*/, ''))
    .filter((line) => line !== '')
    .join('\n');
}

describe.each(users)('as $name', (user) => {
  test('curl: one rule, the status of the command, and nothing else allowed', async () => {
    const web = await openWeb(['127.0.0.1', '127.0.0.2'], () => 'served\n');
    const url = `http://127.0.0.1:${web.port}/`;
    const policy = await relearn(user, `curl -sS ${url}`, 'served\n');
    expect(policy).toContain(`"127.0.0.1:${web.port}",  # curl\n`);
    expect(rules(policy)).toBe(`[network]\nallow = [\n  "127.0.0.1:${web.port}",\n]`);
    const other = ['curl', '-sS', `http://127.0.0.2:${web.port}/`];
    const file = makeFile('policy.toml', policy);
    const refused = await run(user, [...launcher, 'exec', file, '--', ...other]);
    expect([refused.status, web.requests('127.0.0.2')]).toEqual([7, []]);
    const failing = await learn(user, ['bash', '-c', `curl -sS ${url}; exit 5`]);
    expect(failing.outcome.status).toBe(5);
  });

  test('git clones and fetches over http', async () => {
    const bare = join(makeDirectory(), 'away.git');
    const make = `cd ${join(bare, '..')} && git init -q -b main work && cd work && echo one > file && git add . &&
      git -c user.name=t -c user.email=t@example.com commit -qm first && git clone -q --bare . ${bare} &&
      git -C ${bare} update-server-info`;
    expect((await run(user, ['bash', '-c', make])).status).toBe(0);
    const web = await openWeb(['127.0.0.1'], (path) => {
      try {
        return readFileSync(join(bare, decodeURI(path.split('?')[0] ?? '')));
      } catch {
        return undefined;
      }
    });
    const url = `http://127.0.0.1:${web.port}/`;
    // Without a name for its user git asks for that of the machine, which no rule has.
    const script = `export GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@example.com
      git clone -q ${url} copy; cat copy/file; git -C copy fetch -q`;
    const policy = await relearn(user, script, 'one\n');
    expect(rules(policy)).toContain(`"127.0.0.1:${web.port}"`);
  });

  test('npm installs from a registry', async () => {
    const folder = makeDirectory();
    mkdirSync(join(folder, 'package'));
    writeFileSync(
      join(folder, 'package/package.json'),
      '{"name":"tiny","version":"1.0.0","main":"i.js"}',
    );
    writeFileSync(join(folder, 'package/i.js'), 'module.exports = "tiny"');
    await run(user, ['tar', '-C', folder, '-czf', join(folder, 'tiny.tgz'), 'package']);
    let port = 0;
    const web = await openWeb(['127.0.0.1'], (path) => {
      if (path.endsWith('.tgz')) return readFileSync(join(folder, 'tiny.tgz'));
      if (path !== '/tiny') return undefined;
      const dist = { tarball: `http://127.0.0.1:${port}/tiny.tgz` };
      const version = { name: 'tiny', version: '1.0.0', dist };
      return JSON.stringify({
        name: 'tiny',
        'dist-tags': { latest: '1.0.0' },
        versions: { '1.0.0': version },
      });
    });
    port = web.port;
    const script = `npm install --silent --no-audit --no-fund --no-update-notifier --cache $PWD/cache --registry http://127.0.0.1:${port}/ tiny > log
      ${node} -p 'require("tiny")'`;
    const policy = await relearn(user, script, 'tiny\n');
    expect(rules(policy)).toContain(`"127.0.0.1:${port}"`);
  });

  test('pip downloads from an index', async () => {
    const wheel = join(makeDirectory(), 'tiny-1.0-py3-none-any.whl');
    const make = `import zipfile; z = zipfile.ZipFile('${wheel}', 'w')
z.writestr('tiny.py', ''); d = 'tiny-1.0.dist-info/'
z.writestr(d + 'METADATA', 'Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n')
z.writestr(d + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'); z.writestr(d + 'RECORD', '')`;
    expect((await run(user, ['python3', '-c', make])).stderr).toBe('');
    const web = await openWeb(['127.0.0.1'], (path) =>
      path.endsWith('.whl')
        ? readFileSync(wheel)
        : '<html><body><a href="/tiny-1.0-py3-none-any.whl">tiny</a></body></html>',
    );
    const script = `python3 -m pip download -q --disable-pip-version-check --no-cache-dir --no-deps --index-url http://127.0.0.1:${web.port}/simple/ tiny; ls`;
    const policy = await relearn(user, script, 'tiny-1.0-py3-none-any.whl\n');
    expect(rules(policy)).toContain(`"127.0.0.1:${web.port}"`);
  });

  test('python: TCP, UDP by connect and by sendto', async () => {
    const [a] = await openTcp('127.0.0.1');
    const program = `
import socket
socket.create_connection(('127.0.0.1', ${a.port})).close()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect(('127.0.0.1', 5301)); u.send(b'x')
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.sendto(b'x', ('127.0.0.1', 5302))
print('done')`;
    const policy = await relearn(user, `python3 ${makeFile('program.py', program)}`, 'done\n');
    expect(rules(policy)).toBe(
      `[network]\nallow = [\n  "127.0.0.1:${a.port}",\n  "udp://127.0.0.1:5301,5302",\n]`,
    );
  });

  test('no rule for what resolvers probe: connects that send nothing', async () => {
    const [a] = await openTcp('127.0.0.1');
    const program = `
import socket
def udp(): return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u = udp()
for host in ('192.0.2.1', '127.0.0.2', '127.0.0.3'): u.connect_ex((host, 443))
for port in (9, 65535): udp().connect(('127.0.0.1', port))
for host in ('127.0.0.1', '127.0.0.2'): udp().connect((host, ${a.port}))
socket.getaddrinfo('localhost', 80)
socket.create_connection(('127.0.0.1', ${a.port}))
udp().connect(('127.0.0.1', 5305))`;
    const { policy } = await learn(user, ['python3', makeFile('program.py', program)]);
    // The last may have written without a call that is seen, so it is kept.
    expect(rules(policy)).toBe(
      `[network]\nallow = [\n  "127.0.0.1:${a.port}",\n  "udp://127.0.0.1:5305",\n]`,
    );
  });

  test('node: a server on a port of the kernel’s choice, and its client', async () => {
    const program = `const s = require('http').createServer((q, r) => r.end('own')).listen(0, '127.0.0.1', async () => {
      console.log(await (await fetch('http://127.0.0.1:' + s.address().port)).text()); s.close(); s.closeAllConnections(); });`;
    const policy = await relearn(user, `${node} ${makeFile('server.cjs', program)}`, 'own\n');
    const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
      .trim()
      .split(/\s+/);
    const ports = `127.0.0.1:${range.join('-')}`;
    expect(rules(policy)).toBe(
      `[network]\nallow = [\n  "${ports}",\n]\nallow_bind = [\n  "${ports}",\n]`,
    );
  });

  // initdb refuses root.
  if (user.uid !== 0) {
    test('psql: over TCP and over a unix socket of the outside', async () => {
      const port = ownPort();
      const folder = makeDirectory();
      const path = 'PATH=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1):$PATH';
      const setUp = `${path}; cd ${folder}; initdb -D data -A trust --no-locale --no-sync > log &&
        pg_ctl -D data -w -l server.log -o "-k ${folder} -h 127.0.0.1 -p ${port}" start > log`;
      expect((await run(user, ['bash', '-c', setUp], { timeoutMs: 60_000 })).stderr).toBe('');
      onTestFinished(async () => {
        const stop = `${path}; pg_ctl -D ${folder}/data -m immediate stop`;
        await run(user, ['bash', '-c', stop]);
      });
      const psql = (host: string): string =>
        `psql -h ${host} -p ${port} -d postgres -X -A -t -c 'select 1'`;
      const policy = await relearn(user, `${psql('127.0.0.1')}; ${psql(folder)}`, '1\n1\n');
      expect(rules(policy)).toBe(
        `[network]\nallow = [\n  "127.0.0.1:${port}",\n]\nallow_unix = [\n  "${folder}/.s.PGSQL.${port}",\n]`,
      );
    });
  }

  test('--update keeps comments and layout; --enforce refuses what is not there yet and adds it', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const old = `# mine\n[network] # here\nallow = [\n  "192.0.2.1:443",  # theirs\n  "${a.rule}" # last\n]\n\n[dns]\nresolve = "exec"\n`;
    const file = join(makeDirectory(), 'policy.toml');
    writeFileSync(file, old);
    const both = [
      'bash',
      '-c',
      `for h in 127.0.0.1 127.0.0.2; do : > /dev/tcp/$h/${a.port} && echo $h; done; exit 0`,
    ];
    const before = await learn(user, both, ['--update', '--enforce'], file);
    expect(before.outcome.stdout).toBe('127.0.0.1\n');
    const added = old.replace('" # last\n', `", # last\n  "${b.rule}",  # bash\n`);
    expect(before.policy).toBe(added);
    const after = await learn(user, both, ['--update'], file);
    expect([after.outcome.stdout, after.policy]).toEqual(['127.0.0.1\n127.0.0.2\n', added]);
  });

  test('a policy that exists is not lost by mistake, and nothing is written for a command that can not be run', async () => {
    const file = makeFile('policy.toml', '# mine\n');
    const there = await run(user, [...launcher, 'learn', '-o', file, '--', 'true']);
    expect([there.status, there.stderr]).toEqual([
      2,
      `sandlock: ${file} exists: --update adds to it, --replace writes it anew\n`,
    ]);
    const missing = join(makeDirectory(), 'policy.toml');
    const none = await run(user, [...launcher, 'learn', '-o', missing, '--', 'no-such-program']);
    expect([none.status, none.stderr]).toEqual([127, 'sandlock: no-such-program: not found\n']);
    expect(() => readFileSync(missing)).toThrow('ENOENT');
    expect(readFileSync(file, 'utf8')).toBe('# mine\n');
  });

  test('--collapse makes networks of neighbours, and a stop by a signal still writes the policy', async () => {
    // Sent by name: connects by one thread to several addresses, with write(2) after them, look like a resolver's.
    const tries = makeFile(
      'tries.py',
      `import socket
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in (1, 2, 3):
    try: u.sendto(b'x', ('198.51.100.%d' % n, 5300))
    except OSError: pass
`,
    );
    const file = join(makeDirectory(), 'policy.toml');
    const command = ['bash', '-c', `python3 ${tries}; echo ready; sleep 30`];
    const child = start(user, [
      ...launcher,
      'learn',
      '-o',
      file,
      '--collapse',
      '24',
      '--',
      ...command,
    ]);
    await new Promise<void>((resolve) => {
      child.stdout?.on('data', (chunk: Buffer) => chunk.includes('ready') && resolve());
    });
    child.kill('SIGTERM');
    const signal = await new Promise((resolve) => child.on('close', (_, by) => resolve(by)));
    expect(signal).toBe('SIGTERM');
    expect(rules(readFileSync(file, 'utf8'))).toBe(
      '[network]\nallow = [\n  "udp://198.51.100.0/24:5300",\n]',
    );
  });
});
