/**
 * A policy's text to what the page shows of it: diagnostics, or a table and its draft. The compiler
 * is the one that the command line uses; what a browser has not got (a resolver, files) is answered
 * from what the reader typed, or from addresses that are said to be assumed.
 */

import type { Diagnostic } from '../../compiler/diagnostic.ts';
import { compilePolicy } from '../../compiler/index.ts';
import { parseAddress } from '../../compiler/prefix.ts';
import { openTable, type Table } from '../../compiler/table.ts';
import { loadPolicyModule, type PolicyModule } from '../../compiler/wasm.ts';
import wasm from '../../dist/policy.wasm';
import { publicSuffixOf } from '../../src/suffixes.ts';

/** What the reader says about the world outside. */
export interface World {
  /** Addresses by name, as typed: separated by blanks or commas; nothing for an assumed one. */
  readonly pins: ReadonlyMap<string, string>;
  /** Contents of set files by path. */
  readonly files: ReadonlyMap<string, string>;
}

/** A name that was asked for, and what it was taken to be. */
export interface UsedName {
  readonly name: string;
  readonly addresses: string;
  readonly isAssumed: boolean;
}

/** What came of a text. */
export interface Analysis {
  readonly diagnostics: readonly Diagnostic[];
  /** Undefined when there are errors. */
  readonly table: Table | undefined;
  readonly names: readonly UsedName[];
  /** Paths of set files that were asked for. */
  readonly files: readonly string[];
}

/** The name that stands for the text in messages and rules. */
export const FILE = 'policy.toml';

let policyModule: PolicyModule | undefined;

/** Compiles a text. Never rejects for what the text says. */
export async function analyse(text: string, world: World): Promise<Analysis> {
  const names: UsedName[] = [];
  const files: string[] = [];
  policyModule ??= loadPolicyModule(wasm);
  const result = await compilePolicy(
    { file: { name: FILE, text }, allow: [], deny: [], purpose: 'exec' },
    {
      policyModule,
      async resolve(name) {
        const typed = world.pins.get(name) ?? '';
        const addresses = typed === '' ? assumed(names.length) : typed;
        names.push({ name, addresses, isAssumed: typed === '' });
        return parsePins(addresses);
      },
      publicSuffixOf,
      readSetFile(path) {
        files.push(path);
        const content = world.files.get(path);
        if (content !== undefined) return { ok: true, content };
        return { ok: false, reason: 'the page has no files; paste its lines under “Files”' };
      },
    },
  );
  if (!result.ok) return { diagnostics: result.diagnostics, table: undefined, names, files };
  const opened = openTable(policyModule, result.table);
  return {
    diagnostics: result.warnings,
    table: opened.ok ? opened.table : undefined,
    names,
    files,
  };
}

/** The nth address of 192.0.2.0/24, which is for documentation and nobody's. */
function assumed(index: number): string {
  return `192.0.2.${(index % 254) + 1}`;
}

/** Addresses as typed, or which of them is none. */
export function parsePins(
  text: string,
):
  | { readonly ok: true; readonly addresses: Uint8Array[] }
  | { readonly ok: false; readonly reason: string } {
  const addresses: Uint8Array[] = [];
  for (const word of text.split(/[\s,]+/).filter((part) => part !== '')) {
    const address = parseAddress(word, word.includes(':') ? 6 : 4);
    if (address === undefined) return { ok: false, reason: `“${word}” is not an address` };
    addresses.push(address);
  }
  return { ok: true, addresses };
}
