/**
 * The executor's reader of tables, called through docs/native.md. The library is the one that cargo
 * built; a missing one is a failure, because agreement that is not tested is not there.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DataType, load, open } from 'ffi-rs';

const LIBRARY = 'sandlock-tables';
const EINVAL = 22;

/** What the native reader finds: nothing wrong, or a code and an offset. */
export type NativeDefect = { readonly code: number; readonly offset: number } | undefined;

/** The native reader. */
export interface NativeTables {
  verify(table: Uint8Array): NativeDefect;
  /** One byte a query, 1 allow. @throws Error when the table is refused. */
  lookupMany(table: Uint8Array, queries: Uint8Array): Uint8Array;
}

/** Opens the library. @throws Error when it was not built. */
export function openNative(): NativeTables {
  const built = join(import.meta.dirname, '../../executor/target/release/libsandlock.so');
  const path = process.env.SANDLOCK_LIBRARY ?? built;
  if (!existsSync(path)) throw new Error(`${path} is missing: run npm run build`);
  open({ library: LIBRARY, path });
  const { I32, U32, U64, U8Array } = DataType;
  const call = (funcName: string, paramsType: DataType[], paramsValue: unknown[]): number =>
    load({ library: LIBRARY, funcName, retType: I32, paramsType, paramsValue });
  return {
    verify(table) {
      const defect = Buffer.alloc(16);
      const types = [U8Array, U64, U8Array, U32];
      const status = call('sl_table_verify', types, [Buffer.from(table), table.length, defect, 0]);
      if (status === 0) return undefined;
      if (status !== -EINVAL) throw new Error(`sl_table_verify returned ${status}`);
      return { code: defect.readUInt32LE(0), offset: Number(defect.readBigUInt64LE(8)) };
    },
    lookupMany(table, queries) {
      const count = queries.length / 24;
      const verdicts = Buffer.alloc(count, 0xff);
      const types = [U8Array, U64, U8Array, U32, U8Array, U32];
      const values = [Buffer.from(table), table.length, Buffer.from(queries), count, verdicts, 0];
      const status = call('sl_table_lookup', types, values);
      if (status !== 0) throw new Error(`sl_table_lookup returned ${status}`);
      return verdicts;
    },
  };
}
