// Goal 10: two hundred connects that hang, and what one more costs meanwhile.

import { interleave, median, ratio, run, tenRules } from '../frame.mjs';

const HUNG = 200;

export const group = {
  title: `${HUNG} connects that hang`,
  async measure(stage) {
    const ports = await stage.ports();
    const program = stage.compile('hung');
    // The listener that hangs has a port of its own.
    const table = stage.table(
      'hung',
      [...tenRules(ports), '127.0.0.3:*'],
      'allow_bind = ["127.0.0.3:*"]',
    );
    const repetitions = Math.ceil(stage.repetitions / 3);
    const { sandlock } = interleave(repetitions, {
      sandlock: () =>
        run([...stage.under(table), program, HUNG, ports[0], '127.0.0.2'])
          .trim()
          .split(' ')
          .map(Number),
    });
    const [good, denied, goodHung, deniedHung, , threads, before, after] = [
      0, 1, 2, 3, 4, 5, 6, 7,
    ].map((column) => sandlock.map((row) => row[column]));
    return [
      {
        goal: '10',
        what: 'third good connect, / with none hung',
        value: ratio(goodHung, good),
        limit: 6,
        figures: `${median(good)}, hung ${median(goodHung)} ns`,
      },
      {
        goal: '10',
        what: 'third refused connect, / with none hung',
        value: ratio(deniedHung, denied),
        limit: 6,
        figures: `${median(denied)}, hung ${median(deniedHung)} ns`,
      },
      {
        goal: '10',
        what: 'threads of the supervisor',
        value: median(threads),
        limit: 4,
        unit: 'threads',
      },
      {
        goal: '10',
        what: 'memory of the supervisor, more than before',
        value: median(after.map((kib, i) => (kib - before[i]) / 1024)),
        limit: 1,
        unit: 'MiB',
      },
    ];
  },
};
