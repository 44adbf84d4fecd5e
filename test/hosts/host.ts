/**
 * Hosts that have less: a command line put before `sandlock` that takes something away from it and
 * from everything it starts, and the two claims made of such a host. Either the command is refused,
 * with the whole message, and was not run; or it runs, and every wall holds. Knows what is taken
 * away, not how sandlock copes.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { abstractRefusal } from '../e2e/harness/kernel.ts';
import { openTcp, openUdp } from '../e2e/harness/listen.ts';
import { policyOf, run, sandlock } from '../e2e/harness/run.ts';
import { makeDirectory, probe, type User } from '../e2e/harness/stage.ts';
import { openDaemon } from '../walls/others.ts';
import { lines, type Step, stepsOf } from '../walls/steps.ts';

/** A host: the words before the command line. Empty is this one. */
export type Host = readonly string[];

/** A host whose system calls fail as the rules of probes/without.c say. */
export function without(...rules: readonly string[]): Host {
  return [...probe('without', ...rules), '--'];
}

/** A kernel whose Landlock has this ABI version, 1 at least. */
export function landlock(version: number): Host {
  return probe('landlock', String(version));
}

/** A kernel without Landlock. */
export const noLandlock: Host = without(
  ...['create_ruleset', 'add_rule', 'restrict_self'].map((call) => `landlock_${call}=ENOSYS`),
);

/** A kernel, or a filter, that lets nobody make a namespace or enter one. */
export const noNamespaces: Host = without(
  ...['clone3=ENOSYS', 'clone=EPERM&0:0x7e020000', 'unshare=EPERM&0:0x7e020080', 'setns=EPERM'],
);

/** Options that accept lacks by name. */
export function accepting(...names: readonly string[]): string[] {
  return ['--quiet', ...names.flatMap((name) => ['--allow-degraded', name])];
}

/** Options for a kernel without Landlock. */
export const unkept: readonly string[] = accepting('other-processes');

/** Options for a host where the kernel's settings can not be sealed: root has to accept that, nobody else. */
export function unsealed(user: User): string[] {
  return accepting(...(user.uid === 0 ? ['kernel-settings'] : []));
}

/**
 * Demands that the command is not run and that standard error is `sandlock: ` with this message, or with one of these
 * where two processes fail at once and either may tell.
 */
export async function expectRefused(
  user: User,
  host: Host,
  message: string,
  options: readonly string[] = ['--quiet'],
): Promise<void> {
  const marker = join(makeDirectory(), 'was-run');
  expect(await run(user, [...host, 'touch', marker])).toMatchObject({ status: 0 });
  expect(existsSync(marker), 'the host can not run the command bare').toBe(true);
  const refused = join(makeDirectory(), 'was-run');
  const { stderr, ...rest } = await run(user, [
    ...host,
    ...sandlock(policyOf([':*']), ['touch', refused], options),
  ]);
  expect(stderr).toBe(`sandlock: ${message}\n`);
  expect(rest).toEqual({ stdout: '', status: 125, signal: null, timedOut: false });
  expect(existsSync(refused), 'the command was run').toBe(false);
}

/** Demands that the command runs, and that each wall has an answer for who tries to pass it; the witnesses agree. */
export async function expectHolds(
  user: User,
  host: Host,
  options: readonly string[] = ['--quiet'],
  abstractAnswer: string = abstractRefusal,
): Promise<void> {
  const [tcp, otherTcp] = await openTcp('127.0.0.1', '127.0.0.2');
  const [udp, otherUdp] = await openUdp('127.0.0.1', '127.0.0.2');
  const path = join(makeDirectory(), 'daemon');
  const steps: readonly Step[] = [
    ['new a 2 1 0', '0'],
    [`connect a ${tcp.at}`, '0'],
    ['send a', '5'],
    ['new a 2 1 0', '0'],
    [`connect a ${otherTcp.at}`, '0', 'ECONNREFUSED'],
    ['new a 10 1 0', '0'],
    [`connect a ::ffff:${otherTcp.at}`, '0', 'ECONNREFUSED'],
    ['new b 2 2 0', '0'],
    [`sendto b ${udp.at}`, '5'],
    [`message b ${udp.at} 0 2 9`, '5'],
    [`sendto b ${otherUdp.at}`, '5', 'ECONNREFUSED'],
    [`message b ${otherUdp.at} 0 2 9`, '5', 'ECONNREFUSED'],
    ['new c 2 1 0', '0'],
    ['bind c 127.0.0.1/8080', '0', 'EACCES'],
    ['new c 2 1 0', '0'],
    ['listen c', '0', 'EACCES'],
    ['new d 1 1 0', '0'],
    [`connect d ${path}`, '0', 'EACCES'],
    ['new e 1 1 0', '0'],
    [`connect e @${path}`, '0', abstractAnswer],
    ['pair f g 1', '0'],
    ['send f', '5'],
    ['recv g', '5'],
  ];
  const print = (column: 1 | 2): string[] =>
    steps.map((step) => `${step[0]} = ${step[column] ?? step[1]}`);
  let daemon = await openDaemon(path);
  const bare = await run(user, [...host, ...stepsOf(steps)]);
  expect(lines(bare.stdout)).toEqual(print(1));
  expect([await tcp.take(), await otherTcp.take()]).toEqual([['hello'], ['', '']]);
  expect([await udp.take(), await otherUdp.take()]).toEqual([
    ['hello', 'hello'],
    ['hello', 'hello'],
  ]);
  expect(await daemon()).toEqual(['path 1 0', 'abstract 1 0']);
  daemon = await openDaemon(path);
  const policy = policyOf([tcp.rule, `udp://${udp.rule}`]);
  const walled = await run(user, [...host, ...sandlock(policy, stepsOf(steps), options)]);
  expect({ ...walled, stdout: lines(walled.stdout) }).toEqual({
    stdout: print(2),
    stderr: '',
    status: 0,
    signal: null,
    timedOut: false,
  });
  expect([await tcp.take(), await otherTcp.take()]).toEqual([['hello'], []]);
  expect([await udp.take(), await otherUdp.take()]).toEqual([['hello', 'hello'], []]);
  expect(await daemon()).toEqual(['path 0 0', 'abstract 0 0']);
}
