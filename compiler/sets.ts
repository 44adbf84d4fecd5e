/**
 * `[sets]`: the named address sets of a policy, from inline lists and files.
 * Files are read through what is handed in. A set that holds nothing is an error, because an allow rule with it would
 * silently mean nothing. Whether a rule names a set is not asked: a broken set is reported either way.
 */
import type { Fault } from './diagnostic.ts';
import type { AddressSet } from './model.ts';
import { type Placed, placeInString } from './placed.ts';
import { PrefixListBuilder } from './prefix-list.ts';
import { type Progress, untold } from './progress.ts';
import { parseSetFile } from './set-file.ts';
import { parseSetItem } from './set-item.ts';
import type { TextStream } from './set-lines.ts';
import type { Source } from './source.ts';
import type { TomlArray, TomlEntry, TomlTable } from './toml-tree.ts';
import type { PolicyModule } from './wasm.ts';

/** A set file's contents, or why there are none. */
export type SetFileContent =
  | { readonly ok: true; readonly content: string | Uint8Array | TextStream }
  | { readonly ok: false; readonly reason: string };

/** Reads a set file. `path` is as the policy has it: relative to the policy's directory. */
export type SetFileReader = (path: string) => SetFileContent | Promise<SetFileContent>;

/** What reading sets takes from outside. */
export interface SetTools {
  /** Reads the lines of files. */
  readonly policyModule: PolicyModule;
  readonly readSetFile: SetFileReader;
  /** Is told how far long work is. */
  readonly progress?: Progress;
}

/** The sets of a policy by name; sets with errors are left out and reported. */
export interface ReadSets {
  readonly sets: ReadonlyMap<string, AddressSet>;
  /** Names of sets of which 0.0.0.0 or :: alone is a member; they hold the loopback for it. */
  readonly unspecified: ReadonlySet<string>;
  readonly errors: readonly Placed[];
}

/** Reads every set of the table `[sets]`. Values of a wrong type are passed over; the schema reports them. */
export async function readSets(
  table: TomlTable | undefined,
  source: Source,
  tools: SetTools,
): Promise<ReadSets> {
  const sets = new Map<string, AddressSet>();
  const unspecified = new Set<string>();
  const errors: Placed[] = [];
  for (const [name, entry] of table?.keys ?? []) {
    const builder =
      entry.node.kind === 'array'
        ? readInline(name, entry, entry.node, source)
        : await readFile(name, entry, source, tools);
    if (builder === undefined) continue;
    for (const error of builder.errors) errors.push(error);
    if (builder.set !== undefined) sets.set(name, builder.set);
    if (builder.holdsUnspecified === true) unspecified.add(name);
  }
  return { sets, unspecified, errors };
}

interface OneSet {
  readonly set?: AddressSet;
  readonly holdsUnspecified?: boolean;
  readonly errors: readonly Placed[];
}

function readInline(name: string, entry: TomlEntry, list: TomlArray, source: Source): OneSet {
  if (list.items.length === 0)
    return { errors: [emptySet(entry, source, `set \`${name}\` is empty`)] };
  const builder = new PrefixListBuilder(list.items.length);
  const errors: Placed[] = [];
  for (const item of list.items) {
    if (item.kind !== 'string') continue;
    const parsed = parseSetItem(String(item.value));
    if (parsed.ok) builder.add(parsed.prefix);
    else errors.push(placeInString(source, item, parsed.fault));
  }
  if (errors.length > 0) return { errors };
  const { holdsUnspecified } = builder;
  return { set: { name, prefixes: builder.build() }, holdsUnspecified, errors };
}

async function readFile(
  name: string,
  entry: TomlEntry,
  source: Source,
  { policyModule, readSetFile, progress = untold }: SetTools,
): Promise<OneSet | undefined> {
  const path = entry.node.kind === 'table' ? entry.node.keys.get('file')?.node : undefined;
  if (path?.kind !== 'string') return undefined;
  const file = String(path.value);
  const unreadable = (reason: string): OneSet => {
    const message = `set \`${name}\` can not be read: ${reason}`;
    const help = 'the path is relative to the policy';
    const fault: Fault = { code: 'SL3005', message, start: path.start, end: path.end, help };
    return { errors: [{ at: entry.start, diagnostic: source.diagnose(fault) }] };
  };
  const answer = await askReader(file, readSetFile);
  if (!answer.ok) return unreadable(answer.reason);
  const { line, column } = source.position(entry.start);
  const note = `set \`${name}\` is defined at ${source.name}:${line}:${column}`;
  let reason: string | undefined;
  const content = endingWhereItFails(answer.content, (error) => {
    reason = reasonOf(error);
  });
  const parsed = parseSetFile(policyModule, { file, note }, content, progress);
  if (reason !== undefined) return unreadable(reason);
  if (parsed.diagnostics.length > 0) {
    return { errors: parsed.diagnostics.map((diagnostic) => ({ at: entry.start, diagnostic })) };
  }
  if (parsed.count === 0) {
    return {
      errors: [emptySet(path, source, `set \`${name}\` is empty: ${file} holds no address`)],
    };
  }
  const { prefixes, holdsUnspecified } = parsed;
  return { set: { name, prefixes }, holdsUnspecified, errors: [] };
}

async function askReader(path: string, readSetFile: SetFileReader): Promise<SetFileContent> {
  if (path === '') return { ok: false, reason: 'the path is empty' };
  try {
    return await readSetFile(path);
  } catch (error) {
    return { ok: false, reason: reasonOf(error) };
  }
}

/** A content that ends, and says why, where it can not be read further. */
function endingWhereItFails(
  content: string | Uint8Array | TextStream,
  failed: (error: unknown) => void,
): string | Uint8Array | TextStream {
  if (typeof content === 'string' || content instanceof Uint8Array) return content;
  return {
    bytes: content.bytes,
    read(into) {
      try {
        return content.read(into);
      } catch (error) {
        failed(error);
        return 0;
      }
    },
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function emptySet(span: { start: number; end: number }, source: Source, message: string): Placed {
  const help = 'add an address, or remove the set and the rules that name it';
  const fault: Fault = { code: 'SL3003', message, start: span.start, end: span.end, help };
  return { at: span.start, diagnostic: source.diagnose(fault) };
}
