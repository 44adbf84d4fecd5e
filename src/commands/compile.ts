/**
 * `sandlock compile`: a policy becomes a table in a file, or on standard output. The summary and the
 * errors go to standard error, because standard output may be the table.
 */
import { basename } from 'node:path';
import { formatDiagnostics } from '../../compiler/diagnostic.ts';
import { formatPlan } from '../../compiler/plan.ts';
import { compileSources, countErrors, openShipped, refreshNames } from '../compiling.ts';
import { SandlockError } from '../errors.ts';
import { isTable, mayBecomeTable, readWhole, replaceFile } from '../files.ts';
import type { Format } from '../output.ts';
import { readPins } from '../pins.ts';
import type { NameSources } from '../resolve.ts';
import { printable, writeError, writeOutput } from '../standard-error.ts';
import { isTerminal } from '../terminal.ts';

/** File descriptor of standard output. */
const STDOUT = 1;

/** Options of the command. */
export interface CompileOptions extends NameSources {
  /** The file is a table whose pinned names are looked up again. */
  readonly refresh?: boolean | undefined;
  readonly output: string;
  readonly format: Format;
  /** Write nothing when there is a warning. */
  readonly denyWarnings?: true;
}

/**
 * Compiles a file. The output is written only when there is no error at all.
 * @throws SandlockError
 */
export async function compileToFile(
  path: string,
  { output, format, refresh = false, denyWarnings, ...names }: CompileOptions,
): Promise<void> {
  const start = process.uptime();
  if (output === '-' && isTerminal(STDOUT)) {
    throw new SandlockError('usage', 'a table is not for a terminal: redirect standard output');
  }
  const bytes = readWhole(path);
  if (isTable(bytes) && !refresh) {
    const fix =
      'compile takes a policy in TOML, or with --refresh a table to look its names up again';
    throw new SandlockError('usage', `${path} is a table already; ${fix}`);
  }
  if (isTable(bytes) && !readPins(bytes).areThere) {
    // Says so first when it is none that can be read.
    openShipped(path, bytes);
    const reason = 'its names, if it has any, are looked up when a command runs';
    throw new SandlockError('usage', `${path} has no pinned names to look up again: ${reason}`);
  }
  if (output !== '-') mayBecomeTable(output);
  const result = isTable(bytes)
    ? await refreshNames(path, bytes, { missing: false, pinned: true }, names)
    : await compileSources({ file: { path, bytes }, allow: [], deny: [], names }, 'compile');
  const found = result.ok ? result.warnings : result.diagnostics;
  if (!result.ok || (denyWarnings === true && found.length > 0)) {
    writeError(
      format === 'json'
        ? `${JSON.stringify({ ok: false, diagnostics: found })}\n`
        : formatDiagnostics(found),
    );
    const what = result.ok ? countWarnings(found.length) : countErrors(found);
    throw new SandlockError('policy', format === 'json' ? '' : `${what}; nothing was written`);
  }
  if (output === '-') writeOutput(result.table);
  else replaceFile(output, result.table);
  const timeMs = Math.round((process.uptime() - start) * 10_000) / 10;
  const summary = { ...result.summary, timeMs };
  const { plan, warnings } = result;
  writeError(
    format === 'json'
      ? `${JSON.stringify({ ok: true, summary, plan, warnings })}\n`
      : `${formatDiagnostics(warnings)}${formatSummary(path, output, summary)}${formatPlan(plan)}`,
  );
}

function countWarnings(number: number): string {
  return `${count(number, 'warning')}, and --deny-warnings was given`;
}

interface Summary {
  readonly rules: number;
  readonly unixRules: number;
  readonly prefixes: number;
  readonly bytes: number;
  readonly timeMs: number;
}

/** `policy.toml → policy.bin: 7 rules, 12 prefixes, 1,832 bytes, 5.1 ms` and a newline. */
function formatSummary(path: string, output: string, summary: Summary): string {
  const { rules, unixRules, prefixes, bytes, timeMs } = summary;
  const target = output === '-' ? 'standard output' : basename(output);
  const parts = [
    count(rules, 'rule'),
    ...(unixRules === 0 ? [] : [count(unixRules, 'UNIX rule')]),
    count(prefixes, 'prefix', 'prefixes'),
    count(bytes, 'byte'),
  ];
  return printable(`${basename(path)} → ${target}: ${parts.join(', ')}, ${timeMs} ms`).concat('\n');
}

function count(number: number, one: string, many = `${one}s`): string {
  // By hand, because the tables of toLocaleString take 20 ms to load.
  const digits = String(number).replace(/\B(?=(\d{3})+$)/g, ',');
  return `${digits} ${number === 1 ? one : many}`;
}
