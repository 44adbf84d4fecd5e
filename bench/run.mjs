// `npm run bench`: what supervision costs, beside a floor in C, in one run. Every file of rows/
// measures a group of goals; this one only chooses, prints and, with --save, keeps. Only ratios of
// one run mean anything, and nothing here fails a build.
//
//   npm run bench -- [--save] [--repetitions N] [--ranges FOLDER] [GROUP …]      GROUP: a file of rows/, `calls`

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createStage, root } from './frame.mjs';
import { describeRun, formatRow, isMet, updatePage } from './report.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    save: { type: 'boolean', default: false },
    repetitions: { type: 'string', default: '11' },
    ranges: { type: 'string', default: join(root, 'build/bench/package') },
  },
});
const repetitions = Number(values.repetitions);
const known = readdirSync(join(root, 'bench/rows')).map((file) => file.replace(/\.mjs$/, ''));
const unknown = positionals.find((name) => !known.includes(name));
if (!(repetitions >= 1) || unknown !== undefined) {
  console.error(`usage: npm run bench -- [--save] [--repetitions N] [${known.join('|')} …]`);
  process.exit(2);
}

const about = describeRun(repetitions);
console.log(about);
const stage = createStage(repetitions, values.ranges);
const groups = [];
try {
  for (const name of positionals.length > 0 ? positionals : known) {
    const { group } = await import(`./rows/${name}.mjs`);
    console.log(`\n${group.title}`);
    const rows = await group.measure(stage);
    for (const row of rows) console.log(formatRow(row));
    groups.push({ title: group.title, rows });
  }
} finally {
  await stage.close();
}
const verdicts = groups.flatMap(({ rows }) => rows.map(isMet)).filter((met) => met !== undefined);
console.log(`\n${verdicts.filter(Boolean).length} of ${verdicts.length} goals met`);
if (values.save) {
  const page = join(root, 'bench/results.md');
  writeFileSync(page, updatePage(readFileSync(page, 'utf8'), about, groups));
  console.log('kept in bench/results.md');
}
