/**
 * What was meant where a text is no TOML: slips that editors, JSON, YAML and other languages leave
 * behind. Asked only after the parser has said no, so nothing here decides what a policy means.
 */

/** How to mend the place at which the parser stopped, if it looks like a known slip. */
export function meantByToml(text: string, at: number): string | undefined {
  const lineStart = text.lastIndexOf('\n', at - 1) + 1;
  const before = text.slice(lineStart, at);
  const rest = text.slice(at, at + 200);
  if (/^[\u2018-\u201f\u00ab\u00bb]/.test(rest)) return 'write plain quotes: "…"';
  if (/^;\s*(?:[#\n]|$)/.test(rest) && before.trim() !== '') return 'a line ends without `;`';
  if (/^(\/\/|\/\*|--|;)/.test(rest)) return 'a comment begins with `#`';
  if (text.trimStart().startsWith('{')) return `this looks like JSON; a policy is TOML: ${FORM}`;
  if (rest.startsWith(':') && /^\s*[\w".-]+\s*$/.test(before)) {
    return /^:\s*\n/.test(rest)
      ? `this looks like YAML; a policy is TOML: ${FORM}`
      : 'write `=` between a key and its value';
  }
  const above =
    text
      .slice(0, Math.max(0, lineStart - 1))
      .split('\n')
      .at(-1) ?? '';
  if (/^\s*\[[\w.-]+\s*$/.test(above)) return `close the table header above: ${above.trim()}]`;
  if (/^\s*[\w.-]+\s*=/.test(rest) && /["'\]]\s*(?:#.*)?$/.test(above)) {
    return 'a list ends with `]`, and a comma stands between two of its strings';
  }
  // A host without quotes: the parser reads its digits or letters, and stops behind them.
  const bare = /[[,=]\s*([\w*@.-]*)$/.exec(before);
  if (bare !== null && /^[\w*@.:/-]/.test(rest) && !rest.startsWith('"')) {
    const word = `${bare[1]}${/^[\w*@.:/-]+/.exec(rest)?.[0] ?? ''}`;
    return `strings stand in quotes: "${word}"`;
  }
  return undefined;
}

/** Where a key or a table that stands twice stood first, if it is found by its look. */
export function firstDefinition(text: string, at: number): string | undefined {
  const lines = text.slice(0, at).split('\n');
  const last = lines.pop() ?? '';
  const isTable = /^\s*\[\s*$/.test(last);
  const word = /^[\w-]+/.exec(text.slice(at))?.[0];
  if (word === undefined || (last.trim() !== '' && !isTable)) return undefined;
  const wanted = new RegExp(isTable ? `^\\s*\\[\\s*${word}\\s*\\]` : `^\\s*${word}\\s*=`);
  for (let index = lines.length - 1; index >= 0; index -= 1) {
    const line = lines[index] ?? '';
    if (wanted.test(line)) return `line ${index + 1} has it: put both together there`;
    // Above the header of its table, a key is another's.
    if (!isTable && /^\s*\[[^"'\],]*\]\s*(?:#.*)?$/.test(line)) return undefined;
  }
  return undefined;
}

const FORM = '`[network]`, and below it `allow = ["example.com:443"]`';
