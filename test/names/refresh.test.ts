/**
 * Pins and their renewal, behind a dnsmasq whose names change: what a table holds is what is
 * reached until somebody asks for more, and what a table leaves to the start is asked for then.
 * Each address has a listener, so that a refusal is sandlock's.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Outcome, run } from '../e2e/harness/run.ts';
import { launcher, makeDirectory, makeFile, users } from '../e2e/harness/stage.ts';
import { useServer } from './upstream.ts';

const PORT = 8472;
const SERVER = '127.0.0.55';
const OLD = '127.0.7.1';
const NEW = '127.0.7.2';
const NAME = 'pin.refresh.test';

const file = join(makeDirectory(), 'names');
let dnsmasq: ChildProcess;
let server: Server;

beforeAll(async () => {
  writeFileSync(file, '', { mode: 0o644 });
  useServer(SERVER);
  const options = ['--keep-in-foreground', '--no-resolv', '--no-hosts', '--bind-interfaces'];
  const files = ['--user=root', '--pid-file=', `--addn-hosts=${file}`];
  const address = [`--listen-address=${SERVER}`, '--local-ttl=0', '--local=/refresh.test/'];
  dnsmasq = spawn('dnsmasq', [...options, ...files, ...address], { stdio: 'inherit' });
  // A signal before it handles signals would end it.
  for (let tries = 0; tries < 100 && ask().status !== 0; tries++) await sleep(50);
  server = createServer((socket) => socket.end(`HTTP/1.0 200 OK\r\n\r\n${socket.localAddress}\n`));
  await new Promise<void>((done) => server.listen(PORT, '0.0.0.0', done));
});
afterAll(() => {
  dnsmasq.kill();
  server.close();
});
beforeEach(() => name(OLD));

/** What dnsmasq answers; status 0: it answers at all. */
function ask() {
  const args = ['+short', '+tries=1', '+time=1', `@${SERVER}`, NAME, 'A'];
  return spawnSync('dig', args, { encoding: 'utf8' });
}

/** Makes the name resolve to an address, or not at all, and waits until it does. */
async function name(address: string | undefined): Promise<void> {
  writeFileSync(file, address === undefined ? '' : `${address} ${NAME}\n`);
  for (let tries = 0; tries < 100; tries++) {
    dnsmasq.kill('SIGHUP');
    await sleep(50);
    if (ask().stdout.trim() === (address ?? '')) return;
  }
  throw new Error(`dnsmasq does not answer with ${address}`);
}

function policy(resolve: string): string {
  return makeFile(
    'policy.toml',
    `[network]
allow = ["${NAME}:${PORT}"]
[dns]
resolve = "${resolve}"
private = ["${NAME}"]
`,
  );
}

function compile(source: string, options: readonly string[] = [], env = {}): string {
  const table = join(makeDirectory(), 'policy.bin');
  const [program = '', ...args] = [...launcher, 'compile', source, ...options, '-o', table];
  execFileSync(program, args, { env: { ...process.env, ...env }, stdio: 'pipe' });
  chmodSync(table, 0o644);
  return table;
}

const FETCH = `curl -s --max-time 5 http://${NAME}:${PORT}/ || echo refused
for address in ${OLD} ${NEW}; do curl -s --max-time 5 http://$address:${PORT}/ || echo refused; done`;

describe.each(users)('as $name', (user) => {
  const exec = (table: string, ...options: string[]): Promise<Outcome> =>
    run(user, [...launcher, 'exec', table, '--quiet', ...options, '--', 'sh', '-c', FETCH]);

  test('without sandlock the name is what dnsmasq says, and every address answers', async () => {
    await name(NEW);
    expect((await run(user, ['sh', '-c', FETCH])).stdout).toBe(`${NEW}\n${OLD}\n${NEW}\n`);
  });

  test('a pinned name keeps its address until --refresh, which takes the old one away', async () => {
    const table = compile(policy('compile'));
    await name(NEW);
    expect((await exec(table)).stdout).toBe(`${OLD}\n${OLD}\nrefused\n`);
    expect((await exec(table, '--refresh')).stdout).toBe(`${NEW}\nrefused\n${NEW}\n`);
    expect((await exec(table)).stdout).toBe(`${OLD}\n${OLD}\nrefused\n`);
    expect((await exec(compile(table, ['--refresh']))).stdout).toBe(`${NEW}\nrefused\n${NEW}\n`);
  });

  test('a table that leaves its names to the start asks each time', async () => {
    await name(undefined);
    const table = compile(policy('exec'));
    await name(OLD);
    expect((await exec(table)).stdout).toBe(`${OLD}\n${OLD}\nrefused\n`);
    await name(NEW);
    expect((await exec(table)).stdout).toBe(`${NEW}\nrefused\n${NEW}\n`);
  });

  test.each([
    ['leaves its names to the start', 'exec', []],
    ['is to be refreshed', 'compile', ['--refresh']],
  ])('nothing runs under a table that %s when there is no answer', async (_, resolve, options) => {
    const table = compile(policy(resolve));
    await name(undefined);
    const mark = join(makeDirectory(), 'ran');
    const command = ['exec', table, ...options, '--', 'touch', mark];
    const { status, stderr } = await run(user, [...launcher, ...command]);
    expect(status).toBe(2);
    expect(stderr).toContain(
      `policy.toml:2:11: error SL4001: \`${NAME}\` does not resolve: the name does not exist`,
    );
    expect(stderr).toMatch(/sandlock: 1 error; nothing was run\n$/);
    expect(existsSync(mark)).toBe(false);
  });

  test('pins beyond their age are warned of, and renewed ones are not', async () => {
    const table = compile(policy('compile'), [], { SOURCE_DATE_EPOCH: '1700000000' });
    const start = (...options: string[]) =>
      run(user, [...launcher, 'exec', table, ...options, '--', 'true']);
    const old = await start();
    expect([old.status, old.stderr]).toEqual([
      0,
      expect.stringMatching(
        /^sandlock: the addresses of names in .* are \d+ days old \(max_age is 7 days\): --refresh looks them up again\n$/,
      ),
    ]);
    expect(await start('--refresh')).toMatchObject({ status: 0, stderr: '' });
  });

  test('check knows the pins, and the names that are opened when they are asked for', async () => {
    const check = async (table: string, ...destinations: string[]): Promise<string> =>
      (await run(user, [...launcher, 'check', table, ...destinations])).stdout;
    const pinned = compile(policy('compile'));
    expect(await check(pinned, `${NAME}:${PORT}`)).toMatch(
      new RegExp(`^allow ${NAME}:${PORT} \\(${OLD}\\) — .*\\n {6}pinned \\d+ seconds? ago\\n$`),
    );
    await name(NEW);
    expect(await check(compile(policy('exec')), `${NAME}:${PORT}`)).toContain(`(${NEW})`);
    expect(await check(compile(policy('live')), `${NAME}:${PORT}`)).toContain(
      'opened when the command asks for the name',
    );
  });
});
