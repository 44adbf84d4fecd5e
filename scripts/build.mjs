// Builds everything into dist/: `npm run build`, or some parts of it: `node scripts/build.mjs policy native`.
//
//   policy     policy/ → build/policy.{release,debug}.wasm, dist/policy.wasm
//   generated  the copies of shared facts (constants, schema, error codes, manual)
//   native     executor/ → dist/libsandlock.so, dist/sandlock-exec
//   bundle     src/ and compiler/ → dist/*.cjs and what V8 makes of them (*.cache), dist/index.js, dist/types
//   playground docs/playground/ → dist/playground, a page with the compiler in it
//
// A file of dist/ is replaced by renaming, never written in place: a running sandlock may have it mapped.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { install, main, root, run, ScriptError } from './setup.mjs';

/** The generators; each also takes `--check`. */
export const GENERATORS = ['gen-format', 'gen-schema', 'gen-errors', 'gen-man', 'gen-stages'];

const PARTS = {
  generated: buildGenerated,
  policy: buildPolicy,
  native: buildNative,
  bundle: buildBundle,
  playground: buildPlayground,
};

/** Builds the named parts, or all, in the order in which they need each other. */
export async function build(names = []) {
  for (const name of names) {
    if (!Object.hasOwn(PARTS, name)) {
      throw new ScriptError(`no part named ${name}; parts: ${Object.keys(PARTS).join(', ')}`);
    }
  }
  for (const [name, part] of Object.entries(PARTS)) {
    if (names.length === 0 || names.includes(name)) await part();
  }
}

async function buildPolicy() {
  // The name is not a literal, because the types of asc bring its own `console` into every script.
  const name = 'assemblyscript/asc';
  const { main: compile } = await import(name);
  for (const target of ['release', 'debug']) {
    const { error, stderr } = await compile(['--config', 'asconfig.json', '--target', target], {
      writeFile: (name, contents, base) => replaceFile(resolve(root, base, name), contents),
    });
    if (error) throw new ScriptError(`asc --target ${target}: ${error.message}\n${stderr}`);
  }
  copyFile('build/policy.release.wasm', 'dist/policy.wasm');
}

function buildGenerated() {
  for (const name of GENERATORS) run(process.execPath, [`scripts/${name}.mjs`]);
}

function buildNative() {
  const options = ['--locked', '--quiet', '--manifest-path=executor/Cargo.toml'];
  const cargo = ['rustc', ...options, '--target-dir=executor/target'];
  // Stays mapped for good: a worker thread of Node that ends gives up what it has loaded, while the
  // front thread of its sandbox still runs.
  const library = ['--release', '--lib', '--crate-type=cdylib'];
  run('cargo', [...cargo, ...library, '--', '-C', 'link-arg=-Wl,-z,nodelete']);
  const { target, flags } = programLinkage();
  const triple = target === undefined ? [] : [`--target=${target}`];
  run('cargo', [...cargo, ...triple, '--profile=program', '--bin=sandlock-exec', '--', ...flags]);
  copyFile('executor/target/release/libsandlock.so', 'dist/libsandlock.so');
  const program = join('executor/target', target ?? '', 'program/sandlock-exec');
  copyFile(program, 'dist/sandlock-exec', 0o755);
}

/**
 * How the program is linked: with musl, which Rust brings along where its target is installed.
 * Nothing is loaded when it starts, and glibc, which first asks the processor some dozen questions
 * (0.2 ms on a virtual machine, where each is the host's to answer), has no part in it. Else with
 * what there is: everything works, and a start takes longer.
 */
function programLinkage() {
  const cpu = { x64: 'x86_64', arm64: 'aarch64' }[process.arch];
  const target = `${cpu}-unknown-linux-musl`;
  const print = spawnSync('rustc', ['--print=target-libdir', `--target=${target}`]);
  if (print.status === 0 && existsSync(print.stdout.toString().trim())) {
    return { target, flags: packedRelocations(target) };
  }
  const fix = `\`rustup target add ${target}\``;
  const probe = ['-static', '-x', 'c', '-', '-o', '/dev/null'];
  const { status } = spawnSync('cc', probe, { input: 'int main(void) { return 0; }' });
  if (status === 0) {
    console.error(`note: dist/sandlock-exec has glibc in it; with musl (${fix}) it starts sooner`);
    return { flags: ['-C', 'target-feature=+crt-static'] };
  }
  console.error(
    `note: with neither musl (${fix}) nor libc.a dist/sandlock-exec needs the C library of this machine, and starts later`,
  );
  return { flags: [] };
}

/**
 * What the program corrects in itself when it starts, in a hundredth of the room: 40 µs of a start.
 * musl can do so from 1.2.4 on, which Rust brings along from 1.93 on, and older linkers do not know
 * it; so a program with something to correct is tried.
 * @param {string} target
 */
