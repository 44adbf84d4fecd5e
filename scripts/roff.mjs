// Markdown, as far as this repository's pages use it, to roff with the man macros: headings,
// paragraphs, lists, tables, fenced code, and code, bold and links inside a line. A line `{{name}}`
// is replaced by a ready-made part.

/** Text for roff: no line of it is a request, and a hyphen can be searched and copied. */
export function plain(text) {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(['.])/gm, '\\&$1')
    .replaceAll('…', '...')
    .replaceAll('→', '\\(->')
    .replaceAll('·', '\\(bu')
    .replaceAll('—', '\\(em')
    .replaceAll('–', '\\(en')
    .replaceAll('×', '\\(mu')
    .replaceAll('≥', '\\(>=')
    .replaceAll('≤', '\\(<=')
    .replaceAll('’', '\\(cq')
    .replaceAll('“', '\\(lq')
    .replaceAll('”', '\\(rq')
    .replace(
      /[^\0-\x7f]/gu,
      (character) =>
        `\\[u${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}

/** Code, bold and links of a line. */
function inline(text) {
  return text
    .split(/(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\([^)]+\))/)
    .map((part) => {
      if (part.startsWith('`')) return `\\fB${plain(part.slice(1, -1))}\\fR`;
      if (part.startsWith('**')) return `\\fB${plain(part.slice(2, -2))}\\fR`;
      const [, label, target] = /^\[([^\]]+)\]\(([^)]+)\)$/.exec(part) ?? [];
      if (label !== undefined) return label === target ? plain(label) : `${plain(label)}`;
      return plain(part);
    })
    .join('')
    .replace(/^(['.])/, '\\&$1');
}

/** A page in Markdown to the body of a manual page; `parts` by name. */
export function toRoff(markdown, parts) {
  const lines = markdown.replace(/<!--[\s\S]*?-->\n?/g, '').split('\n');
  let out = '';
  let at = 0;
  const take = (test) => {
    const taken = [];
    while (at < lines.length && test(lines[at])) taken.push(lines[at++]);
    return taken;
  };
  while (at < lines.length) {
    const line = lines[at];
    const [, part] = /^\{\{(\w+)\}\}$/.exec(line) ?? [];
    const [, level, title] = /^(#+) (.*)$/.exec(line) ?? [];
    if (part !== undefined) {
      if (parts[part] === undefined) throw new Error(`no part named ${part}`);
      out += parts[part];
      at += 1;
    } else if (level !== undefined) {
      const text = level.length < 3 ? title.replaceAll('`', '').toUpperCase() : title;
      out += `.${level.length < 3 ? 'SH' : 'SS'} ${inline(text)}\n`;
      at += 1;
    } else if (line.startsWith('```')) {
      at += 1;
      const code = take((text) => !text.startsWith('```'));
      at += 1;
      out += `.PP\n.in +4\n.nf\n${code.map((text) => plain(text)).join('\n')}\n.fi\n.in\n`;
    } else if (line.startsWith('|')) {
      out += table(take((text) => text.startsWith('|')));
    } else if (/^[-*] /.test(line)) {
      out += list(take((text) => /^([-*] | {2,}\S)/.test(text)));
    } else if (line.trim() === '') {
      at += 1;
    } else {
      const text = take((one) => one.trim() !== '' && !/^(#|```|\||[-*] |\{\{)/.test(one));
      out += `.PP\n${text.map((one) => inline(one.trim())).join('\n')}\n`;
    }
  }
  // A heading ends a paragraph by itself.
  return out.replace(/^(\.S[HS] .*\n)\.PP\n/gm, '$1');
}

/** Each row a tagged paragraph: the first cell, and the others below it. */
function table(rows) {
  const cells = rows.map((row) =>
    row
      .replace(/^\||\|\s*$/g, '')
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll('\\|', '|')),
  );
  const head = cells[1]?.every((cell) => /^:?-+:?$/.test(cell)) ? cells.splice(0, 2)[0] : [];
  return cells
    .map(([first = '', ...others]) => {
      const body = others
        .map((cell, index) =>
          index === 0 || cell === '' ? cell : `${head[index + 1] ?? ''}: ${cell}`,
        )
        .filter((cell) => cell !== '');
      return `.TP\n${inline(first)}\n${body.map(inline).join('\n.br\n')}\n`;
    })
    .join('');
}

function list(lines) {
  const items = [];
  for (const line of lines) {
    if (/^[-*] /.test(line)) items.push([line.slice(2)]);
    else items.at(-1).push(line.trim());
  }
  return items.map((item) => `.IP \\(bu 2\n${item.map(inline).join('\n')}\n`).join('');
}
