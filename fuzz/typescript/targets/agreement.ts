/**
 * Tables before both readers, policy.wasm and the executor: the same defect at the same byte, or
 * the same verdicts. Neither is JavaScript, so nothing here is guided; the seeds are the inputs
 * that the Rust target `table` found.
 */
import { openTable } from '../../../compiler/table.ts';
import { seal } from '../../../test/reference/edit.ts';
import { openNative } from '../../../test/reference/native.ts';
import { createRandom, encodeQueries, type Query } from '../../../test/reference/random.ts';
import { demand } from './places.ts';
import { policyModule } from './policy.ts';

const MAPPED = 0xffffn << 32n;

/** Reads a table; its length and checksum are set right, as anyone can. */
export function agreement(input: Uint8Array): void {
  const bytes = input.slice();
  if (bytes.length >= 24) {
    const view = new DataView(bytes.buffer);
    view.setBigUint64(16, BigInt(bytes.length), true);
  }
  seal(bytes);
  const native = openNative();
  const ours = openTable(policyModule(), bytes);
  const theirs = native.verify(bytes);
  const found = ours.ok ? 'accepted' : `${ours.defect.code} at ${ours.defect.offset}`;
  const other = theirs === undefined ? 'accepted' : `${theirs.code} at ${theirs.offset}`;
  demand(found === other, () => `policy.wasm: ${found}, executor: ${other}`);
  if (!ours.ok) return;
  const queries = encodeQueries(queriesOf(bytes));
  const verdicts = ours.table.lookupMany(queries);
  demand(Buffer.compare(verdicts, native.lookupMany(bytes, queries)) === 0, () => 'other verdicts');
}

/** Queries by chance and by what the table's own bytes happen to spell. */
function queriesOf(bytes: Uint8Array): readonly Query[] {
  const random = createRandom(bytes.length);
  const view = new DataView(bytes.buffer);
  return Array.from({ length: 64 }, () => {
    const low = BigInt(view.getUint32(random.below(bytes.length - 16), true));
    const high = view.getBigUint64(random.below(bytes.length - 16), random.oneIn(2));
    const family = random.oneIn(2) ? 4 : 6;
    const address = family === 4 ? MAPPED | low : random.oneIn(4) ? MAPPED | low : high << 64n;
    const protocol = random.below(5);
    return { protocol, family, address, port: protocol === 2 ? 0 : Number(low & 0xffffn) };
  });
}
