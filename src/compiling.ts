/**
 * Everything that needs the compiler, for the commands that need it: policies read from files or options, compiled
 * with the system's resolver and the shipped policy.wasm. A file of its own in the bundle, loaded
 * lazily, so that `exec` with a table does not pay for it.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Diagnostic, formatDiagnostics } from '../compiler/diagnostic.ts';
import { type CompileResult, compilePolicy } from '../compiler/index.ts';
import type { NameTools } from '../compiler/pin.ts';
import { type RefreshOptions, refreshTable } from '../compiler/refresh.ts';
import type { Resolver } from '../compiler/resolve.ts';
import type { TextStream } from '../compiler/set-lines.ts';
import type { SetFileContent } from '../compiler/sets.ts';
import { type Defect, openTable, type Table } from '../compiler/table.ts';
import { loadPolicyModule, type PolicyModule } from '../compiler/wasm.ts';
import type { PublicSuffixFinder } from '../compiler/wildcards.ts';
import { describeCause, SandlockError } from './errors.ts';
import type { ExecArguments } from './exec-arguments.ts';
import { isTable, readWhole, shippedFile } from './files.ts';
import { readPins } from './pins.ts';
import { createProgress } from './progress.ts';
import { chooseResolver, type NameSources } from './resolve.ts';
import { writeError } from './standard-error.ts';
import { showWork } from './work-progress.ts';

/** Where the rules come from: a file that was read, options, or both. */
export interface RuleSources {
  readonly file: { readonly path: string; readonly bytes: Buffer } | undefined;
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly allowBind?: readonly string[];
  readonly allowUnix?: readonly string[];
  /** Where names are looked up; the system's resolver, when nothing is said. */
  readonly names?: NameSources;
}

/**
 * Compiles what was given; mistakes in it are part of the result. `purpose` is whether the table is
 * kept or run at once.
 * @throws SandlockError (file) when a hosts file can not be read, or the policy is no text at all.
 */
export async function compileSources(
  { file, names, ...rules }: RuleSources,
  purpose: 'compile' | 'exec',
): Promise<CompileResult> {
  if (file !== undefined && isBinary(file.bytes)) {
    const message = `${file.path} is neither a policy in TOML nor a table: it is a binary file`;
    throw new SandlockError('file', message);
  }
  const resolver = chooseResolver(names);
  if (!resolver.ok) return resolver;
  const folder = file === undefined ? '.' : dirname(file.path);
  const policy = file === undefined ? {} : { file: { name: file.path, text: file.bytes } };
  const work = showWork();
  try {
    return await compilePolicy(
      { ...policy, ...rules, purpose, pinNow: names?.hosts !== undefined, now: pinTime(names) },
      {
        ...nameTools(resolver.resolve),
        publicSuffixOf,
        readSetFile: (path) => readSetFile(resolve(folder, path)),
        policyModule: shippedPolicyModule(),
        progress: work.tell,
      },
    );
  } finally {
    work.end();
  }
}

/**
 * No text in UTF-8 has a NUL. One in UTF-16, which Windows calls Unicode, has many, and its mistake
 * is told as any other of a text.
 */
function isBinary(bytes: Buffer): boolean {
  const first = bytes.subarray(0, 4096);
  const mark = first.length < 2 ? 0 : first.readUInt16LE();
  return first.includes(0) && mark !== 0xfeff && mark !== 0xfffe;
}

/**
 * A table with names of it resolved now. Mistakes are part of the result.
 * @throws SandlockError (file, table) when the hosts file can not be read, or the table is none.
 */
export async function refreshNames(
  path: string,
  table: Uint8Array,
  which: Omit<RefreshOptions, 'now'>,
  names?: NameSources,
): Promise<CompileResult> {
  const resolver = chooseResolver(names);
  if (!resolver.ok) return resolver;
  const opened = openShipped(path, table);
  const options = { ...which, now: pinTime(names) };
  return refreshTable(shippedPolicyModule(), opened, options, nameTools(resolver.resolve));
}

/**
 * A table for `exec` with its names resolved; warnings are printed.
 * @throws SandlockError (policy) after the diagnostics were printed.
 */
