/**
 * Rows F, H, J, L: what a program can have others do (daemons at unix sockets), what comes to it
 * from elsewhere (descriptors, callers from outside), and filters and domains of its own.
 */
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { abstractRefusal, holdsTcp } from '../e2e/harness/kernel.ts';
import { policyOf, run, runSandboxed, sandlock } from '../e2e/harness/run.ts';
import { makeDirectory, probe, users } from '../e2e/harness/stage.ts';
import { answered, judge, type Row } from './harness/row.ts';
import { ALLOWED, openWitness } from './harness/witness.ts';

const row = (name: string, way: string, leaks: string, answers: readonly string[]): Row => ({
  row: name,
  program: 'others',
  way,
  leaks: [leaks],
  answers,
});

const TCP = 'tcp 127.0.0.1:7003';
const OUTSIDE = ['-1 EACCES'];
/** The answer for an abstract name of somebody outside. */
const BEYOND = [`-1 ${abstractRefusal}`];
const RACED = ['bind 0 -', '0 -'];

const rows: readonly Row[] = [
  row('J1', 'path-stream', 'unix stream', OUTSIDE),
  row('J1', 'path-seqpacket', 'unix seqpacket', OUTSIDE),
  row('J1', 'path-dgram', 'unix dgram', OUTSIDE),
  row('J1', 'path-sendto', 'unix dgram', OUTSIDE),
  row('J1', 'path-sendmsg', 'unix dgram', OUTSIDE),
  row('J1', 'path-sendmmsg', 'unix dgram', OUTSIDE),
  row('J1', 'path-relative', 'unix stream', OUTSIDE),
  row('J1', 'path-link', 'unix stream', OUTSIDE),
  row('J1', 'path-root', 'unix stream', OUTSIDE),
  row('J1', 'path-race', 'unix dgram', RACED),
  row('J1', 'abstract-stream', 'abstract stream', BEYOND),
  row('J1', 'abstract-dgram', 'abstract dgram', BEYOND),
  row('J1', 'abstract-sendto', 'abstract dgram', BEYOND),
  row('J1', 'abstract-sendmsg', 'abstract dgram', BEYOND),
  row('F2', 'handed-path', TCP, OUTSIDE),
  row('F2', 'handed-abstract', TCP, BEYOND),
  row('F2', 'passed', 'udp 127.0.0.1:7004', ['good 0 -', '-1 ECONNREFUSED']),
  row('L1', 'listen-unbound', 'inbound tcp', OUTSIDE),
  row('L1', 'listen-unbound6', 'inbound tcp', OUTSIDE),
  row('L1', 'listen-bound', 'inbound tcp', ['bind 0 -', '-1 EACCES']),
  row('L2', 'listen-port', 'inbound tcp', ['bind -1 EACCES', '-1 EACCES']),
  {
    ...row('L2', 'listen-anew', 'inbound tcp', OUTSIDE),
    policy: `${policyOf(ALLOWED)}allow_bind = ["127.0.0.1:1-46000"]\n`,
  },
  row('L3', 'bind-datagram', 'udp 127.0.0.1:7004', ['-1 EACCES', 'sendto -1 ECONNREFUSED']),
  row('H4', 'filter-allow', TCP, ['filter 0 -', '-1 ECONNREFUSED']),
  row('H4', 'filter-log', TCP, ['filter 0 -', '-1 ECONNREFUSED']),
  row('H1', 'own-listener', TCP, ['listener -1 EBUSY', '-1 ECONNREFUSED']),
  row('H1', 'own-listener-killable', TCP, ['listener -1 EBUSY', '-1 ECONNREFUSED']),
];

const witness = openWitness();

describe.each(users)('as $name', (user) => {
  test.each(rows)('$row $way: leaks bare, is refused under the policy', async (one) => {
    await judge(witness, user, one);
  });

  test('J1 a rule on a link that an earlier run has made: the daemon behind it is not reached', async () => {
    const planted = join(makeDirectory(), 'app.sock');
    symlinkSync(join(witness.directory, 'stream'), planted);
    await judge(witness, user, {
      ...row('J1', 'path-stream', 'unix stream', OUTSIDE),
      policy: `${policyOf(ALLOWED)}allow_unix = ["${planted}"]\n`,
    });
  });

  test('L4 a socket that connects to itself: a SYN to a port of its own, refused under the policy', async () => {
    const nonce = await witness.begin();
    const bare = await run(user, probe('hostile-others', nonce, 'self-connect'));
    expect(bare.stdout).toBe('bind 0 -\nself-connect 0 -\n');
    const [arrival] = await witness.report();
    expect(arrival?.where).toMatch(/^tcp 127\.0\.0\.1:\d+$/);
    const second = await witness.begin();
    const command = probe('hostile-others', second, 'self-connect');
    expect(await runSandboxed(user, policyOf(ALLOWED), command)).toEqual(
      answered(['bind 0 -', 'self-connect -1 ECONNREFUSED']),
    );
    expect(await witness.report()).toEqual([]);
  });

  test('F1 a connection left open as descriptor 9: closed before the program starts', async () => {
    const script = (command: readonly string[]) => [
      ...['bash', '-c', 'exec 9<>/dev/tcp/127.0.0.1/7003; exec "$@"', 'bash'],
      ...command,
    ];
    const nonce = await witness.begin();
    await run(user, script(probe('hostile-others', nonce, 'inherited')));
    expect(await witness.report()).toMatchObject([{ where: TCP, nonced: 1 }]);
    const second = await witness.begin();
    const command = probe('hostile-others', second, 'inherited');
    expect(await run(user, script(sandlock(policyOf(ALLOWED), command)))).toEqual(
      answered(['inherited -1 EBADF']),
    );
    expect(await witness.report()).toMatchObject([{ where: TCP, count: 1, nonced: 0 }]);
  });

  test('H1 a listener asked for with rubbish in the upper half of its flags: refused either way', async () => {
    const nonce = await witness.begin();
    const command = probe('hostile-others', nonce, 'own-listener-rubbish');
    const outcome = await runSandboxed(user, policyOf(ALLOWED), command);
    expect(outcome).toEqual(
      answered(['listener -1 EBUSY', 'own-listener-rubbish -1 ECONNREFUSED']),
    );
    expect(await witness.report()).toEqual([]);
  });

  // SECURITY.md says so: allowed calls are made by the supervisor, which stands outside the inner domain.
  test('H5 an inner Landlock domain without TCP: binds bare, is passed by allowed calls under the policy', async () => {
    const nonce = await witness.begin();
    const command = probe('hostile-others', nonce, 'inner-domain');
    const bare = await run(user, command);
    // Where Landlock has no TCP there is no such domain.
    const entered = /^domain 0 -\ninner-domain -1 EACCES\n$/;
    const none = /^domain -1 \w+\ninner-domain 0 -\n$/;
    expect(bare.stdout).toMatch(holdsTcp ? entered : none);
    const [domain = ''] = bare.stdout.split('\n');
    expect(await runSandboxed(user, policyOf(ALLOWED), command)).toEqual(
      answered([domain, 'inner-domain 0 -']),
    );
    expect(await witness.report()).toEqual([]);
  });
});
