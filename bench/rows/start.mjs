// Goals 20 to 23: starting a command, and the memory of those that wait for it.

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { interleave, median, ratio, root, run, tenRules, time } from '../frame.mjs';

const library = join(root, 'dist/libsandlock.so');
const program = join(root, 'dist/sandlock-exec');
/** Loads ffi-rs as src/binding.ts does. */
const PLATFORM = `ffi-rs-linux-${process.arch}-gnu`;
const BINDING = `process.dlopen({ exports: {} }, require.resolve('@yuuang/${PLATFORM}'))`;

export const group = {
  title: 'Start, and memory',
  async measure(stage) {
    const rules = tenRules(await stage.ports());
    const table = stage.table('start', rules);
    const command = stage.compile('nothing', '-static');
    const launcher = [program, table, '--quiet', '--'];
    return [
      ...fromHost(stage, table, command),
      ...fromShell(stage, launcher, {
        table: [...stage.under(table), '/bin/true'],
        policy: [...stage.under(join(stage.directory, 'start.toml')), '/bin/true'],
        rule: [...stage.under(`--allow=${rules.at(-1)}`), '/bin/true'],
      }),
      ...(await memory(launcher, stage.under(table))),
    ];
  },
};

/** The library in a native host. */
function fromHost(stage, table, command) {
  const host = stage.compile('start', '-ldl');
  return [
    { mib: 1, limit: 1.5 },
    { mib: 64, limit: 0.5 },
  ].map(({ mib, limit }) => {
    const text = run([host, library, program, table, command, mib, stage.repetitions * 3]);
    const [bare, ours, supervisor] = text.trim().split(' ').map(Number);
    return {
      goal: '20',
      what: `start from a native host of ${mib} MiB / fork and exec`,
      value: ours / bare,
      limit,
      figures: `fork and exec ${bare}, sandlock ${ours} µs`,
      why: `the supervisor is a program of its own, so that it outlives its host and shares no memory with it: to execute and end it with nothing to do takes ${supervisor} µs, which the goal does not have`,
    };
  });
}

/** The two command lines; `exec` is that in Node with a table, with the policy it is of, and with a rule alone. */
function fromShell(stage, launcher, exec) {
  const parents = stage.compile('parents', '-static');
  const ways = interleave(stage.repetitions * 2, {
    node: () => time([process.execPath, '-e', '0']),
    sandlock: () => time(exec.table),
    policy: () => time(exec.policy),
    rule: () => time(exec.rule),
    binding: () => time([process.execPath, '-e', BINDING], { cwd: root }),
    bare: () => time(['/bin/true']),
    native: () => time([...launcher, '/bin/true']),
    idle: () => time([program, '--help']),
    floor: () => time([parents, '/bin/true']),
  });
  const { node, sandlock, binding, bare, native, idle, floor } = ways;
  const more = (ms, than) => median(ms.map((value, i) => value - than[i])).toFixed(2);
  return [
    {
      goal: '21',
      what: 'sandlock exec TABLE -- true / node -e 0',
      value: ratio(sandlock, node),
      limit: 1.1,
      figures: `node ${median(node).toFixed(1)}, sandlock ${median(sandlock).toFixed(1)} ms`,
      why: `of the ${more(sandlock, node)} ms more, ffi-rs takes ${more(binding, node)} to be loaded, and sandlock-exec, which Node becomes, ${median(native).toFixed(2)} by itself`,
    },
    ...[
      { what: 'sandlock exec POLICY (ten rules) -- true / node -e 0', ms: ways.policy },
      { what: 'sandlock exec --allow RULE -- true / node -e 0', ms: ways.rule },
    ].map(({ what, ms }) => ({
      goal: '21',
      what,
      value: ratio(ms, node),
      figures: `${median(ms).toFixed(1)} ms`,
    })),
    {
      goal: '22',
      what: 'sandlock-exec TABLE -- true, more than true',
      value: median(native.map((ms, i) => ms - bare[i])),
      limit: 1,
      unit: 'ms',
      figures: `true ${median(bare).toFixed(2)}, floor ${median(floor).toFixed(2)}, sandlock-exec ${median(native).toFixed(2)} ms`,
      why: `the floor, two processes of a C program that start true and wait for it, takes ${more(floor, bare)} ms more here, and sandlock-exec ${more(native, floor)} more than that: its own program takes ${median(idle).toFixed(2)} ms where it prints its help; then the table is checked, Landlock and the filter are set up, and supervisor and command begin and end`,
    },
  ];
}

/** Resident memory of those that wait, while a command sleeps. @param {any[]} launcher @param {any[]} exec */
async function memory(launcher, exec) {
  const rows = [];
  for (const [name, command] of Object.entries({
    'sandlock exec': exec,
    'sandlock-exec': launcher,
  })) {
    const { own, child } = await waiting([...command, 'sleep', '9000']);
    const row = { goal: '23', limit: 4, unit: 'MiB' };
    rows.push({ ...row, what: `memory of the waiting ${name}`, value: own });
    rows.push({ ...row, what: `memory of the supervisor of ${name}`, value: child });
  }
  return rows;
}

/** MiB of a program that has come to rest, and of the process that it has started. @param {any[]} command */
async function waiting(command) {
  const [program = '', ...args] = command;
  const started = spawn(program, args, { stdio: 'ignore' });
  await new Promise((resolve) => setTimeout(resolve, 700));
  const child = readdirSync('/proc').find((pid) => statusOf(pid, 'PPid') === started.pid);
  const [own, others] = [started.pid, child].map((pid) => statusOf(pid, 'VmRSS') / 1024);
  started.kill();
  await new Promise((resolve) => started.on('exit', resolve));
  return { own, child: others };
}

/** A number of /proc/PID/status; not a number where there is none. */
function statusOf(pid, key) {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(new RegExp(`^${key}:\\s*(\\d+)`, 'm').exec(text)?.[1]);
  } catch {
    return Number.NaN;
  }
}
