/** That help, and so manual and completion, name exactly the options that are taken. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../src/commands.ts';
import { parseExecArguments } from '../../src/exec-arguments.ts';
import { commandPages, type HelpPage, helpPages } from '../../src/help-text.ts';

function forms({ options }: HelpPage): string[] {
  return options.flatMap((option) => option.forms.map(({ name }) => name)).sort();
}

function page(topic: string): HelpPage {
  const found = helpPages().find((one) => one.topic === topic);
  if (found === undefined) throw new Error(`no help on ${topic}`);
  return found;
}

describe('the help', () => {
  it('has a page for every command, and names each in the general one', () => {
    const commands = createProgram().commands.map((command) => command.name());
    expect(
      commandPages()
        .map(({ topic }) => topic as string)
        .sort(),
    ).toEqual(commands.sort());
    for (const { topic, summary, usage } of commandPages()) {
      expect(summary, topic).not.toBe('');
      expect(usage, topic).not.toBe('');
    }
  });

  it.each(createProgram().commands.filter((command) => command.name() !== 'exec'))(
    'of $_name has its options and no others, with a text and a value where one is taken',
    (command) => {
      const taken = command.options.flatMap(({ short, long }) =>
        [short, long].flatMap((name) => name ?? []),
      );
      expect(forms(page(command.name()))).toEqual(taken.sort());
      for (const { forms: names, text } of page(command.name()).options) {
        expect(text).not.toBe('');
        for (const { name, argument } of names) {
          const option = command.options.find(({ short, long }) => short === name || long === name);
          expect(argument !== undefined, name).toBe(option?.required === true || option?.optional);
        }
      }
    },
  );

  it('of exec has its options and no others', () => {
    const source = readFileSync(join(import.meta.dirname, '../../src/exec-arguments.ts'), 'utf8');
    const [, body = ''] =
      /^export function parseExecArguments[\s\S]*?\{\n([\s\S]*?)^\}/m.exec(source) ?? [];
    const [, rules = ''] = /^const RULE_OPTIONS = \[(.*)\]/m.exec(source) ?? [];
    const compared = [
      ...body.matchAll(/(?:argument|name) === '(--?[a-z][a-z-]*)'/g),
      ...rules.matchAll(/'(--[a-z-]+)'/g),
    ].map(([, name]) => name);
    const help = ['--help', '-h'];
    expect(compared.length).toBeGreaterThan(8);
    expect(forms(page('exec'))).toEqual(
      [...new Set(compared)].filter((name) => !help.includes(name ?? '')).sort(),
    );
  });

  it('of exec: whatever is misspelt, the option that was meant is told', () => {
    const long = forms(page('exec')).filter((name) => name?.startsWith('--') && name !== '--help');
    expect(long.length).toBeGreaterThan(8);
    for (const option of long) {
      const misspelt = `${option}x`;
      expect(() => parseExecArguments(['p.toml', misspelt, '--', 'true'])).toThrow(
        `Did you mean ${option}?`,
      );
    }
  });

  it.each(page('exec').options.flatMap((option) => option.forms))(
    'of exec: $name is taken as it is written',
    ({ name, argument }) => {
      const samples: Readonly<Record<string, string>> = { TIME: '5', NAME: 'kernel-settings' };
      const value = argument === undefined ? [] : [samples[argument] ?? 'x:1'];
      // Some options need another.
      const log = name === '--log' ? [] : ['--log', 'file'];
      const parsed = parseExecArguments(['policy.toml', ...log, name, ...value, '--', 'true']);
      expect(parsed).toMatchObject({ policy: 'policy.toml' });
    },
  );
});
