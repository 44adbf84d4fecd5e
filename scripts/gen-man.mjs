// Writes docs/man/*: sandlock(1) from what --help says and the prose in docs/man/sandlock.1.md,
// sandlock-exec(1) from the launcher's and docs/man/sandlock-exec.1.md, sandlock-policy(5) from
// docs/policy.md. `--check` fails when a committed page is not what this would write.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { generated } from './generated.mjs';
import { plain, toRoff } from './roff.mjs';
import { root } from './setup.mjs';

const read = (path) => readFileSync(join(root, path), 'utf8');

const bundled = await build({
  absWorkingDir: root,
  entryPoints: ['src/help-text.ts'],
  bundle: true,
  format: 'esm',
  write: false,
  logLevel: 'error',
});
const { commandPages, helpPages, optionsOf } = await import(
  `data:text/javascript,${encodeURIComponent(bundled.outputFiles[0]?.text ?? '')}`
);
const { version } = JSON.parse(read('package.json'));

/** Day of the last change of commands or language; a page has to have one. */
const DATE = '2026-11-26';

const PAGES = {
  'docs/man/sandlock.1': () =>
    page('SANDLOCK', 1, read('docs/man/sandlock.1.md'), {
      synopsis: synopsis(),
      commands: commandPages().map(commandRoff).join(''),
      options: optionsRoff(helpPages().find(({ topic }) => topic === 'sandlock').options),
    }),
  'docs/man/sandlock-exec.1': () =>
    page('SANDLOCK-EXEC', 1, read('docs/man/sandlock-exec.1.md'), {
      options: optionsRoff(optionsOf(launcherHelp())),
    }),
  'docs/man/sandlock-policy.5': () => {
    // The page on the language is written for the web; its title is the name of this one.
    const text = read('docs/policy.md').replace(/^# .*\n/, '');
    const head =
      '# NAME\n\nsandlock-policy - which network destinations a command may reach\n\n# DESCRIPTION\n';
    const tail = '\n# SEE ALSO\n\n`sandlock(1)`, `toml(5)`\n';
    return page('SANDLOCK-POLICY', 5, `${head}${text}${tail}`, {});
  },
};

function page(name, section, markdown, parts) {
  const title = `.TH ${name} ${section} ${DATE} "sandlock ${version}" "sandlock"`;
  const note = '.\\" Written by scripts/gen-man.mjs. Do not edit.';
  return `${note}\n${title}\n${toRoff(markdown, parts)}`;
}

/** What the native launcher prints for --help. */
function launcherHelp() {
  const source = read('executor/src/launcher/arguments.rs');
  const [, text] = /HELP: &str = "\\\n([^"]*)"/.exec(source) ?? [];
  if (text === undefined) throw new Error('the launcher has no help');
  return text;
}

function synopsis() {
  return commandPages()
    .map(({ topic, usage }) => `.B sandlock ${topic}\n${plain(usage)}\n.br\n`)
    .join('')
    .replace(/\.br\n$/, '');
}

function commandRoff({ topic, usage, summary, options }) {
  const head = `.SS sandlock ${topic} ${plain(usage)}\n${plain(capital(summary))}.\n`;
  return head + optionsRoff(options);
}

function optionsRoff(options) {
  return options
    .map(({ forms, text }) => {
      const names = forms.map(({ name, argument }) =>
        argument === undefined
          ? `\\fB${plain(name)}\\fR`
          : `\\fB${plain(name)}\\fR \\fI${plain(argument)}\\fR`,
      );
      return `.TP\n${names.join(', ')}\n${plain(capital(text))}.\n`;
    })
    .join('');
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

for (const [path, write] of Object.entries(PAGES)) generated(path, write());
