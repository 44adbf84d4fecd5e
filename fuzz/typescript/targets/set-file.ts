/**
 * Set files: policy.wasm decodes plain lines. Demanded: the same prefixes, the same number of lines refused, as
 * when each line is cut out and read alone.
 */
import { canonicalPrefix, ipv4Value } from '../../../compiler/address.ts';
import { parseSetFile } from '../../../compiler/set-file.ts';
import { parseSetItem } from '../../../compiler/set-item.ts';
import { checkDiagnostics, demand } from './places.ts';
import { policyModule } from './policy.ts';

/** Reads a file. */
export function setFile(input: Uint8Array): void {
  const { prefixes, count, diagnostics } = parseSetFile(
    policyModule(),
    { file: 'list.txt', note: 'note' },
    input,
  );
  const v4: string[] = [];
  const v6: string[] = [];
  let bad = 0;
  for (const line of linesOf(input)) {
    const item = line
      .replace(/\r$/, '')
      .replace(/#.*/s, '')
      .replace(/^[ \t]+|[ \t]+$/g, '');
    if (item === '') continue;
    const parsed = parseSetItem(item);
    if (!parsed.ok) {
      bad++;
      continue;
    }
    const { address, bits } = canonicalPrefix(parsed.prefix);
    if (address.length === 4) v4.push(`${ipv4Value(address)}/${bits}`);
    else v6.push(`${address.join('.')}/${bits}`);
  }
  const read4 = Array.from(prefixes.v4, (key, i) => `${key}/${prefixes.v4Bits[i]}`);
  const read6 = Array.from(prefixes.v6Bits, (bits, i) => {
    return `${prefixes.v6.subarray(i * 16, i * 16 + 16).join('.')}/${bits}`;
  });
  demand(read4.join() === v4.join(), () => `IPv4: ${read4} instead of ${v4}`);
  demand(read6.join() === v6.join(), () => `IPv6: ${read6} instead of ${v6}`);
  demand(count === v4.length + v6.length, () => `${count} prefixes are counted`);
  demand(diagnostics.length === Math.min(bad, 21), () => `${bad} lines are bad`);
  if (bad > 0) checkDiagnostics(linesOf(input).join('\n'), diagnostics);
}

/** The lines as text, decoded one by one; a byte order mark is dropped. */
function linesOf(input: Uint8Array): readonly string[] {
  const mark = input[0] === 0xef && input[1] === 0xbb && input[2] === 0xbf ? 3 : 0;
  const lines: string[] = [];
  let start = mark;
  for (let at = mark; at <= input.length; at++) {
    if (at < input.length && input[at] !== 0x0a) continue;
    lines.push(new TextDecoder().decode(input.subarray(start, at)));
    start = at + 1;
  }
  return lines;
}
