// `npm run fuzz`: runs every target of fuzz/ for a while, from fuzz/corpus/ and what earlier runs
// kept in build/fuzz/corpus/, and ends with one line, `N passed, N failed`. docs/fuzzing.md says
// what the targets demand.
//
//   npm run fuzz -- --seconds 20 [--seed 1] [table rule …]     each target for 20 s
//   npm run fuzz -- --reproduce FILE table                      one input
//   npm run fuzz -- --keep [table …]                            minimises what was found into fuzz/corpus/
//
// A target that ran nothing, or reached nothing, has failed like one that found something.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { install, main, missingTools, root, run, runCaptured, ScriptError } from './setup.mjs';

const BUILT = join(root, 'build/fuzz');
const BUNDLE = join(BUILT, 'typescript.mjs');

/** Seeds that tests keep as files. */
const TABLES = ['test/vectors', 'test/bad-data'].map((folder) => join(root, folder));

/**
 * A target: how it is run, most bytes of an input, folders of seeds beside its corpus, corpora of
 * other targets it starts from.
 * @typedef {{ runner: 'rust' | 'typescript', length?: number, seeds?: string[], from?: string[] }} Target
 */

/** @type {Record<string, Target>} */
const TARGETS = {
  cmsg: { runner: 'rust', length: 2048 },
  dns: { runner: 'rust', length: 1024 },
  msghdr: { runner: 'rust', length: 512 },
  request: { runner: 'rust', length: 1024 },
  sockaddr: { runner: 'rust', length: 132 },
  'sockaddr-kernel': { runner: 'rust', length: 132 },
  status: { runner: 'rust', length: 1024 },
  table: { runner: 'rust', length: 8192, seeds: TABLES },
  'table-made': { runner: 'rust', length: 1024 },
  agreement: { runner: 'typescript', seeds: TABLES, from: ['table'] },
  destination: { runner: 'typescript', from: ['rule'] },
  policy: { runner: 'typescript', seeds: [join(root, 'examples')] },
  rule: { runner: 'typescript' },
  'set-file': { runner: 'typescript' },
};

/** Counters of LLVM's SanitizerCoverage, which libFuzzer reads; a pass, so stable Rust has them. */
const RUSTFLAGS = [
  '--cfg=fuzzing',
  '-Cpasses=sancov-module',
  '-Cllvm-args=-sanitizer-coverage-level=4',
  '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters',
  '-Cllvm-args=-sanitizer-coverage-pc-table',
  '-Cllvm-args=-sanitizer-coverage-trace-compares',
];

/**
 * Runs targets, `seconds` each, and says how many found nothing. policy.wasm and the native library must be built.
 * @param {{ seconds: number, seed?: number, names?: string[] }} options
 */
export async function fuzz({ seconds, seed = 1, names = Object.keys(TARGETS) }) {
  const rust = await prepare(names);
  const count = { passed: 0, failed: 0 };
  for (const name of names) {
    const outcome = await runTarget(name, { seconds, seed, rust });
    const { runs, covered, counters, message, finding } = outcome;
    const isGood = message === undefined && runs > 100 && covered > 0;
    count[isGood ? 'passed' : 'failed']++;
    const figures = `${runs} runs, ${Math.round(runs / seconds)}/s, reached ${covered} of ${counters}`;
    console.log(`${isGood ? 'ok    ' : 'FAILED'}  ${name.padEnd(16)} ${figures}`);
    if (message !== undefined) console.log(message.trimEnd());
    if (finding !== undefined) {
      console.log(`reproduce: npm run fuzz -- --reproduce ${finding} ${name}`);
    }
  }
  return count;
}

/** Builds what the targets need; returns the folder of the Rust ones. */
async function prepare(names) {
  const unknown = names.find((name) => !Object.hasOwn(TARGETS, name));
  if (unknown !== undefined) {
    throw new ScriptError(
      `no target named ${unknown}; targets: ${Object.keys(TARGETS).join(', ')}`,
    );
  }
  const runners = new Set(names.map((name) => TARGETS[name]?.runner));
  if (runners.has('typescript')) await bundle();
  return runners.has('rust') ? buildRust() : '';
}

function buildRust() {
  const [missing] = missingTools(['cargo', 'c++']);
  if (missing !== undefined) throw new ScriptError(missing);
  const { stdout } = spawnSync('rustc', ['-vV'], { encoding: 'utf8' });
  const host = /^host: (.*)$/m.exec(stdout ?? '')?.[1];
  if (host === undefined) throw new ScriptError('rustc does not name its host');
  process.env.RUSTFLAGS = RUSTFLAGS.join(' ');
  // With a target named, build scripts are built without the flags.
  const folder = join(root, 'fuzz/target');
  const manifest = join(root, 'fuzz/Cargo.toml');
  const where = [`--manifest-path=${manifest}`, `--target-dir=${folder}`, `--target=${host}`];
  run('cargo', ['build', '--release', '--locked', '--quiet', ...where]);
  delete process.env.RUSTFLAGS;
  return join(folder, host, 'release');
}

/** The compiler and its TOML parser with counters, and the targets without, as one file. */
async function bundle() {
  /** @type {import('../fuzz/typescript/instrument.mjs').Instrumented} */
  const found = { counters: 0, words: new Set() };
  // Not above: a fresh clone has these only once the packages are installed.
  const { build: bundleBy } = await import('esbuild');
  const { instrumenter } = await import('../fuzz/typescript/instrument.mjs');
  const bundled = await bundleBy({
    absWorkingDir: root,
    entryPoints: ['fuzz/typescript/main.ts'],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    external: ['ffi-rs'],
    logLevel: 'error',
    plugins: [instrumenter(/\/compiler\/.*\.(ts|js)$|\/toml-eslint-parser\/.*\.js$/, found)],
    outfile: BUNDLE,
  });
  const constants = `const FUZZ_COUNTERS = ${found.counters};
const FUZZ_WORDS = ${JSON.stringify([...found.words])};
globalThis.fuzzCounters = new Uint8ClampedArray(FUZZ_COUNTERS);\n`;
  mkdirSync(BUILT, { recursive: true });
  writeFileSync(BUNDLE, constants + bundled.outputFiles[0]?.text);
}

