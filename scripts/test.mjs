// `npm test`: from a fresh clone to one line, `N passed, N failed`, added up over every runner. It fails
// when a test failed, when a runner ended without saying how many tests it ran, and when a program
// that the tests need is missing; nothing is skipped for want of a tool. Whatever failed is named again at
// the end, with its message, so that the last lines of a long run say what is to be mended.
//
// `npm test -- unit` (or rust, e2e, launcher, held, walls, fidelity, hostile, hosts, compat, names,
// docs, playground, fuzz, instructions) runs one part.

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { ofCargo, ofScript, ofVitest, told } from './results.mjs';
import { install, main, missingTools, root, runCaptured, ScriptError } from './setup.mjs';
import { installSystemPackages } from './system-packages.mjs';

/** Suites that run real programs, each started by its own run.mjs in a PID namespace. */
const SUITES = [
  'e2e',
  'walls',
  'fidelity',
  'hostile',
  'hosts',
  'compat',
  'names',
  'docs',
  'playground',
];

const RUNNERS = {
  unit: runUnit,
  rust: runRust,
  ...Object.fromEntries(SUITES.map((name) => [name, () => runSuite(name)])),
  launcher: () => runSuite('e2e', '--native', ...NATIVE),
  held: () => runSuite('fidelity', '--held'),
  fuzz: () => runScript('fuzz', '--seconds', FUZZ_SECONDS),
  instructions: () => runScript('instructions'),
};

/**
 * Files of the end-to-end tests that are run once more by the launcher without Node: those about
 * processes, signals and calls.
 */
const NATIVE = ['terminal', 'kill', 'fidelity', 'messages'];

/** How long each fuzz target runs, in seconds. */
const FUZZ_SECONDS = '5';

/** Programs the build and the tests start. */
const TOOLS = [
  'cargo',
  'c++',
  'cc',
  'curl',
  'git',
  'ip',
  'nc',
  'prlimit',
  'python3',
  'setpriv',
  'socat',
  'strace',
  'unshare',
  'valgrind',
];

await main(async (names) => {
  const parts = names.length === 0 ? Object.keys(RUNNERS) : names;
  const unknown = parts.find((name) => !Object.hasOwn(RUNNERS, name));
  if (unknown !== undefined) throw new ScriptError(`no tests named ${unknown}`);

  const total = { passed: 0, failed: 0 };
  const failures = [];
  const needsPrograms = parts.some(
    (name) => SUITES.includes(name) || ['launcher', 'instructions'].includes(name),
  );
  if (needsPrograms) installSystemPackages();
  const missing = missingTools(needsPrograms ? TOOLS : ['cargo', 'cc']);
  for (const line of missing) console.error(line);
  if (missing.length === 0) {
    await buildOnce();
    for (const name of parts) {
      const result = await RUNNERS[name]();
      total.passed += result.passed;
      total.failed += result.failed;
      failures.push(...told(name, result));
    }
  } else {
    total.failed = missing.length;
  }
  if (failures.length > 0) console.log(`\n${failures.join('\n')}\n`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
  process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
});

async function buildOnce() {
  try {
    install();
    await build();
  } catch (error) {
    console.error(error instanceof ScriptError ? error.message : error);
    console.log('0 passed, 1 failed');
    process.exit(1);
  }
  mkdirSync(join(root, 'build'), { recursive: true });
  process.env.SANDLOCK_BUILT = '1';
}

async function runUnit() {
  const report = freshReport('unit');
  const { status } = await runCaptured(process.execPath, [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project=unit',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]);
  return ofVitest(report, status);
}

async function runSuite(name, ...more) {
  const report = freshReport([name, ...more].join(''));
  const { status } = await runCaptured(process.execPath, [
    `test/${name}/run.mjs`,
    ...['--json', report, ...more],
  ]);
  return ofVitest(report, status);
}

/** A script that ends with a line of its own, `N passed, N failed`. */
async function runScript(name, ...args) {
  const { status, output } = await runCaptured(process.execPath, [`scripts/${name}.mjs`, ...args]);
  return ofScript(output, status);
}

async function runRust() {
  const { status, output } = await runCaptured('cargo', [
    'test',
    '--release',
    '--locked',
    '--quiet',
    '--manifest-path=executor/Cargo.toml',
    '--target-dir=executor/target',
  ]);
  return ofCargo(output, status);
}

function freshReport(name) {
  const path = join(root, 'build', `test-${name}.json`);
  rmSync(path, { force: true });
  return path;
}
