/** The script for bash. It needs nothing of the package bash-completion. */
import { commandWords, generalOptions, type Value } from './words.ts';

/** Prints candidates for a kind of value. */
function candidates(value: Value): string {
  if (value === 'file') return '_sandlock_files; return';
  return value === 'unknown' ? 'return' : `_sandlock_words '${value.join(' ')}'; return`;
}

/** The script. */
export function bashScript(): string {
  const commands = commandWords();
  const values = commands.flatMap(({ name, options }) =>
    options.flatMap(({ name: option, value }) =>
      value === undefined ? [] : [`    ${name}:${option}) ${candidates(value)} ;;`],
    ),
  );
  const options = commands.map(
    ({ name, options }) => `    ${name}) words='${options.map((word) => word.name).join(' ')}' ;;`,
  );
  const args = commands.map(({ name, argument }) => `    ${name}) ${candidates(argument)} ;;`);
  const runs = commands.filter(({ takesCommand }) => takesCommand).map(({ name }) => name);
  const first = [...commands, ...generalOptions()].map(({ name }) => name).join(' ');
  return `# Completion of sandlock for bash: source <(sandlock completion bash)
_sandlock_words() { COMPREPLY=($(compgen -W "$1" -- "$current")); }
_sandlock_files() {
  compopt -o filenames 2> /dev/null
  COMPREPLY=($(compgen -f -- "$current"))
}
_sandlock() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]}
  local command=\${COMP_WORDS[1]} words='' index
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then _sandlock_words '${first}'; return; fi
  case $command in ${runs.join('|')})
    for ((index = 2; index < COMP_CWORD; index++)); do
      [[ \${COMP_WORDS[index]} == -- ]] || continue
      if ((index == COMP_CWORD - 1)); then COMPREPLY=($(compgen -c -- "$current")); else _sandlock_files; fi
      return
    done ;;
  esac
  case $command:$before in
${values.join('\n')}
  esac
  case $command in
${options.join('\n')}
  esac
  if [[ $current == -* ]]; then _sandlock_words "$words"; return; fi
  case $command in
${args.join('\n')}
  esac
}
complete -F _sandlock sandlock
`;
}
