/**
 * The Node API (docs/api.md): compiling, checking, running a command under a policy, and the errors of all of them.
 *
 *     const { table } = await compile({ file: 'policy.toml' });
 *     check(table, 'tcp://10.1.2.3:443'); // [{ verdict: 'allow', rules: [{ line: 4, … }], … }]
 *     const child = spawn(table, 'curl', ['https://10.1.2.3/']);
 *     for await (const decision of child.decisions) console.log(decision);
 */
import {
  type CompileResult,
  type Diagnostic,
  formatDiagnostics,
  type PolicySummary,
  parseDestination,
} from '../compiler/index.ts';
import { compileSources, countErrors, openShipped } from './compiling.ts';
import { SandlockError } from './errors.ts';
import { readWhole } from './files.ts';
import { decideDestination, type Verdict } from './verdicts.ts';

export {
  type CompileResult,
  type CompilerTools,
  compilePolicy,
  type Diagnostic,
  formatDiagnostic,
  formatDiagnostics,
  type PolicyInput,
  type PolicySummary,
} from '../compiler/index.ts';
export type { Decision } from './decision.ts';
export { ERROR_CODES, type ErrorKind, SandlockError } from './errors.ts';
export { resolveBySystem } from './resolve.ts';
export type { Sandboxed, SandboxedEvents } from './sandboxed.ts';
export { type SpawnOptions, spawn } from './spawn.ts';
export type { Stdio } from './streams.ts';
export type { Verdict } from './verdicts.ts';

/** A policy: a file, its text, rules by themselves, or a file or text with more rules. */
export interface PolicySource {
  /** Path of a policy in TOML; set files are read relative to it. */
  readonly file?: string;
  /** The text of a policy, in place of a file; set files are read relative to the working directory. */
  readonly text?: string;
  /** Rules to allow as well, as `--allow` takes them. */
  readonly allow?: readonly string[];
  /** Rules to deny, as `--deny` takes them. */
  readonly deny?: readonly string[];
  /** What may be served on as well, as `--allow-bind` takes it. */
  readonly allowBind?: readonly string[];
  /** UNIX sockets to allow as well, as `--allow-unix` takes them. */
  readonly allowUnix?: readonly string[];
}

/** Options of {@link compile}. */
export interface CompileOptions {
  /** The table is run at once (names are no surprise then), or is kept. `exec` if left out. */
  readonly purpose?: 'exec' | 'compile';
}

/** A compiled policy. */
export interface Compiled {
  readonly table: Uint8Array;
  /** Warnings. */
  readonly diagnostics: readonly Diagnostic[];
  readonly summary: PolicySummary;
}

/** A policy has errors: all of them, in the order of the text. */
export class PolicyError extends SandlockError {
  readonly diagnostics: readonly Diagnostic[];

  /** `message` is the whole text that the command line would print. */
  constructor(diagnostics: readonly Diagnostic[]) {
    super('policy', `${formatDiagnostics(diagnostics)}${countErrors(diagnostics)}`);
    this.diagnostics = diagnostics;
  }
}

/**
 * Compiles a policy with the system's resolver. A string is the text of a policy.
 * @throws PolicyError (SL7004) with every mistake in it; SandlockError SL7001 when there is no
 *   policy, SL7002 when a file can not be read.
 */
export async function compile(
  source: PolicySource | string,
  { purpose = 'exec' }: CompileOptions = {},
): Promise<Compiled> {
  const {
    file,
    text,
    allow = [],
    deny = [],
    allowBind = [],
    allowUnix = [],
  } = typeof source === 'string' ? { text: source } : source;
  if (file !== undefined && text !== undefined) {
    throw new SandlockError('usage', 'give a file or a text, not both');
  }
  const given =
    file !== undefined
      ? { path: file, bytes: readWhole(file) }
      : text !== undefined
        ? { path: 'policy.toml', bytes: Buffer.from(text) }
        : undefined;
  if (
    given === undefined &&
    [allow, deny, allowBind, allowUnix].every(({ length }) => length === 0)
  ) {
    throw new SandlockError('usage', 'no policy: give a file, a text or rules');
  }
  const result = await compileSources({ file: given, allow, deny, allowBind, allowUnix }, purpose);
  if (!result.ok) throw new PolicyError(result.diagnostics);
  const { table, warnings: diagnostics, summary } = result;
  return { table, diagnostics, summary };
}

/**
 * Compiles a policy file with the system's resolver; set files are read relative to it.
 * @throws SandlockError (SL7002) when the file can not be read; mistakes in it are part of the result.
 */
export async function compileFile(path: string): Promise<CompileResult> {
  const file = { path, bytes: readWhole(path) };
  return compileSources({ file, allow: [], deny: [] }, 'compile');
}

/**
 * What a table decides for a destination such as `tcp://10.1.2.3:443`; one verdict for each address of a name.
 * @throws SandlockError SL5100 for a bad table, SL7001 for a bad destination.
 */
export function check(table: Uint8Array, destination: string): readonly Verdict[] {
  const parsed = parseDestination(destination);
  if (!parsed.ok) throw new SandlockError('usage', formatDiagnostics(parsed.diagnostics).trimEnd());
  return decideDestination(openShipped('the table', table), destination, parsed.destination);
}
