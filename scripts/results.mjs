// What the run of a test runner came to, `{ passed, failed, failures }`: how many tests passed and
// failed, and of those that failed their names and messages, as far as the runner tells them. It
// knows nothing of what was tested. A runner that died, or ended with a bad status and no failure,
// has one failure.

import { readFileSync } from 'node:fs';

/** Lines of a failure that are told. */
const MOST_LINES = 12;

/**
 * What vitest wrote to a report. A file that could not be loaded has no tests, and a skipped test
 * shows nothing: both are failures.
 */
export function ofVitest(path, status) {
  let report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, failures: ['no report was written'] };
  }
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  const failures = tests
    .filter((test) => test.status === 'failed')
    .map((test) => `${test.fullName}\n${test.failureMessages.join('\n')}`);
  const unloaded = report.testResults
    .filter((file) => file.status === 'failed')
    .filter((file) => !file.assertionResults.some((test) => test.status === 'failed'))
    .map((file) => `${file.name}\n${file.message}`);
  const skipped = tests
    .filter((test) => test.status !== 'failed' && test.status !== 'passed')
    .map((test) => `${test.fullName}\nwas skipped`);
  return withStatus(report.numPassedTests, [...failures, ...unloaded, ...skipped], status);
}

/** What `cargo test` printed: a line for each program of tests, and the output of each test that failed. */
export function ofCargo(output, status) {
  const programs = [...output.matchAll(/^test result: .*?(\d+) passed; (\d+) failed/gm)];
  const sum = (column) => programs.reduce((all, found) => all + Number(found[column]), 0);
  const sections = output.split(/^---- (?=.* stdout ----$)/m).slice(1);
  const failures = sections.map((section) => section.replace(' stdout ----', ''));
  return withCount(sum(1), sum(2), failures, status);
}

/** What a script printed that ends with a line of its own, `N passed, N failed`. */
export function ofScript(output, status) {
  const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(output) ?? ['', '0', '1'];
  const failures = output.split('\n').filter((line) => line.includes('FAILED'));
  return withCount(Number(passed), Number(failed), failures, status);
}

/** The failures of a part, each as a name with the beginning of what was said. */
export function told(part, { failures }) {
  return failures.map((text) => {
    const lines = text.trimEnd().split('\n');
    if (lines.length > MOST_LINES) lines.splice(MOST_LINES, lines.length, '…');
    return `FAILED in ${part}: ${lines.join('\n    ')}`;
  });
}

function withStatus(passed, failures, status) {
  return withCount(passed, failures.length, failures, status);
}

/** A runner may know of more failures than it names. */
function withCount(passed, failed, failures, status) {
  const isSilent = status !== 0 && failed === 0;
  const count = isSilent ? 1 : failed;
  const unnamed = count - failures.length;
  const rest = unnamed > 0 ? [`${unnamed} more: see above (it ended with status ${status})`] : [];
  return { passed, failed: count, failures: [...failures, ...rest] };
}
