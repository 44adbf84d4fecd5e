/**
 * A kernel without scopes in Landlock, accepted by name: what can be reached by signals then, and what stays true although
 * the command can kill its supervisor.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openTcp } from '../e2e/harness/listen.ts';
import { processesWith, until } from '../e2e/harness/processes.ts';
import { policyOf, run, sandlock, start } from '../e2e/harness/run.ts';
import { makeDirectory, probe, users } from '../e2e/harness/stage.ts';
import { lines } from '../walls/steps.ts';
import { accepting, noLandlock } from './host.ts';

const ACCEPTED = accepting('landlock-tcp', 'landlock-scopes');

/** Quotes a command for the shell; the words hold no quotes. */
function shell(command: readonly string[]): string {
  return command.map((word) => `'${word}'`).join(' ');
}

describe.each(users)('as $name', (user) => {
  test('a supervisor killed by the command: who survives has no network, and that is what is said', async () => {
    const [a] = await openTcp('127.0.0.1');
    const output = join(makeDirectory(), 'lines');
    const connect = probe('steps', 'new a 2 1 0', `connect a ${a.at}`, 'send a', 'listen a');
    expect((await run(user, connect)).stdout).toContain(`connect a ${a.at} = 0\nsend a = 5\n`);
    expect(await a.take()).toEqual(['hello']);
    const late = `sleep 0.5; ${shell(connect)}`;
    const script = `setsid sh -c "${late}" > ${output} 2>&1 < /dev/null & sleep 0.1; kill -9 $PPID; exec sleep 30`;
    const command = sandlock(policyOf([a.rule]), ['sh', '-c', script], ACCEPTED);
    const outcome = await run(user, [...noLandlock, ...command]);
    expect(outcome).toEqual({
      stdout: '',
      stderr:
        "sandlock: the supervisor died; the command's processes were ended, or have no network any more (supervisor: EOWNERDEAD)\n",
      status: 125,
      signal: null,
      timedOut: false,
    });
    await until(
      'the survivor has made its calls',
      () => lines(readFileSync(output, 'utf8')).length === 4,
    );
    expect(lines(readFileSync(output, 'utf8'))).toEqual([
      'new a 2 1 0 = 0',
      `connect a ${a.at} = ENOSYS`,
      'send a = EPIPE',
      'listen a = ENOSYS',
    ]);
    expect(await a.take()).toEqual([]);
  });

  test('with scopes: the command can not kill its supervisor', async () => {
    const command = sandlock(policyOf([]), ['sh', '-c', 'kill -9 $PPID || echo alive; exit 3']);
    expect(await run(user, command)).toMatchObject({ stdout: 'alive\n', status: 3, signal: null });
  });

  test('sandlock killed, or the command ended before its orphans: all of them end', async () => {
    const mark = `31${user.uid}`;
    const orphan = `setsid sleep ${mark} > /dev/null 2>&1 < /dev/null &`;
    const killed = start(user, [
      ...noLandlock,
      ...sandlock(policyOf([]), ['sh', '-c', `${orphan} sleep ${mark}`], ACCEPTED),
    ]);
    onTestFinished(() => void killed.kill('SIGKILL'));
    const sleeping = (): number =>
      processesWith(`sleep ${mark}`).filter(
        (pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n',
      ).length;
    await until('both sleep', () => sleeping() === 2);
    killed.kill('SIGKILL');
    await until('none sleeps', () => sleeping() === 0);
    const script = `${orphan} exit 5`;
    const command = sandlock(policyOf([]), ['sh', '-c', script], [...ACCEPTED, '--linger', '0']);
    expect(await run(user, [...noLandlock, ...command])).toMatchObject({ stdout: '', status: 5 });
    await until('none sleeps', () => sleeping() === 0);
  });
});
