/**
 * Plans: how many calls of a program are looked at, counted by the supervisor itself (`--stats`),
 * and that a call which is not looked at answers as it would without sandlock, or as the kernel
 * refuses it. What could be wrong with not looking is test/hostile/plans.test.ts's.
 */
import { chmodSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openWeb } from '../e2e/harness/http.ts';
import { holdsTcp } from '../e2e/harness/kernel.ts';
import { openTcp, openUdp } from '../e2e/harness/listen.ts';
import { run, sandlock } from '../e2e/harness/run.ts';
import { makeDirectory, users } from '../e2e/harness/stage.ts';
import { lines, network, type Step, stepsOf } from './steps.ts';

const PAIRS = ['inet', 'inet6', 'unix/pair', 'netlink/route'];
const SILENT =
  'sandlock: the kernel alone holds this policy, so a refused connect is not told; --supervise tells';

/** What a connect is refused by where the kernel decides, and where the supervisor has to. */
const REFUSED = holdsTcp ? 'EACCES' : 'ECONNREFUSED';
/** Connects that the kernel would decide on are looked at where it can not. */
const looks = (connects: number): Looked => ({ connects: holdsTcp ? 0 : connects });

interface Looked {
  readonly connects?: number;
  readonly messages?: number;
  readonly binds?: number;
  readonly others?: number;
}

/** The line of `--stats`. */
function stats({ connects = 0, messages = 0, binds = 0, others = 0 }: Looked): string {
  const total = connects + messages + binds + others;
  const count = (number: number, word: string): string =>
    `${number} ${word}${number === 1 ? '' : 's'}`;
  const parts = [count(connects, 'connect'), count(messages, 'message')];
  const rest = [count(binds, 'bind'), count(others, 'other')];
  return `sandlock: looked at ${count(total, 'call')}: ${[...parts, ...rest].join(', ')}`;
}

