/**
 * Host names: RFC 1123 labels, folded to lower case, at most 253 octets, a final dot allowed and dropped; international
 * names become A-labels. Underscores are allowed as well: resolvers take them, and container networks have such names.
 * Decides what a name is, not what it resolves to. Texts that end in a number are never names (they are malformed IPv4
 * addresses), because many programs would read them as addresses.
 */
import type { Fault } from './diagnostic.ts';

/** A name in the form of the table (lower case, no final dot), or the first thing that is wrong with it. */
export type ParsedName =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly fault: Fault };

/** Octets of a name without its final dot, RFC 1123 §2.1 after RFC 1035 §2.3.4 (255 with length octets). */
const LONGEST_NAME = 253;
const LONGEST_LABEL = 63;

/** Characters before conversion to A-labels, which seldom shortens a name and never to a quarter. */
const LONGEST_WRITTEN = 4 * LONGEST_NAME;

const EXPECTED = 'labels of letters, digits, `_` and inner hyphens, such as api.example.com';

/** Whether the last label is a number, decimal or hexadecimal: such a text can only be meant as IPv4. */
export function endsInNumber(text: string): boolean {
  return /(^|\.)([0-9]+|0x[0-9a-f]*)\.?$/i.test(text);
}

/** Parses a name. `at` is where `text` stands in the text that the fault's offsets count from. */
export function parseName(text: string, at: number): ParsedName {
  const bare = text.endsWith('.') ? text.slice(0, -1) : text;
  const fault = (message: string, start: number, length: number, help?: string): ParsedName => ({
    ok: false,
    fault: {
      code: 'SL2014',
      message,
      start: at + start,
      end: at + start + length,
      expected: EXPECTED,
      ...(help === undefined ? {} : { help }),
    },
  });
  let start = 0;
  for (const label of bare.split('.')) {
    if (label === '') {
      const dot = Math.max(0, Math.min(start, text.length - 1));
      return fault(`\`${text}\` has an empty label`, dot, 1);
    }
    const strange = /[^A-Za-z0-9_\-\u0080-\u{10ffff}]/u.exec(label);
    if (strange !== null) {
      const message = `a host name can not hold \`${strange[0]}\``;
      return fault(message, start + strange.index, strange[0].length);
    }
    if (label.startsWith('-') || label.endsWith('-')) {
      const hyphen = label.startsWith('-') ? start : start + label.length - 1;
      return fault(`label \`${label}\` has a hyphen at its end`, hyphen, 1);
    }
    if (label.length > LONGEST_LABEL) {
      const message = `a label has ${label.length} characters, at most ${LONGEST_LABEL} are possible`;
      return fault(message, start, label.length);
    }
    start += label.length + 1;
  }
  if (bare.length > LONGEST_WRITTEN) {
    return fault(`the name has ${bare.length} characters`, 0, text.length);
  }
  const name = /[^\x20-\x7e]|xn--/i.test(bare) ? toALabels(bare) : bare.toLowerCase();
  if (name === undefined) {
    return fault(`\`${bare}\` is not a valid international name`, 0, text.length);
  }
  if (name.length > LONGEST_NAME) {
    const message = `the name has ${name.length} octets, at most ${LONGEST_NAME} are possible`;
    return fault(message, 0, text.length);
  }
  return { ok: true, name };
}

/**
 * UTS #46 conversion by the platform's URL parser, which browsers have too. It also reads wide digits as an IPv4
 * address and wide dots as dots; a result that is not a plain name is refused.
 */
function toALabels(name: string): string | undefined {
  let converted: string;
  try {
    converted = new URL(`http://${name}/`).hostname;
  } catch {
    return undefined;
  }
  const plain = converted
    .split('.')
    .every(
      (label) => label.length <= LONGEST_LABEL && /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/.test(label),
    );
  return plain && !endsInNumber(converted) ? converted : undefined;
}
