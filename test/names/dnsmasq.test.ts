/**
 * Live names against a name server that others wrote: dnsmasq, with a name of several addresses in
 * turn and one that changes while the command runs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runSandboxed } from '../e2e/harness/run.ts';
import { makeDirectory, users } from '../e2e/harness/stage.ts';
import { compile } from './table.ts';
import { useServer } from './upstream.ts';

const PORT = 8471;
const file = join(makeDirectory(), 'names');
let dnsmasq: ChildProcess;
let server: Server;

beforeAll(async () => {
  writeFileSync(file, '127.0.6.1 api.live.test\n127.0.6.2 api.live.test\n', { mode: 0o644 });
  useServer('127.0.0.54');
  const options = [
    '--keep-in-foreground',
    '--no-resolv',
    '--no-hosts',
    '--bind-interfaces',
    '--user=root',
    '--pid-file=',
  ];
  dnsmasq = spawn(
    'dnsmasq',
    [...options, '--listen-address=127.0.0.54', `--addn-hosts=${file}`, '--local-ttl=0'],
    {
      stdio: 'inherit',
    },
  );
  server = createServer((socket) => socket.end(`HTTP/1.0 200 OK\r\n\r\n${socket.localAddress}\n`));
  await new Promise<void>((done) => server.listen(PORT, '0.0.0.0', done));
});
afterAll(() => {
  dnsmasq.kill();
  server.close();
});

describe.each(users)('as $name', (user) => {
  const table = compile(`[network]
allow = ["*.live.test:${PORT}"]
[dns]
private = ["*.live.test"]
`);

  test('dig sees every address, curl reaches one, and a name that dnsmasq has but no rule does not exist', async () => {
    const script = `for i in 1 2 3 4 5 6 7 8 9; do dig +short api.live.test A > /dev/null && break; done
      dig +short api.live.test A | sort; curl -s http://api.live.test:${PORT}/; dig +short other.test`;
    const { stdout } = await runSandboxed(user, { file: table }, ['sh', '-c', script]);
    const [first, second, reached, ...rest] = stdout.trim().split('\n');
    expect([first, second]).toEqual(['127.0.6.1', '127.0.6.2']);
    expect(['127.0.6.1', '127.0.6.2']).toContain(reached);
    expect(rest).toEqual([]);
  });

  test('a name that does not exist there is refused by it, and a table is good for it all the same', async () => {
    const { stdout } = await runSandboxed(user, { file: table }, [
      'sh',
      '-c',
      'dig none.live.test | grep -o "status: [A-Z]*"',
    ]);
    expect(stdout).toMatch(/^status: (REFUSED|SERVFAIL|NXDOMAIN)\n$/);
  });
});
