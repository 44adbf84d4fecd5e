/**
 * The editor: CodeMirror with TOML, the compiler's diagnostics underlined in place, and what the
 * schema says about a key on hover and while typing. Decides nothing about policies.
 */
import {
  autocompletion,
  type CompletionContext,
  type CompletionResult,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { HighlightStyle, StreamLanguage, syntaxHighlighting } from '@codemirror/language';
import { toml } from '@codemirror/legacy-modes/mode/toml';
import { lintGutter, lintKeymap, type Diagnostic as Mark, setDiagnostics } from '@codemirror/lint';
import { EditorState, type Text } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  hoverTooltip,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';
import type { Diagnostic } from '../../compiler/diagnostic.ts';
import { describeAt, keysAt, wordsAt } from './schema-help.ts';

/** The editor, as the page uses it. */
export interface Editor {
  text(): string;
  setText(text: string): void;
  /** Underlines them. */
  mark(diagnostics: readonly Diagnostic[]): void;
  /** Selects a place and takes the focus; line and column begin with 1. */
  goTo(line: number, column: number, length: number): void;
}

const STYLE = HighlightStyle.define([
  { tag: tags.comment, color: 'var(--muted)', fontStyle: 'italic' },
  { tag: tags.string, color: 'var(--string)' },
  { tag: [tags.number, tags.bool, tags.atom], color: 'var(--number)' },
  { tag: tags.propertyName, color: 'var(--key)' },
]);

/** Makes an editor inside an element; `changed` is called after each change of the text. */
export function createEditor(parent: HTMLElement, text: string, changed: () => void): Editor {
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        lintGutter(),
        history(),
        drawSelection(),
        highlightActiveLine(),
        EditorView.lineWrapping,
        StreamLanguage.define(toml),
        syntaxHighlighting(STYLE),
        autocompletion({ override: [complete] }),
        hoverTooltip(describe),
        // Tab leaves the editor, as everywhere on a page.
        keymap.of([...defaultKeymap, ...historyKeymap, ...lintKeymap]),
        EditorView.contentAttributes.of({ 'aria-label': 'Policy', spellcheck: 'false' }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) changed();
        }),
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    setText(next) {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } });
    },
    mark(diagnostics) {
      const marks = diagnostics.map((diagnostic) => toMark(view.state.doc, diagnostic));
      view.dispatch(setDiagnostics(view.state, marks));
    },
    goTo(line, column, length) {
      const [from, to] = rangeOf(view.state.doc, line, column, length);
      view.dispatch({ selection: { anchor: from, head: to }, scrollIntoView: true });
      view.focus();
    },
  };
}

function toMark(doc: Text, diagnostic: Diagnostic): Mark {
  const { line, column, length, severity, code, message, expected, help, note } = diagnostic;
  const [from, to] = rangeOf(doc, line, column, length);
  const lines = [
    message,
    ...(expected === undefined ? [] : [`expected: ${expected}`]),
    ...(help === undefined ? [] : [`help: ${help}`]),
    ...(note === undefined ? [] : [`note: ${note}`]),
  ];
  return { from, to, severity, source: code, message: lines.join('\n') };
}

/** Offsets of a place; columns and lengths count characters, offsets UTF-16 units. */
function rangeOf(doc: Text, line: number, column: number, length: number): [number, number] {
  if (line < 1 || line > doc.lines) return [0, 0];
  const { from, text } = doc.line(line);
  const characters = [...text];
  const start = characters.slice(0, Math.max(0, column - 1)).join('').length;
  const end = start + characters.slice(column - 1, column - 1 + length).join('').length;
  return [from + start, from + end];
}

function describe(view: EditorView, position: number) {
  const line = view.state.doc.lineAt(position);
  const above = view.state.doc.sliceString(0, line.from);
  const found = describeAt(above, line.text, position - line.from);
  if (found === undefined) return null;
  return {
    pos: line.from + found.start,
    end: line.from + found.end,
    create() {
      const dom = document.createElement('div');
      dom.className = 'schema-help';
      const title = dom.appendChild(document.createElement('code'));
      title.textContent = found.title;
      dom.appendChild(document.createElement('p')).textContent = found.text;
      return { dom };
    },
  };
}

function complete(context: CompletionContext): CompletionResult | null {
  const line = context.state.doc.lineAt(context.pos);
  const above = context.state.doc.sliceString(0, line.from);
  const before = line.text.slice(0, context.pos - line.from);
  const word = /[\w/-]*$/.exec(before)?.[0] ?? '';
  if (word === '' && !context.explicit) return null;
  const isKey = /^\s*[\w-]*$/.test(before);
  const options = isKey ? keysAt(above) : wordsAt(above, before);
  if (options.length === 0) return null;
  return { from: context.pos - word.length, options: [...options], validFor: /^[\w/-]*$/ };
}
