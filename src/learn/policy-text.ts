/**
 * A learnt policy as text: a new file, or additions to one that a person wrote, whose comments and
 * layout stay as they are. Pure.
 */
import { parseToml } from '../../compiler/toml.ts';
import type { TomlArray, TomlTable } from '../../compiler/toml-tree.ts';
import type { LearntRule } from './rules.ts';

/** Lists in the order in which a new file has them. */
const LISTS = ['allow', 'allow_bind', 'allow_unix', 'allow_families'] as const;
type List = (typeof LISTS)[number];

/** Families that a list of families needs before others are added: those that are there without a list. */
const DEFAULT_FAMILIES = ['unix', 'inet', 'inet6', 'netlink/route'];

/** Programs that a comment names. */
const MOST_PROGRAMS = 4;

/** A new policy. `heading` stands above it as comments, one a line. */
export function writePolicy(rules: readonly LearntRule[], heading: readonly string[]): string {
  const lists = LISTS.filter((list) => list === 'allow' || rulesOf(rules, list).length > 0);
  const parts = lists.map((list) => writeList(list, rulesOf(rules, list)));
  return `${heading.map((line) => `# ${line}`.trimEnd()).join('\n')}\n\n[network]\n${parts.join('')}`;
}

/** The new text, or why it can not be made without a person: the policy stays as it is. */
export type Addition =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly reason: string };

/** Adds rules to the lists of a policy that compiles. Rules that a list has already are left out. */
export function addToPolicy(text: string, rules: readonly LearntRule[]): Addition {
  let result = text;
  for (const list of LISTS) {
    const added = addToList(result, list, rulesOf(rules, list));
    if (!added.ok) return added;
    result = added.text;
  }
  return { ok: true, text: result };
}

function rulesOf(rules: readonly LearntRule[], list: List): readonly LearntRule[] {
  return rules.filter((rule) => rule.list === list);
}

function addToList(text: string, list: List, rules: readonly LearntRule[]): Addition {
  if (rules.length === 0) return { ok: true, text };
  const parsed = parseToml('policy', text);
  if (!parsed.ok) return { ok: false, reason: parsed.diagnostic.message };
  // The parser's offsets leave out a byte order mark.
  const mark = text.startsWith('\ufeff') ? '\ufeff' : '';
  const bare = parsed.source.text;
  const network = parsed.root.keys.get('network')?.node;
  if (network !== undefined && network.kind !== 'table') {
    return { ok: false, reason: '`network` is no table' };
  }
  const array = network?.keys.get(list)?.node;
  if (array?.kind === 'array') {
    const known = new Set(array.items.map((item) => ('value' in item ? item.value : undefined)));
    const fresh = rules.filter((rule) => !known.has(rule.text));
    return { ok: true, text: mark + (fresh.length === 0 ? bare : addItems(bare, array, fresh)) };
  }
  const added = addKey(bare, network, list, rules);
  if (added !== undefined) return { ok: true, text: mark + added };
  return {
    ok: false,
    reason: `\`[network]\` has no header line below which \`${list}\` could stand`,
  };
}

/** Items before the closing bracket, in the manner of the array: on its line, or a line each. */
function addItems(text: string, array: TomlArray, rules: readonly LearntRule[]): string {
  const last = array.items.at(-1);
  const bracket = array.end - 1;
  if (!text.slice(array.start, array.end).includes('\n')) {
    const items = rules.map((rule) => quote(rule.text)).join(', ');
    const at = last?.end ?? array.start + 1;
    return `${text.slice(0, at)}${last === undefined ? '' : ', '}${items}${text.slice(at)}`;
  }
  const lineStart = text.lastIndexOf('\n', last?.start ?? bracket) + 1;
  const own = /^[ \t]*/.exec(text.slice(lineStart))?.[0] ?? '';
  const indent = last !== undefined && text.slice(lineStart, last.start).trim() === '' ? own : '  ';
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const lines = rules.map((rule) => `${indent}${writeItem(rule)}${newline}`).join('');
  // Behind the last item there may be a comma already, and comments, with commas of their own.
  const hasComma = last === undefined || /^(?:\s|#[^\n]*\n)*,/.test(text.slice(last.end, bracket));
  const head =
    hasComma || last === undefined ? text : `${text.slice(0, last.end)},${text.slice(last.end)}`;
  const closing = bracket + (head.length - text.length);
  const closingLine = head.lastIndexOf('\n', closing - 1) + 1;
  const isAlone = head.slice(closingLine, closing).trim() === '';
  const at = isAlone ? closingLine : closing;
  return `${head.slice(0, at)}${isAlone ? '' : newline}${lines}${head.slice(at)}`;
}

/** A new list below the header `[network]`, or a section of its own; undefined where the table has no header line. */
function addKey(
  text: string,
  network: TomlTable | undefined,
  list: List,
  rules: readonly LearntRule[],
): string | undefined {
  const written = writeList(list, rules);
  if (network === undefined) {
    const gap = text === '' || text.endsWith('\n') ? '' : '\n';
    return `${text}${gap}${text === '' ? '' : '\n'}[network]\n${written}`;
  }
  if (!/\[[ \t]*$/.test(text.slice(0, network.start))) return undefined;
  const lineEnd = text.indexOf('\n', network.end);
  const at = lineEnd < 0 ? text.length : lineEnd + 1;
  return `${text.slice(0, at)}${lineEnd < 0 ? '\n' : ''}${written}${text.slice(at)}`;
}

function writeList(list: List, rules: readonly LearntRule[]): string {
  const defaults =
    list === 'allow_families' ? DEFAULT_FAMILIES.map((word) => `  ${quote(word)},\n`) : [];
  if (rules.length === 0) return `${list} = []\n`;
  const lines = rules.map((rule) => `  ${writeItem(rule)}\n`);
  return `${list} = [\n${[...defaults, ...lines].join('')}]\n`;
}

function writeItem({ text, programs }: LearntRule): string {
  const names = programs.slice(0, MOST_PROGRAMS).map(forComment);
  if (programs.length > MOST_PROGRAMS) names.push('…');
  return `${quote(text)},${names.length === 0 ? '' : `  # ${names.join(', ')}`}`;
}

/** A basic string; JSON's escapes are TOML's, but for DEL. */
function quote(text: string): string {
  return JSON.stringify(text).replaceAll('\u007f', '\\u007F');
}

/** A program chooses its own name: nothing of it may end the comment. */
function forComment(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
}
