/** The Node API: from its sources, and once as the bundle that a package has. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { check, compileFile, SandlockError } from '../../src/index.ts';

let folder = '';
let policy = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sandlock-index-'));
  policy = join(folder, 'p.toml');
  writeFileSync(policy, '[network]\nallow = ["10.0.0.0/8:443"]\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

const ALLOWED = {
  verdict: 'allow',
  destination: 'tcp://10.1.2.3:443',
  protocol: 'tcp',
  address: '10.1.2.3',
  port: 443,
  cause: 'allow-rule',
  reason: 'a rule allows it',
  rules: [{ action: 'allow', text: '10.0.0.0/8:443', source: 'p.toml', line: 2, column: 10 }],
  overruled: [],
  nearest: [],
};

describe('the Node API', () => {
  it('compiles a file and checks destinations against the table', async () => {
    const result = await compileFile(policy);
    if (!result.ok) throw new Error('the policy is good');
    expect(result.summary).toMatchObject({ rules: 1, prefixes: 1, bytes: result.table.length });
    expect(check(result.table, 'tcp://10.1.2.3:443')).toEqual([ALLOWED]);
    expect(check(result.table, '[::ffff:11.1.2.3]:443')).toMatchObject([
      { verdict: 'deny', rules: [] },
    ]);
  });

  it('throws errors with a code for a bad table, destination and file', async () => {
    const caught = async (body: () => unknown): Promise<string> => {
      try {
        await body();
      } catch (error) {
        return error instanceof SandlockError ? error.code : 'another error';
      }
      return 'no error';
    };
    expect(await caught(() => check(Buffer.from('SANDLOCK'), '10.0.0.1:1'))).toBe('SL5100');
    const result = await compileFile(policy);
    if (!result.ok) throw new Error('the policy is good');
    expect(await caught(() => check(result.table, '10.0.0.1'))).toBe('SL7001');
    expect(await caught(() => compileFile(join(folder, 'none')))).toBe('SL7002');
  });

  it('is the same in the bundle', () => {
    const bundle = join(import.meta.dirname, '../../dist/index.js');
    const code = `
      import { check, compileFile } from ${JSON.stringify(bundle)};
      const result = await compileFile(${JSON.stringify(policy)});
      console.log(JSON.stringify(check(result.table, 'tcp://10.1.2.3:443')));`;
    const args = ['--input-type=module', '--eval', code];
    const output = execFileSync(process.execPath, args, { encoding: 'utf8' });
    expect(JSON.parse(output)).toEqual([ALLOWED]);
  });
});
