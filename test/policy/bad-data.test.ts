/**
 * Damaged tables, one defect each: the list in test/reference/defects.ts makes the files of
 * test/bad-data, which the executor's tests read as well. With SANDLOCK_WRITE=1 the files are
 * written, else compared.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import * as F from '../../compiler/format.gen.ts';
import { openTable } from '../../compiler/table.ts';
import { badTables } from '../reference/defects.ts';
import { BUILDS, RELEASE, tableOf } from '../reference/modules.ts';

const folder = join(import.meta.dirname, '../bad-data');
const tables = badTables((draft) => tableOf(RELEASE, draft));

/** One line a file, so that a reader without a JSON parser can split it. */
const index = `[\n${tables
  .map(({ name, code, offset }) => JSON.stringify([`${name}.bin`, code, offset]))
  .join(',\n')}\n]\n`;

const readme = `# Damaged tables

One defect each, made from the list in \`test/reference/defects.ts\`. Every reader refuses each file with this code at this byte; \`index.json\`
has the same for programs. To make them anew:

    SANDLOCK_WRITE=1 npx vitest run --project unit test/policy/bad-data.test.ts

| file | code | byte | what is wrong |
|---|---|---|---|
${tables.map(({ name, code, offset, why }) => `| ${name}.bin | ${code} | ${offset} | ${why} |`).join('\n')}
`;

const files = new Map<string, Uint8Array>([
  ...tables.map(({ name, bytes }) => [`${name}.bin`, bytes] as const),
  ['index.json', Buffer.from(index)],
  ['README.md', Buffer.from(readme)],
]);

if (process.env.SANDLOCK_WRITE === '1') {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
}

test('the committed files are those that the list makes', () => {
  expect(readdirSync(folder).sort()).toEqual([...files.keys()].sort());
  for (const [name, bytes] of files) {
    expect(Buffer.compare(readFileSync(join(folder, name)), bytes), name).toBe(0);
  }
});

test('every code of a defect has a damaged table', () => {
  const codes = new Set(tables.map(({ code }) => code));
  const missing = Object.keys(F.DEFECT_TEXTS).filter((code) => !codes.has(Number(code)));
  expect(missing).toEqual([]);
});

describe.each(BUILDS)('$build: a damaged table is refused at the byte at fault', ({ module }) => {
  test.each(tables)('$name: $why', ({ bytes, code, offset }) => {
    const result = openTable(module, bytes);
    expect(result).toEqual({
      ok: false,
      defect: { code, text: F.DEFECT_TEXTS[code], offset },
    });
  });
});
