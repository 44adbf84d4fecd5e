/**
 * Learning from a program that asks for names: the policy has the names, not the addresses they
 * had, and the command then runs under it without a refusal.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openWeb } from '../e2e/harness/http.ts';
import { run } from '../e2e/harness/run.ts';
import { launcher, makeDirectory, users } from '../e2e/harness/stage.ts';
import { A, startUpstream, type Upstream, useServer } from './upstream.ts';

/** Of TEST-NET-3, so no address of the inside; the network is the tests' own. */
const ADDRESS = '203.0.113.9';

let upstream: Upstream;

beforeAll(async () => {
  execFileSync('ip', ['addr', 'add', `${ADDRESS}/32`, 'dev', 'lo']);
  useServer('127.0.0.53');
  upstream = await startUpstream((name, type) => {
    if (!name.endsWith('.learn.test')) return { code: 3 };
    return type === A ? { answers: [[name, A, 60, ADDRESS]] } : {};
  });
});
afterAll(() => upstream.close());

describe.each(users)('as $name', (user) => {
  test('names that a program asked for are learnt as names, and run without a refusal', async () => {
    const web = await openWeb([ADDRESS], () => 'served\n');
    const policy = join(makeDirectory(), 'learnt.toml');
    const urls = ['api', 'cdn'].map((host) => `http://${host}.learn.test:${web.port}/`);
    const command = ['curl', '-sS', '--max-time', '5', ...urls];
    const learnt = await run(user, [...launcher, 'learn', '-o', policy, '--', ...command]);
    expect(learnt).toMatchObject({ status: 0, stdout: 'served\nserved\n' });
    const text = readFileSync(policy, 'utf8');
    expect(text).toContain(`"api.learn.test:${web.port}"`);
    expect(text).toContain(`"cdn.learn.test:${web.port}"`);
    expect(text).not.toContain(ADDRESS);
    expect(await run(user, [...launcher, 'exec', policy, '--', ...command])).toMatchObject({
      status: 0,
      stdout: 'served\nserved\n',
      stderr: '',
    });
    const other = ['curl', '-sS', '--max-time', '5', `http://other.learn.test:${web.port}/`];
    const refused = await run(user, [...launcher, 'exec', policy, '--', ...other]);
    expect(refused.status).toBe(6); // could not resolve host
    expect(refused.stderr).toMatch(
      /^sandlock: denied name other\.learn\.test — curl\[\d+\]; no rule/m,
    );
  });
});
