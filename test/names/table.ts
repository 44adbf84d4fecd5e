/** Compiling policies for these tests, as `sandlock compile` does. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { launcher, makeDirectory, makeFile } from '../e2e/harness/stage.ts';

/** Compiles a policy; `hosts` are lines of a hosts file, the only names there are. Returns the table's file. */
export function compile(policy: string, hosts: readonly string[] = []): string {
  const file = makeFile('policy.toml', policy);
  const table = join(makeDirectory(), 'policy.bin');
  const names = makeFile('hosts', hosts.map((line) => `${line}\n`).join(''));
  const [program = '', ...args] = launcher;
  const options = ['compile', file, '-o', table, '--offline', '--hosts', names];
  execFileSync(program, [...args, ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
  execFileSync('chmod', ['644', table]);
  return table;
}
