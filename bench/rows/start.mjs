// Goal 21: the command line from start to end, beside an empty node.

import { interleave, median, ratio, tenRules, time } from '../frame.mjs';

export const group = {
  title: 'Start',
  async measure(stage) {
    const table = stage.table('start', tenRules(await stage.ports()));
    const { node, sandlock } = interleave(stage.repetitions * 2, {
      node: () => time([process.execPath, '-e', '0']),
      sandlock: () => time([...stage.under(table), '/bin/true']),
    });
    return [
      {
        goal: '21',
        what: 'sandlock exec TABLE -- true / node -e 0',
        value: ratio(sandlock, node),
        limit: 1.1,
        figures: `node ${median(node).toFixed(1)}, sandlock ${median(sandlock).toFixed(1)} ms`,
      },
    ];
  },
};
