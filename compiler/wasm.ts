/**
 * policy.wasm from handed-in bytes: loads the module and makes instances of it. An instance serves
 * one list, one build or one open table (policy/arena.ts), so a PolicyModule holds no state and may
 * be used any number of times. Knows nothing of files, drafts or tables.
 *
 * Pointers come out of wasm as signed 32-bit numbers; everything here returns them as unsigned.
 * Views of the memory are taken anew after every call that may allocate, because growing the memory
 * detaches them.
 */

/** The part of the WebAssembly interface that is used; neither the ES library nor the types of Node declare it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (
    module: WasmModule,
    imports: object,
  ) => { readonly exports: PolicyExports };
  readonly RuntimeError: new () => Error;
};

/** A compiled module; opaque. */
interface WasmModule {
  readonly [opaque: symbol]: never;
}

/** The exports of policy/index.ts. Pointers and sizes are signed as they come. */
export interface PolicyExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** A FAILURE_ code once a call has trapped for a reason that is not a bug. */
  readonly failure: { readonly value: number };
  alloc(bytes: number): number;
  reserveList(count: number): void;
  readLines(text: number, bytes: number): number;
  linesRead(): number;
  addIpv4(key: number, bits: number): void;
  addIpv6(a: number, b: number, c: number, d: number, bits: number): void;
  listCell(): number;
  build(draft: number): number;
  openBuilt(table: number): void;
  tableBytes(): number;
  prefixCount(): number;
  open(table: number, bytes: number): number;
  defectOffset(): number;
  lookup(protocol: number, a: number, b: number, c: number, d: number, port: number): number;
  lookupMany(queries: number, count: number, verdicts: number): void;
  isMember(set: number, a: number, b: number, c: number, d: number): number;
  readMembers(
    table: number,
    set: number,
    family: number,
    first: number,
    inside: number,
    most: number,
    out: number,
  ): number;
  membersEnd(): number;
  namesFor(asked: number, bytes: number, numbers: number): number;
  holdsPort(set: number, port: number): number;
  boundaryCount(table: number, trie: number): number;
  trieBackground(table: number, trie: number): number;
  readBoundaries(table: number, trie: number, first: number, count: number, out: number): void;
  findBoundary(table: number, trie: number, a: number, b: number, c: number, d: number): number;
}

/** The loaded policy.wasm. */
export interface PolicyModule {
  readonly module: WasmModule;
}

/**
 * Compiles the bytes of policy.wasm.
 * @throws TypeError when they are no module of this interface.
 */
export function loadPolicyModule(bytes: Uint8Array): PolicyModule {
  const policy = { module: compileModule(bytes) };
  if (typeof instantiate(policy).build !== 'function') {
    throw new TypeError('the module is not policy.wasm: it exports no build');
  }
  return policy;
}

function compileModule(bytes: Uint8Array): WasmModule {
  try {
    return new WebAssembly.Module(bytes);
  } catch (cause) {
    throw new TypeError('the bytes are not a WebAssembly module', { cause });
  }
}

/** A fresh instance. Its memory lives as long as it is referenced. */
export function instantiate(policy: PolicyModule): PolicyExports {
  const abort = (message: number, file: number, line: number, column: number): never => {
    throw new Error(
      `policy.wasm: assertion ${message} failed at ${line}:${column} of source ${file}`,
    );
  };
  return new WebAssembly.Instance(policy.module, { env: { abort } }).exports;
}

/**
 * Calls into an instance. A trap for which the module notes a reason gives that FAILURE_ code; the
 * instance must be dropped then.
 * @throws whatever else was thrown: a trap without a reason is a bug.
 */
export function attempt<T>(
  instance: PolicyExports,
  call: () => T,
): { readonly failure: 0; readonly value: T } | { readonly failure: number } {
  try {
    return { failure: 0, value: call() };
  } catch (error) {
    const failure = instance.failure.value;
    if (failure === 0 || !(error instanceof WebAssembly.RuntimeError)) throw error;
    return { failure };
  }
}

/**
 * Copies bytes into the instance's memory, at a multiple of 16; returns their address.
 * @throws WebAssembly.RuntimeError with `failure` set when the memory is used up.
 */
export function copyIn(instance: PolicyExports, bytes: Uint8Array): number {
  const ptr = instance.alloc(bytes.length) >>> 0;
  new Uint8Array(instance.memory.buffer, ptr, bytes.length).set(bytes);
  return ptr;
}

/** Memory of the instance that calls use again and again, since nothing that was allocated is ever freed. */
export interface Scratch {
  /** At least that many bytes at a multiple of 16, with whatever they hold; valid until the next call. */
  room(bytes: number): number;
}

/** Memory for one purpose of an instance. */
export function createScratch(instance: PolicyExports): Scratch {
  let ptr = 0;
  let size = 0;
  return {
    room(bytes) {
      if (bytes > size) {
        size = Math.max(bytes, 2 * size);
        ptr = instance.alloc(size) >>> 0;
      }
      return ptr;
    },
  };
}

/** A copy of bytes of the instance's memory. */
export function copyOut(instance: PolicyExports, ptr: number, bytes: number): Uint8Array {
  return new Uint8Array(instance.memory.buffer, ptr >>> 0, bytes >>> 0).slice();
}
