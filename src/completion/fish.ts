/** The script for fish. */
import { commandWords, generalOptions, type Value, type Word } from './words.ts';

/** The script. */
export function fishScript(): string {
  const commands = commandWords();
  const names = commands.map(({ name }) => name).join(' ');
  const lines = commands.flatMap(({ name, text, options, argument }) => {
    const inside = `-n '__fish_seen_subcommand_from ${name}; and not contains -- -- (commandline -opc)'`;
    return [
      `complete -c sandlock -n __fish_use_subcommand -a ${name} -d ${quote(text)}`,
      ...options.map((word) => `complete -c sandlock ${inside} ${option(word)}`),
      ...(argument === 'unknown' ? [] : [`complete -c sandlock ${inside} ${argumentOf(argument)}`]),
    ];
  });
  const runs = commands.filter(({ takesCommand }) => takesCommand).map(({ name }) => name);
  return `# Completion of sandlock for fish: sandlock completion fish | source
# Commands: ${names}
complete -c sandlock -f
${generalOptions()
  .map((word) => `complete -c sandlock -n __fish_use_subcommand ${option(word)}`)
  .join('\n')}
${lines.join('\n')}
# What follows after -- is a command line of its own.
function __sandlock_command
  set -l words (commandline -opc)
  set -l dashes (contains -i -- -- $words)
  set -l own
  test $dashes -lt (count $words); and set own $words[(math $dashes + 1)..-1]
  complete -C (string join ' ' -- (string escape -- $own) (commandline -ct))
end
complete -c sandlock -n '__fish_seen_subcommand_from ${runs.join(' ')}; and contains -- -- (commandline -opc)' -a '(__sandlock_command)'
`;
}

function option({ name, text, value }: Word): string {
  const form = name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`;
  return `${form} -d ${quote(text)}${value === undefined ? '' : ` -x ${argumentOf(value)}`}`.trim();
}

function argumentOf(value: Value): string {
  if (value === 'file') return "-a '(__fish_complete_path (commandline -ct))'";
  return value === 'unknown' ? '' : `-a ${quote(value.join(' '))}`;
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