/** Where inputs are: what is committed, what earlier runs kept, seeds. The first is written to. */
function foldersOf(name) {
  const { seeds = [], from = [] } = TARGETS[name] ?? {};
  const folders = [name, ...from].flatMap((of) => [
    join(BUILT, 'corpus', of),
    join(root, 'fuzz/corpus', of),
  ]);
  mkdirSync(folders[0] ?? '', { recursive: true });
  return [...folders, ...seeds].filter((folder) => existsSync(folder));
}

/** What became of a target: runs, counters reached and in all; what was found, and where it lies. */
function runTarget(name, options) {
  const findings = join(root, 'fuzz/findings', name);
  mkdirSync(findings, { recursive: true });
  return TARGETS[name]?.runner === 'rust'
    ? runRust(name, findings, options)
    : runTypescript(name, findings, options);
}

async function runRust(name, findings, { seconds, seed, rust }) {
  const { status, output } = await runQuietly(join(rust, name), [
    `-max_total_time=${seconds}`,
    `-seed=${seed}`,
    `-max_len=${TARGETS[name]?.length}`,
    `-artifact_prefix=${findings}/`,
    '-timeout=10',
    '-rss_limit_mb=1024',
    '-use_value_profile=1',
    '-print_final_stats=1',
    ...foldersOf(name),
  ]);
  const number = (pattern) => Number(pattern.exec(output)?.[1] ?? 0);
  const figures = {
    runs: number(/number_of_executed_units: (\d+)/),
    covered: number(/^#\d+\s+DONE\s+cov: (\d+)/m),
    counters: number(/\((\d+) inline 8-bit counters\)/),
  };
  if (status === 0) return figures;
  const message = output.split('\n').filter((line) => !/^#|^INFO|^WARN|^stat::/.test(line));
  const finding = /Test unit written to (.*)$/m.exec(output)?.[1];
  return { ...figures, message: message.join('\n'), finding };
}

async function runTypescript(name, findings, { seconds, seed }) {
  const [kept = '', ...seeds] = foldersOf(name);
  const numbers = [`${seconds}`, `${seed}`];
  const { output } = await runQuietly(process.execPath, [
    BUNDLE,
    name,
    ...numbers,
    kept,
    findings,
    kept,
    ...seeds,
  ]);
  try {
    return JSON.parse(output.trimEnd().split('\n').at(-1) ?? '');
  } catch {
    return { runs: 0, covered: 0, counters: 0, message: output };
  }
}

/** Like runCaptured, but shows nothing. */
function runQuietly(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { SANDLOCK_LIBRARY: join(root, 'dist/libsandlock.so'), ...process.env },
  });
  return { status, output: `${stderr}${stdout}${error?.message ?? ''}` };
}

/** Replaces the committed corpus by the fewest inputs that reach what it and the kept ones reach. */
async function keep(names) {
  const rust = await prepare(names);
  for (const name of names) {
    const { runner } = TARGETS[name] ?? {};
    const chosen = join(BUILT, 'chosen', name);
    rmSync(chosen, { recursive: true, force: true });
    mkdirSync(chosen, { recursive: true });
    const own = [join(root, 'fuzz/corpus', name), join(BUILT, 'corpus', name)].filter(existsSync);
    const command =
      runner === 'rust'
        ? [join(rust, name), '-merge=1', '-use_counters=0', chosen, ...own]
        : [
            process.execPath,
            BUNDLE,
            name,
            '0',
            '1',
            chosen,
            join(root, 'fuzz/findings', name),
            ...own,
          ];
    const { status, output } = runQuietly(command[0], command.slice(1));
    if (status !== 0) throw new ScriptError(output);
    rmSync(join(root, 'fuzz/corpus', name), { recursive: true, force: true });
    renameSync(chosen, join(root, 'fuzz/corpus', name));
    console.log(`${name}: ${readdirSync(join(root, 'fuzz/corpus', name)).length} inputs`);
  }
}

async function reproduce(file, names) {
  const [name, ...more] = names;
  if (name === undefined || more.length > 0) throw new ScriptError('name the one target');
  const rust = await prepare([name]);
  const { status } =
    TARGETS[name]?.runner === 'rust'
      ? await runCaptured(join(rust, name), [file])
      : await runCaptured(process.execPath, [BUNDLE, name, '--reproduce', file]);
  process.exitCode = status;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(async (args) => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        seconds: { type: 'string', default: '20' },
        seed: { type: 'string', default: '1' },
        reproduce: { type: 'string' },
        keep: { type: 'boolean', default: false },
      },
    });
    install();
    await build(['policy', 'native']);
    const names = positionals.length === 0 ? Object.keys(TARGETS) : positionals;
    if (values.reproduce !== undefined) return reproduce(values.reproduce, positionals);
    if (values.keep) return keep(names);
    const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
    if (!(seconds > 0) || !Number.isInteger(seed)) throw new ScriptError('seconds or seed?');
    const { passed, failed } = await fuzz({ seconds, seed, names });
    console.log(`${passed} passed, ${failed} failed`);
    process.exitCode = failed === 0 ? 0 : 1;
  });
}
