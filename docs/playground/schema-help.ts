/**
 * What policy.schema.json says about the key at a place of a text: for hovering and completion.
 * Reads lines, not TOML: while typing there often is none.
 */
import schema from '../../compiler/policy.schema.json' with { type: 'json' };

/** The part of JSON Schema that is read. */
interface Node {
  readonly description?: string;
  readonly $comment?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
  readonly enum?: readonly string[];
}

const ROOT: Node = schema as unknown as Node;

/** The table that a text ends in: `network` after `[network]`. */
function tableOf(above: string): string | undefined {
  return [...above.matchAll(/^\s*\[\s*([\w-]+)\s*\]/gm)].at(-1)?.[1];
}

/** What stands at `column` of a line: a table's header, or a key with its table. */
export function describeAt(
  above: string,
  line: string,
  column: number,
):
  | { readonly title: string; readonly text: string; readonly start: number; readonly end: number }
  | undefined {
  const header = /^\s*\[\s*([\w-]+)\s*\]/.exec(line);
  const key = /^\s*([\w-]+)\s*=/.exec(line);
  const name = header?.[1] ?? key?.[1];
  if (name === undefined) return undefined;
  const start = line.indexOf(name);
  if (column < start || column > start + name.length) return undefined;
  const table = header === null ? tableOf(above) : undefined;
  const parent = table === undefined ? ROOT : ROOT.properties?.[table];
  const node = parent?.properties?.[name] ?? additional(parent);
  if (node?.description === undefined) return undefined;
  const title = header !== null ? `[${name}]` : table === undefined ? name : `[${table}] ${name}`;
  return { title, text: node.description, start, end: start + name.length };
}

function additional(node: Node | undefined): Node | undefined {
  const found = node?.additionalProperties;
  return typeof found === 'object' ? found : undefined;
}

/** A word to offer. */
export interface Offer {
  readonly label: string;
  readonly info: string;
}

/** The keys that may stand below a text; tables where none is open. */
export function keysAt(above: string): Offer[] {
  const table = tableOf(above);
  const node = table === undefined ? ROOT : ROOT.properties?.[table];
  return Object.entries(node?.properties ?? {})
    .filter(([, { $comment }]) => $comment === undefined)
    .map(([name, { description = '' }]) => ({
      label: table === undefined ? `[${name}]` : `${name} = `,
      info: description,
    }));
}

/** The words that may stand in a list or string at the end of `before`. */
export function wordsAt(above: string, before: string): Offer[] {
  const table = tableOf(above);
  const key =
    /([\w-]+)\s*=[^=]*$/.exec(before)?.[1] ?? [...above.matchAll(/^\s*([\w-]+)\s*=/gm)].at(-1)?.[1];
  const node =
    table === undefined || key === undefined
      ? undefined
      : ROOT.properties?.[table]?.properties?.[key];
  const words = node?.enum ?? node?.items?.enum ?? [];
  return words.map((label) => ({ label, info: node?.description ?? '' }));
}
