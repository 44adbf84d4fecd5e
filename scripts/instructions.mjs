// Counts the instructions of a look-up and of the user-space part of a supervised call
// (executor/examples/call.rs, by valgrind's callgrind) and compares them with those recorded in
// instructions.json. Instructions do not depend on what else the machine does; time would.
//
//   node scripts/instructions.mjs           ends with `N passed, N failed`
//   node scripts/instructions.mjs --save    records what was counted
//
// A count is the difference of two runs, one with twice the calls of the other, so that starting up is not in it.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { main, root, run, ScriptError } from './setup.mjs';

const RECORD = join(root, 'scripts/instructions.json');
const TABLE = join(root, 'test/vectors/random.bin');
const KINDS = ['lookup', 'connect', 'sendmsg'];
const CALLS = 20_000;

/** How much more is no regression: compilers differ by less. */
const TOLERANCE = 0.15;
/** The same where another instruction set was recorded. */
const FOREIGN_TOLERANCE = 0.5;

await main((args) => {
  const target = join(root, 'executor/target');
  run('cargo', [
    ...['build', '--release', '--locked', '--quiet', '--features=fuzz', '--example=call'],
    ...[`--manifest-path=${join(root, 'executor/Cargo.toml')}`, `--target-dir=${target}`],
  ]);
  const program = join(target, 'release/examples/call');
  const counted = Object.fromEntries(KINDS.map((kind) => [kind, countOne(program, kind)]));
  if (args.includes('--save')) {
    const record = { architecture: process.arch, instructions: counted };
    writeFileSync(RECORD, `${JSON.stringify(record, null, 2)}\n`);
    return;
  }
  const { architecture, instructions } = JSON.parse(readFileSync(RECORD, 'utf8'));
  const tolerance = architecture === process.arch ? TOLERANCE : FOREIGN_TOLERANCE;
  let failed = 0;
  for (const kind of KINDS) {
    const [now, before] = [counted[kind], instructions[kind]];
    const isMore = !(now <= before * (1 + tolerance));
    if (isMore) failed += 1;
    const verdict = isMore ? `FAILED: more than ${100 * tolerance} % above` : 'ok';
    console.log(`${kind}: ${now} instructions, recorded ${before}: ${verdict}`);
  }
  console.log(`${KINDS.length - failed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
});

/** Instructions of one call, a mean over `CALLS`. */
function countOne(program, kind) {
  const [once, twice] = [CALLS, 2 * CALLS].map((calls) => collect([program, TABLE, kind, calls]));
  return Math.round((twice - once) / CALLS);
}

/** Instructions of a whole run. */
function collect(command) {
  const valgrind = ['--tool=callgrind', '--callgrind-out-file=/dev/null'];
  const { status, stderr, error } = spawnSync('valgrind', [...valgrind, ...command.map(String)], {
    encoding: 'utf8',
  });
  const found = /Collected : (\d+)/.exec(stderr ?? '');
  if (status !== 0 || found === null) {
    throw new ScriptError(`valgrind ${command.join(' ')}: ${error?.message ?? stderr}`);
  }
  return Number(found[1]);
}
