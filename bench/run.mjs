// `npm run bench`: what supervision costs. The same client measures connect and sends bare, under the C floor (floor.c:
// the least any such supervisor does) and under `sandlock exec`, in repetitions that interleave the three; medians are
// put beside each other as ratios, with the goals. Only ratios of one run mean anything, and nothing here fails a build.
// `npm run bench -- REPETITIONS` (default 11).

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const launcher = [process.execPath, join(root, 'dist/sandlock.cjs')];

/** Operation, bytes, calls in one repetition, and the goals: a ratio to the floor and one to bare. */
const OPERATIONS = [
  { name: 'connect', bytes: 0, calls: 3840, toFloor: 1.1, toBare: 2 },
  { name: 'sendto', bytes: 64, calls: 20_000, toFloor: 1.15, toBare: 6 },
  { name: 'sendto', bytes: 1400, calls: 20_000, toFloor: 1.15, toBare: undefined },
  { name: 'sendmsg', bytes: 64, calls: 20_000, toFloor: 1.2, toBare: 7 },
  { name: 'send', bytes: 64, calls: 50_000, toFloor: undefined, toBare: 1.1 },
];
const P99_TO_FLOOR = 1.5;
const START_TO_NODE = 1.1;

const repetitions = Number(process.argv[2] ?? 11);
const directory = mkdtempSync(join(tmpdir(), 'sandlock-bench-'));
const sink = await startSink();
try {
  await main();
} finally {
  sink.child.stdin.end();
  rmSync(directory, { recursive: true, force: true });
}

async function main() {
  const table = compilePolicy();
  const client = compile('client');
  const wraps = {
    bare: [],
    floor: [compile('floor')],
    sandlock: [...launcher, 'exec', table, '--quiet', '--'],
  };
  console.log(`${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} CPUs, Linux ${release()}`);
  console.log(`${repetitions} interleaved repetitions; medians of nanoseconds per call\n`);
  console.log(row(['', 'bare', 'C floor', 'sandlock', '/ floor', '/ bare', 'p99 / floor']));
  for (const operation of OPERATIONS) report(operation, measure(operation, wraps, client));
  reportStart(table);
}

/** Median and p99 of every repetition, for each way of running. @returns {Record<string, any>} */
function measure({ name, bytes, calls }, wraps, client) {
  /** @type {Record<string, number[][]>} */
  const results = Object.fromEntries(Object.keys(wraps).map((way) => [way, []]));
  for (let i = 0; i < repetitions; i++) {
    for (const [way, wrap] of Object.entries(wraps)) {
      const args = [...wrap, client, name, bytes, calls, '127.0.0.1', ...sink.ports].map(String);
      const text = execFileSync(args[0] ?? '', args.slice(1), { encoding: 'utf8' });
      results[way]?.push(text.trim().split(' ').map(Number));
    }
  }
  return Object.fromEntries(
    Object.entries(results).map(([way, pairs]) => [
      way,
      { ns: median(pairs.map(([ns = 0]) => ns)), p99: median(pairs.map(([, p99 = 0]) => p99)) },
    ]),
  );
}

function report({ name, bytes, toFloor, toBare }, results) {
  const { bare, floor, sandlock } = results;
  console.log(
    row([
      bytes > 0 ? `${name} ${bytes} B` : name,
      ...[bare.ns, floor.ns, sandlock.ns].map((ns) => ns.toFixed(0)),
      judged(sandlock.ns / floor.ns, toFloor),
      judged(sandlock.ns / bare.ns, toBare),
      judged(sandlock.p99 / floor.p99, name === 'connect' ? P99_TO_FLOOR : undefined),
    ]),
  );
}

/** The whole of `sandlock exec TABLE -- true` beside an empty node. */
function reportStart(table) {
  const ways = {
    node: [process.execPath, '-e', '0'],
    sandlock: [...launcher, 'exec', table, '--', '/bin/true'],
  };
  /** @type {Record<string, number[]>} */
  const times = { node: [], sandlock: [] };
  for (let i = 0; i < repetitions * 2; i++) {
    for (const [way, [program = '', ...args]] of Object.entries(ways)) {
      const before = process.hrtime.bigint();
      const { status } = spawnSync(program, args, { stdio: 'ignore' });
      if (status !== 0) throw new Error(`${way} ended with ${status}`);
      times[way]?.push(Number(process.hrtime.bigint() - before) / 1e6);
    }
  }
  const [empty, whole] = [median(times.node ?? []), median(times.sandlock ?? [])];
  const verdict = judged(whole / empty, START_TO_NODE);
  console.log(
    `\nstart to end of /bin/true: ${whole.toFixed(1)} ms, node -e 0: ${empty.toFixed(1)} ms, ratio ${verdict}`,
  );
}

/** A ratio with its goal: `1.08 ≤ 1.1 ok`; a ratio without a goal stands alone. */
function judged(ratio, goal) {
  if (goal === undefined) return ratio.toFixed(2);
  return `${ratio.toFixed(2)} ≤ ${goal} ${ratio <= goal ? 'ok' : 'MISSED'}`;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function row(cells) {
  return cells
    .map((cell, i) => (i === 0 ? cell.padEnd(14) : cell.padStart(i < 4 ? 9 : 20)))
    .join('');
}

function compile(name) {
  const program = join(directory, name);
  execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-o', program, join(root, 'bench', `${name}.c`)], {
    stdio: 'inherit',
  });
  return program;
}

/** Ten rules, among them the two that the client needs. */
function compilePolicy() {
  const others = Array.from({ length: 4 }, (_, i) => [
    `tcp://10.${i}.0.0/16:443,8000-8999`,
    `udp://192.168.${i}.0/24:53`,
  ]).flat();
  const [tcp, udp] = sink.ports;
  const allow = [...others, `127.0.0.1:${tcp}`, `udp://127.0.0.1:${udp}`];
  const source = join(directory, 'policy.toml');
  const table = join(directory, 'policy.bin');
  writeFileSync(source, `[network]\nallow = ${JSON.stringify(allow)}\n`);
  const [program = '', ...args] = [...launcher, 'compile', source, '-o', table];
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  return table;
}

async function startSink() {
  const child = spawn(compile('sink'), [], { stdio: ['pipe', 'pipe', 'inherit'] });
  const text = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.stdout.once('data', resolve);
  });
  return { child, ports: String(text).trim().split(' ').map(Number) };
}
