/**
 * The manual pages: readers of manuals find no fault in them, and they say of options and keys what the program takes.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandPages, helpPages } from '../../src/help-text.ts';

const ROOT = join(import.meta.dirname, '../..');
const { man } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { man: string[] };

/** A page as text, without overstruck letters. */
function render(page: string): string {
  const text = execFileSync('mandoc', ['-T', 'utf8', join(ROOT, page)], { encoding: 'utf8' });
  return text.replace(/.[\b]/g, '');
}

describe('the manual', () => {
  it('is shipped: a page on the command, and one on the language', () => {
    expect(man).toEqual(
      expect.arrayContaining(['docs/man/sandlock.1', 'docs/man/sandlock-policy.5']),
    );
  });

  it.each(man)('%s: mandoc and groff find nothing wrong', (page) => {
    const lint = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', join(ROOT, page)], {
      encoding: 'utf8',
    });
    expect({ status: lint.status, said: lint.stdout + lint.stderr }).toEqual({
      status: 0,
      said: '',
    });
    const groff = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-z', join(ROOT, page)], {
      encoding: 'utf8',
    });
    expect({ status: groff.status, said: groff.stderr }).toEqual({ status: 0, said: '' });
  });

  it('on the command has every option of --help in its command’s part, and no other', () => {
    const text = render('docs/man/sandlock.1');
    for (const { topic, usage, options } of commandPages()) {
      const start = text.indexOf(
        `\n   sandlock ${topic} ${usage.replaceAll('…', '...')}`.trimEnd(),
      );
      expect(start, topic).toBeGreaterThan(0);
      const part = text.slice(start + 1).split(/\n {3}sandlock |\n[A-Z]/)[0] ?? '';
      const named = [...part.matchAll(/(?<=^ {5,8}|, )--?[a-z][a-z-]*/gm)].map(([name]) => name);
      const taken = options.flatMap(({ forms }) => forms.map(({ name }) => name));
      expect(named.sort(), topic).toEqual(taken.sort());
    }
    const all = new Set(
      helpPages().flatMap(({ options }) =>
        options.flatMap(({ forms }) => forms.map(({ name }) => name)),
      ),
    );
    for (const [name] of text.matchAll(/(?<![\w-])--[a-z][a-z-]+/g))
      expect([...all], name).toContain(name);
  });

  it('on the native launcher has the options that it prints itself', () => {
    const help = execFileSync(join(ROOT, 'dist/sandlock-exec'), ['--help'], { encoding: 'utf8' });
    expect(help.split('\n').filter((line) => line.length > 80)).toEqual([]);
    const printed = [...help.matchAll(/(?<=^ {2}|, )--?[a-z][a-z-]*/gm)].map(([name]) => name);
    const text = render('docs/man/sandlock-exec.1');
    const named = [...text.matchAll(/(?<=^ {5,8}|, )--?[a-z][a-z-]*(?=,| {2}| [A-Z]+$|$)/gm)].map(
      ([name]) => name,
    );
    expect(printed.length).toBeGreaterThan(5);
    expect(named.sort()).toEqual(printed.sort());
  });

  it('on the language has every key of the schema that is built', () => {
    const text = render('docs/man/sandlock-policy.5');
    const schema = JSON.parse(readFileSync(join(ROOT, 'compiler/policy.schema.json'), 'utf8')) as {
      properties: Record<
        string,
        { properties?: Record<string, { $comment?: string }>; $comment?: string }
      >;
    };
    for (const [table, { properties = {}, $comment }] of Object.entries(schema.properties)) {
      if ($comment !== undefined) continue;
      expect(text).toContain(`[${table}]`.toUpperCase().toLowerCase());
      for (const [key, node] of Object.entries(properties)) {
        if (node.$comment === undefined) expect(text, key).toContain(key);
      }
    }
  });
});
