/**
 * Every command but `exec`: reads the command line with commander and hands values to the command,
 * which is loaded then. Help is ours, errors are SandlockErrors, and nothing is printed here but
 * help and version.
 */
import { Command, CommanderError, Option } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import type { CompileOptions } from './commands/compile.ts';
import type { FmtOptions } from './commands/fmt.ts';
import type { InspectOptions } from './commands/inspect.ts';
import type { LearnOptions } from './commands/learn.ts';
import type { LintOptions } from './commands/lint.ts';
import { SandlockError } from './errors.ts';
import { HELP, type HelpTopic } from './help.ts';
import type { Format } from './output.ts';
import { writeError, writeOutput } from './standard-error.ts';

/**
 * Runs the command named by the first argument and sets the exit status.
 * @throws SandlockError
 */
export async function runCommand(args: readonly string[]): Promise<void> {
  if (args.length === 0) {
    writeError(HELP.sandlock);
    throw new SandlockError('usage', 'no command was given');
  }
  if (args[0] === 'help') {
    const [, topic = 'sandlock'] = args;
    printHelp(isTopic(topic) ? topic : 'sandlock');
    return;
  }
  try {
    await createProgram().parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    const message = explainUsage(error, args);
    throw new SandlockError('usage', message, { cause: error });
  }
}

/** What commander found wrong, and where it is said how it is right. */
function explainUsage({ code, message }: CommanderError, args: readonly string[]): string {
  const [command = ''] = args;
  const lines = [message.replace(/^error: /, '')];
  if (!isTopic(command) && args.includes('--') && !message.includes('Did you mean')) {
    lines.push('to run a command: sandlock exec POLICY -- COMMAND …');
  } else if (code === 'commander.unknownCommand' && !message.includes('Did you mean')) {
    const known = Object.keys(HELP).filter((topic) => topic !== 'sandlock');
    lines.push(`commands: ${known.join(', ')}`);
  }
  lines.push(`see: sandlock ${isTopic(command) ? `${command} ` : ''}--help`);
  return lines.join('\n');
}

/** Prints the help of one topic to standard output. */
export function printHelp(topic: HelpTopic): void {
  writeOutput(HELP[topic]);
}

function isTopic(word: string): word is HelpTopic {
  return Object.hasOwn(HELP, word);
}

const loadCheck = () => import('./commands/check.ts');
const loadCompile = () => import('./commands/compile.ts');
const loadOthers = () => import('./commands/others.ts');

/** The command lines as commander knows them. */
export function createProgram(): Command {
  const program = withHelp(new Command('sandlock'), 'sandlock')
    .version(`sandlock ${manifest.version}`, '-V, --version')
    .helpCommand(false)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: writeOutput, writeErr: () => {}, outputError: () => {} });
  const format = new Option('--format <format>').choices(['text', 'json']).default('text');
  // Short for the other.
  const json = new Option('--json').implies({ format: 'json' });

  withHelp(program.command('compile'), 'compile')
    .argument('<policy>')
    .requiredOption('-o, --output <file>')
    .option('--deny-warnings')
    .option('--hosts <file>')
    .option('--offline')
    .option('--refresh')
    .addOption(format)
    .addOption(json)
    .action(async (policy: string, options: CompileOptions) =>
      (await loadCompile()).compileToFile(policy, options),
    );
  withHelp(program.command('check'), 'check')
    .argument('<policy>')
    .argument('[destination...]')
    .addOption(format)
    .addOption(json)
    .action(async (policy: string, destinations: string[], options: { format: Format }) =>
      (await loadCheck()).checkDestinations(policy, destinations, options.format),
    );
  withHelp(program.command('fmt'), 'fmt')
    .argument('<policy...>')
    .option('--check')
    .option('-w, --write')
    .action(async (policies: string[], options: FmtOptions) =>
      (await loadOthers()).formatPolicies(policies, options),
    );
  withHelp(program.command('inspect'), 'inspect')
    .argument('<policy>')
    .option('--explain [destination]')
    .addOption(format)
    .addOption(json)
    .action(async (policy: string, options: InspectOptions) =>
      (await loadOthers()).inspectPolicy(policy, options),
    );
  withHelp(program.command('lint'), 'lint')
    .argument('<policy...>')
    .option('--hosts <file>')
    .option('--offline')
    .addOption(format)
    .addOption(json)
    .action(async (policies: string[], options: LintOptions) =>
      (await loadOthers()).lintPolicies(policies, options),
    );
  withHelp(program.command('diff'), 'diff')
    .argument('<before>')
    .argument('<after>')
    .addOption(format)
    .addOption(json)
    .action(async (before: string, after: string, options: { format: Format }) =>
      (await loadOthers()).diffPolicies(before, after, options.format),
    );
  withHelp(program.command('doctor'), 'doctor')
    .option('--json')
    .action(async (options: { json?: true }) =>
      (await loadOthers()).examineHost(options.json === true),
    );
  withHelp(program.command('completion'), 'completion')
    .argument('<shell>')
    .action(async (shell: string) => (await loadOthers()).printCompletion(shell));
  withHelp(program.command('learn'), 'learn')
    .argument('<command...>')
    .requiredOption('-o, --output <file>')
    .option('--update')
    .option('--replace')
    .option('--enforce')
    .option('--collapse <bits>')
    .option('--linger <seconds>')
    .option('--allow-degraded <name>', '', (name, names: string[]) => [...names, name], [])
    .passThroughOptions()
    .action(async (command: string[], options: LearnOptions) =>
      (await loadOthers()).learn(command, options),
    );
  // Dispatched before this file is loaded; named here for the suggestion after a misspelling.
  program.command('exec');
  return program;
}

function withHelp(command: Command, topic: HelpTopic): Command {
  command.helpInformation = () => HELP[topic];
  return command;
}
