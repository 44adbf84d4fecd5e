/**
 * The page: joins editor, questions, the world outside and the picture. A change of any of them
 * compiles the policy anew.
 */

import type { Diagnostic } from '../../compiler/diagnostic.ts';
import cloudRanges from '../../examples/cloud-ranges.txt';
import mini from '../../examples/mini.toml';
import quickstart from '../../examples/quickstart.toml';
import verbose from '../../examples/verbose.toml';
import { showVerdicts } from './ask.ts';
import { button, byId, element } from './dom.ts';
import { createEditor } from './editor.ts';
import { createPicture } from './picture.ts';
import { type Analysis, analyse } from './policy.ts';
import { createWorld } from './world.ts';

/** What is shown first, and what is asked of it. */
const EXAMPLES: Readonly<Record<string, { readonly text: string; readonly ask: string }>> = {
  'a build and its database': {
    text: mini,
    ask: 'packages.example.org:443\n10.20.7.1:5432\n10.20.0.1:5432\n10.20.7.1:22\nudp://10.20.0.9:514',
  },
  'every form': {
    text: verbose,
    ask: 'api.example.com:443\n198.51.100.9:6005\nudp://198.51.100.9:123\n[2001:db8::1]:443\n169.254.169.254:80\nbind:tcp://127.0.0.1:8080\nunix:/run/user/1000/bus',
  },
  quickstart: { text: quickstart, ask: '127.0.0.1:8471\n127.0.0.2:8471' },
};

/** Milliseconds without a change before the policy is compiled. */
const PAUSE_MS = 120;

const state = byId('state', HTMLElement);
const destinations = byId('destinations', HTMLTextAreaElement);
const shared = readLink();
const [first = { text: '', ask: '' }] = Object.values(EXAMPLES);
destinations.value = shared?.ask ?? first.ask;

let timer: ReturnType<typeof setTimeout> | undefined;
let round = 0;
let latest: Analysis | undefined;
const later = (): void => {
  clearTimeout(timer);
  timer = setTimeout(() => void update(), PAUSE_MS);
};
const editor = createEditor(byId('editor', HTMLElement), shared?.text ?? first.text, later);
const world = createWorld(
  byId('names', HTMLElement),
  byId('files', HTMLElement),
  new Map([['cloud-ranges.txt', cloudRanges]]),
  later,
);
const picture = createPicture(editor.goTo);

async function update(): Promise<void> {
  round += 1;
  const mine = round;
  const analysis = await analyse(editor.text(), world);
  if (mine !== round) return; // a newer text is on its way
  const { diagnostics, table, names, files } = analysis;
  editor.mark(diagnostics);
  listDiagnostics(diagnostics);
  world.show(names, files);
  if (table !== undefined) latest = analysis;
  document.body.classList.toggle('stale', table === undefined);
  showState(analysis);
  if (table === undefined) return;
  answer();
  picture.show(table);
}

function showState({ diagnostics, table }: Analysis): void {
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length;
  state.classList.toggle('bad', errors > 0);
  if (table === undefined) {
    const count = errors === 1 ? '1 error' : `${errors} errors`;
    state.textContent = `${count}: nothing would be run. Verdicts and picture are of the last policy that compiled.`;
    return;
  }
  const { rules, bytes } = table.summary();
  state.textContent = `Compiles: ${rules} ${rules === 1 ? 'rule' : 'rules'}, a table of ${bytes.toLocaleString('en')} bytes.`;
}

function listDiagnostics(diagnostics: readonly Diagnostic[]): void {
  const items = diagnostics.map(
    ({ severity, code, message, line, column, length, expected, help }) => {
      const more = [expected && `expected: ${expected}`, help && `help: ${help}`]
        .filter(Boolean)
        .join(' · ');
      return element(
        'li',
        '',
        button(
          severity,
          () => editor.goTo(line, column, length),
          element('span', 'place', line > 0 ? `${line}:${column}` : '—'),
          element('span', '', `${severity} ${code}: ${message}`),
          element('span', 'more', more),
        ),
      );
    },
  );
  byId('diagnostics', HTMLElement).replaceChildren(...items);
}

/** Answers the questions by the last policy that compiled. */
function answer(): void {
  if (latest?.table === undefined) return;
  const assumed = latest.names.filter(({ isAssumed }) => isAssumed).map(({ name }) => name);
  const list = byId('verdicts', HTMLElement);
  showVerdicts(list, destinations.value, latest.table, new Set(assumed), {
    goTo: editor.goTo,
    add,
  });
}

/** Puts a rule below the last one of its list, or makes the list. */
function add(list: string, rule: string, after: number | undefined): void {
  const lines = editor.text().split('\n');
  const header = lines.findIndex((line) => /^\s*\[network\]/.test(line));
  const here = after === undefined ? undefined : lines[after - 1];
  if (after !== undefined && here !== undefined && /^\s*"/.test(here)) {
    const indent = /^\s*/.exec(here)?.[0] ?? '';
    if (!/",\s*(#.*)?$/.test(here)) lines[after - 1] = here.replace(/"(\s*(#.*)?)$/, '",$1');
    lines.splice(after, 0, `${indent}"${rule}",`);
  } else if (after !== undefined && here !== undefined) {
    lines[after - 1] = here.replace(/\]\s*(#.*)?$/, (end) => `, "${rule}"${end}`);
  } else {
    lines.splice(header + 1, 0, ...(header === -1 ? ['[network]'] : []), `${list} = ["${rule}"]`);
  }
  editor.setText(lines.join('\n'));
}

destinations.addEventListener('input', answer);

const example = byId('example', HTMLSelectElement);
example.append(...Object.keys(EXAMPLES).map((name) => new Option(name)));
if (shared !== undefined) example.selectedIndex = -1;
example.addEventListener('change', () => {
  const chosen = EXAMPLES[example.value];
  if (chosen === undefined) return;
  editor.setText(chosen.text);
  destinations.value = chosen.ask;
  later();
});

const link = byId('link', HTMLButtonElement);
link.addEventListener('click', () => {
  location.hash = writeLink(editor.text(), destinations.value);
  const done = (text: string): void => {
    link.textContent = text;
    setTimeout(() => (link.textContent = 'Copy link'), 1500);
  };
  // Without the clipboard (a page from a plain file server may not have it) the address bar has the link.
  navigator.clipboard?.writeText(location.href).then(
    () => done('Copied'),
    () => done('In the address bar'),
  ) ?? done('In the address bar');
});

const theme = byId('theme', HTMLSelectElement);
const prefersDark = matchMedia('(prefers-color-scheme: dark)');
/** Without a choice the page looks as the system does. */
const setTheme = (): void => {
  const system = prefersDark.matches ? 'dark' : 'light';
  document.documentElement.dataset.theme = theme.value === '' ? system : theme.value;
  picture.redraw();
};
theme.addEventListener('change', setTheme);
prefersDark.addEventListener('change', setTheme);

/** `#policy=…&ask=…`: the link holds everything, nothing is stored anywhere. */
function writeLink(text: string, ask: string): string {
  return new URLSearchParams({ policy: text, ask }).toString();
}

function readLink(): { readonly text: string; readonly ask: string } | undefined {
  const values = new URLSearchParams(location.hash.slice(1));
  const text = values.get('policy');
  return text === null ? undefined : { text, ask: values.get('ask') ?? '' };
}

void update();
