/** What may be typed where, for every shell alike: commands, options and the kinds of their values, from the help. */
import { commandPages, type HelpPage, helpPages } from '../help-text.ts';
import { DEGRADATIONS } from '../request.ts';

/** The shells there is a script for. */
export const SHELLS: readonly string[] = ['bash', 'zsh', 'fish'];

/** What a value is: one of some words, the name of a file, or something that can not be known. */
export type Value = readonly string[] | 'file' | 'unknown';

/** An option in one of its forms. */
export interface Word {
  readonly name: string;
  readonly text: string;
  /** Undefined for an option without value. */
  readonly value: Value | undefined;
}

/** A command with all that may follow it. */
export interface CommandWords {
  readonly name: string;
  readonly text: string;
  readonly options: readonly Word[];
  /** What its first argument is. */
  readonly argument: Value;
  /** Whether a command line of its own follows after `--`. */
  readonly takesCommand: boolean;
}

const VALUES: Readonly<Record<string, Value>> = {
  FILE: 'file',
  POLICY: 'file',
  BEFORE: 'file',
  FORMAT: ['text', 'json'],
  NAME: [...DEGRADATIONS.keys()],
  SHELL: SHELLS,
  TIME: ['10', 'forever'],
};

/** Every command. */
export function commandWords(): CommandWords[] {
  return commandPages().map((page) => ({
    name: page.topic,
    text: page.summary,
    options: [...optionWords(page), { name: '--help', text: 'print help', value: undefined }],
    argument: VALUES[page.usage.split(' ')[0] ?? ''] ?? 'unknown',
    takesCommand: page.usage.includes('-- COMMAND'),
  }));
}

/** Options that stand without a command. */
export function generalOptions(): Word[] {
  return helpPages()
    .filter(({ topic }) => topic === 'sandlock')
    .flatMap(optionWords);
}

function optionWords({ options }: HelpPage): Word[] {
  return options.flatMap(({ forms, text }) =>
    forms.map(({ name, argument }) => ({
      name,
      text,
      value: argument === undefined ? undefined : (VALUES[argument] ?? 'unknown'),
    })),
  );
}
