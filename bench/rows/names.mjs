// Goals 1 to 3 and 6 while names get new addresses: a thousand a second are learnt and as many
// forgotten, from a table of live addresses that is full. What is reached is open by a name alone.
// Bare and floor have the same questions asked beside them, of the same server.
//
// The name server is 127.0.0.1:53, so this group runs in a network and mount namespace of its own;
// where those are not allowed it is left out.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createStage, interleave, median, ratio, run } from '../frame.mjs';

/** More than are kept. */
const FILL = 5000;
/** Microseconds from one answer to the next question. */
const EVERY = 1000;
const CALLS = [
  { name: 'connect', bytes: 0, calls: 19_200 },
  { name: 'sendto', bytes: 64, calls: 60_000 },
  { name: 'sendmsg', bytes: 64, calls: 60_000 },
];

export const group = {
  title: `Names with ${1_000_000 / EVERY} new addresses a second`,
  measure(stage) {
    const file = join(stage.directory, 'resolv.conf');
    writeFileSync(file, 'nameserver 127.0.0.1\n');
    const script = `ip link set lo up && mount --bind ${file} /etc/resolv.conf && exec "$@"`;
    const own = [process.execPath, import.meta.filename, String(stage.repetitions)];
    const room = ['unshare', '--net', '--mount'];
    if (spawnSync(room[0], [...room.slice(1), 'true']).status !== 0) {
      console.log('     network namespaces are not allowed: left out');
      return [];
    }
    return rows(JSON.parse(run([...room, 'sh', '-c', script, 'sh', ...own])));
  },
};

/** Nanoseconds of each repetition, by call and way. */
async function measure(stage) {
  const [tcp, udp] = await stage.ports();
  const client = stage.compile('client');
  const floor = stage.compile('floor');
  const names = stage.compile('names');
  const server = spawn(names, ['serve'], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(server.stdout, 'data');
  const turning = Array.from({ length: 64 }, (_, i) => `n${i}.bench.test:443`);
  const rules = [`fixed.bench.test:${tcp}`, `udp://fixed.bench.test:${udp}`, ...turning];
  const dns = '[dns]\nresolve = "live"\nprivate = ["*.bench.test"]';
  const sandlock = stage.under(stage.table('names', rules, dns));
  const beside = (wrap, fill, every) => [...wrap, names, 'beside', fill, every];
  const ways = {
    bare: beside([], 0, EVERY),
    floor: beside([floor], 0, EVERY),
    quiet: beside(sandlock, 0, 0),
    updates: beside(sandlock, FILL, EVERY),
  };
  const result = {};
  for (const { name, bytes, calls } of CALLS) {
    const one = (wrap) => () =>
      Number(run([...wrap, client, name, bytes, calls, '127.0.0.1', tcp, udp]).split(' ')[0]);
    const entries = Object.entries(ways).map(([way, wrap]) => [way, one(wrap)]);
    result[name] = interleave(stage.repetitions, Object.fromEntries(entries));
  }
  server.kill();
  return result;
}

function rows({ connect, sendto, sendmsg }) {
  const row = (goal, what, { updates, ...others }, under, limit) => ({
    goal,
    what: `${what}, under updates`,
    value: ratio(updates, others[under]),
    limit,
    why: `without updates it is at ${ratio(others.quiet, others[under]).toFixed(2)}: what they cost is in the row of goal 6`,
  });
  return [
    { ...row('1', 'connect / floor', connect, 'floor', 1.1), figures: nanoseconds(connect) },
    row('2', 'connect / bare', connect, 'bare', 2),
    { ...row('3', 'sendto 64 B / floor', sendto, 'floor', 1.15), figures: nanoseconds(sendto) },
    { ...row('3', 'sendmsg 64 B / floor', sendmsg, 'floor', 1.2), figures: nanoseconds(sendmsg) },
    {
      goal: '6',
      what: 'connect, 4,096 live addresses that change / one',
      value: ratio(connect.updates, connect.quiet),
      limit: 1.1,
    },
  ];
}

function nanoseconds(ways) {
  const parts = Object.entries(ways).map(([way, values]) => `${way} ${median(values)}`);
  return `${parts.join(', ')} ns`;
}

if (process.argv[1] === import.meta.filename) {
  const stage = createStage(Number(process.argv[2]));
  try {
    console.log(JSON.stringify(await measure(stage)));
  } finally {
    await stage.close();
  }
}
