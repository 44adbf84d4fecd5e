/**
 * Whether a document has the shape of a policy: keys, types and words, checked by the schema. Turns
 * the validator's errors into diagnostics with places and suggestions, and refuses keys that the
 * language knows but this version does not enforce. Does not look into rule strings.
 */
import type { Fault } from './diagnostic.ts';
import { refuseFamily } from './families.ts';
import { nearest } from './nearest.ts';
import { type TomlNode, type TomlTable, toPlain } from './toml-tree.ts';
import { KEYS, type SchemaError, UNBUILT, validate } from './validate.gen.js';

/** Checks a document; the faults' offsets count from the start of its text, in no particular order. */
export function checkShape(root: TomlTable): readonly Fault[] {
  if (root.keys.size === 0) {
    const message = 'the policy says nothing';
    const help = 'write `[network]` with `allow = []` if nothing may be reached';
    return [{ code: 'SL2106', message, start: 0, end: 0, help }];
  }
  const faults: Fault[] = [...findUnbuilt(root)];
  if (validate(toPlain(root))) return faults;
  const errors = validate.errors ?? [];
  for (const error of errors) {
    if (UNBUILT.some((key) => `${error.instancePath}/`.startsWith(`${key}/`))) continue;
    const fault = toFault(root, error, errors);
    if (fault !== undefined) faults.push(fault);
  }
  return faults;
}

function findUnbuilt(root: TomlTable): Fault[] {
  const faults: Fault[] = [];
  for (const pointer of UNBUILT) {
    const path = pointer.slice(1).split('/');
    const place = locate(root, path);
    // A section is refused as a whole, at its header.
    if (place === undefined || (path.length > 1 && UNBUILT.includes(`/${path[0]}`))) continue;
    const name = path.length === 1 ? `[${path[0]}]` : path.join('.');
    faults.push(notBuilt(`\`${name}\``, place.key));
  }
  return faults;
}

function notBuilt(what: string, span: { readonly start: number; readonly end: number }): Fault {
  const message = `${what} is not implemented yet`;
  const help = 'remove it: a policy that is not enforced whole does not compile';
  return { code: 'SL2105', message, start: span.start, end: span.end, help };
}

function toFault(
  root: TomlTable,
  error: SchemaError,
  all: readonly SchemaError[],
): Fault | undefined {
  const path = error.instancePath
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const place = locate(root, path);
  if (place === undefined) return undefined;
  switch (error.keyword) {
    case 'additionalProperties':
      return unknownKey(root, path, String(error.params.additionalProperty));
    case 'propertyNames': {
      const name = String(error.params.propertyName);
      const key = locate(root, [...path, name])?.key ?? place.key;
      const message = `\`${name}\` can not name a set`;
      return { code: 'SL2016', message, ...spanOf(key), expected: 'letters, digits, `-` and `_`' };
    }
    case 'required': {
      const unknown = all.some(
        ({ keyword, instancePath }) =>
          keyword === 'additionalProperties' && instancePath === error.instancePath,
      );
      if (unknown) return undefined;
      const message = `\`${path.join('.')}\` lacks the key \`${error.params.missingProperty}\``;
      return { code: 'SL2104', message, ...spanOf(place.node), expected: expectedAt(path) };
    }
    case 'type':
      return wrongType(path, place.node);
    case 'enum':
      return unknownWord(path, place.node, error.params.allowedValues as readonly string[]);
    default:
      return undefined;
  }
}

function unknownKey(root: TomlTable, path: readonly string[], key: string): Fault {
  const table = path[0] === 'sets' && path.length === 2 ? '/sets/*' : ['', ...path].join('/');
  const known = KEYS[table] ?? [];
  const built = known.filter((name) => !UNBUILT.includes(`${table}/${name}`));
  const span = locate(root, [...path, key])?.key ?? root;
  const where = path.length === 0 ? 'at the top level' : `in \`${path.join('.')}\``;
  const section = Object.keys(KEYS).find((other) => other !== '' && KEYS[other]?.includes(key));
  const close = nearest(key, known);
  let help: string | undefined;
  if (close !== undefined) help = `did you mean \`${close}\`?`;
  else if (section !== undefined && section !== '/sets/*') {
    help = `\`${key}\` belongs into \`[${section.slice(1)}]\``;
  }
  return {
    code: 'SL2101',
    message: `unknown key \`${key}\` ${where}`,
    ...spanOf(span),
    expected: built.map((name) => `\`${name}\``).join(', '),
    ...(help === undefined ? {} : { help }),
  };
}

const TYPE_NAMES = {
  string: 'a string',
  number: 'a number',
  boolean: 'a boolean',
  date: 'a date',
  array: 'a list',
  table: 'a table',
} as const;

function wrongType(path: readonly string[], node: TomlNode): Fault {
  const help = suggestForm(path, node);
  return {
    code: 'SL2102',
    message: `\`${showPath(path)}\` can not be ${TYPE_NAMES[node.kind]}`,
    ...spanOf(node),
    expected: expectedAt(path),
    ...(help === undefined ? {} : { help }),
  };
}