function packedRelocations(target) {
  const flags = ['-C', 'link-arg=-Wl,-z,pack-relative-relocs'];
  const directory = mkdtempSync(join(tmpdir(), 'sandlock-build-'));
  try {
    const program = join(directory, 'program');
    const rustc = ['-', '-o', program, `--target=${target}`, '--crate-name=program', ...flags];
    const input =
      'static WORD: &&str = &"word"; fn main() { assert_eq!(std::hint::black_box(WORD), &"word") }';
    const built = spawnSync('rustc', rustc, { input });
    return built.status === 0 && spawnSync(program).status === 0 ? flags : [];
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function buildBundle() {
  /** @type {import('esbuild').BuildOptions & { write: false }} */
  const shared = {
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    external: ['ffi-rs'],
    legalComments: 'eof',
    write: false,
    logLevel: 'error',
  };
  // The command line is cut where `exec` of a compiled table stops needing code: parsing one big file cost 15 % of
  // node's start. Each of these modules is a file of its own, wherever it is imported.
  /** @type {import('esbuild').BuildOptions & { write: false }} */
  const commandLine = {
    ...shared,
    format: 'cjs',
    supported: { 'dynamic-import': false },
    define: { 'import.meta.dirname': '__dirname', 'import.meta.filename': '__filename' },
    minify: true,
    plugins: [ownFile, withoutPrograms],
  };
  const version = JSON.stringify(
    JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version,
  );
  const { build: bundle } = await import('esbuild');
  const outputs = await Promise.all([
    bundle({
      ...commandLine,
      entryPoints: ['src/sandlock.ts'],
      outfile: 'dist/sandlock.cjs',
      banner: { js: '#!/usr/bin/env node' },
      define: { ...commandLine.define, SANDLOCK_VERSION: version },
    }),
    ...LAZY.map((name) =>
      bundle({
        ...commandLine,
        entryPoints: [`src/${name}.ts`],
        outfile: `dist/${basename(name)}.cjs`,
      }),
    ),
    bundle({
      ...shared,
      format: 'esm',
      entryPoints: ['src/index.ts'],
      outfile: 'dist/index.js',
      // binding.ts requires ffi-rs, which is CommonJS.
      banner: {
        js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);",
      },
    }),
  ]);
  // The first line of what is loaded by src/bundle-file.ts says which text it is.
  for (const { path, contents, text } of outputs.flatMap((output) => output.outputFiles)) {
    const isLazy = LAZY.some((name) => path.endsWith(`/${basename(name)}.cjs`));
    if (isLazy && contents.length > text.length) throw new ScriptError(`${path} is not ASCII`);
    const bytes = isLazy
      ? `//${createHash('sha256').update(text).digest('hex')}\n${text}`
      : contents;
    replaceFile(path, bytes, path.endsWith('sandlock.cjs') ? 0o755 : 0o644);
  }
  run(process.execPath, ['scripts/code-cache.mjs']);
  run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.types.json']);
}

async function buildPlayground() {
  const { build: bundle } = await import('esbuild');
  const { outputFiles } = await bundle({
    absWorkingDir: root,
    entryPoints: ['docs/playground/main.ts'],
    outfile: 'dist/playground/playground.js',
    bundle: true,
    minify: true,
    format: 'iife',
    target: 'es2022',
    // policy.wasm is part of the program, so that the page also works where nothing can be fetched: opened as a file.
    loader: { '.wasm': 'binary', '.toml': 'text', '.txt': 'text' },
    legalComments: 'eof',
    write: false,
    logLevel: 'error',
  });
  for (const { path, contents } of outputFiles) replaceFile(path, contents);
  for (const name of ['index.html', 'style.css']) {
    copyFile(`docs/playground/${name}`, `dist/playground/${name}`);
  }
}

/** Modules of src/ that become files of their own, loaded when first needed. */
const LAZY = [
  'commands',
  'commands/check',
  'commands/compile',
  'commands/others',
  'compiling',
  'exec',
  'suffixes',
];

const ownFile = {
  name: 'own-file',
  setup(bundler) {
    const filter = new RegExp(`/(${LAZY.join('|')})\\.ts$`);
    bundler.onResolve({ filter }, ({ kind, path }) =>
      kind === 'entry-point' ? undefined : { path: basename(path, '.ts'), namespace: 'own-file' },
    );
    bundler.onLoad({ filter: /./, namespace: 'own-file' }, ({ path }) => ({
      contents: `module.exports = require('./bundle-file.ts').loadBundleFile('${path}');`,
      resolveDir: join(root, 'src'),
    }));
  },
};

/**
 * commander can start subcommands that are programs of their own. There are none, and
 * node:child_process takes a tenth of Node's own start to load.
 */
const withoutPrograms = {
  name: 'without-programs',
  setup(bundler) {
    bundler.onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      importer.includes('/commander/') ? { path: 'none', namespace: 'none' } : undefined,
    );
    bundler.onLoad({ filter: /^none$/, namespace: 'none' }, () => ({
      contents: 'module.exports = {};',
    }));
  },
};

function copyFile(from, to, mode = 0o644) {
  replaceFile(join(root, to), readFileSync(join(root, from)), mode);
}

/** Writes beside the file and renames; leaves a file that already has these contents alone. */
function replaceFile(path, contents, mode = 0o644) {
  const bytes = Buffer.from(contents);
  try {
    if (readFileSync(path).equals(bytes)) return;
  } catch {
    mkdirSync(dirname(path), { recursive: true });
  }
  const beside = `${path}.${process.pid}`;
  try {
    writeFileSync(beside, bytes, { mode });
    chmodSync(beside, mode);
    renameSync(beside, path);
  } finally {
    rmSync(beside, { force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main((names) => {
    install();
    return build(names);
  });
}
