/**
 * policy.toml: any bytes compile or are explained inside their lines. What compiles becomes a table that its own
 * reader accepts, the same each time, and that answers as the golden model (test/reference/model.ts) does.
 */
import { readFileSync } from 'node:fs';
import { type DraftTools, draftPolicy } from '../../../compiler/draft.ts';
import { buildTable, openTable } from '../../../compiler/table.ts';
import { loadPolicyModule, type PolicyModule } from '../../../compiler/wasm.ts';
import { createModel } from '../../../test/reference/model.ts';
import {
  createRandom,
  describeQuery,
  encodeQueries,
  randomQueries,
} from '../../../test/reference/random.ts';
import { checkDiagnostics, demand } from './places.ts';

/** Queries of a table; a build takes longer. */
const QUERIES = 32;

let loaded: PolicyModule | undefined;

/** policy.wasm as it was built. */
export function policyModule(): PolicyModule {
  loaded ??= loadPolicyModule(readFileSync('build/policy.release.wasm'));
  return loaded;
}

const tools: DraftTools = {
  policyModule: policyModule(),
  resolve: async (name) =>
    name.length % 5 === 0
      ? { ok: false, reason: 'the name does not exist' }
      : { ok: true, addresses: [Uint8Array.of(192, 0, 2, name.length)] },
  readSetFile: (path) =>
    path.length % 3 === 0
      ? { ok: false, reason: 'no such file' }
      : { ok: true, content: '10.0.0.0/8\n2001:db8::/32 # one\n' },
};

/** Compiles a policy. */
export async function policy(input: Uint8Array): Promise<void> {
  const file = { name: 'policy.toml', text: input };
  const drafted = await draftPolicy({ file, allow: [], deny: [] }, tools);
  demand(Object.keys(Object.prototype).length === 0, () => 'Object.prototype was written to');
  const own = (file: string): boolean => file === 'policy.toml';
  const text = new TextDecoder().decode(input);
  if (!drafted.ok) {
    demand(drafted.diagnostics.length > 0, () => 'refused without a diagnostic');
    const mine = drafted.diagnostics.filter((one) => own(one.file));
    if (mine.length > 0) checkDiagnostics(text, mine);
    return;
  }
  const built = buildTable(policyModule(), drafted.draft);
  demand(built.ok, () => 'the draft has no table');
  const again = buildTable(policyModule(), drafted.draft);
  demand(again.ok && Buffer.compare(built.bytes, again.bytes) === 0, () => 'another table');
  const opened = openTable(policyModule(), built.bytes);
  demand(opened.ok, () => `the table is refused: ${opened.ok ? '' : opened.defect.text}`);
  demand(opened.table.rules().length === drafted.draft.rules.length, () => 'rules are missing');

  const model = createModel(drafted.draft);
  const queries = randomQueries(createRandom(input.length), drafted.draft, QUERIES);
  const verdicts = opened.table.lookupMany(encodeQueries(queries));
  for (const [i, query] of queries.entries()) {
    const expected = model.allows(query.protocol, query.address, query.port) ? 1 : 0;
    demand(verdicts[i] === expected, () => `${describeQuery(query)}: ${verdicts[i]}`);
  }
}
