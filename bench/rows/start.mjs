// Goals 20 to 23: starting a command, and the memory of those that wait for it.

import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { interleave, median, ratio, root, run, tenRules, time } from '../frame.mjs';

const library = join(root, 'dist/libsandlock.so');
const program = join(root, 'dist/sandlock-exec');
/** What root measures as, for who is not root. */
const NOBODY = 65534;
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
      ...fromShell(stage, {
        table: [...stage.under(table), '/bin/true'],
        policy: [...stage.under(join(stage.directory, 'start.toml')), '/bin/true'],
        rule: [...stage.under(`--allow=${rules.at(-1)}`), '/bin/true'],
      }),
      ...native(stage, table),
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

/** The command line in Node, with a table, with the policy it is of, and with a rule alone. */
function fromShell(stage, exec) {
  const ways = interleave(stage.repetitions * 2, {
    node: () => time([process.execPath, '-e', '0']),
    sandlock: () => time(exec.table),
    policy: () => time(exec.policy),
    rule: () => time(exec.rule),
    binding: () => time([process.execPath, '-e', BINDING], { cwd: root }),
  });
  const { node, sandlock, binding } = ways;
  return [
    {
      goal: '21',
      what: 'sandlock exec TABLE -- true / node -e 0',
      value: ratio(sandlock, node),
      limit: 1.1,
      figures: `node ${median(node).toFixed(1)}, sandlock ${median(sandlock).toFixed(1)} ms`,
      why: `of the ${more(sandlock, node).toFixed(2)} ms more, ffi-rs takes ${more(binding, node).toFixed(2)} to be loaded; sandlock-exec, which Node becomes, has a row of its own`,
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
  ];
}

/** sandlock-exec beside the command alone, for the user that we are, and as root for one that is not. */
function native(stage, table) {
  const starts = stage.compile('starts');
  const parents = stage.compile('parents', '-static');
  // Where anybody may read them.
  const [launcher, readable] = [program, table].map((from) => {
    const to = join(stage.directory, `starts-${basename(from)}`);
    copyFileSync(from, to);
    chmodSync(to, 0o755);
    return to;
  });
  chmodSync(stage.directory, 0o711);
  const commands = {
    bare: ['/bin/true'],
    floor: [parents, '/bin/true'],
    idle: [launcher, '--help'],
    sandlock: [launcher, readable, '--quiet', '--', '/bin/true'],
  };
  const user = process.getuid?.();
  const users = user === 0 ? [NOBODY, 0] : [user];
  return users.map((user) => {
    const words = Object.values(commands).map((command) => command.join('\n'));
    const rounds = run([starts, user, stage.repetitions * 30, ...words])
      .trim()
      .split('\n');
    const times = rounds.map((round) => round.split(' ').map((us) => Number(us) / 1000));
    const [bare, floor, idle, sandlock] = words.map((_, way) => times.map((ms) => ms[way]));
    const ms = (way) => median(way).toFixed(2);
    const isRoot = user === 0;
    return {
      goal: '22',
      what: `sandlock-exec TABLE -- true, more than true${isRoot ? ', as root' : ''}`,
      value: more(sandlock, bare),
      limit: 1,
      unit: 'ms',
      figures: `true ${ms(bare)}, floor ${ms(floor)}, sandlock-exec ${ms(sandlock)} ms`,
      why: `the floor, two processes of a C program that start true and wait for it, takes ${more(floor, bare).toFixed(2)} ms more here, and sandlock-exec ${more(sandlock, floor).toFixed(2)} more than that: its own program takes ${ms(idle)} ms where it prints its help; then ${isRoot ? "the kernel's settings are shown read-only in a mount namespace, whose end the kernel waits a grace period for, " : ''}the table is checked, Landlock and the filter are set up, and supervisor and command begin and end`,
    };
  });
}

/** How much more the one takes than the other, by neighbours. @param {number[]} ms @param {number[]} than */
function more(ms, than) {
  return median(ms.map((value, i) => value - than[i]));
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
