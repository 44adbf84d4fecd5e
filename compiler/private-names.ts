/**
 * `[dns] private`: the names that may resolve to addresses of the inside, exact or `*.` and a suffix.
 * Only reads the list; what it means for an answer is private-answers.ts's decision.
 */
import type { Fault } from './diagnostic.ts';
import { endsInNumber, parseName } from './host-name.ts';
import type { PrivateName } from './model.ts';
import { type Placed, placeInString } from './placed.ts';
import { locate } from './shape.ts';
import type { Source } from './source.ts';
import type { TomlTable } from './toml-tree.ts';

/** The names of the list that parse, and what is wrong with the others. */
export interface PrivateNames {
  readonly names: readonly PrivateName[];
  readonly errors: readonly Placed[];
}

/** Reads the list of a document. Values of a wrong type are passed over; the schema reports them. */
export function readPrivateNames(root: TomlTable, source: Source): PrivateNames {
  const names: PrivateName[] = [];
  const errors: Placed[] = [];
  const list = locate(root, ['dns', 'private'])?.node;
  for (const item of list?.kind === 'array' ? list.items : []) {
    if (item.kind !== 'string') continue;
    const parsed = parsePrivateName(String(item.value));
    if ('code' in parsed) errors.push(placeInString(source, item, parsed));
    else names.push({ ...parsed, line: source.position(item.start).line });
  }
  return { names, errors };
}

function parsePrivateName(text: string): Omit<PrivateName, 'line'> | Fault {
  const below = text.startsWith('*.');
  const bare = below ? text.slice(2) : text;
  if (endsInNumber(bare) || bare.includes(':') || bare.includes('/')) {
    const message = `\`${text}\` is not a name`;
    const help = 'name what resolves to the address, or write a rule with the address';
    return { code: 'SL2014', message, start: 0, end: text.length, expected: FORM, help };
  }
  const parsed = parseName(bare, below ? 2 : 0);
  return parsed.ok ? { name: parsed.name, below } : { ...parsed.fault, expected: FORM };
}

const FORM = 'a name such as db.internal, or *.internal for every name below';
