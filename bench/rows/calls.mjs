// Goals 1 to 5 and a part of 8: one supervised call beside the same call bare and under the floor.

import { interleave, median, ratio, run, tenRules } from '../frame.mjs';

/** Operation, bytes, calls in one repetition, and limits: to the floor, to bare, of the 99th percentile to the floor's. */
const OPERATIONS = [
  { name: 'connect', bytes: 0, calls: 3840, floor: ['1', 1.1], bare: ['2', 2], p99: ['5', 1.5] },
  { name: 'sendto', bytes: 64, calls: 20_000, floor: ['3', 1.15], bare: ['4', 6] },
  { name: 'sendto', bytes: 1400, calls: 20_000, floor: ['3', 1.15] },
  { name: 'sendmsg', bytes: 64, calls: 20_000, floor: ['3', 1.2], bare: ['4', 7] },
];

/** Why a ratio to bare can be out of reach: what the floor itself reached in the same repetitions. */
const beside = (floor, bare) =>
  `the floor, which has no policy, is at ${ratio(floor, bare).toFixed(2)} times bare itself on this machine`;

export const group = {
  title: 'One call (ten rules)',
  async measure(stage) {
    const ports = await stage.ports();
    const client = stage.compile('client');
    const ways = {
      bare: [],
      floor: [stage.compile('floor')],
      sandlock: stage.under(stage.table('ten', tenRules(ports))),
    };
    return OPERATIONS.flatMap(({ name, bytes, calls, ...goals }) => {
      const measured = interleave(
        stage.repetitions,
        mapped(ways, (wrap) => () => {
          const text = run([...wrap, client, name, bytes, calls, '127.0.0.1', ...ports]);
          const [ns, p99] = text.trim().split(' ').map(Number);
          return { ns, p99 };
        }),
      );
      const { bare, floor, sandlock } = mapped(measured, (of) => of.map(({ ns }) => ns));
      const tails = mapped(measured, (of) => of.map(({ p99 }) => p99));
      const what = bytes > 0 ? `${name} ${bytes} B` : name;
      const figures = `bare ${median(bare)}, floor ${median(floor)}, sandlock ${median(sandlock)} ns`;
      const rows = [];
      const add = (goal, title, over, under, more) => {
        if (goal === undefined) return;
        rows.push({
          goal: goal[0],
          what: title,
          value: ratio(over, under),
          limit: goal[1],
          ...more,
        });
      };
      add(goals.floor, `${what} / floor`, sandlock, floor, { figures });
      add(goals.bare, `${what} / bare`, sandlock, bare, { why: beside(floor, bare) });
      add(goals.p99, `${what}, 99th percentile / floor's`, tails.sandlock, tails.floor, {
        figures: `bare ${median(tails.bare)}, floor ${median(tails.floor)}, sandlock ${median(tails.sandlock)} ns`,
      });
      return rows;
    });
  },
};

function mapped(object, change) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
