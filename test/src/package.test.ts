/**
 * The package as it is published: packed, unpacked into a project of somebody else, type-checked
 * there as strictly as TypeScript goes, imported, required, and run.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

/** Every function and class of the interface, used as a consumer would. */
const CONSUMER = `
import {
  check, compile, type Compiled, type Decision, PolicyError, type Sandboxed, SandlockError, spawn, type Verdict,
} from 'sandlock';

const compiled: Compiled = await compile({ allow: ['127.0.0.1:80'] });
const verdicts: readonly Verdict[] = check(compiled.table, '127.0.0.1:80');
const child: Sandboxed = spawn(compiled.table, 'true', [], { stdio: 'ignore' });
for await (const decision of child.decisions) {
  const one: Decision = decision;
  console.log(one.verdict);
}
const code: string = new SandlockError('usage', 'text').code;
console.log(verdicts.length, code, PolicyError.name);
`;

/** What must not be accepted: types that are \`any\` would let it pass. */
const WRONG = `
import { check, spawn } from 'sandlock';
// @ts-expect-error a table is bytes
check('policy.toml', '127.0.0.1:80');
// @ts-expect-error no such option
spawn(new Uint8Array(), 'true', [], { shell: true });
`;

let project = '';

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'sandlock-package-'));
  const packed = run(
    'npm',
    ['pack', '--silent', '--ignore-scripts', '--pack-destination', project],
    ROOT,
  );
  const modules = join(project, 'node_modules');
  mkdirSync(join(modules, 'sandlock'), { recursive: true });
  const archive = join(project, packed.trim());
  run('tar', ['-xzf', archive, '--strip-components=1', '-C', join(modules, 'sandlock')], project);
  // What npm would have installed beside it.
  for (const name of ['@types', '@yuuang', 'commander', 'ffi-rs', 'tldts', 'toml-eslint-parser']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
});

afterAll(() => {
  rmSync(project, { recursive: true, force: true });
});

test.each(['nodenext', 'preserve'])('its types hold in a strict project, module %s', (module) => {
  writeFileSync(join(project, 'consumer.ts'), CONSUMER);
  writeFileSync(join(project, 'wrong.ts'), WRONG);
  const flags = [
    '--noEmit',
    '--strict',
    '--target',
    'es2023',
    '--types',
    'node',
    '--module',
    module,
  ];
  expect(run(process.execPath, [TSC, ...flags, 'consumer.ts', 'wrong.ts'], project)).toBe('');
});

test('it is imported and required', () => {
  const script = `check((await compile({ allow: ['10.0.0.0/8:443'] })).table, '10.1.2.3:443')[0].verdict`;
  const imported = `import { check, compile } from 'sandlock'; console.log(${script});`;
  writeFileSync(join(project, 'imported.mjs'), imported);
  const required = `const { check, compile } = require('sandlock'); (async () => console.log(${script}))();`;
  writeFileSync(join(project, 'required.cjs'), required);
  expect(run(process.execPath, ['imported.mjs'], project)).toBe('allow\n');
  // Node 20.19 warns that requiring modules is experimental.
  expect(run(process.execPath, ['--no-warnings', 'required.cjs'], project)).toBe('allow\n');
});

test('its commands are there, and can be executed', () => {
  const dist = join(project, 'node_modules/sandlock/dist');
  for (const file of ['sandlock.cjs', 'sandlock-exec']) {
    expect(statSync(join(dist, file)).mode & 0o111).toBe(0o111);
  }
  writeFileSync(join(project, 'policy.toml'), '[network]\nallow = ["127.0.0.1:80"]\n');
  const command = join(dist, 'sandlock.cjs');
  run(process.execPath, [command, 'compile', 'policy.toml', '-o', 'policy.bin'], project);
  expect(
    run(process.execPath, [command, 'check', 'policy.bin', '127.0.0.1:80'], project),
  ).toContain('allow');
});

/** Runs a program and returns its output; what failed is shown with all it said. */
function run(program: string, args: readonly string[], cwd: string): string {
  try {
    return execFileSync(program, args, {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(' ')}: ${stdout ?? ''}${stderr ?? ''}`);
  }
}
