// Goals 13, 14 and 19: look-ups in tables of a million prefixes, and their check, beside the same
// lists in C (table-floor.c), which keeps no rules, checks nothing and explains nothing.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { interleave, median, ratio, root, run } from '../frame.mjs';
import { list } from '../lists.mjs';

const SIZE = 1_000_000;
const KEYS = 1 << 20;

/** A list, its goal: nanoseconds of a look-up that waits for the one before. */
const LISTS = [
  { kind: 'bgp-v4', name: 'IPv4, routed', ns: 60 },
  { kind: 'hosts-v4', name: 'IPv4 /32, random', ns: 90 },
  { kind: 'bgp-v6', name: 'IPv6, routed', ns: 90 },
  { kind: '64-v6', name: 'IPv6 /64', ns: 90 },
  { kind: 'hosts-v6', name: 'IPv6 /128', ns: undefined },
];
const HOT_NS = 25;

export const group = {
  title: 'Tables of a million prefixes',
  async measure(stage) {
    const floor = stage.compile('table-floor', '-O3', '-march=native');
    const reader = buildReader();
    const rows = [];
    for (const entry of LISTS) {
      const made = makeList(stage, entry.kind, SIZE);
      rows.push(...lookUps(stage, entry, made, floor, reader));
    }
    rows.push(...opening(stage, floor, reader));
    return rows.sort((a, b) => Number(a.goal) - Number(b.goal));
  },
};

/** The executor's reader by itself. */
function buildReader() {
  const cargo = ['cargo', 'build', '--release', '--locked', '--quiet', '--example', 'table'];
  const place = ['--manifest-path=executor/Cargo.toml', '--target-dir=executor/target'];
  run([...cargo, '--features', 'fuzz', ...place], { cwd: root });
  return join(root, 'executor/target/release/examples/table');
}

/** A list as a file, and the policy that allows port 443 of it, compiled. */
function makeList(stage, kind, size) {
  const file = join(stage.directory, `${kind}-${size}.txt`);
  const policy = join(stage.directory, `${kind}-${size}.toml`);
  const table = join(stage.directory, `${kind}-${size}.bin`);
  writeFileSync(file, list(kind, size));
  writeFileSync(
    policy,
    `[network]\nallow = ["@list:443"]\n[sets]\nlist = { file = ${JSON.stringify(file)} }\n`,
  );
  run([...stage.sandlock, 'compile', policy, '-o', table], { stdio: 'ignore' });
  return { file, policy, table };
}

function lookUps(stage, { name, ns }, { file, table }, floor, reader) {
  const keys = `${file}.keys`;
  run([floor, 'keys', file, KEYS, keys]);
  const numbers = (command) => run(command).trim().split(' ').map(Number);
  const { c, own } = interleave(stage.repetitions, {
    c: () => numbers([floor, 'lookup', file, keys]),
    own: () => numbers([reader, 'lookup', table, keys]),
  });
  const column = (results, i) => results.map((result) => result[i]);
  const [chained, hot] = [column(own, 0), column(own, 1)];
  const figures = `own ${median(chained).toFixed(0)}, C ${median(column(c, 0)).toFixed(0)}, plain search ${median(column(c, 2)).toFixed(0)} ns`;
  const why = `the floor itself takes ${median(column(c, 0)).toFixed(0)} ns here: it is the memory that takes the time`;
  const more =
    'own look-ups also choose protocol and family, search the ports and check every place';
  const hotWhy = `the floor itself takes ${median(column(c, 1)).toFixed(0)} ns; ${more}`;
  return [
    {
      goal: '13',
      what: `${name}: look-up / C`,
      value: ratio(chained, column(c, 0)),
      limit: 1.5,
      figures,
      why: `${more}, and the floor is compiled for one kind of list`,
    },
    { goal: '13', what: `${name}: look-up`, value: median(chained), limit: ns, unit: 'ns', why },
    {
      goal: '13',
      what: `${name}: look-up, 64 hot keys`,
      value: median(hot),
      limit: HOT_NS,
      unit: 'ns',
      why: hotWhy,
    },
    {
      goal: '14',
      what: `${name}: look-up / plain search`,
      value: ratio(chained, column(c, 2)),
      limit: 0.5,
    },
  ];
}

/** 680,000 addresses are a table of 4 MiB. */
function opening(stage, floor, reader) {
  const { table } = makeList(stage, 'hosts-v4', 650_000);
  const small = stage.table('small', ['10.0.0.1:443']);
  const numbers = (command) =>
    run(command)
      .trim()
      .split(' ')
      .map((ns) => Number(ns) / 1000);
  const { c, own, tiny } = interleave(stage.repetitions, {
    c: () => numbers([floor, 'open', table]),
    own: () => numbers([reader, 'open', table, 21]),
    tiny: () => numbers([reader, 'open', small, 21]),
  });
  const first = (results) => results.map(([value]) => value);
  const second = (results) => results.map(([, value]) => value);
  const sums = c.map(([map, all]) => all - map);
  const figures = `checksum ${median(second(own)).toFixed(0)}, in C ${median(sums).toFixed(0)} µs, there with the faults of a fresh mapping`;
  const why = `the checksum alone takes ${median(second(own)).toFixed(0)} µs, as fast as the machine's instructions or the memory beyond its second cache allow; of the rest the comparison of all cells, 16 to 32 at once, takes some half, and that of 65,536 children, one after another, most of the other`;
  return [
    {
      goal: '19',
      what: 'check a table of 4 MiB whole',
      value: median(first(own)),
      limit: 300,
      unit: 'µs',
      figures,
      why,
    },
    {
      goal: '19',
      what: 'check a table of one rule whole',
      value: median(first(tiny)),
      limit: 30,
      unit: 'µs',
    },
  ];
}
