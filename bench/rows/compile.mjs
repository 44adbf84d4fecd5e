// Goals 15 to 18: compiling lists of addresses that come in as set files, the road for lists of
// this size, beside the same in C (table-floor.c), which keeps no rules, checks nothing and
// explains nothing, and beside ipset and nft where they are installed.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { interleave, median, ratio, root, run, time } from '../frame.mjs';
import { announced, list, PORTS, rules, withPorts } from '../lists.mjs';

const SIZE = 1_000_000;
const SMALLER = [10, 1000, 100_000];
const FIXED = 512 * 1024;
const MIB = 1024 * 1024;
const RANGES = 'the address ranges of bench/README.md';

/**
 * A list, and its goal of bytes a rule. With mixed ports each prefix has one of five port sets, and
 * each of those is a set of its own.
 */
const LISTS = [
  { kind: 'bgp-v4', name: 'IPv4, routed', bytes: 5, hasSizes: true },
  { kind: 'bgp-v4', name: 'IPv4, routed, mixed ports', bytes: 5, isMixed: true, hasSizes: true },
  { kind: 'hosts-v4', name: 'IPv4 /32, random', bytes: 10, hasSizes: true },
  { kind: 'bgp-v6', name: 'IPv6, routed', bytes: 16, hasSizes: true },
  { kind: 'bgp-v6', name: 'IPv6, routed, mixed ports', bytes: 16, isMixed: true },
  { kind: '64-v6', name: 'IPv6 /64', bytes: 16 },
  { kind: 'hosts-v6', name: 'IPv6 /128', bytes: 24 },
];

export const group = {
  title: 'Compiling lists of addresses',
  async measure(stage) {
    const floor = stage.compile('table-floor', '-O3', '-march=native');
    const small = join(stage.directory, 'one-rule.toml');
    writeFileSync(small, '[network]\nallow = ["10.0.0.1:443"]\n');
    const rows = [];
    for (const { kind, name, bytes, isMixed, hasSizes } of LISTS) {
      const lines = (size) =>
        isMixed ? withPorts(kind, size) : list(kind, size).trimEnd().split('\n');
      const made = makePolicy(stage, `${name}, ${SIZE}`, lines(SIZE), isMixed);
      rows.push(size(name, bytes, made), compiling(stage, name, made, floor));
      rows.push(memory(stage, name, made, small));
      if (!hasSizes) continue;
      for (const count of SMALLER) {
        const less = makePolicy(stage, `${name}, ${count}`, lines(count), isMixed);
        rows.push(
          compilingFew(stage, `${name}, ${count.toLocaleString('en')}`, less, small, floor),
        );
      }
    }
    for (const family of [4, 6]) rows.push(...announcedRows(stage, family, small, floor));
    rows.push(...rulesInToml(stage, floor), ...otherTools(stage));
    return rows.sort((a, b) => Number(a.goal) - Number(b.goal));
  },
};

/**
 * A policy on lines, `prefix` or `prefix:ports`, in set files: one that allows port 443, or one for
 * each port set. `text` is the same in one file, for C.
 */
function makePolicy(stage, name, lines, isMixed = false) {
  const path = join(stage.directory, name.replace(/[^a-zA-Z0-9]+/g, '-'));
  const text = `${path}.txt`;
  writeFileSync(text, `${lines.join('\n')}\n`);
  const sets = [];
  for (const [index, ports] of (isMixed ? PORTS : []).entries()) {
    const own = lines.filter((line) => line.endsWith(`:${ports}`));
    const prefixes = own.map((line) => line.slice(0, -ports.length - 1).replace(/[[\]]/g, ''));
    const file = `${path}.${index}.txt`;
    writeFileSync(file, `${prefixes.join('\n')}\n`);
    if (own.length > 0) sets.push({ ports, file });
  }
  if (!isMixed) sets.push({ ports: '443', file: text });
  const allow = sets.map(({ ports }, index) => `"@list-${index}:${ports}"`);
  const named = sets.map(({ file }, i) => `list-${i} = { file = ${JSON.stringify(file)} }\n`);
  const policy = `${path}.toml`;
  writeFileSync(policy, `[network]\nallow = [${allow.join(', ')}]\n[sets]\n${named.join('')}`);
  const table = `${path}.bin`;
  run([...stage.sandlock, 'compile', policy, '-o', table], { stdio: ['ignore', 'ignore', 'pipe'] });
  const input = sets.reduce((sum, { file }) => sum + statSync(file).size, 0);
  return { text, policy, table, input, count: lines.length };
}

function size(name, limit, { table, count }) {
  const bytes = readFileSync(table);
  const own = ofSets(bytes);
  return {
    goal: '15',
    what: `${name}: bytes a rule`,
    value: Math.max(0, bytes.length - FIXED) / count,
    limit,
    unit: 'B',
    figures: `${bytes.length.toLocaleString('en')} bytes, ${own.toLocaleString('en')} of them in arrays that only sets have`,
  };
}

/** Bytes of the arrays of tries that sets have and no protocol (docs/format.md §4). */
function ofSets(bytes) {
  const [count, offset] = [bytes.readUInt32LE(64 + 16 + 4), bytes.readUInt32LE(64 + 16 + 8)];
  const known = new Set();
  let sum = 0;
  for (let trie = 0; trie < count; trie++) {
    const at = offset + 40 * trie;
    const [rootBits = 0, startBytes = 0, , spans] = bytes.subarray(at, at + 4);
    const boundaries = bytes.readUInt32LE(at + 4);
    const sizes = [4 * (2 ** rootBits + 1), boundaries * startBytes, boundaries * (spans ? 4 : 2)];
    for (const [index, size] of sizes.entries()) {
      const array = bytes.readUInt32LE(at + 8 + 4 * index);
      if (trie >= 10 && !known.has(array)) sum += size;
      known.add(array);
    }
  }
  return sum;
}

