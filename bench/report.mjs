// How rows are shown: lines for a terminal, and bench/results.md. Knows the shape of a row and
// nothing of what was measured.

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
  if (limit === undefined || value === undefined) return undefined;
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

/**
 * The page with the groups of a run in place of what it had of them; the others stay as they are,
 * each group with the run that it is from.
 * @param {string} page @param {string} about @param {{ title: string, rows: Row[] }[]} groups
 */
export function updatePage(page, about, groups) {
  const sections = new Map(page.split(/^(?=## )/m).map((text) => [text.split('\n', 1)[0], text]));
  for (const group of groups) sections.set(`## ${group.title}`, formatGroup(about, group));
  const [head = '', ...rest] = sections.values();
  const first = (section) => Number(/^\| ([0-9]+) \|/m.exec(section)?.[1] ?? 99);
  const ordered = rest.sort((a, b) => first(a) - first(b));
  return `${[head, ...ordered].map((section) => section.trimEnd()).join('\n\n')}\n`;
}

function formatGroup(about, { title, rows }) {
  const lines = [`## ${title}`, '', `${about}.`, ''];
  lines.push('| goal | what | measured | goal | verdict | figures |', '|---|---|---|---|---|---|');
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
  return lines.join('\n');
}

function verdict(row) {
  const met = isMet(row);
  if (met === undefined) return '';
  return met ? 'ok' : 'MISSED';
}

/** A ratio, or an amount with its unit, in three digits or so. */
function amount(value, unit) {
  if (value === undefined) return 'not given';
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : 2;
  return unit === undefined ? value.toFixed(2) : `${value.toFixed(digits)} ${unit}`;
}
