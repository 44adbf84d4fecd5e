/**
 * How a call crosses into the native library, and the near way to what makes it: the native half of ffi-rs, which is
 * loaded by its path. Both are in the file that every start parses. Where the near way does not lead there,
 * binding.ts has another.
 */
import type * as Ffi from 'ffi-rs';

/** What is used of ffi-rs, which its native half has as well. Its types know no tag for arrays. */
export type Binding = Pick<typeof Ffi, 'open' | 'load' | 'DataType'> & {
  readonly FFITypeTag: { readonly Array: Ffi.FFITypeTag };
};

/** Calls a function of the library that returns an i32. */
export type Call = (name: string, types: readonly Ffi.DataType[], values: unknown[]) => number;

/** Version of the interface that src/ speaks. */
export const ABI_VERSION = 4;

/** Name under which ffi-rs keeps the open library. */
const LIBRARY = 'sandlock';

const PLATFORM = `${process.platform}-${process.arch}-gnu`;

/** The native half, in a folder of packages. */
const FILE = `@yuuang/ffi-rs-${PLATFORM}/ffi-rs.${PLATFORM}.node`;

/**
 * RTLD_NOW and RTLD_NODELETE of dlfcn.h; node:os has no name for the second. What a worker thread has loaded would be
 * unmapped when it ends, and it would crash: destructors of the thread's own data lie there, and are called after that.
 */
const PINNED = 0x1002;

/**
 * The package of ffi-rs for this platform, a dependency of ours as well, in the same version. ffi-rs itself would
 * choose it by a diagnostic report of Node, and wrap calls that are not made here. Trying to load it is the
 * quickest way to know whether it is there. Undefined: it is in none of these folders, or can not be loaded.
 */
export function loadNearby(folders: readonly string[]): Binding | undefined {
  for (const folder of folders) {
    try {
      return dlopen(`${folder}/${FILE}`);
    } catch {
      // Another folder has it, or binding.ts says why not.
    }
  }
  return undefined;
}

/** Loads a native half. */
export function dlopen(path: string): Binding {
  const loaded = { exports: {} };
  process.dlopen(loaded, path, PINNED);
  return loaded.exports as Binding;
}

/** Opens the library. */
export function openLibrary({ open, load, DataType, FFITypeTag }: Binding, path: string): Call {
  open({ library: LIBRARY, path });
  return (funcName, types, paramsValue) => {
    // The native half is told how long an array is.
    const paramsType = types.map((type, index) => {
      if (type !== DataType.U8Array) return type;
      return { ffiTypeTag: FFITypeTag.Array, type, length: (paramsValue[index] as Buffer).length };
    });
    const options = { retType: DataType.I32, paramsType, paramsValue, freeResultMemory: false };
    return load({ library: LIBRARY, funcName, ...options }) as number;
  };
}
