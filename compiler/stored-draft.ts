/**
 * A table back into the draft from which it was built, so that it can be built anew with other
 * addresses for its names: the same draft, but for the prefixes of sets, which come back as the
 * fewest that cover the same addresses.
 */
import { fromNumber } from './address.ts';
import type { AddressSet, TableDraft } from './model.ts';
import { PrefixListBuilder } from './prefix-list.ts';
import type { Trie } from './stored-tries.ts';
import type { Table } from './table.ts';

/** The draft of an open table: equal to the one it was built from, in that both give the same bytes. */
export function draftOfTable(table: Table): TableDraft {
  return {
    facts: table.facts(),
    unixRules: table.unixRules(),
    rules: table.rules(),
    names: table.names(),
    dns: table.dns(),
    sets: readSets(table),
  };
}

/** Sets are numbered in the order in which rules name them first (docs/format.md §4). */
function readSets(table: Table): readonly AddressSet[] {
  const names = new Set<string>();
  for (const { target } of table.rules()) if (target.kind === 'set') names.add(target.set);
  const tries = table.tries();
  return [...names].map((name, number) => {
    const prefixes = new PrefixListBuilder(0);
    addMembers(prefixes, tries.ofSet(number, 4));
    addMembers(prefixes, tries.ofSet(number, 6));
    return { name, prefixes: prefixes.build() };
  });
}

function addMembers(prefixes: PrefixListBuilder, trie: Trie): void {
  const bytes = trie.family === 4 ? 4 : 16;
  const end = 1n << BigInt(8 * bytes);
  let first: bigint | undefined;
  const close = (behind: bigint): void => {
    if (first !== undefined) addRange(prefixes, first, behind, bytes);
  };
  for (const { start, set } of trie.boundaries()) {
    close(start);
    first = set === 1 ? start : undefined;
  }
  close(end);
}

/** Adds `first..behind` as prefixes: each the longest that begins there and does not reach past the end. */
function addRange(list: PrefixListBuilder, first: bigint, behind: bigint, bytes: 4 | 16): void {
  let start = first;
  while (start < behind) {
    let size = start === 0n ? 1n << BigInt(8 * bytes) : start & -start;
    while (start + size > behind) size >>= 1n;
    const bits = 8 * bytes - (size.toString(2).length - 1);
    if (bytes === 4) list.addV4(Number(start), bits);
    else list.addV6(fromNumber(start, 16), bits);
    start += size;
  }
}