function unknownWord(path: readonly string[], node: TomlNode, words: readonly string[]): Fault {
  const word = node.kind === 'string' ? String(node.value) : '';
  if (node.kind === 'string' && path[1] === 'allow_families') {
    return { ...refuseFamily(word), ...spanOf(node) };
  }
  const close = nearest(word, words);
  const message =
    node.kind === 'string'
      ? `\`${showPath(path)}\` can not be \`${word}\``
      : `\`${showPath(path)}\` can not be ${TYPE_NAMES[node.kind]}`;
  return {
    code: 'SL2103',
    message,
    ...spanOf(node),
    expected: words.map((known) => `"${known}"`).join(', '),
    ...(close === undefined ? {} : { help: `did you mean "${close}"?` }),
  };
}

/** What a key takes, in words; `*` stands for any step. The most specific pattern comes first. */
const EXPECTED: readonly (readonly [RegExp, string])[] = [
  [/^network\.(allow|deny)\.\d+$/, 'a rule in quotes, such as "example.com:443"'],
  [/^network\.(allow|deny)$/, 'a list of rules, such as ["example.com:443"]'],
  [/^network\.(allow|deny)_bind\.\d+$/, 'a rule in quotes, such as "127.0.0.1:8080"'],
  [/^network\.(allow|deny)_bind$/, 'a list of rules, such as ["127.0.0.1:8080"]'],
  [/^network\.allow_unix\.\d+$/, 'a path, or `@` and a name, in quotes, such as "/run/x.sock"'],
  [/^network\.allow_unix$/, 'a list of paths and names, such as ["/run/x.sock", "@name"]'],
  [/^network\.allow_families$/, 'a list of families, such as ["unix", "inet", "inet6"]'],
  [/^program\.allow_userns$/, 'true or false'],
  [/^sets\.[^.]*\.file$/, 'a path in quotes'],
  [/^sets\.[^.]*\.\d+$/, 'an address or CIDR in quotes, such as "10.0.0.0/8"'],
  [/^sets\.[^.]*$/, 'a list such as ["10.0.0.0/8"], or { file = "path" }'],
  [/^dns\.private\.\d+$/, 'a name in quotes, such as "db.internal"'],
  [/^dns\.private$/, 'a list of names, such as ["db.internal"]'],
  [/^dns\.wide\.\d+$/, 'a wildcard in quotes, such as "*.github.io"'],
  [/^dns\.wide$/, 'a list of wildcards, such as ["*.github.io"]'],
  [/^dns\.max_age$/, 'a length of time in quotes, such as "12h"'],
];

function expectedAt(path: readonly string[]): string {
  const joined = path.join('.');
  const found = EXPECTED.find(([pattern]) => pattern.test(joined));
  return found?.[1] ?? `a table: \`[${joined}]\``;
}

/** The list around a lone string, the rule around a lone port, or the word without its quotes. */
function suggestForm(path: readonly string[], node: TomlNode): string | undefined {
  const key = path.join('.');
  if (node.kind === 'number' && /^network\.(allow|deny)_bind(\.\d+)?$/.test(key)) {
    const port = Number(node.value);
    if (!(Number.isInteger(port) && port > 0 && port <= 65535)) return undefined;
    const rule = JSON.stringify(`:${port}`);
    return `did you mean ${path.length === 2 ? `[${rule}]` : rule}?`;
  }
  if (node.kind !== 'string') return undefined;
  if (key === 'program.allow_userns') {
    return /^(true|false)$/.test(String(node.value)) ? `did you mean ${node.value}?` : undefined;
  }
  if (/^sets\.[^.]*$/.test(key) && /^\.{0,2}\/|\.[a-z]+$/.test(String(node.value))) {
    return `did you mean { file = ${JSON.stringify(node.value)} }?`;
  }
  if (!/^(network\.|sets\.|dns\.(private|wide)$)[^.]*$/.test(key)) return undefined;
  return `did you mean [${JSON.stringify(node.value)}]?`;
}

function showPath(path: readonly string[]): string {
  return path.join('.').replace(/\.(\d+)$/, (_, index) => `[${index}]`);
}

function spanOf(span: { readonly start: number; readonly end: number }): {
  start: number;
  end: number;
} {
  return { start: span.start, end: span.end };
}

/** The value at a path and the span of the key that leads to it (of the value itself in a list). */
export function locate(
  root: TomlTable,
  path: readonly string[],
): { readonly node: TomlNode; readonly key: { start: number; end: number } } | undefined {
  let node: TomlNode = root;
  let key = spanOf(root);
  for (const step of path) {
    if (node.kind === 'table') {
      const entry = node.keys.get(step);
      if (entry === undefined) return undefined;
      key = spanOf(entry);
      node = entry.node;
    } else if (node.kind === 'array') {
      const item: TomlNode | undefined = node.items[Number(step)];
      if (item === undefined) return undefined;
      key = spanOf(item);
      node = item;
    } else return undefined;
  }
  return { node, key };
}
