/**
 * Vectors: tables with questions and answers, one file each way, read by these tests and by the
 * executor's own (executor/src/table/tests.rs). The answers come from the golden model. With
 * SANDLOCK_WRITE=1 the files are written, else compared.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { TableDraft } from '../../compiler/model.ts';
import { draftOf, EXAMPLE, KERNEL, MIXED, NESTED, OPEN, SETS } from '../reference/drafts.ts';
import { createModel, PROTOCOLS } from '../reference/model.ts';
import { BUILDS, opened, RELEASE, tableOf } from '../reference/modules.ts';
import {
  addressOf,
  createRandom,
  encodeQueries,
  type Query,
  randomDraft,
  randomQueries,
} from '../reference/random.ts';

const folder = join(import.meta.dirname, '../vectors');
const QUERIES = 200;

const VECTORS: readonly (readonly [string, TableDraft])[] = [
  ['empty', draftOf([])],
  ['example', EXAMPLE],
  ['mixed', MIXED],
  ['nested', NESTED],
  ['open', OPEN],
  ['random', randomDraft(createRandom(2026), 60)],
  ['kernel', KERNEL],
  ['sets', SETS],
];

const vectors = VECTORS.map(([name, draft], index) => {
  const model = createModel(draft);
  const queries = randomQueries(createRandom(index + 1), draft, QUERIES);
  const verdicts = queries.map(({ protocol, address, port }) =>
    model.allows(protocol, address, port) ? 'allow' : 'deny',
  );
  return { name, bytes: tableOf(RELEASE, draft), queries, verdicts };
});

/** One line a query, so that a reader without a JSON parser can split it. */
function toJson(queries: readonly Query[], verdicts: readonly string[]): string {
  const lines = queries.map((query, i) => {
    const address = Buffer.from(addressOf(query)).toString('hex');
    return JSON.stringify([PROTOCOLS[query.protocol], address, query.port, verdicts[i]]);
  });
  return `[\n${lines.join(',\n')}\n]\n`;
}

const readme = `# Vectors

Tables and what they decide: \`NAME.bin\` is a table, \`NAME.json\` a list of [protocol, address in hex (4 or 16 bytes), port, verdict], one a line. The
drafts are in \`test/reference/drafts.ts\`, the answers are the golden model's (\`test/reference/model.ts\`). A change of the format changes these
files in the same commit. To make them anew:

    SANDLOCK_WRITE=1 npx vitest run --project unit test/policy/vectors.test.ts
`;

const files = new Map<string, Uint8Array>([
  ['README.md', Buffer.from(readme)],
  ...vectors.flatMap(({ name, bytes, queries, verdicts }) => [
    [`${name}.bin`, bytes] as const,
    [`${name}.json`, Buffer.from(toJson(queries, verdicts))] as const,
  ]),
]);

if (process.env.SANDLOCK_WRITE === '1') {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
}

test('the committed vectors are those that the drafts make', () => {
  expect(readdirSync(folder).sort()).toEqual([...files.keys()].sort());
  for (const [name, bytes] of files) {
    expect(Buffer.compare(readFileSync(join(folder, name)), bytes), name).toBe(0);
  }
});

describe.each(BUILDS)('$build: a committed table answers as its vector says', ({ module }) => {
  test.each(vectors)('$name', ({ name, queries, verdicts }) => {
    const table = opened(module, readFileSync(join(folder, `${name}.bin`)));
    const answers = Array.from(table.lookupMany(encodeQueries(queries)), (verdict) =>
      verdict === 1 ? 'allow' : 'deny',
    );
    expect(answers).toEqual(verdicts);
  });
});
