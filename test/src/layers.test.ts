/** Who imports whom, read from the sources: what lint can not say. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

interface Imports {
  readonly now: readonly string[];
  readonly lazy: readonly string[];
}

/** Specifiers of a file; types only are left out, because they are gone in what runs. */
function importsOf(path: string): Imports {
  const text = readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const statements = text.matchAll(
    /^(?:import|export)(?! type)\s(?:(?!;|^(?:import|export)\b)[\s\S])*?from '([^']+)'/gm,
  );
  const lazy = text.matchAll(/\b(?:import|require)\('([^']+)'\)/g);
  return {
    now: [...statements].map(([, name = '']) => name),
    lazy: [...lazy].map(([, name = '']) => name),
  };
}

/** Every module that is evaluated when `entry` is, and the packages and built-ins they name. */
function reach(entry: string): { files: string[]; others: string[] } {
  const files = new Set([join(ROOT, entry)]);
  const others = new Set<string>();
  for (const file of files) {
    for (const name of importsOf(file).now) {
      if (name.startsWith('.')) files.add(join(dirname(file), name));
      else others.add(name);
    }
  }
  return {
    files: [...files].map((file) => relative(ROOT, file)).sort(),
    others: [...others].sort(),
  };
}

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') || name.endsWith('.js'))
    .map((name) => join(folder, name));
}

describe('the modules', () => {
  it('that exec of a table needs are few and load nothing', () => {
    expect(reach('src/sandlock.ts')).toEqual({
      files: [
        'src/at-once.ts',
        'src/errors.ts',
        'src/native.ts',
        'src/sandlock.ts',
        'src/standard-error.ts',
      ],
      others: ['node:fs'],
    });
  });

  it('that exec loads for the long way load no compiler, commander or parser', () => {
    const { files, others } = reach('src/exec.ts');
    expect(files.filter((file) => file.startsWith('compiler/'))).toEqual([
      'compiler/format.gen.ts',
      // For a misspelt option.
      'compiler/nearest.ts',
    ]);
    expect(others).toEqual(['node:fs', 'node:path']);
  });

  it('that load ffi-rs are one', () => {
    const importers = [...sources('src'), ...sources('compiler')].filter((file) => {
      const { now, lazy } = importsOf(join(ROOT, file));
      return [...now, ...lazy].includes('ffi-rs');
    });
    expect(importers).toEqual(['src/binding.ts']);
  });

  it('of the compiler reach nothing but themselves and the TOML parser', () => {
    const { files, others } = reach('compiler/index.ts');
    expect(files.filter((file) => !file.startsWith('compiler/'))).toEqual([]);
    expect(others).toEqual(['toml-eslint-parser']);
  });

  it('of the public interface never reach the command line', () => {
    const { files, others } = reach('src/index.ts');
    expect(
      files.filter((file) => file.startsWith('src/command') || file === 'src/exec.ts'),
    ).toEqual([]);
    expect(others).not.toContain('commander');
    expect(others).not.toContain('ffi-rs');
  });
});
