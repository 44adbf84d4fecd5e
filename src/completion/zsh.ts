/** The script for zsh: a function for its completion system, which compinit has to have set up. */
import { type CommandWords, commandWords, generalOptions, type Value, type Word } from './words.ts';

/** The script. */
export function zshScript(): string {
  const commands = commandWords();
  const lines = commands.map(({ name, text }) => `    ${quote(`${name}:${text}`)}`);
  return `#compdef sandlock
# Completion of sandlock for zsh: source <(sandlock completion zsh), after compinit
_sandlock() {
  local -a names
  names=(
${lines.join('\n')}
  )
  if ((CURRENT == 2)); then
    _arguments ${generalOptions().map(toSpec).join(' ')} '1:command:{_describe command names}'
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${commands.map(toCase).join('\n')}
  esac
}
compdef _sandlock sandlock
`;
}

function toCase({ name, options, argument, takesCommand }: CommandWords): string {
  const specs = options.map(toSpec);
  // What follows after -- is a command line of its own.
  const before = takesCommand
    ? `    local dashes=\${words[(i)--]}
    if ((dashes < CURRENT)); then
      shift $dashes words
      ((CURRENT -= dashes))
      if ((CURRENT == 1)); then _command_names -e; else _normal; fi
      return
    fi
`
    : '';
  return `  ${name})\n${before}    _arguments ${[...specs, `'*:${action(argument)}'`].join(' ')} ;;`;
}

function toSpec({ name, text, value }: Word): string {
  const help = text.replace(/[[\]:\\]/g, ' ');
  return quote(`*${name}[${help}]${value === undefined ? '' : `:${action(value)}`}`);
}

/** Message and action of a value. */
function action(value: Value): string {
  if (value === 'file') return 'file:_files';
  return value === 'unknown' ? 'value: ' : `word:(${value.join(' ')})`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
