/**
 * The table "Dependencies" of docs/architecture.md: each package that is asked for directly has a
 * row that says what it is for. Knows nothing of what packages bring along themselves.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const [, section = ''] = read('docs/architecture.md').split('\n## Dependencies\n');
const [table = ''] = section.split('\n## ');
const named = new Set(
  [...table.matchAll(/^\| ([^|(]+)/gm)].flatMap(([, names = '']) => names.trim().split(', ')),
);

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** The names before `=` in every section of dependencies; paths are rooms of this repository. */
function crates(manifest: string): string[] {
  const sections = read(manifest).split(/^(?=\[)/m);
  const lines = sections.filter((part) => /^\[.*dependencies\]/.test(part)).join('\n');
  const entries = [...lines.matchAll(/^([\w-]+) = (.*)$/gm)];
  return entries
    .filter(([, , value = '']) => !value.includes('path ='))
    .map(([, name = '']) => name);
}

function packages(): string[] {
  const manifest = JSON.parse(read('package.json'));
  const kinds = ['dependencies', 'optionalDependencies', 'devDependencies'];
  return kinds.flatMap((kind) => Object.keys(manifest[kind]));
}

const asked = [...packages(), ...crates('executor/Cargo.toml'), ...crates('fuzz/Cargo.toml')];

test.each([...new Set(asked)])('%s is in the table', (name) => {
  const scope = `${name.split('/')[0]}/*`;
  expect([...named]).toContain(named.has(scope) ? scope : name);
});

test('the table names nothing that is not asked for', () => {
  const isAsked = (name: string) =>
    name.endsWith('/*')
      ? asked.some((other) => other.startsWith(name.slice(0, -1)))
      : asked.includes(name);
  const rows = [...named].filter((name) => name !== 'package' && !/^-+$/.test(name));
  expect(rows.filter((name) => !isAsked(name))).toEqual([]);
});
