/** Shell completion in the shells themselves, and its agreement with what the commands take. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { commandWords, SHELLS } from '../../src/completion/words.ts';

const SANDLOCK = join(import.meta.dirname, '../../dist/sandlock.cjs');

/** A folder with files and a program to complete. */
const folder = mkdtempSync(join(tmpdir(), 'sandlock-complete-'));
mkdirSync(join(folder, 'policies'));
writeFileSync(join(folder, 'policies/one.toml'), '');
writeFileSync(join(folder, 'zzz-program'), '#!/bin/sh\n');
chmodSync(join(folder, 'zzz-program'), 0o755);

const scripts = new Map<string, string>();

beforeAll(() => {
  for (const shell of SHELLS) {
    const path = join(folder, `completion.${shell}`);
    writeFileSync(path, execFileSync(process.execPath, [SANDLOCK, 'completion', shell]));
    scripts.set(shell, path);
  }
});

/** What is offered for a line that ends in a word begun. */
const CASES: readonly (readonly [string, readonly string[]])[] = [
  ['sandlock doc', ['doctor']],
  ['sandlock comp', ['compile', 'completion']],
  ['sandlock --ver', ['--version']],
  ['sandlock exec --allow-d', ['--allow-degraded']],
  ['sandlock exec --allow-degraded kern', ['kernel-settings']],
  ['sandlock exec --linger for', ['forever']],
  ['sandlock exec policies/o', ['policies/one.toml']],
  ['sandlock check --format j', ['json']],
  ['sandlock compile --ou', ['--output']],
  ['sandlock compile x -o policies/o', ['policies/one.toml']],
  ['sandlock completion fi', ['fish']],
  ['sandlock exec p.toml -- zzz-p', ['zzz-program']],
  ['sandlock exec p.toml -- zzz-program policies/o', ['policies/one.toml']],
  ['sandlock exec p.toml -- zzz-program --allow-d', []],
];

const options = {
  cwd: folder,
  encoding: 'utf8',
  env: { PATH: `${folder}:${process.env.PATH}`, HOME: folder, TERM: 'dumb' },
} as const;

describe('completion', () => {
  it.each(CASES)('in bash: %s', (line, expected) => {
    const script = `source completion.bash
COMP_WORDS=(${line}) COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
_sandlock; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const output = execFileSync('bash', ['--norc', '-c', script], options);
    expect(
      output
        .split('\n')
        .filter((word) => word !== '')
        .sort(),
    ).toEqual(expected);
  });

  it.each(CASES)('in fish: %s', (line, expected) => {
    const script = `source completion.fish; complete -C ${JSON.stringify(line)}`;
    const output = execFileSync('fish', ['--no-config', '-c', script], options);
    const words = output.split('\n').filter((word) => word !== '');
    expect(words.map((word) => word.split('\t')[0]).sort()).toEqual(expected);
  });

  it('in zsh: a word that can be only one is completed, another is not', () => {
    const python = join(import.meta.dirname, 'complete.py');
    const lines = CASES.map(([line]) => line);
    const output = execFileSync(
      'python3',
      [python, scripts.get('zsh') ?? '', folder, ...lines],
      options,
    );
    const expected = CASES.map(([line, words]) => {
      const [word] = words;
      if (word === undefined) return line;
      return words.length > 1 ? 'sandlock comp' : `${line.replace(/\S+$/, word)} `;
    });
    expect(output.trimEnd().split('\n')).toEqual(expected.map((line) => line.trimEnd()));
  });

  it('offers every command and option that there is', () => {
    const commands = commandWords();
    expect(commands.map(({ name }) => name)).toContain('exec');
    for (const { name, options: words, text } of commands) {
      expect(text, `${name} is missing in the general help`).not.toBe('');
      expect(words.length, name).toBeGreaterThan(0);
      for (const shell of SHELLS) {
        const script = execFileSync(process.execPath, [SANDLOCK, 'completion', shell], {
          encoding: 'utf8',
        });
        for (const word of words) {
          const form =
            shell === 'fish'
              ? ` ${word.name.replace(/^--/, '-l ').replace(/^-(\w)$/, '-s $1')} `
              : word.name;
          expect(script, `${name} ${word.name} in ${shell}`).toContain(form);
        }
      }
    }
  });

  it('is refused for another shell', () => {
    expect(() =>
      execFileSync(process.execPath, [SANDLOCK, 'completion', 'csh'], { stdio: 'pipe' }),
    ).toThrow('there is completion for bash, zsh, fish, not csh');
  });
});
