/**
 * What is told of a run: the line of a refusal with its reason, the log held against its published
 * schema, allowed calls, the summary, UNIX sockets, and what is left out because nobody wished for
 * it.
 */
import { spawn } from 'node:child_process';
import { chmodSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Decision } from '../../src/decision.ts';
import { claim } from './harness/claim.ts';
import { openTcp, openUdp } from './harness/listen.ts';
import { sleep } from './harness/processes.ts';
import { policyOf, run, runSandboxed, sandlock, start } from './harness/run.ts';
import { makeDirectory, probe, users } from './harness/stage.ts';

const SCHEMA = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../docs/log.schema.json'), 'utf8'),
) as object;
const isLine = new Ajv({ strict: true }).compile(SCHEMA);

/** The decisions of a log, each of which has to be as the schema says. */
function readLog(path: string): Decision[] {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines.map((text) => {
    const line = JSON.parse(text) as Decision;
    expect([isLine(line), isLine.errors, text]).toEqual([true, null, text]);
    return line;
  });
}

const withoutPid = (text: string): string => text.replaceAll(/\[\d+\]/g, '[N]');

describe.each(users)('as $name', (user) => {
  test('a refusal: one line with the reason and the rule that would allow it, which then does', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const command = probe('connect', `tcp=${b.at}`);
    await claim({
      ...{ user, policy: policyOf([a.rule]), command, misses: [b] },
      prints: [`tcp=${b.at} -1 ECONNREFUSED`],
    });
    const { stderr } = await runSandboxed(user, policyOf([a.rule]), command, { options: [] });
    expect(withoutPid(stderr)).toBe(
      `sandlock: denied tcp ${b.rule} — connect[N]; no tcp rule for this address; to allow: "${b.rule}"\n`,
    );
    const [, suggested = ''] = /to allow: "(.*)"/.exec(stderr) ?? [];
    const allowed = await runSandboxed(user, policyOf([suggested]), command, { options: [] });
    expect([allowed.stdout, allowed.stderr]).toEqual([`tcp=${b.at} 0 -\n`, '']);
  });

  test('a program that is named like a rule to add: stands in quotes, and what is to be added is ours', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const name = '; to allow: "*"';
    const odd = join(makeDirectory(), name);
    symlinkSync(probe('connect')[0] ?? '', odd);
    const told = async (options: readonly string[]) => {
      const command = [odd, `tcp=${b.at}`];
      const { stdout, stderr } = await runSandboxed(user, policyOf([a.rule]), command, { options });
      expect(stdout).toBe(`tcp=${b.at} -1 ECONNREFUSED\n`);
      return withoutPid(stderr);
    };
    expect(await told([])).toBe(
      `sandlock: denied tcp ${b.rule} — ${JSON.stringify(name)}[N]; no tcp rule for this address; to allow: "${b.rule}"\n`,
    );
    expect(await told(['--quiet', '--summary'])).toBe(
      `sandlock: refused 1× tcp ${b.rule} — ${JSON.stringify(name)}: no tcp rule for this address\n`,
    );
  });

  test('a refusal by a deny rule names it; by a name, the name; of another port, the port', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const connect = probe('connect', `tcp=${a.at}`, `tcp=${b.at}`);
    const policy = policyOf(['localhost:1', `127.0.0.0/8:${b.port}`], [a.rule, '127.0.0.2:*']);
    const [, , deny = ''] = policy.split('\n');
    const { stderr } = await runSandboxed(user, policy, connect, { options: [] });
    const lines = withoutPid(stderr).split('\n');
    expect(lines[0]).toMatch(
      `sandlock: denied tcp ${a.rule} (localhost) — connect[N]; by policy.toml:3:`,
    );
    expect(lines[1]).toBe(
      `sandlock: denied tcp ${b.rule} — connect[N]; by policy.toml:3:${deny.indexOf('"127.0.0.2') + 1} "127.0.0.2:*"`,
    );
    const other = await runSandboxed(user, policyOf(['127.0.0.2:1']), connect, { options: [] });
    expect(withoutPid(other.stderr).split('\n')[1]).toBe(
      `sandlock: denied tcp ${b.rule} — connect[N]; no tcp rule for port ${b.port} of this address; to allow: "${b.rule}"`,
    );
  });

  test('--log-allowed and --summary: every decision, with its rule, and nothing is refused for them', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const [u] = await openUdp('127.0.0.1');
    const log = join(makeDirectory(), 'log');
    const words = [`tcp=${a.at}`, `tcp=${b.at}`, `tcp=${a.at}`];
    const both = [probe('connect', ...words), probe('send', `sendto=${u.at}`)];
    const command = ['bash', '-c', both.map((program) => program.join(' ')).join('; ')];
    const policy = policyOf([a.rule, `udp://${u.rule}`]);
    const options = ['--quiet', '--log', log, '--log-allowed', '--summary'];
    const { stdout, stderr } = await runSandboxed(user, policy, command, { options });
    expect(stdout).toBe(
      `tcp=${a.at} 0 -\ntcp=${b.at} -1 ECONNREFUSED\ntcp=${a.at} 0 -\nsendto=${u.at} 5 -\n`,
    );
    const rule = (text: string): unknown => ({
      ...{ text, source: 'policy.toml', line: 2 },
      column: expect.any(Number),
    });
    const refused = {
      reason: 'no tcp rule for this address',
      suggestion: { list: 'allow', rule: b.rule },
    };
    expect(readLog(log).map(({ event, time, pid, tid, address, port, ...rest }) => rest)).toEqual([
      {
        verdict: 'allow',
        program: 'connect',
        syscall: 'connect',
        protocol: 'tcp',
        destination: a.rule,
        rule: rule(a.rule),
      },
      {
        verdict: 'deny',
        program: 'connect',
        syscall: 'connect',
        protocol: 'tcp',
        destination: b.rule,
        errno: 'ECONNREFUSED',
        ...refused,
      },
      {
        verdict: 'allow',
        program: 'connect',
        syscall: 'connect',
        protocol: 'tcp',
        destination: a.rule,
        rule: rule(a.rule),
      },
      {
        verdict: 'allow',
        program: 'send',
        syscall: 'sendto',
        protocol: 'udp',
        destination: u.rule,
        rule: rule(`udp://${u.rule}`),
      },
    ]);
    expect(stderr).toBe(
      `sandlock: reached 2× tcp ${a.rule} — connect: policy.toml:2 "${a.rule}"\n` +
        `sandlock: reached 1× udp ${u.rule} — send: policy.toml:2 "udp://${u.rule}"\n` +
        `sandlock: refused 1× tcp ${b.rule} — connect: no tcp rule for this address\n`,
    );
    expect((await a.take()).length).toBe(2);
    expect(await b.take()).toEqual([]);
  });

  test('a log that is renamed while the command runs: goes on in a new file', async () => {
    const [, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const log = join(makeDirectory(), 'log');
    const once = probe('connect', `tcp=${b.at}`).join(' ');
    const script = `${once}; echo first; read -r line; ${once}`;
    const child = start(user, sandlock(policyOf([]), ['bash', '-c', script], ['-q', '--log', log]));
    await new Promise<void>((resolve) => {
      let text = '';
      child.stdout?.on('data', (chunk: Buffer) => {
        text += chunk;
        if (text.includes('first')) resolve();
      });
    });
    // Written before the line is there to be read, but by another process.
    await expect.poll(() => readFileSync(log, 'utf8')).not.toBe('');
    renameSync(log, `${log}.1`);
    child.stdin?.end('go\n');
    await new Promise((resolve) => child.on('close', resolve));
    expect([readLog(`${log}.1`).length, readLog(log).length]).toEqual([1, 1]);
  });

  test('a UNIX socket of the outside: told with its path and list, and the suggestion works', async () => {
    const path = join(makeDirectory(), 'socket');
    const server = createServer((socket) => socket.end('hello\n')).listen(path);
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    chmodSync(path, 0o666);
    const command = ['bash', '-c', `socat -u UNIX-CONNECT:${path} - 2>&1 | sed 's/.*: //'`];
    const policy = policyOf([]);
    const refused = await runSandboxed(user, policy, command, { options: [] });
    expect([refused.stdout, withoutPid(refused.stderr)]).toEqual([
      'Permission denied\n',
      `sandlock: denied unix ${path} — socat[N]; no rule allows a unix socket; to allow: "${path}" in allow_unix\n`,
    ]);
    const allowing = `[network]\nallow_unix = ["${path}"]\n`;
    const log = join(makeDirectory(), 'log.json');
    const options = ['--summary', '--log-allowed', '--log', log];
    const allowed = await runSandboxed(user, allowing, command, { options });
    expect(allowed.stdout).toBe('hello\n');
    const rule = { text: path, source: 'policy.toml', line: 2, column: 15 };
    expect(readLog(log)).toMatchObject([{ verdict: 'allow', destination: path, rule }]);
    expect(allowed.stderr).toMatch(
      `sandlock: reached 1× unix ${path} — socat: policy.toml:2 "${path}"`,
    );
  });

  test('an abstract UNIX socket of the outside, which the kernel refuses: told as well', async () => {
    const name = `sandlock-${process.pid}-${user.uid}`;
    const server = spawn('socat', [`ABSTRACT-LISTEN:${name},fork`, 'SYSTEM:echo hello']);
    onTestFinished(() => void server.kill());
    const command = ['bash', '-c', `socat -u ABSTRACT-CONNECT:${name} - 2>&1 | sed 's/.*: //'`];
    await expect.poll(async () => (await run(user, command)).stdout).toBe('hello\n');
    const refused = await runSandboxed(user, policyOf([]), command, { options: [] });
    expect([refused.stdout, withoutPid(refused.stderr)]).toEqual([
      'Operation not permitted\n',
      `sandlock: denied unix @${name} — socat[N]; no rule allows a unix socket; to allow: "@${name}" in allow_unix\n`,
    ]);
  });

  test('probes of a resolver: left out; a UDP client that is refused: told', async () => {
    const [a, b] = await openTcp('127.0.0.1', '127.0.0.2');
    const [u] = await openUdp('127.0.0.2');
    // What getaddrinfo does with two addresses, then what its caller does with the first.
    const resolver = `
import socket
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for host in ('127.0.0.2', '127.0.0.3'):
    print(u.connect_ex((host, ${a.port})))
socket.create_connection(('127.0.0.1', ${a.port}))
print(u.connect_ex(('127.0.0.2', 9)))`;
    const policy = policyOf([a.rule, 'udp://127.0.0.1:1']);
    const probing = await runSandboxed(user, policy, ['python3', '-c', resolver], { options: [] });
    expect([probing.stdout, probing.stderr]).toEqual(['111\n111\n0\n', '']);
    const client = `import socket; u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); print(u.connect_ex(('127.0.0.2', ${u.port})))`;
    const told = await runSandboxed(user, policy, ['python3', '-c', client], { options: [] });
    expect(withoutPid(told.stderr)).toBe(
      `sandlock: denied udp ${u.rule} — python3[N]; no udp rule for this address; to allow: "udp://${u.rule}"\n`,
    );
    expect([await b.take(), await u.take()]).toEqual([[], []]);
  });

  test('more decisions than are read: the command is not held up, and the lost are said, and how it ended', async () => {
    const [a] = await openTcp('127.0.0.1');
    const log = join(makeDirectory(), 'log');
    const many = probe('connect', ...Array.from({ length: 3000 }, () => `tcp=${a.at}`)).join(' ');
    const script = `echo ready; read -r line; ${many} | grep -c EACCES; exit 7`;
    const child = start(user, sandlock(policyOf([]), ['bash', '-c', script], ['-q', '--log', log]));
    const printed = (text: string): Promise<void> =>
      new Promise((resolve) => {
        child.stdout?.on('data', (chunk: Buffer) => chunk.includes(text) && resolve());
      });
    await printed('ready');
    // Nobody reads while sandlock is stopped; its supervisor is a process of its own.
    child.kill('SIGSTOP');
    const done = printed('3000');
    child.stdin?.end('go\n');
    await done;
    // Longer than the supervisor would wait for a slow reader while the command runs.
    await sleep(3000);
    child.kill('SIGCONT');
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(7);
    const lines = readLog(log);
    const lost = lines.at(-1) as unknown as { event: string; count: number };
    expect(lost.event).toBe('lost');
    expect(lost.count).toBeGreaterThan(1000);
    expect(lines.length - 1 + lost.count).toBe(3000);
  });
});
