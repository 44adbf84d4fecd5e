/** What is said of a plan when a run is over: how many calls were looked at, and that refusals may have gone untold. */
import type { CallCounts, EndedRecord } from './records.ts';
import type { RunEnd } from './run.ts';

/**
 * A line for a command that failed under a plan that refuses in silence: no line says that it was
 * refused something. `` otherwise.
 */
export function formatSilence({ ended, outcome }: Pick<RunEnd, 'ended' | 'outcome'>): string {
  const hasFailed = outcome !== undefined && 'exit' in outcome && outcome.exit !== 0;
  return ended?.isSilent && hasFailed
    ? 'sandlock: the kernel alone holds this policy, so a refused connect is not told; --supervise tells\n'
    : '';
}

/**
 * `sandlock: looked at 3 calls: 1 connect, 0 messages, 2 binds, 0 others` and a newline; to listen
 * is counted as a bind.
 */
export function formatCalls(ended: EndedRecord | undefined): string {
  if (ended === undefined) return '';
  const kinds: readonly (readonly [keyof CallCounts, string])[] = [
    ['connects', 'connect'],
    ['messages', 'message'],
    ['binds', 'bind'],
    ['others', 'other'],
  ];
  const parts = kinds.map(([kind, word]) => count(ended.calls[kind], word));
  const total = kinds.reduce((sum, [kind]) => sum + ended.calls[kind], 0);
  return `sandlock: looked at ${count(total, 'call')}: ${parts.join(', ')}\n`;
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
