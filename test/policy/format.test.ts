/** The specification's worked example and the generated copies of its constants, against what is really built. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as F from '../../compiler/format.gen.ts';
import { EXAMPLE } from '../reference/drafts.ts';
import { crc32c } from '../reference/edit.ts';
import { RELEASE, tableOf } from '../reference/modules.ts';

const root = join(import.meta.dirname, '../..');
const example = tableOf(RELEASE, EXAMPLE);

test('the worked example of docs/format.md is the table of its policy, byte for byte', () => {
  const text = readFileSync(join(root, 'docs/format.md'), 'utf8');
  const [, dump = ''] = /```hex\n([^`]*)```/.exec(text) ?? [];
  const lines = dump.trimEnd().split('\n');
  expect(lines.map((line) => Number.parseInt(line.slice(0, 4), 16))).toEqual(
    Array.from({ length: 59 }, (_, i) => i * 16),
  );
  const bytes = Buffer.from(
    lines
      .map((line) => line.slice(6, 54))
      .join('')
      .replace(/\s/g, ''),
    'hex',
  );
  expect(bytes.toString('hex')).toBe(Buffer.from(example).toString('hex'));
});

test('the checksum is CRC-32C of the file with the field as zero', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  const bytes = example.slice();
  bytes.fill(0, F.HEADER_CHECKSUM, F.HEADER_CHECKSUM + 4);
  expect(new DataView(example.buffer).getUint32(F.HEADER_CHECKSUM, true)).toBe(crc32c(bytes));
});

test('the copies of the constants are current', () => {
  const check = spawnSync(process.execPath, ['scripts/gen-format.mjs', '--check'], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(check.stderr).toBe('');
  expect(check.status).toBe(0);
});
