/**
 * Both builds of policy.wasm, for `describe.each`: a fault of the code generator would show as a
 * difference between them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TableDraft } from '../../compiler/model.ts';
import { buildTable, openTable, type Table } from '../../compiler/table.ts';
import { loadPolicyModule, type PolicyModule } from '../../compiler/wasm.ts';

const root = join(import.meta.dirname, '../..');

/** A build and its module. */
export interface Build {
  readonly build: 'debug' | 'release';
  readonly module: PolicyModule;
}

const load = (build: Build['build']): Build => ({
  build,
  module: loadPolicyModule(readFileSync(join(root, `build/policy.${build}.wasm`))),
});

export const BUILDS: readonly [Build, Build] = [load('debug'), load('release')];

/** The release build. */
export const RELEASE: PolicyModule = BUILDS[1].module;

/** The bytes of a draft's table. @throws Error when it can not be built. */
export function tableOf(module: PolicyModule, draft: TableDraft): Uint8Array {
  const built = buildTable(module, draft);
  if (!built.ok) throw new Error(built.text);
  return built.bytes;
}

/** An open table. @throws Error with the defect. */
export function opened(module: PolicyModule, bytes: Uint8Array): Table {
  const result = openTable(module, bytes);
  if (!result.ok) throw new Error(JSON.stringify(result.defect));
  return result.table;
}
