/**
 * Runs one target in a thread and watches over it:
 * `main.js TARGET SECONDS SEED KEPT FINDINGS SEEDS…` fuzzes from the inputs in the folders SEEDS,
 * writes what reached something new to KEPT and prints one line of JSON; without seconds it only
 * chooses; `main.js TARGET --reproduce FILE` runs one input. An input that never ends is taken from
 * memory that the thread shares. `FUZZ_COUNTERS`, `FUZZ_WORDS` and the counters themselves are put
 * in by the bundler (scripts/fuzz.mjs).
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { createRandom } from '../../test/reference/random.ts';
import { type Finding, fuzz, type Result, type Target } from './loop.ts';
import { LONGEST } from './mutate.ts';
import { agreement } from './targets/agreement.ts';
import { policy } from './targets/policy.ts';
import { destination, rule } from './targets/rule.ts';
import { setFile } from './targets/set-file.ts';

declare const FUZZ_COUNTERS: number;
declare const FUZZ_WORDS: readonly string[];

const TARGETS: ReadonlyMap<string, Target> = new Map<string, Target>([
  ['agreement', agreement],
  ['destination', destination],
  ['policy', policy],
  ['rule', rule],
  ['set-file', setFile],
]);

/** How long one input may take before the thread is ended. */
const HANG_MS = 20_000;
/** Memory that is shared: count of runs, length of the input, the input. */
const SHARED_BYTES = 8 + 4 * LONGEST;

const [name = '', ...rest] = process.argv.slice(2);
const target = TARGETS.get(name);
if (target === undefined) throw new Error(`no target named ${name}`);

if (!isMainThread) await work(target);
else if (rest[0] === '--reproduce') await target(readFileSync(rest[1] ?? ''));
else watch();

/** The thread. */
async function work(target: Target): Promise<void> {
  const shared = workerData as SharedArrayBuffer;
  const numbers = new Int32Array(shared, 0, 2);
  const current = new Uint8Array(shared, 8);
  const [seconds, seed, , , ...seeds] = rest;
  const before = (input: Uint8Array): void => {
    current.set(input.subarray(0, current.length));
    Atomics.store(numbers, 1, Math.min(input.length, current.length));
    Atomics.add(numbers, 0, 1);
  };
  const inputs = seeds.flatMap(filesOf);
  const words = FUZZ_WORDS.map((word) => new TextEncoder().encode(word));
  const deadline = Number(seconds) > 0 ? Date.now() + Number(seconds) * 1000 : undefined;
  const random = createRandom(Number(seed));
  parentPort?.postMessage(await fuzz(target, inputs, words, random, deadline, before));
}

/** The other thread: starts it, and ends it when it hangs. */
function watch(): void {
  const shared = new SharedArrayBuffer(SHARED_BYTES);
  const numbers = new Int32Array(shared, 0, 2);
  const worker = new Worker(new URL(import.meta.url), {
    argv: process.argv.slice(2),
    workerData: shared,
  });
  const running = (): Uint8Array => new Uint8Array(shared, 8).slice(0, numbers[1]);
  let last = -1;
  const timer = setInterval(() => {
    if (numbers[0] === last) died(new Error(`no end after ${HANG_MS / 1000} s`));
    last = numbers[0] ?? 0;
  }, HANG_MS);
  const died = (error: Error): void => {
    const finding = { input: running(), error };
    report({ runs: numbers[0] ?? 0, covered: 0, corpus: [], finding });
    process.exit(1);
  };
  worker.on('error', died);
  worker.on('message', (result: Result) => {
    clearInterval(timer);
    report(result);
  });
}

function report({ runs, covered, corpus, finding }: Result): void {
  const [, , kept = '', findings = ''] = rest;
  for (const input of corpus) save(kept, '', input);
  const found = finding === undefined ? {} : describe(finding, findings);
  const line = { runs, covered, counters: FUZZ_COUNTERS, corpus: corpus.length, ...found };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function describe({ input, error }: Finding, folder: string): object {
  return { finding: save(folder, 'crash-', input), message: error.stack ?? error.message };
}

/** Writes an input under the hash of its bytes. */
function save(folder: string, prefix: string, input: Uint8Array): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, prefix + createHash('sha1').update(input).digest('hex'));
  writeFileSync(path, input);
  return path;
}

function filesOf(folder: string): readonly Uint8Array[] {
  try {
    return readdirSync(folder).map((name) => readFileSync(join(folder, name)));
  } catch {
    return [];
  }
}
