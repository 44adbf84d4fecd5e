// Goal 6: a supervised connect to addresses all over a policy of a million rules, beside one of ten.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { interleave, median, ratio, run } from '../frame.mjs';

const RULES = 1 << 20;
const CALLS = 7680;

export const group = {
  title: 'A million rules',
  async measure(stage) {
    const [tcp, udp] = await stage.ports();
    const client = stage.compile('client');
    const lines = Array.from({ length: RULES }, (_, index) => spreadAddress(index));
    writeFileSync(join(stage.directory, 'million.txt'), `${lines.join('\n')}\n`);
    const sets = '[sets]\nmillion = { file = "million.txt" }';
    const others = Array.from({ length: 9 }, (_, i) => `10.${i}.0.0/16:443`);
    const ways = {
      ten: stage.under(stage.table('few', [...others, `127.0.0.0/8:${tcp}`])),
      million: stage.under(stage.table('million', [`@million:${tcp}`], sets)),
    };
    const call = (wrap) => () => {
      const text = run([...wrap, client, 'spread', 0, CALLS, '127.0.0.1', tcp, udp]);
      return Number(text.split(' ')[0]);
    };
    const { ten, million } = interleave(stage.repetitions, {
      ten: call(ways.ten),
      million: call(ways.million),
    });
    return [
      {
        goal: '6',
        what: 'connect, 1,048,576 rules / ten, random addresses',
        value: ratio(million, ten),
        limit: 1.1,
        figures: `ten ${median(ten)}, million ${median(million)} ns`,
      },
    ];
  },
};

/** The same as in bench.h. */
function spreadAddress(index) {
  const bits = Math.imul(index, 0x9e3779b1) & 0xff_ffff;
  return `127.${bits >>> 16}.${(bits >>> 8) & 255}.${bits & 255}`;
}
