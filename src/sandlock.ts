/**
 * The command `sandlock`. `exec` of a table that can be run as it is needs no more than this file brings with it; all
 * else is loaded when it is asked for. Whatever goes wrong ends in a message and a status of
 * sandlock's own, never in a status that could be taken for the command's.
 */
import { becomeAtOnce } from './at-once.ts';
import { EXIT } from './errors.ts';
import { writeError } from './standard-error.ts';

async function main([command, ...args]: readonly string[]): Promise<void> {
  if (command === 'exec') {
    becomeAtOnce(args);
    const { exec } = await import('./exec.ts');
    return exec(args);
  }
  const { runCommand } = await import('./commands.ts');
  return runCommand(process.argv.slice(2));
}

function fail(error: unknown): Promise<never> {
  return import('./exec.ts').then(
    ({ reportFailure }) => process.exit(reportFailure(error)),
    (cause) => {
      writeError(`sandlock: its files can not be loaded: ${cause}\n`);
      process.exit(EXIT.failed);
    },
  );
}

// Nothing is left to wait for, and everything was written where it belongs; to give the memory
// back piece by piece takes a thirtieth of the time in which a million lines are compiled.
main(process.argv.slice(2)).then(() => process.exit(), fail);
