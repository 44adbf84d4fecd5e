/**
 * A TOML document as a tree of values in which every key and value has its place.
 * Knows no parser and nothing of what a policy may say.
 */

/** A range of the text: `start` inclusive, `end` exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A single value. Dates stay opaque: no key of a policy takes one. */
export interface TomlScalar extends Span {
  readonly kind: 'string' | 'number' | 'boolean' | 'date';
  readonly value: string | number | boolean | null;
}

export interface TomlArray extends Span {
  readonly kind: 'array';
  readonly items: TomlNode[];
}

/** A table; its span is its header's key, its braces, or the key that implied it. */
export interface TomlTable extends Span {
  readonly kind: 'table';
  readonly keys: Map<string, TomlEntry>;
}

export type TomlNode = TomlScalar | TomlArray | TomlTable;

/** A key of a table: the span is that of the key where it stands first. */
export interface TomlEntry extends Span {
  readonly node: TomlNode;
}

/** The plain value for the schema's validator; dates become null, which no type of the schema accepts. */
export function toPlain(node: TomlNode): unknown {
  if (node.kind === 'array') return node.items.map(toPlain);
  if (node.kind !== 'table') return node.value;
  // No prototype, so that a key named `__proto__` is a key.
  const plain: Record<string, unknown> = Object.create(null);
  for (const [key, entry] of node.keys) plain[key] = toPlain(entry.node);
  return plain;
}

/**
 * Offset in the text of offset `at` of a string's value, or undefined when escapes make them
 * differ. Without escapes the raw text between the quotes is the value.
 */
export function offsetInString(text: string, node: TomlScalar): number | undefined {
  const value = String(node.value);
  const quotes = (node.end - node.start - value.length) / 2;
  if (quotes !== 1 && quotes !== 3) return undefined;
  return text.startsWith(value, node.start + quotes) ? node.start + quotes : undefined;
}
