/**
 * The section `strings` while a draft is laid out: UTF-8 texts one after another, equal texts once,
 * in the order of their first use.
 */

/** Where a text lies in the section, in bytes. */
export interface TextPlace {
  readonly offset: number;
  readonly bytes: number;
}

/** A growing section of strings. */
export interface StringTable {
  /** The place of a text, added when it is new. An unpaired surrogate is stored as U+FFFD. */
  place(text: string): TextPlace;
  /** The bytes of the section so far. */
  bytes(): Uint8Array;
}

/** A new empty section. */
export function createStringTable(): StringTable {
  const places = new Map<string, TextPlace>();
  const encoder = new TextEncoder();
  let buffer = new Uint8Array(4096);
  let used = 0;

  const add = (text: string): TextPlace => {
    // One UTF-16 unit needs at most three bytes of UTF-8.
    const needed = used + text.length * 3;
    if (needed > buffer.length) {
      const grown = new Uint8Array(Math.max(needed, buffer.length * 2));
      grown.set(buffer.subarray(0, used));
      buffer = grown;
    }
    const { written } = encoder.encodeInto(text, buffer.subarray(used));
    const place = { offset: used, bytes: written };
    used += written;
    places.set(text, place);
    return place;
  };

  return {
    place: (text) => places.get(text) ?? add(text),
    bytes: () => buffer.subarray(0, used),
  };
}
