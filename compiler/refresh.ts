/**
 * Names of a table that already is: asks for them anew and builds the table again with the answers.
 * The rules, sets and everything else stay as they were.
 */
import { type CompileResult, finish } from './compiled.ts';
import type { Rule } from './model.ts';
import { type NameTools, pinNames } from './pin.ts';
import { inOrder } from './placed.ts';
import { splitRule } from './rule-parts.ts';
import { createSource } from './source.ts';
import { draftOfTable } from './stored-draft.ts';
import type { Table } from './table.ts';
import type { PolicyModule } from './wasm.ts';
import type { WrittenRule } from './written-rules.ts';

/**
 * Which names of a table are asked for: those that are to be pinned before a command starts, those
 * that are pinned already.
 */
export interface RefreshOptions {
  readonly missing: boolean;
  readonly pinned: boolean;
  /** The pins' time that the new table tells, in seconds since 1970. */
  readonly now: number;
}

/** Resolves names of a table. Live names and wildcards stay what they are. */
export async function refreshTable(
  policy: PolicyModule,
  table: Table,
  { missing, pinned: again, now }: RefreshOptions,
  tools: NameTools,
): Promise<CompileResult> {
  const draft = draftOfTable(table);
  const asked = new Set(
    draft.names
      .filter(({ addresses, atStart }) => (atStart ? missing : again && addresses.length > 0))
      .map(({ name }) => name),
  );
  const plan = { live: false, now: true, privateNames: draft.dns.privateNames };
  const sets = new Map(draft.sets.map((set) => [set.name, set]));
  const written = draft.rules
    .filter(({ target }) => target.kind !== 'name' || asked.has(target.name))
    .map(toWritten);
  const pinned = await pinNames(written, plan, sets, tools);
  if (pinned.errors.length > 0) return { ok: false, diagnostics: inOrder(pinned.errors) };
  const fresh = new Map(pinned.names.map((name) => [name.name, name]));
  const names = draft.names.map((name) => fresh.get(name.name) ?? name);
  const dns = { ...draft.dns, pinnedAt: now };
  return finish(policy, { ...draft, names, dns }, inOrder(pinned.warnings), '').result;
}

/** A rule of a table as if it had just been read: its own text stands for the line of its file. */
function toWritten(rule: Rule, index: number): WrittenRule {
  const { text, line, column, source: name } = rule;
  return {
    rule,
    place(fault, extra) {
      const source = createSource(name, text, 'option');
      const parts = splitRule(text);
      const start = 'code' in parts ? 0 : parts.targetStart;
      const end = 'code' in parts ? text.length : start + parts.target.length;
      const diagnostic = source.diagnose({ ...fault, start, end }, extra);
      if (line === 0) return { at: index, diagnostic };
      // The quotation mark stands before the text.
      const shift = column;
      return {
        at: index,
        diagnostic: {
          ...diagnostic,
          line,
          column: diagnostic.column + shift,
          sourceColumn: diagnostic.sourceColumn + shift,
        },
      };
    },
  };
}
