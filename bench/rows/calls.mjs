// Goals 1 to 5, 7, 8 and 11: one call beside the same call bare and under the floor.

import { interleave, median, ratio, run, tenRules, whyApart } from '../frame.mjs';

/**
 * Operation, bytes, calls in one repetition, and limits: to the floor, to bare, of the 99th percentile to the floor's.
 */
const OPERATIONS = [
  { name: 'connect', bytes: 0, calls: 3840, floor: ['1', 1.1], bare: ['2', 2], p99: ['5', 1.5] },
  { name: 'sendto', bytes: 64, calls: 20_000, floor: ['3', 1.15], bare: ['4', 6] },
  { name: 'sendto', bytes: 1400, calls: 20_000, floor: ['3', 1.15] },
  { name: 'sendmsg', bytes: 64, calls: 20_000, floor: ['3', 1.2], bare: ['4', 7] },
  { name: 'connect', bytes: 0, calls: 3840, host: '::1', floor: ['1', 1.1] },
  { name: 'sendto', bytes: 64, calls: 20_000, host: '::1', floor: ['3', 1.15] },
];

/** Why a ratio to bare can be out of reach: what the floor itself reached in the same repetitions. */
const beside = (floor, bare) =>
  `the floor, which has no policy, is at ${ratio(floor, bare).toFixed(2)} times bare itself on this machine`;

export const group = {
  title: 'One call (ten rules)',
  async measure(stage) {
    const ports = await stage.ports();
    const client = stage.compile('client');
    const floor = stage.compile('floor');
    const sandlock = stage.under(stage.table('ten', tenRules(ports)));
    const ipv6 = stage.under(stage.table('ten-v6', tenRules(ports, '[::1]')));

    /** Median and 99th percentile of each repetition, by way. */
    const measure = (name, bytes, calls, ways, host = '127.0.0.1') => {
      const call = (wrap) => () => {
        const text = run([...wrap, client, name, bytes, calls, host, ...ports]);
        const [ns, p99] = text.trim().split(' ').map(Number);
        return { ns, p99 };
      };
      const results = interleave(stage.repetitions, mapped(ways, call));
      return {
        ns: mapped(results, (of) => of.map(({ ns }) => ns)),
        p99: mapped(results, (of) => of.map(({ p99 }) => p99)),
      };
    };

    const ways = { bare: [], floor: [floor], apart: [floor, '--apart'], sandlock };
    const rows = OPERATIONS.flatMap(({ name, bytes, calls, host, ...goals }) => {
      const own = host === undefined ? ways : { ...ways, sandlock: ipv6 };
      const { ns, p99 } = measure(name, bytes, calls, own, host);
      const what = [
        name,
        ...(bytes > 0 ? [`${bytes} B`] : []),
        ...(host ? [`to ${host}`] : []),
      ].join(' ');
      const judged = [];
      const add = (goal, title, over, under, more) => {
        if (goal === undefined) return;
        judged.push({
          goal: goal[0],
          what: title,
          value: ratio(over, under),
          limit: goal[1],
          ...more,
        });
      };
      add(goals.floor, `${what} / floor`, ns.sandlock, ns.floor, {
        figures: nanoseconds(ns),
        why: whyApart(ns.apart, ns.floor),
      });
      add(goals.bare, `${what} / bare`, ns.sandlock, ns.bare, { why: beside(ns.floor, ns.bare) });
      add(goals.p99, `${what}, 99th percentile / floor's`, p99.sandlock, p99.floor, {
        figures: nanoseconds(p99),
      });
      return judged;
    });

    const refusing = [floor, '--deny'];
    const deniers = { floor: refusing, apart: [...refusing, '--apart'], sandlock };
    const denied = measure('denied', 0, 9600, deniers, '127.0.0.2');
    rows.push({
      goal: '7',
      what: 'a refused connect / floor that refuses',
      value: ratio(denied.ns.sandlock, denied.ns.floor),
      limit: 1.2,
      figures: nanoseconds(denied.ns),
      why: `${whyApart(denied.ns.apart, denied.ns.floor)}; both make seven system calls for it; what is left are a second thread in the process, Landlock's part of looking at another process, and telling`,
    });
    const send = measure('send', 64, 50_000, { bare: [], sandlock });
    rows.push({
      goal: '8',
      what: 'send on a connected socket / bare',
      value: ratio(send.ns.sandlock, send.ns.bare),
      limit: 1.1,
      figures: nanoseconds(send.ns),
    });
    const least = [stage.compile('allowing')];
    const parent = measure('getppid', 0, 2000, { bare: [], least, sandlock });
    const more = (ns) => median(ns.map((value, i) => value - parent.ns.bare[i]));
    rows.push({
      goal: '8',
      what: 'getppid, more than bare',
      value: more(parent.ns.sandlock),
      limit: 15,
      unit: 'ns',
      figures: nanoseconds(parent.ns),
      why: `a filter of one instruction, which allows all, takes ${more(parent.ns.least)} ns more than bare here: that a process has a filter at all; the kernel runs neither for this call, it knows by the number`,
    });
    // Both in the same repetitions: of different minutes their ratio says more about the machine.
    const under = (wrap, name) => () =>
      Number(run([...wrap, client, name, 0, 3840, '127.0.0.1', ...ports]).split(' ')[0]);
    const both = interleave(stage.repetitions, {
      waiting: under(sandlock, 'connect'),
      waitingFloor: under([floor], 'connect'),
      direct: under(sandlock, 'connect-nb'),
      directFloor: under([floor], 'connect-nb'),
    });
    const toFloor = (over, beneath) => over.map((ns, i) => ns / beneath[i]);
    const blocking = toFloor(both.waiting, both.waitingFloor);
    const direct = toFloor(both.direct, both.directFloor);
    rows.push({
      goal: '11',
      what: 'connect of a blocking socket / of a non-blocking one',
      value: ratio(blocking, direct),
      limit: 1.15,
      figures: `to the floor: ${median(blocking).toFixed(2)} blocking, ${median(direct).toFixed(2)} non-blocking`,
      why: `on the loopback both are the same call of the supervisor; under the floor they are ${ratio(both.waitingFloor, both.directFloor).toFixed(2)} apart in the same repetitions`,
    });
    return rows;
  },
};

function nanoseconds(ways) {
  const parts = Object.entries(ways).map(([way, values]) => `${way} ${median(values)}`);
  return `${parts.join(', ')} ns`;
}

function mapped(object, change) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