export async function refreshForExec(
  path: string,
  table: Buffer,
  pinned: boolean,
): Promise<Buffer> {
  const result = await refreshNames(path, table, { missing: true, pinned });
  return Buffer.from(tableOf(result, 'nothing was run'));
}

function nameTools(resolve: Resolver): NameTools {
  return { resolve, resolveProgress: createProgress() };
}

const publicSuffixOf: PublicSuffixFinder = async (name) =>
  (await import('./suffixes.ts')).publicSuffixOf(name);

/**
 * The time of pins, in seconds since 1970: now, or what SOURCE_DATE_EPOCH says
 * (reproducible-builds.org). Offline, where equal input gives equal tables, it is left untold (0)
 * unless that says it.
 */
function pinTime(names: NameSources | undefined): number {
  const epoch = process.env.SOURCE_DATE_EPOCH ?? '';
  if (/^[0-9]{1,15}$/.test(epoch)) return Number(epoch);
  return names?.offline ? 0 : Math.floor(Date.now() / 1000);
}

/**
 * The table for `exec`; warnings are printed.
 * @throws SandlockError (policy) after the diagnostics were printed.
 */
export async function compileForExec(
  args: ExecArguments,
  bytes: Buffer | undefined,
): Promise<Buffer> {
  const file =
    args.policy === undefined || bytes === undefined ? undefined : { path: args.policy, bytes };
  const { allow, deny, allowBind, allowUnix } = args;
  const result = await compileSources({ file, allow, deny, allowBind, allowUnix }, 'exec');
  return Buffer.from(tableOf(result, 'nothing was run'));
}

/**
 * A table from a file as `exec` would run it: compiled first when the file is a policy, its names
 * resolved; for `check`.
 */
export async function openPolicy(path: string): Promise<Table> {
  const bytes = readWhole(path);
  if (isTable(bytes) && !readPins(bytes).areMissing) return openShipped(path, bytes);
  const result = isTable(bytes)
    ? await refreshNames(path, bytes, { missing: true, pinned: false })
    : await compileSources({ file: { path, bytes }, allow: [], deny: [] }, 'exec');
  return openShipped(path, tableOf(result, 'nothing was checked'));
}

/**
 * Opens a table by the shipped policy.wasm; `name` stands for it in messages.
 * @throws SandlockError (table) with the defect and its place.
 */
export function openShipped(name: string, bytes: Uint8Array): Table {
  const opened = openTable(shippedPolicyModule(), bytes);
  if (opened.ok) return opened.table;
  throw refusal(name, opened.defect);
}

/** Prints warnings and returns the table, or prints all diagnostics and throws; `consequence` ends the message. */
function tableOf(result: CompileResult, consequence: string): Uint8Array {
  const diagnostics = result.ok ? result.warnings : result.diagnostics;
  writeError(formatDiagnostics(diagnostics));
  if (result.ok) return result.table;
  throw new SandlockError('policy', `${countErrors(diagnostics)}; ${consequence}`);
}

/** `1 error` or `3 errors`, of a number or of diagnostics; warnings are not counted. */
export function countErrors(errors: number | readonly Diagnostic[]): string {
  const count =
    typeof errors === 'number'
      ? errors
      : errors.filter(({ severity }) => severity === 'error').length;
  return `${count} error${count === 1 ? '' : 's'}`;
}

function refusal(path: string, { code, text, offset }: Defect): SandlockError {
  const message = `${path} is not a table that can be used: ${text} (defect ${code} at byte ${offset})`;
  return new SandlockError('table', message);
}

function shippedPolicyModule(): PolicyModule {
  return loadPolicyModule(readFileSync(shippedFile('policy.wasm')));
}

/** A set file, read as it is asked for. */
function readSetFile(path: string): SetFileContent {
  try {
    return { ok: true, content: streamFile(path) };
  } catch (error) {
    return { ok: false, reason: describeCause(error) };
  }
}

function streamFile(path: string): TextStream {
  const descriptor = openSync(path, 'r');
  return {
    bytes: fstatSync(descriptor).size,
    read(into) {
      let count = 0;
      try {
        count = readSync(descriptor, into);
      } catch (error) {
        throw new Error(describeCause(error));
      } finally {
        if (count === 0) closeSync(descriptor);
      }
      return count;
    },
  };
}
