/**
 * Coverage for JavaScript: puts a counter at every place where control can go two ways, and collects the words that the
 * source compares with, as a dictionary. An esbuild plugin, so that what is fuzzed is the source itself, bundled.
 * Knows nothing of targets. Counters live in `globalThis.fuzzCounters`; loop.ts reads and clears them.
 */
import { readFile } from 'node:fs/promises';
import { transform } from 'esbuild';
import { parseAst } from 'rolldown/parseAst';

/**
 * A node of the syntax tree; offsets are UTF-16.
 * @typedef {{ type: string, start: number, end: number, [key: string]: unknown }} Node
 */

/**
 * What instrumenting has found so far.
 * @typedef {{ counters: number, words: Set<string> }} Instrumented
 */

/**
 * Instruments the files whose path matches; everything else is bundled as it is.
 * @param {RegExp} filter
 * @param {Instrumented} found
 * @returns {import('esbuild').Plugin}
 */
export function instrumenter(filter, found) {
  return {
    name: 'instrument',
    setup(bundler) {
      bundler.onLoad({ filter }, async ({ path }) => {
        const source = await readFile(path, 'utf8');
        const loader = path.endsWith('.ts') ? 'ts' : 'js';
        const { code } = await transform(source, { loader, target: 'es2022' });
        return { contents: instrument(code, found), loader: 'js' };
      });
    },
  };
}

/**
 * The code with counters.
 * @param {string} code
 * @param {Instrumented} found
 */
export function instrument(code, found) {
  /** @type {{ at: number, text: string }[]} */
  const inserts = [];
  const count = () => `fuzzCounters[${found.counters++}]++`;
  const insert = (at, text) => {
    inserts.push({ at, text });
  };
  const statement = (node) => {
    if (node.type === 'BlockStatement') insert(node.start + 1, `${count()};`);
    else {
      insert(node.start, `{${count()};`);
      insert(node.end, '}');
    }
  };
  const expression = (node) => {
    insert(node.start, `(${count()},`);
    insert(node.end, ')');
  };
  /** @type {any} */
  const program = parseAst(code);
  walk(program, (node) => {
    const child = (key) => toNode(node[key]);
    switch (node.type) {
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression': {
        const body = child('body');
        if (body?.type === 'BlockStatement') statement(body);
        else if (body !== undefined) expression(body);
        break;
      }
      case 'IfStatement':
        for (const branch of [child('consequent'), child('alternate')]) {
          if (branch !== undefined) statement(branch);
        }
        break;
      case 'ForStatement':
      case 'ForOfStatement':
      case 'ForInStatement':
      case 'WhileStatement':
      case 'DoWhileStatement':
      case 'CatchClause': {
        const body = child('body');
        if (body !== undefined) statement(body);
        break;
      }
      case 'ConditionalExpression':
        for (const branch of [child('consequent'), child('alternate')]) {
          if (branch !== undefined) expression(branch);
        }
        break;
      case 'LogicalExpression': {
        const right = child('right');
        if (right !== undefined) expression(right);
        break;
      }
      case 'SwitchCase': {
        const [first] = /** @type {Node[]} */ (node.consequent);
        if (first !== undefined) insert(first.start, `${count()};`);
        break;
      }
      case 'Literal':
        if (typeof node.value === 'string' && /^.{1,24}$/s.test(node.value)) {
          found.words.add(node.value);
        }
    }
  });
  // Of inserts at one place those found first belong outside: openings keep their order, closings turn it round.
  const ordered = inserts.map((one, order) => ({ ...one, order }));
  ordered.sort((a, b) => a.at - b.at || rank(a.text) - rank(b.text) || turn(a) - turn(b));
  let result = '';
  let from = 0;
  for (const { at, text } of ordered) {
    result += code.slice(from, at) + text;
    from = at;
  }
  return result + code.slice(from);
}

/** Closings come before openings. */
function rank(text) {
  return text === ')' || text === '}' ? 0 : 1;
}

function turn({ text, order }) {
  return rank(text) === 0 ? -order : order;
}

/** @param {Node} node @param {(node: Node) => void} visit */
function walk(node, visit) {
  visit(node);
  for (const value of Object.values(node)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      const child = toNode(one);
      if (child !== undefined) walk(child, visit);
    }
  }
}

/** @returns {Node | undefined} */
function toNode(value) {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
    ? value
    : undefined;
}
