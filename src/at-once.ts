/**
 * The short way of `sandlock exec`: where a compiled table can be run as it is, the native library finds that out and
 * makes this process the launcher, before anything else is loaded. In every other case, errors included, nothing has
 * happened yet, and exec.ts goes the long way.
 */
import { ABI_VERSION, loadNearby, openLibrary } from './native.ts';

/** Becomes the launcher with the arguments after `exec`; returns where that can not be done at once. */
export function becomeAtOnce(args: readonly string[]): void {
  // Another library is looked for on the long way, and so are the bytes that Node could not decode.
  if (process.env.SANDLOCK_LIBRARY !== undefined) return;
  const text = args.join('\0');
  if (text.includes('\uFFFD')) return;
  try {
    const ffi = loadNearby(module.paths);
    if (ffi === undefined) return;
    const folder = import.meta.dirname;
    const call = openLibrary(ffi, `${folder}/libsandlock.so`);
    if (call('sl_abi_version', [], []) !== ABI_VERSION) return;
    const { String: Text, U8Array, U64, U32 } = ffi.DataType;
    const words = Buffer.from(`${text}\0`);
    const values = [`${folder}/sandlock-exec`, words, words.length, 0];
    call('sl_become_at_once', [Text, U8Array, U64, U32], values);
  } catch {
    // The long way says what is wrong.
  }
}