describe.each(users)('as $name', (user) => {
  /** Makes the calls under a policy and compares answers and counts. */
  async function expectLooked(
    policy: string,
    steps: readonly Step[],
    looked: Looked,
    options: readonly string[] = [],
  ): Promise<void> {
    const command = sandlock(policy, stepsOf(steps), ['--quiet', '--stats', ...options]);
    const { stdout, stderr, status } = await run(user, command);
    expect({ stdout: lines(stdout), stderr: lines(stderr), status }).toEqual({
      stdout: steps.map(([statement, answer]) => `${statement} = ${answer}`),
      stderr: [stats(looked)],
      status: 0,
    });
  }

  test('TCP by port alone: of curl, and of every call of a client, nothing is looked at that Landlock holds', async () => {
    const web = await openWeb(['127.0.0.1', '::1'], () => 'hello');
    const policy = network({ allow: [`:${web.port}`], allow_families: PAIRS });
    for (const host of ['127.0.0.1', '[::1]']) {
      const command = ['curl', '-sS', `http://${host}:${web.port}/x`];
      expect(await run(user, sandlock(policy, command, ['--stats']))).toMatchObject({
        stdout: 'hello',
        stderr: `${stats(looks(1))}\n`,
        status: 0,
      });
    }
    expect(web.requests('::1')).toEqual(['/x']);
    const at = `127.0.0.1/${web.port}`;
    await expectLooked(
      policy,
      [
        ['new a 2 1 0', '0'],
        [`connect a ${at}`, '0'],
        ['send a', '5'],
        [`sendto a ${at}`, '5'],
        ['new b 10 1 0', '0'],
        [`connect b ::ffff:${at}`, '0'],
        ['new c 2 1 0', '0'],
        ['connect c 127.0.0.1/9', REFUSED],
        ['new d 10 1 0', '0'],
        ['connect d ::1/9', REFUSED],
        ['pair e f 1', '0'],
        ['send e', '5'],
        ['recv f', '5'],
        ['new g 16 3 0', '0'],
        // A mute one.
        ['new h 2 2 0', '0'],
        ['new h 1 1 0', 'EAFNOSUPPORT'],
      ],
      { ...looks(4), others: 1 },
    );
  });

  test('the same with --supervise: every connect is looked at, and the refusal is told', async () => {
    const [allowed, other] = await openTcp('127.0.0.1', '127.0.0.2');
    const policy = network({ allow: [`:${allowed.port}`], allow_families: PAIRS });
    const steps: readonly Step[] = [
      ['new a 2 1 0', '0'],
      [`connect a ${allowed.at}`, '0'],
      ['new b 2 1 0', '0'],
      [`connect b ${other.at}`, '0'],
      ['new c 2 1 0', '0'],
      ['connect c 127.0.0.1/9', 'ECONNREFUSED'],
    ];
    await expectLooked(policy, steps, { connects: 3 }, ['--supervise']);
    const refused = ['bash', '-c', ': < /dev/tcp/127.0.0.1/9'];
    const silent = await run(user, sandlock(policy, refused, []));
    expect(lines(silent.stderr).slice(-1)[0] === SILENT).toBe(holdsTcp);
    expect(silent.stderr.includes('sandlock: denied')).toBe(!holdsTcp);
    const told = await run(user, sandlock(policy, refused, ['--supervise']));
    expect(told.stderr).toContain('sandlock: denied tcp 127.0.0.1:9 ');
    expect(told.stderr).not.toContain(SILENT);
  });

  test('TCP is closed: with --supervise as without there is no UDP socket, not even a mute one', async () => {
    const steps: readonly Step[] = [
      ['new a 2 1 0', '0'],
      ['new b 2 2 0', 'EACCES'],
      ['new c 10 2 0', 'EACCES'],
    ];
    for (const options of [[], ['--supervise']]) {
      await expectLooked(network({ allow: [] }), steps, {}, options);
    }
  });

  test('what is bound is looked at: port 0 is a client’s right, other ports and listening are not', async () => {
    const [server] = await openTcp('127.0.0.1');
    const policy = network({ allow: [`:${server.port}`], allow_families: PAIRS });
    await expectLooked(
      policy,
      [
        ['new a 2 1 0', '0'],
        ['bind a 127.0.0.1/0', '0'],
        [`connect a ${server.at}`, '0'],
        ['new b 2 1 0', '0'],
        ['bind b 127.0.0.1/8099', 'EACCES'],
        ['listen b', 'EACCES'],
      ],
      { ...looks(1), binds: 3 },
    );
  });

  test('unix sockets with names: every connect is looked at, and they work', async () => {
    const [server] = await openTcp('127.0.0.1');
    const policy = network({ allow: [`:${server.port}`] });
    const path = join(makeDirectory(), 'own');
    await expectLooked(
      policy,
      [
        ['new a 1 1 0', '0'],
        [`bind a ${path}`, '0'],
        ['listen a', '0'],
        ['new b 1 1 0', '0'],
        [`connect b ${path}`, '0'],
        ['send b', '5'],
        ['new c 2 1 0', '0'],
        [`connect c ${server.at}`, '0'],
        ['send c', '5'],
      ],
      { connects: 2, binds: 2 },
    );
  });

  test('TCP by address: only what can carry a destination is looked at', async () => {
    const [server] = await openTcp('127.0.0.1');
    const policy = network({ allow: [server.rule] });
    await expectLooked(
      policy,
      [
        ['new a 2 1 0', '0'],
        [`connect a ${server.at}`, '0'],
        ['send a', '5'],
        [`sendto a ${server.at}`, '5'],
        [`message a ${server.at} 0 1 0`, '5'],
        ['pair e f 1', '0'],
        ['send e', '5'],
        ['close a', '0'],
      ],
      { connects: 1 },
    );
  });

  test('UDP by address: a message with a destination is looked at, one without is not', async () => {
    const [server] = await openUdp('127.0.0.1');
    const policy = network({ allow: [`udp://${server.rule}`], allow_families: PAIRS });
    await expectLooked(
      policy,
      [
        ['new a 2 2 0', '0'],
        [`sendto a ${server.at}`, '5'],
        [`connect a ${server.at}`, '0'],
        ['send a', '5'],
        ['send a', '5'],
      ],
      { connects: 1, messages: 1 },
    );
    expect(await server.take()).toEqual(['hello', 'hello', 'hello']);
  });

  test('all of UDP: nothing of it is looked at, but what it binds', async () => {
    const [server] = await openUdp('127.0.0.1');
    const policy = network({ allow: ['udp://*:*', ':*'], allow_families: PAIRS });
    const steps: readonly Step[] = [
      ['new a 2 2 0', '0'],
      [`sendto a ${server.at}`, '5'],
      [`message a ${server.at} 0 2 9`, '5'],
      [`connect a ${server.at}`, '0'],
      ['send a', '5'],
    ];
    await expectLooked(policy, steps, looks(1));
    const binding: Step[] = [...steps, ['new b 2 2 0', '0'], ['bind b 127.0.0.1/0', '0']];
    await expectLooked(policy, binding, { ...looks(1), binds: 1 });
    // With unix sockets by name and TCP by address, its messages are free all the same.
    const mixed = network({ allow: ['udp://*:*', '127.0.0.1:9'] });
    await expectLooked(mixed, steps, { connects: 1 });
    expect(await server.take()).toHaveLength(9);
  });

  test('real programs run on pairs alone: node with children, python', async () => {
    const web = await openWeb(['127.0.0.1'], () => 'hello');
    const policy = network({ allow: [`:${web.port}`], allow_families: PAIRS });
    const url = `http://127.0.0.1:${web.port}/x`;
    const node = `const c = require('child_process');
      c.execFile('sh', ['-c', 'cat; echo child'], (e, out) => fetch('${url}').then(r => r.text()).then(t => console.log(out.trim(), t))).stdin.end();`;
    const programs: readonly (readonly [command: readonly string[], prints: string])[] = [
      [[process.execPath, '-e', node], 'child hello\n'],
      [
        [
          'python3',
          '-c',
          `import urllib.request, multiprocessing as m; print(urllib.request.urlopen('${url}').read().decode(), m.Pipe()[0].writable)`,
        ],
        'hello True\n',
      ],
    ];
    for (const [command, prints] of programs) {
      const { stdout, stderr, status } = await run(user, sandlock(policy, command, ['--stats']));
      expect({ stdout, status }).toEqual({ stdout: prints, status: 0 });
      const connects = holdsTcp ? '0' : '\\d+';
      expect(stderr).toMatch(
        new RegExp(
          `looked at \\d+ calls?: ${connects} connects?, 0 messages, \\d+ binds?, \\d+ others?\\n$`,
        ),
      );
    }
  });

  test('a daemon outside is out of reach by every socket that is left', async () => {
    const path = join(makeDirectory(), 'daemon');
    let reached = 0;
    const daemon = createServer(() => {
      reached += 1;
    });
    await new Promise<void>((resolve) => daemon.listen(path, resolve));
    onTestFinished(() => void daemon.close());
    const tries = (answers: readonly string[]): Step[] => [
      ['new a 1 1 0', answers[0] ?? ''],
      [`connect a ${path}`, answers[1] ?? ''],
      ['pair b c 1', '0'],
      [`connect b ${path}`, answers[2] ?? ''],
    ];
    const bare = tries(['0', '0', 'EISCONN']);
    chmodSync(path, 0o777);
    expect(lines((await run(user, stepsOf(bare))).stdout)).toEqual(
      bare.map(([statement, answer]) => `${statement} = ${answer}`),
    );
    const before = reached;
    const policy = network({ allow: [':9'], allow_families: PAIRS });
    const pair = holdsTcp ? 'EISCONN' : 'EACCES';
    await expectLooked(policy, tries(['EAFNOSUPPORT', 'EBADF', pair]), looks(2));
    expect(reached).toBe(before);
  });
});
