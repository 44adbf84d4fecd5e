// Writes docs/errors.md from compiler/codes.ts, the only place where codes are explained.
// `--check` fails when the committed page is not what this would write.

import { build } from 'esbuild';
import { generated } from './generated.mjs';
import { root } from './setup.mjs';

const TARGET = 'docs/errors.md';

const GROUPS = {
  1: 'The text of the file',
  2: 'Keys and rules',
  3: 'What the policy means',
  4: 'Names',
  5: 'The table',
};

const bundled = await build({
  absWorkingDir: root,
  entryPoints: ['compiler/codes.ts'],
  bundle: true,
  format: 'esm',
  write: false,
  logLevel: 'error',
});
const { listCodes } = await import(
  `data:text/javascript,${encodeURIComponent(bundled.outputFiles[0]?.text ?? '')}`
);

const lines = [
  '# Errors and warnings of the compiler',
  '',
  '<!-- Generated from compiler/codes.ts by scripts/gen-errors.mjs. Do not edit. -->',
  '',
  'Each is printed with its place, the line, and the part of it that is meant:',
  '',
  '```',
  'policy.toml:3:16: error SL2004: port 70000 is above 65535',
  '3 |   "example.com:70000",',
  '  |                ^^^^^',
  'expected: a port from 1 to 65535',
  '```',
  '',
  'Lines and columns begin with 1; columns count characters. All errors of a policy are reported in one run, in the order',
  'of the file. With an error there is no table, and the exit status is 2. Warnings do not change the status.',
  '',
];
let group = '';
for (const [code, { title, cause, fix }] of listCodes()) {
  if (code[2] !== group) {
    group = code[2];
    lines.push(`## ${GROUPS[group]}`, '');
  }
  lines.push(`### ${code}: ${title}`, '', cause, '', `**Fix.** ${fix}`, '');
}
const text = lines.join('\n');

generated(TARGET, text);
