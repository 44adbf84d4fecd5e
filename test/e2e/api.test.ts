/**
 * The Node API under the real supervisor: the documented examples as they are, and what a host
 * process may rely on: nothing of it changes, several sandboxes at once, worker threads, and no
 * tree that outlives its host.
 */
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { run } from './harness/run.ts';
import { makeDirectory, makeFile, node, stage, type User, users } from './harness/stage.ts';

const ROOT = join(import.meta.dirname, '../..');
const EXAMPLES = join(ROOT, 'examples/api');

beforeAll(() => {
  // Where the examples' `import 'sandlock'` finds it.
  const place = join(stage, 'node_modules/sandlock');
  mkdirSync(place, { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(place, 'package.json'));
  symlinkSync('../../dist', join(place, 'dist'));
});

const PRINTS: Readonly<Record<string, string>> = {
  'compile-and-check.mjs': `2 rules, 0 warnings
10.1.2.3:443 allow 3
10.1.2.3:80 deny 10.1.2.3:80
SL7004 SL2002 SL2013
--allow: error SL2002: expected host:port, found no port
`,
  'run.mjs': `from the host
served
allow curl 127.0.0.1:PORT 
deny curl 127.0.0.2:PORT no tcp rule for this address
ended with 3 null and 0 decisions lost
`,
  'stop.mjs': `kill: [ null, 'SIGTERM' ]
killAll: [ null, 'SIGKILL' ]
error: AbortError
abort: [ null, 'SIGKILL' ]
error: SL7005 no-such-program: not found
`,
};

/** Runs the text of a module and gives what it printed. */
async function host(user: User, text: string): Promise<string> {
  const { stdout, stderr, status } = await run(user, [node, makeFile('host.mjs', text)]);
  expect([stderr, status]).toEqual(['', 0]);
  return stdout;
}

const START = `import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { compile, spawn } from 'sandlock';
const { table } = await compile({ allow: ['127.0.0.1:1'] });
`;

describe.each(users)('as $name', (user) => {
  test('every example prints what it says', async () => {
    expect(readdirSync(EXAMPLES).sort()).toEqual(Object.keys(PRINTS).sort());
    const folder = makeDirectory();
    cpSync(EXAMPLES, folder, { recursive: true });
    for (const [name, prints] of Object.entries(PRINTS)) {
      const { stdout, stderr } = await run(user, [node, join(folder, name)]);
      const lines = (text: string): string[] => text.split('\n').sort();
      // Streams and decisions come by different roads.
      expect([name, lines(stdout), stderr]).toEqual([name, lines(prints), '']);
    }
  });

  test('the host keeps its signals, limits and children; four sandboxes run at once', async () => {
    const text = `${START}
import { execFileSync } from 'node:child_process';
const state = () => readFileSync('/proc/self/status', 'utf8').match(/^(Sig...|NoNewPrivs|Seccomp|CapEff):.*$/gm).join() +
  readFileSync('/proc/self/limits', 'utf8');
const before = state();
const children = Array.from({ length: 4 }, (_, i) => spawn(table, 'bash', ['-c', 'sleep 0.3; exit ' + i]));
const ends = await Promise.all(children.map((child) => once(child, 'close')));
console.log(ends.map(([code]) => code).join(), new Set(children.map(({ pid }) => pid)).size);
console.log(state() === before, String(execFileSync('echo', ['own'])).trim());`;
    expect(await host(user, text)).toBe('0,1,2,3 4\ntrue own\n');
  });

  test('a worker that is terminated, and a host that exits, take their trees with them', async () => {
    const mark = `9${String(process.pid)}${user.uid}`;
    const text = `${START}
import { execFileSync } from 'node:child_process';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
const count = () => Number(execFileSync('bash', ['-c', 'pgrep -fc "^sleep ${mark}$" || true']));
const start = () => once(spawn(table, 'sleep', ['${mark}'], { stdio: 'ignore' }), 'spawn');
if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  await once(worker, 'message');
  const running = count();
  await worker.terminate();
  for (let i = 0; i < 100 && count() > 0; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  console.log(running, count());
  await start();
  console.log(count());
  process.exit(0);
} else {
  await start();
  parentPort.postMessage('started');
}`;
    expect(await host(user, text)).toBe('1 0\n1\n');
    await expect
      .poll(async () => (await run(user, ['pgrep', '-fc', `^sleep ${mark}$`])).stdout)
      .toBe('0\n');
  });

  test('decisions that nobody reads are dropped and counted, and the command goes on', async () => {
    const text = `${START}
const script = 'for i in {1..50}; do : > /dev/tcp/127.0.0.2/1; done 2>/dev/null; echo done';
const child = spawn(table, 'bash', ['-c', script], { maxDecisions: 10 });
child.stdout.on('data', (text) => process.stdout.write(text));
let seen = 0;
child.on('decision', () => (seen += 1));
await once(child, 'close');
let read = 0;
for await (const _ of child.decisions) read += 1;
console.log(seen, read, child.dropped);`;
    expect(await host(user, text)).toBe('done\n50 10 40\n');
  });

  test('under observation nothing is refused, and misuse is an error with its code', async () => {
    const text = `${START}
const child = spawn(table, 'bash', ['-c', ': > /dev/tcp/127.0.0.1/2; exit 0'], { observe: true, stdio: 'ignore' });
for await (const { destination, observed, errno } of child.decisions) console.log(destination, observed, errno);
for (const wrong of [() => spawn(Buffer.from('x'), 'true'), () => spawn(table, ''), () => spawn(table, 'true', [], { stdio: 'pip' })]) {
  try { wrong(); } catch (error) { console.log(error.name, error.code, error.message); }
}`;
    expect(await host(user, text)).toBe(
      `127.0.0.1:2 true undefined
SandlockError SL7001 the first argument is not a table; compile() makes one
SandlockError SL7001 the command is empty
SandlockError SL7001 stdio does not know pip
`,
    );
  });
});
