// What the rows of the benchmark stand on: a directory of their own, C programs, tables, a sink for traffic, and
// repetitions that interleave. It measures nothing and knows no goal.
//
// Drift is the enemy: the same figure moves by a tenth from one minute to the next. So the ways
// that are compared take turns within every repetition, and a ratio is the median of the ratios of
// neighbours, never a ratio of figures of different minutes.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// What the shell has for Node is for all that are compared, and would be measured with them: to read
// NODE_EXTRA_CA_CERTS alone takes Node longer than all else of its start, and hides what is beside it.
for (const name of Object.keys(process.env)) {
  if (name.startsWith('NODE_')) delete process.env[name];
}

/** The repository. */
export const root = join(import.meta.dirname, '..');

/**
 * One line of the result. The goal is met when `value` is at most (`atLeast`: at least) `limit`; a
 * row without a limit is only told.
 * @typedef {object} Row
 * @property {string} goal which of the goals in bench/README.md, `1` … `23`
 * @property {string} what what is compared, `connect / floor`
 * @property {number | undefined} value undefined: what it takes was not given
 * @property {number} [limit]
 * @property {boolean} [atLeast]
 * @property {string} [unit] of `value`; none: a ratio
 * @property {string} [figures] what was measured, for a reader: never compare it with another run's
 * @property {string} [why] why this machine, or any, can not meet the goal, with the figure that
 *   shows it; printed when it is missed
 */

/**
 * A file of rows/ exports one of these as `group`.
 * @typedef {object} Group
 * @property {string} title
 * @property {(stage: Stage) => Row[] | Promise<Row[]>} measure
 */

/** @typedef {ReturnType<typeof createStage>} Stage */

/**
 * Everything that rows share; `close` removes it. `ranges` is where the ranges of addresses lie
 * that bench/README.md tells how to get.
 */
export function createStage(repetitions, ranges) {
  const directory = mkdtempSync(join(tmpdir(), 'sandlock-bench-'));
  const programs = new Map();
  /** @type {Promise<Sink> | undefined} */
  let sink;

  /** Compiles bench/NAME.c, once; returns the program's path. */
  function compile(name, ...flags) {
    const known = programs.get(name);
    if (known !== undefined) return known;
    const program = join(directory, name);
    const source = join(root, 'bench', `${name}.c`);
    const options = ['-O2', '-Wall', '-Wextra', ...flags, '-o', program, source, '-pthread'];
    execFileSync('cc', options, { stdio: 'inherit' });
    programs.set(name, program);
    return program;
  }

  return {
    repetitions,
    ranges,
    directory,
    compile,
    /** The command line. */
    sandlock: [process.execPath, join(root, 'dist/sandlock.cjs')],

    /** Compiles a policy of these rules; `more` is what else stands in [network]. Returns the table's path. */
    table(name, allow, more = '') {
      const source = join(directory, `${name}.toml`);
      const table = join(directory, `${name}.bin`);
      writeFileSync(source, `[network]\nallow = ${JSON.stringify(allow)}\n${more}\n`);
      run([...this.sandlock, 'compile', source, '-o', table], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      return table;
    },

    /** How a command is run under that table, by the command line in Node. */
    under(table) {
      return [...this.sandlock, 'exec', table, '--quiet', '--'];
    },

    /** Where traffic goes: its ports for TCP and UDP. Started when first asked for. */
    async ports() {
      sink ??= startSink(compile('sink'));
      return (await sink).ports;
    },

    async close() {
      (await sink)?.child.stdin.end();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/**
 * @typedef {{ child:
 *   import('node:child_process').ChildProcessByStdio<import('node:stream').Writable,
 *   import('node:stream').Readable, null>, ports: number[] }} Sink
 */

/** @returns {Promise<Sink>} */
async function startSink(program) {
  const child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
  const text = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.stdout.once('data', resolve);
  });
  return { child, ports: String(text).trim().split(' ').map(Number) };
}

/** Ten rules, among them the two that the programs of the benchmark need; `host` is where they call. */
export function tenRules([tcp, udp], host = '127.0.0.1') {
  const others = Array.from({ length: 4 }, (_, i) => [
    `tcp://10.${i}.0.0/16:443,8000-8999`,
    `udp://192.168.${i}.0/24:53`,
  ]).flat();
  return [...others, `${host}:${tcp}`, `udp://${host}:${udp}`];
}

/** Runs a program to its end and returns what it printed; its failure is an error. @param {any[]} command */
export function run(command, options = {}) {
  const [program = '', ...args] = command;
  return execFileSync(program, args.map(String), {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  });
}

/** Milliseconds from start to end of a program. @param {any[]} command */
export function time(command, options = {}) {
  const [program = '', ...args] = command;
  const before = process.hrtime.bigint();
  const { status, error } = spawnSync(program, args.map(String), { stdio: 'ignore', ...options });
  const ms = Number(process.hrtime.bigint() - before) / 1e6;
  if (status !== 0) throw error ?? new Error(`${program} ${args.join(' ')} ended with ${status}`);
  return ms;
}

/**
 * Calls every way once in each repetition, in turn. A way returns a number, or several by name.
 * @template {string} K
 * @param {number} repetitions
 * @param {Record<K, () => any>} ways
 * @returns {Record<K, any[]>} the results of each way, in order
 */
export function interleave(repetitions, ways) {
  const names = /** @type {K[]} */ (Object.keys(ways));
  const results = /** @type {any} */ (Object.fromEntries(names.map((n) => [n, []])));
  for (let i = 0; i < repetitions; i++) for (const name of names) results[name].push(ways[name]());
  return results;
}

/** The median of the ratios of what was measured side by side. */
export function ratio(over, under) {
  return median(over.map((value, i) => value / under[i]));
}

/**
 * Why a ratio to the floor can be out of reach: what it costs the floor itself to be in a session
 * of its own, as the supervisor has to be (docs/enforcement.md §2). Where the kernel groups by
 * session (kernel.sched_autogroup_enabled, and no control group for processors), each call then
 * changes from one group to another and back.
 */
export function whyApart(over, under) {
  const times = ratio(over, under).toFixed(2);
  return `the supervisor is in a session of its own, by which the kernel may group what it schedules: in one of its own the floor takes ${times} times as long`;
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
