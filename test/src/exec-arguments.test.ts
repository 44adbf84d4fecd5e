/** The hand-made parser of `exec`: what it accepts, and the complete text of every refusal. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseExecArguments } from '../../src/exec-arguments.ts';
import { encodeArguments } from '../../src/raw-arguments.ts';

const USAGE = '\nusage: sandlock exec POLICY [options] -- COMMAND …\nsee: sandlock exec --help';

const NO_RULES = { allow: [], deny: [], allowBind: [], allowUnix: [] };
const NONE = { policy: undefined, ...NO_RULES, refresh: false, quiet: false };

/** What a command line comes to; `launcher` is what the launcher gets of it. */
function parse(args: readonly string[]): unknown {
  const parsed = parseExecArguments(args);
  if (parsed === 'help') return parsed;
  const words = encodeArguments(parsed.launcher).toString().split('\0').slice(0, -1);
  return { ...parsed, launcher: words };
}

describe('a command line of exec', () => {
  it('with a policy and a command gives both', () => {
    const args = ['p.bin', '--', 'curl', '-s', 'x'];
    expect(parse(args)).toEqual({ ...NONE, policy: 'p.bin', launcher: args });
  });

  it('leaves the options about telling to the launcher', () => {
    const args = ['p', '--log=l', '--log-allowed', '--summary', '--', 'c'];
    expect(parse(args)).toEqual({ ...NONE, policy: 'p', launcher: args });
  });

  it('takes every option in both spellings and in any place before --', () => {
    const ours = ['--linger', 'forever', '--allow-degraded=kernel-settings', '--supervise'];
    const args = ['--allow', 'a:1', 'p.toml', '--allow=b:2', '--deny=*:3', '-q', '--refresh'];
    args.push(
      '--allow-bind',
      ':80',
      '--allow-unix=/run/x',
      '--allow-bind=:81',
      '--allow-unix',
      '@y',
    );
    args.push(
      '--log=l',
      '--log-allowed',
      '--deny',
      'd',
      '--summary',
      ...ours,
      '--stats',
      '--',
      'c',
    );
    expect(parse(args)).toEqual({
      policy: 'p.toml',
      allow: ['a:1', 'b:2'],
      deny: ['*:3', 'd'],
      allowBind: [':80', ':81'],
      allowUnix: ['/run/x', '@y'],
      refresh: true,
      quiet: true,
      launcher: [
        ...['p.toml', '-q', '--log=l', '--log-allowed', '--summary'],
        ...[...ours, '--stats', '--', 'c'],
      ],
    });
  });

  it('with rules needs no policy, and the launcher gets a name for the table', () => {
    expect(parse(['--deny', '*:25', '--quiet', '--', 'c'])).toEqual({
      ...{ ...NONE, deny: ['*:25'], quiet: true },
      launcher: ['the table', '--quiet', '--', 'c'],
    });
  });

  it('leaves everything after the first -- to the command', () => {
    const args = ['p', '--', 'c', '--allow', 'x:1', '--', '--help', ''];
    expect(parse(args)).toEqual({ ...NONE, policy: 'p', launcher: args });
  });

  it('with --help before -- asks for help, after it does not', () => {
    expect(parse(['p', '--help'])).toBe('help');
    expect(parse(['-h'])).toBe('help');
    const args = ['p', '--', 'c', '-h'];
    expect(parse(args)).toEqual({ ...NONE, policy: 'p', launcher: args });
  });
});

describe('a refused command line of exec', () => {
  const refusals: [title: string, args: string[], message: string][] = [
    [
      'without a policy',
      ['--log-allowed', '--', ''],
      'no policy: name a file, or give rules by --allow; without any, nothing is run',
    ],
    [
      'with only --quiet',
      ['-q', '--', 'c'],
      'no policy: name a file, or give rules by --allow; without any, nothing is run',
    ],
    [
      'without -- and policy, but with rules',
      ['--allow', 'a:1', 'curl'],
      'put -- before the command: … -- curl',
    ],
    ['with two policies', ['a', 'b', '--', 'c'], 'one policy is needed and 2 are given: a, b'],
    ['with an option lacking its value', ['p', '--allow'], '--allow needs a value'],
    [
      'with a misspelt option',
      ['p', '--alow_bind=:80', '--', 'c'],
      'unknown option --alow_bind=:80\n(Did you mean --allow-bind?)',
    ],
  ];
  it.each(refusals)('%s says what is wrong', (_, args, message) => {
    expect(() => parseExecArguments(args)).toThrow(
      expect.objectContaining({ code: 'SL7001', status: 2, message: message + USAGE }),
    );
  });

  const lines = readFileSync(join(import.meta.dirname, '../command-lines.txt'), 'utf8').split('\n');
  const shared = lines.filter((line) => line !== '' && !line.startsWith('#'));
  it.each(shared)('%j is taken or refused as by the launcher', (line) => {
    const [message = '', ...args] = line.split('\t');
    const taken = () => parseExecArguments(args);
    if (message === '') expect(taken()).toMatchObject({ policy: 'p' });
    else {
      const suggestion = /(?:\n\(Did you mean --[a-z-]+\?\))?/.source;
      const text = (message + USAGE)
        .replace(/[.*+?()[\]|]/g, '\\$&')
        .replace('\n', `${suggestion}\n`);
      expect(taken).toThrow(
        expect.objectContaining({ message: expect.stringMatching(`^${text}$`) }),
      );
    }
  });
});
