// How rows are shown: lines for a terminal, and bench/results.md. Knows the shape of a row and nothing of what was measured.

import { execFileSync } from 'node:child_process';
import { cpus, release } from 'node:os';
import { root } from './frame.mjs';

/** @typedef {import('./frame.mjs').Row} Row */

/** What the run was made on. */
export function describeRun(repetitions) {
  const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  const changed =
    git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' with changes';
  const commit = `${git('rev-parse', '--short', 'HEAD')}${changed}`;
  const machine = `${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${cpus().length} CPUs`;
  return `commit ${commit} · Linux ${release()} · ${machine} · Node ${process.versions.node} · ${repetitions} repetitions`;
}

/** Is the goal met? Undefined: there is none. @param {Row} row */
export function isMet({ value, limit, atLeast }) {
  if (limit === undefined) return undefined;
  return atLeast ? value >= limit : value <= limit;
}

/** A row as lines of text. @param {Row} row */
export function formatRow(row) {
  const { goal, what, value, unit, limit, atLeast, figures, why } = row;
  const bound = limit === undefined ? '' : `${atLeast ? '≥' : '≤'} ${amount(limit, unit)}`;
  const cells = [
    goal.padStart(3),
    what.padEnd(52),
    amount(value, unit).padStart(11),
    bound.padEnd(13),
    verdict(row).padEnd(6),
    figures ?? '',
  ];
  const line = cells.join('  ').trimEnd();
  return isMet(row) === false && why !== undefined ? `${line}\n     why: ${why}` : line;
}

/** The page for a saved run. @param {string} about @param {{ title: string, rows: Row[] }[]} groups */
export function formatPage(about, groups) {
  const lines = [
    '# What was measured last',
    '',
    `<!-- Written by \`npm run bench -- --save\`. Goals and method: README.md. -->`,
    '',
    `${about}. Ratios are medians of neighbours in one run; figures are for orientation, and mean nothing beside another run's.`,
  ];
  for (const { title, rows } of groups) {
    lines.push('', `## ${title}`, '', '| goal | what | measured | goal | verdict | figures |');
    lines.push('|---|---|---|---|---|---|');
    for (const row of rows) {
      const { goal, what, value, unit, limit, atLeast, figures = '' } = row;
      const bound = limit === undefined ? '' : `${atLeast ? '≥' : '≤'} ${amount(limit, unit)}`;
      lines.push(
        `| ${goal} | ${what} | ${amount(value, unit)} | ${bound} | ${verdict(row)} | ${figures} |`,
      );
    }
    for (const row of rows) {
      if (isMet(row) === false && row.why) lines.push('', `${row.goal}, ${row.what}: ${row.why}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function verdict(row) {
  const met = isMet(row);
  if (met === undefined) return '';
  return met ? 'ok' : 'MISSED';
}

/** A ratio, or an amount with its unit, in three digits or so. */
function amount(value, unit) {
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : 2;
  return unit === undefined ? value.toFixed(2) : `${value.toFixed(digits)} ${unit}`;
}
