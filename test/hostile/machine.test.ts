/**
 * What the machine itself has and a program may take: devices that make packets or hold up who
 * reads memory, the kernel's own file systems, ports that were given back. Devices have nodes here
 * that everybody may open, as udev gives them.
 */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { finished, policyOf, run, runSandboxed, sandlock, start } from '../e2e/harness/run.ts';
import { makeDirectory, probe, users } from '../e2e/harness/stage.ts';
import { answered } from './harness/row.ts';
import { ALLOWED } from './harness/witness.ts';

const BEHIND_TUN = 7007;
/** Addresses from which a program can ask: 10.66.0.1 and on. */
const ADDRESSES = 300;

/** A node of a character device for everybody. */
function deviceNode(name: string, minor: number): string {
  const node = join(makeDirectory(), name);
  execFileSync('mknod', [node, 'c', '10', String(minor)]);
  chmodSync(node, 0o666);
  return node;
}

/** A port of this machine, what comes there, and why it could not be had. */
async function listen(address: string, port: number) {
  const socket = createSocket('udp4');
  const came: string[] = [];
  socket.on('message', (message) => came.push(String(message)));
  onTestFinished(() => void socket.close());
  const error = await new Promise<string>((resolve) => {
    socket.once('error', (failure: NodeJS.ErrnoException) => resolve(failure.code ?? ''));
    socket.bind(port, address, () => resolve(''));
  });
  return { came, error };
}

beforeAll(() => {
  const addresses = Array.from({ length: ADDRESSES }, (_, at) => {
    const number = at + 1;
    return `addr add 10.66.${number >> 8}.${number & 255}/32 dev lo\n`;
  });
  const links = ['tuntap add tun9 mode tun', 'addr add 10.99.0.1/24 dev tun9', 'link set tun9 up'];
  execFileSync('ip', ['-batch', '-'], { input: `${links.join('\n')}\n${addresses.join('')}` });
});

describe.each(users)('as $name', (user) => {
  test('C11 a tun device without owner: bare a packet from its other end, EPERM under the policy', async () => {
    const { came, error } = await listen('10.99.0.1', BEHIND_TUN);
    expect(error).toBe('');
    const options = { env: { HOSTILE_TUN: deviceNode('tun', 200) } };
    const command = (nonce: string) => probe('hostile-protocols', nonce, 'ownerless');
    expect(await run(user, command('Nbare'), options)).toEqual(
      answered(['ownerless 0 -', 'write 0 -']),
    );
    await expect.poll(() => came, { timeout: 10_000 }).toEqual(['Nbare']);
    expect(await runSandboxed(user, policyOf(ALLOWED), command('Nunder'), options)).toEqual(
      answered(['ownerless -1 EPERM']),
    );
    // What comes first has come first.
    await run(user, command('Nlast'), options);
    await expect.poll(() => came, { timeout: 10_000 }).toEqual(['Nbare', 'Nlast']);
  });

  test('I5 userfaultfd by its device: open bare, EPERM under the policy', async () => {
    const options = { env: { HOSTILE_USERFAULTFD: deviceNode('userfaultfd', faultsMinor()) } };
    const command = probe('hostile-rights', 'N0', 'userfaultfd-device');
    expect(await run(user, command, options)).toEqual(answered(['userfaultfd-device 0 -']));
    expect(await runSandboxed(user, policyOf(ALLOWED), command, options)).toEqual(
      answered(['userfaultfd-device -1 EPERM']),
    );
  });

  test('a port that a socket was connected to for asking stays taken, however many ask', async () => {
    const command = probe('hostile-others', 'Nasked', 'keeps-asking');
    const child = start(user, sandlock(policyOf(ALLOWED), command));
    const outcome = finished(child);
    const line = await new Promise<string>((resolve) => {
      child.stdout?.once('data', (data) => resolve(String(data)));
    });
    const port = Number(/^keeps-asking (\d+) -$/m.exec(line)?.[1]);
    expect(port).toBeGreaterThan(0);
    const { came, error } = await listen('10.66.0.1', port);
    child.stdin?.end();
    expect(await outcome).toMatchObject({ stdout: expect.stringMatching(/send 0 -\n$/) });
    expect({ came, error }).toEqual({ came: [], error: 'EADDRINUSE' });
  });
});

/** It has no number of its own: /proc/misc tells. */
function faultsMinor(): number {
  const text = execFileSync('cat', ['/proc/misc'], { encoding: 'utf8' });
  return Number(/^\s*(\d+) userfaultfd$/m.exec(text)?.[1]);
}

/**
 * A mount namespace in which the kernel's own is mounted at a place of its own, and below /proc once the command runs.
 */
const MOUNTS = `
set -e
mount --make-rshared /
mount -t binfmt_misc none "$PLACE/early"
"$@" &
until [ -e "$PLACE/runs" ]; do sleep 0.02; done
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
touch "$PLACE/mounted"
wait`;
/** \`:\` opens the file and writes nothing. */
const OPENS = `
touch "$PLACE/runs"
until [ -e "$PLACE/mounted" ]; do sleep 0.02; done
for file in "$PLACE/early/register" /proc/sys/fs/binfmt_misc/register; do
  (: >>"$file") 2>/dev/null && echo open || echo closed
done`;

test('J4: where root registers programs that the kernel runs for others, mounted before or meanwhile: open only outside', async () => {
  const root = users.find(({ name }) => name === 'root');
  if (root === undefined) throw new Error('needs root');
  const opened = async (command: (inner: readonly string[]) => readonly string[]) => {
    const place = makeDirectory();
    mkdirSync(join(place, 'early'));
    const apart = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', MOUNTS, 'mounts'];
    const inner = ['sh', '-c', OPENS];
    return run(root, [...apart, ...command(inner)], { env: { PLACE: place } });
  };
  expect(await opened((inner) => inner)).toEqual(answered(['open', 'open']));
  expect(await opened((inner) => sandlock(policyOf(ALLOWED), inner))).toEqual(
    answered(['closed', 'closed']),
  );
});
