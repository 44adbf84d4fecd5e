/** What the runners printed, as one count. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ofCargo, ofScript, ofVitest, told } from '../../scripts/results.mjs';

const folder = mkdtempSync(join(tmpdir(), 'sandlock-results-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function report(testResults, numPassedTests) {
  const path = join(folder, 'report.json');
  writeFileSync(path, JSON.stringify({ numPassedTests, testResults }));
  return path;
}

const passing = { fullName: 'a b', status: 'passed', failureMessages: [] };
const failing = { fullName: 'a c', status: 'failed', failureMessages: ['expected 1\nat line 2'] };

it('counts a test that failed, one that was skipped and a file that was not loaded', () => {
  const path = report(
    [
      {
        status: 'failed',
        assertionResults: [passing, failing, { fullName: 'a d', status: 'todo' }],
      },
      { status: 'failed', name: 'x.test.ts', message: 'no such module', assertionResults: [] },
    ],
    1,
  );
  expect(ofVitest(path, 1)).toEqual({
    passed: 1,
    failed: 3,
    failures: ['a c\nexpected 1\nat line 2', 'x.test.ts\nno such module', 'a d\nwas skipped'],
  });
});

it('takes a bad status for a failure, and a report that is missing', () => {
  const path = report([{ status: 'passed', assertionResults: [passing] }], 1);
  expect(ofVitest(path, 0)).toEqual({ passed: 1, failed: 0, failures: [] });
  expect(ofVitest(path, 137)).toMatchObject({ passed: 1, failed: 1 });
  expect(ofVitest(join(folder, 'none.json'), 0)).toMatchObject({ passed: 0, failed: 1 });
});

it('adds the programs of cargo up and names what failed', () => {
  const output = `
running 3 tests
.F.
failures:

---- table::tests::searches stdout ----
thread panicked at table.rs:3:
assertion failed

failures:
    table::tests::searches

test result: FAILED. 2 passed; 1 failed; 0 ignored
test result: ok. 4 passed; 0 failed; 0 ignored
`;
  const { passed, failed, failures } = ofCargo(output, 101);
  expect([passed, failed, failures.length]).toEqual([6, 1, 1]);
  expect(failures[0]).toMatch(/^table::tests::searches\nthread panicked at table.rs:3:/);
  expect(ofCargo('error: could not compile', 101)).toMatchObject({ passed: 0, failed: 1 });
});

it('believes a script its last line, and one without it nothing', () => {
  expect(ofScript('ok  dns\nFAILED  table  reached nothing\n1 passed, 1 failed\n', 1)).toEqual({
    passed: 1,
    failed: 1,
    failures: ['FAILED  table  reached nothing'],
  });
  expect(ofScript('killed', 137)).toMatchObject({ passed: 0, failed: 1 });
});

it('tells the beginning of a failure', () => {
  const long = Array.from({ length: 40 }, (_, line) => `line ${line}`).join('\n');
  const [text] = told('unit', { failures: [long] });
  expect(text).toMatch(/^FAILED in unit: line 0\n {4}line 1\n.*\n {4}…$/s);
  expect(text?.split('\n')).toHaveLength(13);
});
