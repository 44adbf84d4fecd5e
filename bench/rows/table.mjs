// Goals 13 to 19: tables of a million prefixes, beside the same lists in C (table-floor.c), which keeps no rules, checks nothing and explains
// nothing, and beside ipset and nft where they are installed. Lists come in as files, the road for lists of this size.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { interleave, median, ratio, root, run, time } from '../frame.mjs';
import { list, rules } from '../lists.mjs';

const SIZE = 1_000_000;
const KEYS = 1 << 20;
const FIXED = 512 * 1024;

/** A list, its goals: bytes a rule, nanoseconds of a look-up that waits for the one before. */
const LISTS = [
  { kind: 'bgp-v4', name: 'IPv4, routed', bytes: 5, ns: 60 },
  { kind: 'hosts-v4', name: 'IPv4 /32, random', bytes: 10, ns: 90 },
  { kind: 'bgp-v6', name: 'IPv6, routed', bytes: 16, ns: 90 },
  { kind: '64-v6', name: 'IPv6 /64', bytes: 16, ns: 90 },
  { kind: 'hosts-v6', name: 'IPv6 /128', bytes: 24, ns: undefined },
];
const HOT_NS = 25;
const MIB = 1024 * 1024;

export const group = {
  title: 'Tables of a million prefixes',
  async measure(stage) {
    const floor = stage.compile('table-floor', '-O3', '-march=native');
    const reader = buildReader();
    const rows = [];
    for (const entry of LISTS) {
      const made = makeList(stage, entry.kind, SIZE);
      rows.push(...lookUps(stage, entry, made, floor, reader), size(entry, made));
      rows.push(compiling(stage, entry, made, floor), memory(stage, entry, made));
    }
    rows.push(...rulesInToml(stage, floor), ...otherTools(stage), ...opening(stage, floor, reader));
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
  const hotWhy = `the floor itself takes ${median(column(c, 1)).toFixed(0)} ns; own look-ups also search the ports and check every place`;
  return [
    {
      goal: '13',
      what: `${name}: look-up / C`,
      value: ratio(chained, column(c, 0)),
      limit: 1.5,
      figures,
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

function size({ name, bytes }, { table }) {
  const value = Math.max(0, statSync(table).size - FIXED) / SIZE;
  return { goal: '15', what: `${name}: bytes a rule`, value, limit: bytes, unit: 'B' };
}

function compiling(stage, { name }, { file, policy, table }, floor) {
  const { c, own } = interleave(stage.repetitions, {
    c: () => time([floor, 'compile', file, `${table}.floor`]),
    own: () => time([...stage.sandlock, 'compile', policy, '-o', table]),
  });
  const figures = `own ${median(own).toFixed(0)}, C ${median(c).toFixed(0)} ms, both from start to end of the process`;
  return {
    goal: '16',
    what: `${name}: compile a set file / C`,
    value: ratio(own, c),
    limit: 6,
    figures,
  };
}

/** Peak memory beside the same program compiling nothing much. */
function memory(stage, { name }, { file, policy, table }) {
  const small = join(stage.directory, 'small.toml');
  writeFileSync(small, '[network]\nallow = ["10.0.0.1:443"]\n');
  const host = peak(stage, small, `${table}.small`);
  const whole = peak(stage, policy, table);
  const input = statSync(file).size;
  return {
    goal: '18',
    what: `${name}: peak memory above the host`,
    value: (whole - host) / MIB,
    limit: Math.max(120, (4 * input) / MIB),
    unit: 'MiB',
    figures: `${((whole - host) / input).toFixed(1)} times the input; host ${(host / MIB).toFixed(0)} MiB`,
    why: 'entries of 24 bytes and two boundaries of 24 bytes a prefix are in memory at once, beside the text and the table',
  };
}

function peak(stage, policy, table) {
  const hook = join(stage.directory, 'peak.cjs');
  const out = join(stage.directory, 'peak.txt');
  const text = `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(out)}, String(process.resourceUsage().maxRSS)));`;
  writeFileSync(hook, text);
  const [node, ...script] = stage.sandlock;
  run([node, '--require', hook, ...script, 'compile', policy, '-o', table], { stdio: 'ignore' });
  return Number(readFileSync(out, 'utf8')) * 1024;
}

/** Rules as strings in TOML keep their text and place, which lines of a set file do not. */
function rulesInToml(stage, floor) {
  const size = SIZE / 10;
  const all = rules('bgp-v4', size);
  const text = join(stage.directory, 'rules.txt');
  const policy = join(stage.directory, 'rules.toml');
  writeFileSync(text, `${all.join('\n')}\n`);
  writeFileSync(policy, `[network]\nallow = [\n${all.map((rule) => `  "${rule}",\n`).join('')}]\n`);
  const { c, own } = interleave(stage.repetitions, {
    c: () => time([floor, 'compile', text, `${text}.floor`]),
    own: () => time([...stage.sandlock, 'compile', policy, '-o', `${text}.bin`]),
  });
  return [
    {
      goal: '16',
      what: `${size.toLocaleString('en')} rule strings in TOML / C`,
      value: ratio(own, c),
      figures: `own ${median(own).toFixed(0)}, C ${median(c).toFixed(0)} ms; every rule keeps its text, line and column`,
    },
  ];
}

/** ipset and nft in a network namespace that ends with them; told only where they are installed and may be used. */
function otherTools(stage) {
  const file = join(stage.directory, `hosts-v4-${SIZE}.txt`);
  const policy = file.replace('.txt', '.toml');
  const addresses = [...new Set(readFileSync(file, 'utf8').trimEnd().split('\n'))];
  const ipset = join(stage.directory, 'ipset.txt');
  const nft = join(stage.directory, 'nft.txt');
  const create = `create l hash:net maxelem ${2 * SIZE} hashsize ${SIZE}\n`;
  writeFileSync(ipset, create + addresses.map((address) => `add l ${address}\n`).join(''));
  writeFileSync(
    nft,
    `table ip t { set l { type ipv4_addr; flags interval; elements = { ${addresses.join(', ')} }; }; }\n`,
  );
  const tools = [
    { name: 'ipset restore', limit: 1 / 6, command: `ipset restore < ${ipset}` },
    { name: 'nft -f', limit: 1 / 40, command: `nft -f ${nft}` },
  ];
  return tools.flatMap(({ name, limit, command }) => {
    const own = () => time([...stage.sandlock, 'compile', policy, '-o', `${nft}.bin`]);
    const other = () => time(['unshare', '--net', 'sh', '-c', command]);
    try {
      const { ours, theirs } = interleave(3, { ours: own, theirs: other });
      const figures = `own ${median(ours).toFixed(0)}, ${name} ${median(theirs).toFixed(0)} ms`;
      return [
        {
          goal: '17',
          what: `compile a set file / ${name}`,
          value: ratio(ours, theirs),
          limit,
          figures,
        },
      ];
    } catch {
      console.log(`     ${name} is not installed, or network namespaces are not allowed: left out`);
      return [];
    }
  });
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
  const why = `the checksum takes ${median(second(own)).toFixed(0)} µs; the rest looks at every boundary`;
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
