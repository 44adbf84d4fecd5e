/**
 * The lists of names in `[dns]`: `private`, which names may have addresses of the inside, and
 * `wide`, which wildcards may be as wide as a public suffix. Only reads them; what they mean is
 * decided by private-answers.ts and wildcards.ts.
 */
import type { Fault } from './diagnostic.ts';
import { endsInNumber, parseName } from './host-name.ts';
import type { PrivateName } from './model.ts';
import { type Placed, placeInString } from './placed.ts';
import { locate } from './shape.ts';
import type { Source } from './source.ts';
import type { TomlTable } from './toml-tree.ts';

/** The names of a list that parse, and what is wrong with the others. */
export interface NameList {
  readonly names: readonly PrivateName[];
  readonly errors: readonly Placed[];
}

/**
 * Reads `[dns] private`: names, or `*.` and a name. Values of a wrong type are passed over; the schema reports them.
 */
export function readPrivateNames(root: TomlTable, source: Source): NameList {
  return readList(root, source, 'private', (text) => parseListed(text, PRIVATE_FORM));
}

/** Reads `[dns] wide`: wildcards. */
export function readWideNames(root: TomlTable, source: Source): NameList {
  return readList(root, source, 'wide', (text) => {
    const parsed = parseListed(text, WIDE_FORM);
    if ('code' in parsed || parsed.below) return parsed;
    const help = `did you mean *.${text}?`;
    const message = `\`${text}\` is not a wildcard`;
    return { code: 'SL2015', message, start: 0, end: text.length, expected: WIDE_FORM, help };
  });
}

type Listed = Omit<PrivateName, 'line'>;

function readList(
  root: TomlTable,
  source: Source,
  key: string,
  parse: (text: string) => Listed | Fault,
): NameList {
  const names: PrivateName[] = [];
  const errors: Placed[] = [];
  const list = locate(root, ['dns', key])?.node;
  for (const item of list?.kind === 'array' ? list.items : []) {
    if (item.kind !== 'string') continue;
    const parsed = parse(String(item.value));
    if ('code' in parsed) errors.push(placeInString(source, item, parsed));
    else names.push({ ...parsed, line: source.position(item.start).line });
  }
  return { names, errors };
}

function parseListed(text: string, expected: string): Listed | Fault {
  const below = text.startsWith('*.');
  const bare = below ? text.slice(2) : text;
  if (endsInNumber(bare) || bare.includes(':') || bare.includes('/')) {
    const message = `\`${text}\` is not a name`;
    const help = 'name what resolves to the address, or write a rule with the address';
    return { code: 'SL2014', message, start: 0, end: text.length, expected, help };
  }
  const parsed = parseName(bare, below ? 2 : 0);
  return parsed.ok ? { name: parsed.name, below } : { ...parsed.fault, expected };
}

const PRIVATE_FORM = 'a name such as db.internal, or *.internal for every name below';
const WIDE_FORM = 'a wildcard such as *.github.io';