function compiling(stage, name, { text, policy, table }, floor) {
  const { c, own } = interleave(stage.repetitions, {
    c: () => time([floor, 'compile', text, `${table}.floor`]),
    own: () => time([...stage.sandlock, 'compile', policy, '-o', table]),
  });
  const figures = `own ${median(own).toFixed(0)}, C ${median(c).toFixed(0)} ms, both from start to end of the process`;
  const why =
    "Node's start and end are in it; each set is decoded and sorted by itself, then merged";
  return { goal: '16', what: `${name}: compile / C`, value: ratio(own, c), limit: 6, figures, why };
}

/** What fewer prefixes cost is mostly the start of the program. */
function compilingFew(stage, name, { text, policy, table }, small, floor) {
  const { c, own, one } = interleave(stage.repetitions, {
    c: () => time([floor, 'compile', text, `${table}.floor`]),
    own: () => time([...stage.sandlock, 'compile', policy, '-o', table]),
    one: () => time([...stage.sandlock, 'compile', small, '-o', `${table}.one`]),
  });
  const bytes = statSync(table).size.toLocaleString('en');
  const figures = `own ${median(own).toFixed(0)}, one rule ${median(one).toFixed(0)}, C ${median(c).toFixed(0)} ms; ${bytes} bytes`;
  return { goal: '16', what: `${name}: compile / of one rule`, value: ratio(own, one), figures };
}

/** Peak memory beside the same program compiling nothing much. */
function memory(stage, name, { policy, table, input }, small) {
  const host = peak(stage, small, `${table}.small`);
  const whole = peak(stage, policy, table);
  return {
    goal: '18',
    what: `${name}: peak memory above the host`,
    value: (whole - host) / MIB,
    limit: Math.max(120, (4 * input) / MIB),
    unit: 'MiB',
    figures: `${((whole - host) / input).toFixed(1)} times the input; host ${(host / MIB).toFixed(0)} MiB`,
    why: 'sets are in memory packed and as entries of 24 bytes, and the rules of a protocol as entries of their own, beside what was written of the table',
  };
}

function peak(stage, policy, table) {
  const hook = join(stage.directory, 'peak.cjs');
  const out = join(stage.directory, 'peak.txt');
  // Of this program alone: getrusage(2) also knows of the one that started it.
  const status = "require('node:fs').readFileSync('/proc/self/status', 'utf8')";
  const text = `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(out)}, /VmHWM:\\s+([0-9]+)/.exec(${status})[1]));`;
  writeFileSync(hook, text);
  const [node, ...script] = stage.sandlock;
  run([node, '--require', hook, ...script, 'compile', policy, '-o', table], { stdio: 'ignore' });
  return Number(readFileSync(out, 'utf8')) * 1024;
}

/** What networks announce, if it is given: real lengths, real neighbours; ports by the network's number. */
function announcedRows(stage, family, small, floor) {
  const name = `IPv${family}, announced, mixed ports`;
  const lines = announced(stage.ranges, family);
  if (lines === undefined) {
    const missing = {
      value: undefined,
      figures: `${RANGES} are not in ${relative(root, stage.ranges)}`,
    };
    const whats = [
      ['15', 'bytes a rule'],
      ['16', 'compile / C'],
      ['18', 'peak memory above the host'],
    ];
    return whats.map(([goal, what]) => ({ goal, what: `${name}: ${what}`, ...missing }));
  }
  const made = makePolicy(stage, name, lines, true);
  const compiled = compiling(stage, name, made, floor);
  const figures = `${lines.length.toLocaleString('en')} prefixes; ${compiled.figures}`;
  return [
    size(name, family === 4 ? 5 : 16, made),
    { ...compiled, figures },
    memory(stage, name, made, small),
  ];
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
      figures: `own ${median(own).toFixed(0)}, C ${median(c).toFixed(0)} ms; every rule keeps its text, line and column, and is compared with the others for warnings`,
    },
  ];
}

/** ipset and nft in a network namespace that ends with them; told only where they are installed and may be used. */
function otherTools(stage) {
  const { policy, text } = makePolicy(
    stage,
    'others',
    list('hosts-v4', SIZE).trimEnd().split('\n'),
  );
  const addresses = [...new Set(readFileSync(text, 'utf8').trimEnd().split('\n'))];
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
    const start = () => time([process.execPath, '-e', '0']);
    try {
      const { ours, theirs, node } = interleave(Math.min(3, stage.repetitions), {
        ours: own,
        theirs: other,
        node: start,
      });
      const figures = `own ${median(ours).toFixed(0)}, ${name} ${median(theirs).toFixed(0)} ms`;
      const why = `Node alone takes ${median(node).toFixed(0)} ms to start and end`;
      const what = `compile a set file / ${name}`;
      return [{ goal: '17', what, value: ratio(ours, theirs), limit, figures, why }];
    } catch {
      console.log(`     ${name} is not installed, or network namespaces are not allowed: left out`);
      return [];
    }
  });
}
