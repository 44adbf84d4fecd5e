/**
 * The texts of help.ts, taken apart: what manual and shell completion know of commands and options
 * is what `--help` says, and nothing else.
 */
import { HELP, type HelpTopic } from './help.ts';

/** One way to write an option. */
export interface OptionForm {
  /** `--output`, `-o`. */
  readonly name: string;
  /** Placeholder of its value: `FILE`. */
  readonly argument: string | undefined;
}

/** An option with all its forms. */
export interface HelpOption {
  readonly forms: readonly OptionForm[];
  readonly text: string;
}

/** The help of one command. */
export interface HelpPage {
  readonly topic: HelpTopic;
  /** Words after `sandlock TOPIC`: `POLICY [options] -- COMMAND …`. */
  readonly usage: string;
  /** What the general help says of it; empty for the general help itself. */
  readonly summary: string;
  readonly options: readonly HelpOption[];
}

/** Every page, the general one first. */
export function helpPages(): HelpPage[] {
  return (Object.keys(HELP) as HelpTopic[]).map((topic) => ({
    topic,
    usage: usageOf(topic),
    summary: summaryOf(topic),
    options: optionsOf(HELP[topic]),
  }));
}

/** The commands, without the general help. */
export function commandPages(): HelpPage[] {
  return helpPages().filter(({ topic }) => topic !== 'sandlock');
}

function usageOf(topic: HelpTopic): string {
  if (topic === 'sandlock') return 'COMMAND …';
  const [first = ''] = HELP[topic].split('\n');
  return first.slice(`sandlock ${topic}`.length).trim();
}

function summaryOf(topic: HelpTopic): string {
  const line = HELP.sandlock.split('\n').find((text) => text.startsWith(`  sandlock ${topic} `));
  return line?.split(/ {2,}/).at(-1) ?? '';
}

/** The options of a text: an option's line, and lines deeper than its start that go on with its text. */
export function optionsOf(help: string): HelpOption[] {
  const options: { forms: OptionForm[]; text: string }[] = [];
  let isOpen = false;
  for (const line of help.split('\n')) {
    const [, forms, text = ''] = /^ {2}(-\S(?:.*?\S)?)(?: {2,}(\S.*))?$/.exec(line) ?? [];
    const last = options.at(-1);
    if (forms !== undefined) {
      options.push({ forms: forms.split(', ').map(parseForm), text });
      isOpen = true;
    } else if (isOpen && last !== undefined && /^ {8,}\S/.test(line)) {
      last.text = `${last.text} ${line.trim()}`.trim();
    } else {
      isOpen = false;
    }
  }
  return options.map(({ forms, text }) => ({ forms: withArgument(forms), text }));
}

function parseForm(text: string): OptionForm {
  const [name = '', argument] = text.split(' ');
  return { name, argument };
}

/** In `-o, --output FILE` the value is that of both; in `--json, --format FORMAT` of the second alone. */
function withArgument(forms: readonly OptionForm[]): OptionForm[] {
  const argument = forms.at(-1)?.argument;
  return forms.map((form) => ({
    ...form,
    argument: form.argument ?? (form.name.length === 2 ? argument : undefined),
  }));
}
