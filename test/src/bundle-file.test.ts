/**
 * What V8 made of the bundle's files when it was built: it is used, by this Node and for this text, and whatever is
 * wrong with it costs time and nothing else.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sandlock-bundle-')));
afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(() => {
  rmSync(join(folder, 'dist'), { recursive: true, force: true });
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
  rmSync(join(folder, 'node_modules'), { force: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
});

/** Tells of every script whether V8 got something for it, and whether it took that. */
const HOOK = `
const vm = require('node:vm');
vm.Script = class extends vm.Script {
  constructor(text, options) {
    super(text, options);
    const name = require('node:path').basename(options.filename);
    const state = options.cachedData === undefined ? 'none' : this.cachedDataRejected ? 'refused' : 'used';
    require('node:fs').writeSync(1, name + ' ' + state + '\\n');
  }
};`;

/** A policy with a wildcard, and a mistake, so that all ends in a message that needs every file. */
const MISTAKEN = '[network]\nallow = ["*.example.com:443", "a.example:0"]\n';

/** What became of each file, and what was said. */
function exec(policy = MISTAKEN, ...flags: string[]): { files: string; said: string } {
  writeFileSync(join(folder, 'hook.cjs'), HOOK);
  writeFileSync(join(folder, 'p.toml'), policy);
  const command = [join(folder, 'dist/sandlock.cjs'), 'exec', 'p.toml', '--', 'true'];
  const args = [...flags, '--require', join(folder, 'hook.cjs'), ...command];
  // So that it ends before it would be the launcher.
  const env = { SANDLOCK_LIBRARY: '/none.so' };
  const options = { cwd: folder, env, encoding: 'utf8' } as const;
  const { stdout, stderr } = spawnSync(process.execPath, args, options);
  return { files: stdout, said: stderr };
}

const all = (state: string) => `exec.cjs ${state}\ncompiling.cjs ${state}\nsuffixes.cjs ${state}\n`;

/** The message that a mistake at that place has, which is one of the compiler's. */
const MESSAGE = 'p.toml:2:42: error SL2004: ';

describe('what V8 made of the bundle', () => {
  it('is used for each file that a policy in TOML needs', () => {
    const { files, said } = exec();
    expect(files).toBe(all('used'));
    expect(said).toContain(MESSAGE);
  });

  it('is not asked for where it is not there, or is of another Node or another text', () => {
    const { said } = exec();
    for (const [pattern, other] of [
      [/v[0-9.]+ \w+$/, 'v20.0.0 x64'],
      [/\w+$/, 'other'],
      [/\/\/[0-9a-f]{64}(?= v\S+ \w+$)/, `//${'0'.repeat(64)}`],
      [/^.*$/s, ''],
    ] as const) {
      for (const name of ['exec', 'compiling', 'suffixes']) {
        const path = join(folder, 'dist', `${name}.cache`);
        const text = readFileSync(path, 'latin1');
        writeFileSync(path, text.replace(pattern, other), 'latin1');
      }
      expect(exec()).toEqual({ files: all('none'), said });
    }
    for (const name of ['exec', 'compiling', 'suffixes'])
      rmSync(join(folder, `dist/${name}.cache`));
    expect(exec()).toEqual({ files: all('none'), said });
  });

  it('is not used for a text that was changed, which V8 would not see by its length', () => {
    const path = join(folder, 'dist/compiling.cjs');
    const [line, ...rest] = readFileSync(path, 'latin1').split('\n');
    const changed = rest.join('\n').replace('is above 65535', 'IS ABOVE 65535');
    const policy = '[network]\nallow = ["a.example:70000"]\n';
    expect(exec(policy).said).toContain('70000 is above 65535');
    writeFileSync(path, [line?.replace(/[0-9a-f]/g, '0'), changed].join('\n'), 'latin1');
    const { files, said } = exec(policy);
    expect(files).toContain('compiling.cjs none\n');
    expect(said).toContain('70000 IS ABOVE 65535');
  });

  it('that V8 does not accept is passed over: cut short, or made under other options', () => {
    const { said } = exec();
    expect(exec(MISTAKEN, '--stack-size=900')).toEqual({ files: all('refused'), said });
    for (const name of ['exec', 'compiling', 'suffixes']) {
      const path = join(folder, 'dist', `${name}.cache`);
      const bytes = readFileSync(path);
      const key = bytes.subarray(bytes.lastIndexOf('//'));
      writeFileSync(path, Buffer.concat([bytes.subarray(0, 2000), key]));
    }
    expect(exec()).toEqual({ files: all('refused'), said });
  });
});
