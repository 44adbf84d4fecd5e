// `npm test`: from a fresh clone to one line, `N passed, N failed`, added up over every runner. It fails
// when a test failed, when a runner ended without saying how many tests it ran, and when a program
// that the tests need is missing; nothing is skipped for want of a tool.
//
// `npm test -- unit` (or rust, e2e, launcher, held, walls, fidelity, hostile, hosts, compat, names, docs, playground, fuzz, instructions) runs one part.

import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
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

/** Files of the end-to-end tests that are run once more by the launcher without Node: those about processes, signals and calls. */
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
  const needsPrograms = parts.some(
    (name) => SUITES.includes(name) || ['launcher', 'instructions'].includes(name),
  );
  if (needsPrograms) installSystemPackages();
  const missing = missingTools(needsPrograms ? TOOLS : ['cargo', 'cc']);
  for (const line of missing) console.error(line);
  if (missing.length === 0) {
    await buildOnce();
    for (const name of parts) {
      const { passed, failed } = await RUNNERS[name]();
      total.passed += passed;
      total.failed += failed;
    }
  } else {
    total.failed = missing.length;
  }
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
  return readReport(report, status);
}

async function runSuite(name, ...more) {
  const report = freshReport([name, ...more].join(''));
  const { status } = await runCaptured(process.execPath, [
    `test/${name}/run.mjs`,
    ...['--json', report, ...more],
  ]);
  return readReport(report, status);
}

/** A script that ends with a line of its own, `N passed, N failed`. */
async function runScript(name, ...args) {
  const { status, output } = await runCaptured(process.execPath, [`scripts/${name}.mjs`, ...args]);
  const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(output) ?? ['', '0', '1'];
  return withStatus({ passed: Number(passed), failed: Number(failed) }, status);
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
  const count = { passed: 0, failed: 0 };
  for (const [, passed, failed] of output.matchAll(
    /^test result: .*?(\d+) passed; (\d+) failed/gm,
  )) {
    count.passed += Number(passed);
    count.failed += Number(failed);
  }
  return withStatus(count, status);
}

function freshReport(name) {
  const path = join(root, 'build', `test-${name}.json`);
  rmSync(path, { force: true });
  return path;
}

/** A test file that could not be loaded has no tests; it counts as one failure, as does a runner that died. */
function readReport(path, status) {
  let report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return { passed: 0, failed: 1 };
  }
  const unloaded = report.testResults.filter(
    (file) =>
      file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  const skipped = report.numPendingTests + report.numTodoTests;
  if (skipped > 0) console.error(`${skipped} tests were skipped; they count as failed`);
  const failed = report.numFailedTests + unloaded.length + skipped;
  return withStatus({ passed: report.numPassedTests, failed }, status);
}

function withStatus({ passed, failed }, status) {
  return { passed, failed: status !== 0 && failed === 0 ? 1 : failed };
}
