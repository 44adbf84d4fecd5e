/**
 * `sandlock learn`: runs a command under observation and writes the policy that it would need. The
 * command goes through the same supervisor as under `exec`; only the table refuses nothing, unless
 * `--enforce` says so. Nothing is written when the command could not be run. Ends as the command
 * ended.
 */
import { existsSync, statSync } from 'node:fs';
import { ipv4Bytes, parseIpv4, parseIpv6 } from '../../compiler/address.ts';
import { formatDiagnostics } from '../../compiler/diagnostic.ts';
import { isInsideAddress } from '../../compiler/inside-addresses.ts';
import { loadLibrary } from '../binding.ts';
import { compileSources } from '../compiling.ts';
import { readEphemeralPorts } from '../ephemeral-ports.ts';
import { SandlockError } from '../errors.ts';
import { pinnedNames } from '../explaining.ts';
import { readWhole, replaceFile } from '../files.ts';
import { createObservations, type MayStandFor, type Observations } from '../learn/observations.ts';
import { addToPolicy, writePolicy } from '../learn/policy-text.ts';
import { type LearntRule, toRules } from '../learn/rules.ts';
import { encodeRequest, ownSource, unknownDegradation } from '../request.ts';
import { leave, type RunListener, runToEnd } from '../run.ts';
import { printable, writeError, writeOutput } from '../standard-error.ts';
import { startFailure } from '../start-failure.ts';

/** Options of the command. */
export interface LearnOptions {
  /** The policy that is written; `-` is standard output. */
  readonly output: string;
  /** Add to the policy that is there. */
  readonly update?: true;
  /** Replace the policy that is there. */
  readonly replace?: true;
  /** Refuse what the policy that is there does not allow. */
  readonly enforce?: true;
  /** Leading bits to which IPv4 addresses are collapsed. */
  readonly collapse?: string;
  /** Seconds that processes may outlive the command. */
  readonly linger?: string;
  /** What the kernel may lack, by name. */
  readonly allowDegraded: readonly string[];
}

/** A policy that allows nothing, for a command of which nothing is known. */
const EMPTY = Buffer.from('[network]\nallow = []\n');

/**
 * Runs and writes; returns only by a throw.
 * @throws SandlockError when the command could not be run, or the policy not be written.
 */
export async function learn(command: readonly string[], options: LearnOptions): Promise<never> {
  const collapse = parseCollapse(options.collapse);
  const lingerSeconds = parseLinger(options.linger);
  const fault = options.allowDegraded.map(unknownDegradation).find((text) => text !== undefined);
  if (fault !== undefined) throw new SandlockError('usage', fault);
  const old = readOld(options);
  const table = await compileBase(options.output, old ?? EMPTY);
  const library = loadLibrary();
  const observations = createObservations(pinnedNames(table), mayStandFor);
  const telling = options.enforce ? 'all' : 'observe';
  const { allowDegraded: degraded } = options;
  const request = encodeRequest(ownSource({ command, lingerSeconds, degraded, telling }));
  const program = command[0] ?? '';
  const end = runToEnd(library, table, request, listenerOf(observations));
  const { failure, outcome, dropped } = end;
  if (failure !== undefined) throw startFailure(failure.stage, failure.errno, program);
  if (outcome === undefined) throw startFailure('supervisor', 0, program);
  const rules = toRules(observations.uses(), { collapse, ephemeralPorts: readEphemeralPorts() });
  const text = compose(old, rules, program, observations.services(), options.output);
  if (options.output === '-') writeOutput(text);
  else replaceFile(options.output, Buffer.from(text));
  writeError(summarise(rules, options.output, dropped));
  return leave(library, outcome);
}

function listenerOf({ decided, named }: Observations): RunListener {
  return { decided, named };
}

/** Undefined: there is none, and a new one is written. */
function readOld({ output, update, replace, enforce }: LearnOptions): Buffer | undefined {
  if (enforce && !update) {
    throw new SandlockError(
      'usage',
      '--enforce needs --update: it is the present policy that is enforced',
    );
  }
  if (output === '-') {
    if (update) throw new SandlockError('usage', '--update needs a file, not standard output');
    return undefined;
  }
  if (!existsSync(output)) {
    if (enforce)
      throw new SandlockError('file', `can not read ${output}: no such file or directory`);
    return undefined;
  }
  if (statSync(output).isDirectory()) {
    throw new SandlockError('file', `can not write ${output}: it is a directory, not a file`);
  }
  if (update) return readWhole(output);
  if (replace) return undefined;
  throw new SandlockError(
    'usage',
    `${output} exists: --update adds to it, --replace writes it anew`,
  );
}

async function compileBase(output: string, bytes: Buffer): Promise<Buffer> {
  const result = await compileSources(
    { file: { path: output, bytes }, allow: [], deny: [] },
    'exec',
  );
  if (result.ok) return Buffer.from(result.table);
  writeError(formatDiagnostics(result.diagnostics));
  throw new SandlockError('policy', `${output} has errors; nothing was run`);
}

function compose(
  old: Buffer | undefined,
  rules: readonly LearntRule[],
  program: string,
  services: readonly string[],
  output: string,
): string {
  if (old === undefined) return writePolicy(rules, headingOf(program, services));
  const added = addToPolicy(old.toString(), rules);
  if (added.ok) return added.text;
  const lines = rules.map(({ list, text }) => `  ${list}: ${JSON.stringify(text)}`).join('\n');
  throw new SandlockError(
    'policy',
    `${output} was left as it is: ${added.reason}; add to it:\n${lines}`,
  );
}

function headingOf(program: string, services: readonly string[]): string[] {
  const date = new Date().toISOString().slice(0, 10);
  const heading = [
    `Learnt by sandlock on ${date} from one run of ${printable(program)}: what it used, not what it should be allowed.`,
    'Read it before you trust it; a run that takes another way may need more (sandlock learn --update).',
  ];
  if (services.length > 0) {
    heading.push(
      `Left out, since libraries try them unasked: ${services.map(printable).join(', ')}`,
    );
  }
  return heading;
}

function summarise(rules: readonly LearntRule[], output: string, dropped: number): string {
  const target = output === '-' ? 'standard output' : output;
  const lost =
    dropped === 0 ? '' : `sandlock: ${dropped} records were lost: run it again with --update\n`;
  const count = rules.length === 1 ? '1 rule' : `${rules.length} rules`;
  return `${lost}sandlock: learnt ${count} → ${printable(target)}\n`;
}

/** A public name with an address of the inside would not compile (SL4002): its address is written. */
const mayStandFor: MayStandFor = (name, address) => {
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  const value = parseIpv4(address);
  const bytes = value === undefined ? parseIpv6(address) : ipv4Bytes(value);
  return bytes !== undefined && !isInsideAddress(bytes);
};

function parseCollapse(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bits = /^[0-9]{1,2}$/.test(text) ? Number(text) : 0;
  if (bits >= 8 && bits <= 31) return bits;
  throw new SandlockError(
    'usage',
    `--collapse takes the bits of an IPv4 network, 8 to 31, not ${text}`,
  );
}

function parseLinger(text = '10'): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new SandlockError('usage', `--linger takes whole seconds, not ${text}`);
}
