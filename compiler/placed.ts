/**
 * Diagnostics with their order, and the place of a fault inside a TOML string.
 * Stages find errors in any order; the offset tells where each belongs when all are reported.
 */
import type { Diagnostic, Fault } from './diagnostic.ts';
import type { Source } from './source.ts';
import { offsetInString, type TomlScalar } from './toml-tree.ts';

/** A diagnostic and where it belongs: a UTF-16 offset into the policy. */
export interface Placed {
  readonly at: number;
  readonly diagnostic: Diagnostic;
}

/** What a diagnostic says beside its fault. */
export interface Extra {
  readonly severity?: 'warning';
  readonly note?: string;
}

/** The diagnostics by place. Stable, so that equal places keep the order in which they were found. */
export function inOrder(placed: readonly Placed[]): readonly Diagnostic[] {
  return [...placed].sort((a, b) => a.at - b.at).map(({ diagnostic }) => diagnostic);
}

/** Places a fault within the value of an option: behind all of a file. */
export function placeInOption(source: Source, fault: Fault, extra?: Extra): Placed {
  return { at: Number.MAX_SAFE_INTEGER, diagnostic: source.diagnose(fault, extra) };
}

/**
 * Places a fault whose offsets count within a string's value: on the offending part, or on the
 * whole string when escapes make the file's text differ from the value.
 */
export function placeInString(
  source: Source,
  node: TomlScalar,
  fault: Fault,
  extra: Extra = {},
): Placed {
  const base = node.value === '' ? undefined : offsetInString(source.text, node);
  const span =
    base === undefined
      ? { start: node.start, end: node.end }
      : { start: base + fault.start, end: base + fault.end };
  return { at: span.start, diagnostic: source.diagnose({ ...fault, ...span }, extra) };
}
