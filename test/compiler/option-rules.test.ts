/** Rules by options: they mean what the same rule means in its list, and say from which option they came. */
import { describe, expect, test } from 'vitest';
import { formatDiagnostics } from '../../compiler/diagnostic.ts';
import type { PolicyInput } from '../../compiler/draft.ts';
import { draft, goodDraft } from './support.ts';

const file = (lines: string) => ({ name: 'policy.toml', text: `[network]\n${lines}\n` });

test.each<[string, Partial<PolicyInput>, string]>([
  [
    '--allow',
    { allow: ['10.0.0.0/8:443', 'udp://*:53'] },
    'allow = ["10.0.0.0/8:443", "udp://*:53"]',
  ],
  ['--deny', { deny: ['10.0.0.0/8:*'] }, 'deny = ["10.0.0.0/8:*"]'],
  [
    '--allow-bind',
    { allowBind: [':80', 'udp://[::]:53'] },
    'allow_bind = [":80", "udp://[::]:53"]',
  ],
  [
    '--allow-unix',
    { allowUnix: ['/run/x', '/run/y/', '@z'] },
    'allow_unix = ["/run/x", "/run/y/", "@z"]',
  ],
])('%s does what its list does', async (option, input, line) => {
  const added = await goodDraft(input);
  const listed = await goodDraft({ file: file(line) });
  const placed = { source: option, line: 0, column: 0 };
  expect(added.rules).toEqual(listed.rules.map((rule) => ({ ...rule, ...placed })));
  expect(added.unixRules).toEqual(listed.unixRules.map((rule) => ({ ...rule, ...placed })));
  expect(added.rules.length + added.unixRules.length).toBeGreaterThan(0);
});

test('options follow the rules of a file', async () => {
  const { rules, unixRules } = await goodDraft({
    file: file('allow = ["10.0.0.1:1"]\nallow_bind = [":2"]\nallow_unix = ["/a"]'),
    allow: ['10.0.0.3:3'],
    allowBind: [':4'],
    allowUnix: ['/b'],
  });
  expect(rules.map(({ protocol, text }) => `${protocol} ${text}`)).toEqual([
    ...['tcp 10.0.0.1:1', 'tcp-bind :2', 'tcp 10.0.0.3:3', 'tcp-bind :4'],
  ]);
  expect(unixRules.map(({ text, source }) => `${source} ${text}`)).toEqual([
    'policy.toml /a',
    '--allow-unix /b',
  ]);
});

describe('a mistake in an option is told', () => {
  test.each<[string, Partial<PolicyInput>, string]>([
    [
      'of a bind rule',
      { allowBind: ['8080'] },
      `--allow-bind: error SL2002: \`8080\` stands where the address belongs
  8080
  ^^^^
expected: \`:\` before ports
help: did you mean :8080?
`,
    ],
    [
      'of a socket',
      { allowUnix: ['unix:/run/x'] },
      `--allow-unix: error SL2021: \`unix:/run/x\` is not an absolute path
  unix:/run/x
  ^^^^^^^^^^^
expected: an absolute path, a directory with a final \`/\`, or \`@\` and an abstract name
help: did you mean /run/x?
`,
    ],
    [
      'of a set that no file has',
      { allowBind: ['@here:80'] },
      `--allow-bind: error SL3002: no set is named \`here\`
  @here:80
  ^^^^^
help: define it in [sets]: here = ["10.0.0.0/8"]
`,
    ],
    [
      'of a bind beside deny_bind',
      { file: file('deny_bind = [":22"]'), allowBind: [':80'] },
      `--allow-bind: error SL2107: \`--allow-bind\` can not stand beside \`deny_bind\`
  :80
  ^^^
help: what \`deny_bind\` does not list may be bound without it
note: \`deny_bind\` stands at policy.toml:2:1
`,
    ],
    [
      'of a socket that no family could use',
      { file: file('allow_families = ["inet"]'), allowUnix: ['/run/x'] },
      `--allow-unix: error SL3008: the socket can never be reached: \`allow_families\` leaves out \`unix\`
  /run/x
  ^^^^^^
help: add "unix" to \`allow_families\`, or remove the socket
note: \`allow_families\` stands at policy.toml:2:1
`,
    ],
  ])('%s', async (_, input, text) => {
    const result = await draft(input);
    expect(result.ok ? '' : formatDiagnostics(result.diagnostics)).toBe(text);
  });
});
