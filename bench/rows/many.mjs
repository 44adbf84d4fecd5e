// Goal 12: how much several busy processes get done together, beside the floor with one thread.

import { interleave, median, ratio, run, tenRules, whyApart } from '../frame.mjs';

const MS = 200;

export const group = {
  title: 'Many at once',
  async measure(stage) {
    const ports = await stage.ports();
    const program = stage.compile('many');
    const ways = {
      floor: [stage.compile('floor')],
      apart: [stage.compile('floor'), '--apart'],
      sandlock: stage.under(stage.table('many', tenRules(ports))),
    };
    return [1, 2, 4, 8].map((children) => {
      const call = (wrap) => () => Number(run([...wrap, program, children, MS, ports[1]]));
      const { floor, apart, sandlock } = interleave(stage.repetitions, {
        floor: call(ways.floor),
        apart: call(ways.apart),
        sandlock: call(ways.sandlock),
      });
      const perCall = median(floor.map((count, i) => 1e9 / sandlock[i] - 1e9 / count));
      return {
        goal: '12',
        what: `sendto per second, ${children} ${children === 1 ? 'child' : 'children'} / floor`,
        value: ratio(sandlock, floor),
        limit: 0.85,
        atLeast: true,
        why: `one thread makes all calls, here as under the floor; one takes ${perCall.toFixed(0)} ns longer: it is looked up, and the supervisor has a second thread, so that the kernel counts every use of a descriptor; ${whyApart(floor, apart)}`,
        figures: `floor ${median(floor).toFixed(0)}, sandlock ${median(sandlock).toFixed(0)} a second`,
      };
    });
  },
};
