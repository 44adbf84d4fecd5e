/** `sandlock completion`: prints a shell's script. What can be completed is decided by completion/words.ts. */
import { bashScript } from '../completion/bash.ts';
import { fishScript } from '../completion/fish.ts';
import { SHELLS } from '../completion/words.ts';
import { zshScript } from '../completion/zsh.ts';
import { SandlockError } from '../errors.ts';
import { writeOutput } from '../standard-error.ts';

const SCRIPTS: Readonly<Record<string, () => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/**
 * Prints the script.
 * @throws SandlockError (usage) for a shell that there is none for.
 */
export function printCompletion(shell: string): void {
  const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
  if (script === undefined) {
    const known = SHELLS.join(', ');
    throw new SandlockError('usage', `there is completion for ${known}, not ${shell}`);
  }
  writeOutput(script());
}
