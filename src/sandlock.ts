/**
 * The command `sandlock`. `exec` is dispatched by hand and its code is all that this file brings with it; the other
 * commands are loaded when they are asked for. Whatever goes wrong ends in a message and a status of
 * sandlock's own, never in a status that could be taken for the command's.
 */
import { exec, reportFailure } from './exec.ts';

function main(args: readonly string[]): Promise<void> | undefined {
  if (args[0] === 'exec') return exec(args.slice(1));
  return import('./commands.ts').then(({ runCommand }) => runCommand(args));
}

function fail(error: unknown): never {
  process.exit(reportFailure(error));
}

try {
  // Nothing is left to wait for, and everything was written where it belongs; to give the memory
  // back piece by piece takes a thirtieth of the time in which a million lines are compiled.
  main(process.argv.slice(2))?.then(() => process.exit(), fail);
} catch (error) {
  fail(error);
}
