/** The hand-made parser of `exec`: what it accepts, and the complete text of every refusal. */
import { describe, expect, it } from 'vitest';
import { parseExecArguments } from '../../src/exec-arguments.ts';

const USAGE =
  '\nusage: sandlock exec POLICY [--allow RULE] [--deny RULE] [--refresh] [--quiet] [--log FILE] [--linger TIME] -- COMMAND …';

const NONE = {
  policy: undefined,
  allow: [],
  deny: [],
  refresh: false,
  quiet: false,
  log: undefined,
  logAllowed: false,
  summary: false,
  lingerSeconds: 10,
  degraded: [],
  supervise: false,
  stats: false,
};

describe('a command line of exec', () => {
  it('with a policy and a command gives both', () => {
    expect(parseExecArguments(['p.bin', '--', 'curl', '-s', 'x'])).toEqual({
      ...NONE,
      policy: 'p.bin',
      command: ['curl', '-s', 'x'],
    });
  });

  it('takes the options about telling', () => {
    const args = ['p', '--log=l', '--log-allowed', '--summary', '--', 'c'];
    const told = { log: 'l', logAllowed: true, summary: true };
    expect(parseExecArguments(args)).toEqual({ ...NONE, policy: 'p', ...told, command: ['c'] });
  });

  it('takes every option in both spellings and in any place before --', () => {
    const args = [
      '--allow',
      'a:1',
      'p.toml',
      '--allow=b:2',
      '--deny=*:3',
      '-q',
      '--refresh',
      '--log=l',
      '--log-allowed',
      '--summary',
      '--linger',
      'forever',
      '--allow-degraded=kernel-settings',
      '--supervise',
      '--stats',
      '--',
      'c',
    ];
    expect(parseExecArguments(args)).toEqual({
      policy: 'p.toml',
      allow: ['a:1', 'b:2'],
      deny: ['*:3'],
      refresh: true,
      quiet: true,
      log: 'l',
      logAllowed: true,
      summary: true,
      lingerSeconds: 0xffff_ffff,
      degraded: ['kernel-settings'],
      supervise: true,
      stats: true,
      command: ['c'],
    });
  });

  it('that accepts an unknown lack is refused', () => {
    const expected = `--allow-degraded takes kernel-settings, other-processes, not seccomp${USAGE}`;
    expect(() => parseExecArguments(['p', '--allow-degraded', 'seccomp', '--', 'c'])).toThrow(
      expected,
    );
  });

  it.each(['', '-1', '1.5', '1e3', 'x', '9999999999'])('with --linger %j is refused', (value) => {
    const expected = `--linger takes whole seconds or forever, not ${value}${USAGE}`;
    expect(() => parseExecArguments(['p', `--linger=${value}`, '--', 'c'])).toThrow(expected);
  });

  it('with rules needs no policy', () => {
    expect(parseExecArguments(['--deny', '*:25', '--quiet', '--', 'c'])).toEqual({
      ...NONE,
      deny: ['*:25'],
      quiet: true,
      command: ['c'],
    });
  });

  it('leaves everything after the first -- to the command', () => {
    const args = ['p', '--', 'c', '--allow', 'x:1', '--', '--help', ''];
    expect(parseExecArguments(args)).toEqual({ ...NONE, policy: 'p', command: args.slice(2) });
  });

  it('with --help before -- asks for help, after it does not', () => {
    expect(parseExecArguments(['p', '--help'])).toBe('help');
    expect(parseExecArguments(['-h'])).toBe('help');
    expect(parseExecArguments(['p', '--', 'c', '-h'])).toEqual({
      ...NONE,
      policy: 'p',
      command: ['c', '-h'],
    });
  });
});

describe('a refused command line of exec', () => {
  const refusals: [title: string, args: string[], message: string][] = [
    ['without anything', [], 'no command: it follows after --'],
    [
      'without a policy',
      ['--', 'c'],
      'no policy: name a file, or give rules by --allow; without any, nothing is run',
    ],
    [
      'with only --quiet',
      ['-q', '--', 'c'],
      'no policy: name a file, or give rules by --allow; without any, nothing is run',
    ],
    ['without --', ['p.bin', 'curl', 'x'], 'put -- before the command: … -- curl x'],
    [
      'without -- and policy, but with rules',
      ['--allow', 'a:1', 'curl'],
      'put -- before the command: … -- curl',
    ],
    ['with only a policy', ['p.bin'], 'no command: it follows after --'],
    ['with nothing after --', ['p.bin', '--'], 'no command after --'],
    ['with an empty program', ['p.bin', '--', '', 'x'], 'the command after -- is empty'],
    ['with two policies', ['a', 'b', '--', 'c'], 'one policy is needed and 2 are given: a, b'],
    [
      'that logs what is allowed to no file',
      ['a', '--log-allowed', '--', 'c'],
      '--log-allowed needs --log FILE',
    ],
    ['with two logs', ['a', '--log=x', '--log=y', '--', 'c'], '--log is given twice'],
    ['with an option lacking its value', ['p', '--allow'], '--allow needs a value'],
    [
      'with an option lacking its value before --',
      ['p', '--log', '--', 'c'],
      '--log needs a value',
    ],
    ['with an unknown option', ['p', '--allow-all', '--', 'c'], 'unknown option --allow-all'],
    [
      'with an option of the command before --',
      ['p', 'curl', '-s'],
      'unknown option -s; options of the command belong after --',
    ],
    ['with a value for --quiet', ['p', '--quiet=1', '--', 'c'], 'unknown option --quiet=1'],
  ];
  it.each(refusals)('%s says what is wrong', (_, args, message) => {
    expect(() => parseExecArguments(args)).toThrow(
      expect.objectContaining({ code: 'SL7001', status: 2, message: message + USAGE }),
    );
  });
});
