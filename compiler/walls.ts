/**
 * What a policy says apart from rules about addresses: `allow_families`, `allow_unix`,
 * `[program] allow_userns`, and that `allow_bind` and `deny_bind` do not stand together. Reads them
 * with their defaults. Whether rules and families fit each other is family-needs.ts's decision.
 */
import type { Fault } from './diagnostic.ts';
import { DEFAULT_FAMILIES, readFamilies } from './families.ts';
import type { Facts } from './model.ts';
import { type Placed, placeInOption } from './placed.ts';
import { locate } from './shape.ts';
import { createSource, type Source } from './source.ts';
import type { TomlTable } from './toml-tree.ts';
import { readUnixRules, type WrittenUnixRule } from './unix-rules.ts';

/** The walls of a policy, and what is wrong with them. */
export interface Walls {
  readonly facts: Facts;
  readonly unixRules: readonly WrittenUnixRule[];
  /** Where `allow_families` stands, as a note for what does not fit it; undefined without that key. */
  readonly familiesNote: string | undefined;
  readonly errors: readonly Placed[];
}

/** What options add to the walls. */
export interface WallOptions {
  /** Of `--allow-bind`. */
  readonly allowBind: readonly string[];
  /** Of `--allow-unix`. */
  readonly allowUnix: readonly string[];
}

/** Reads the walls. Values of a wrong type, and unknown families, are passed over; the schema reports them. */
export function readWalls(
  root: TomlTable,
  source: Source,
  { allowBind, allowUnix }: WallOptions,
): Walls {
  const listedUnix = locate(root, ['network', 'allow_unix'])?.node;
  const unix = readUnixRules(listedUnix, source, allowUnix);
  const listed = locate(root, ['network', 'allow_families']);
  const words =
    listed?.node.kind === 'array'
      ? listed.node.items.filter(({ kind }) => kind === 'string')
      : undefined;
  const userns = locate(root, ['program', 'allow_userns'])?.node;
  return {
    facts: {
      families:
        words === undefined
          ? DEFAULT_FAMILIES
          : readFamilies(words.map((word) => (word.kind === 'string' ? String(word.value) : ''))),
      allowUserns: userns?.kind === 'boolean' && userns.value === true,
    },
    unixRules: unix.rules,
    familiesNote:
      listed === undefined
        ? undefined
        : `\`allow_families\` stands at ${placeOf(source, listed.key.start)}`,
    errors: [
      ...unix.errors,
      ...findBothBinds(root, source),
      ...findBindOption(root, source, allowBind),
    ],
  };
}

function findBothBinds(root: TomlTable, source: Source): Placed[] {
  const keys = ['allow_bind', 'deny_bind']
    .flatMap((name) => {
      const span = locate(root, ['network', name])?.key;
      return span === undefined ? [] : [{ name, ...span }];
    })
    .sort((a, b) => a.start - b.start);
  const [first, second] = keys;
  if (first === undefined || second === undefined) return [];
  const fault: Fault = {
    code: 'SL2107',
    message: `\`${second.name}\` can not stand beside \`${first.name}\``,
    start: second.start,
    end: second.end,
    help: 'keep `allow_bind` to list all that may be bound, or `deny_bind` to open everything else',
  };
  const note = `\`${first.name}\` stands at ${placeOf(source, first.start)}`;
  return [{ at: second.start, diagnostic: source.diagnose(fault, { note }) }];
}

/** `--allow-bind` beside a list of what may not be bound, which opens everything else already. */
function findBindOption(root: TomlTable, source: Source, [rule]: readonly string[]): Placed[] {
  const denied = locate(root, ['network', 'deny_bind'])?.key;
  if (denied === undefined || rule === undefined) return [];
  const fault: Fault = {
    code: 'SL2107',
    message: '`--allow-bind` can not stand beside `deny_bind`',
    start: 0,
    end: rule.length,
    help: 'what `deny_bind` does not list may be bound without it',
  };
  const note = `\`deny_bind\` stands at ${placeOf(source, denied.start)}`;
  return [placeInOption(createSource('--allow-bind', rule, 'option'), fault, { note })];
}

function placeOf(source: Source, offset: number): string {
  const { line, column } = source.position(offset);
  return `${source.name}:${line}:${column}`;
}
