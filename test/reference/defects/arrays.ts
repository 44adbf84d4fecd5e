/** Defects of sets and members, of what the arrays of tries hold, and of plans that do not fit what the tries say. */
import * as F from '../../../compiler/format.gen.ts';
import { draftOf, KERNEL, NESTED, rule as ruleOf, SETS } from '../drafts.ts';
import type { Editor } from '../edit.ts';
import { type Add, type Builder, background, type Edit, field, plan, put } from './editing.ts';

/** In the order of the checks. */
export function arrayDefects(add: Add, build: Builder): void {
  const sets = build(SETS);
  /** A field of what a set of SETS says of a family, 0 for IPv4, 1 for IPv6. */
  const ofSet = (index: number, family: 0 | 1, at: number): ((table: Editor) => number) =>
    field(F.SECTION_SETS, index, family * F.ADDRESS_SET_FAMILY_BYTES + at);
  add(
    'set-trie-unknown',
    F.DEFECT_SET_TRIE,
    'a set with a trie that is not there',
    put(ofSet(0, 0, F.ADDRESS_SET_TRIE), 14),
    sets,
  );
  add(
    'set-trie-of-other-family',
    F.DEFECT_SET_TRIE,
    'IPv6 members in a trie of IPv4',
    put(ofSet(1, 1, F.ADDRESS_SET_TRIE), 0),
    sets,
  );
  add(
    'set-first',
    F.DEFECT_SET_MEMBERS,
    'the first set begins at the second member',
    put(ofSet(0, 0, F.ADDRESS_SET_FIRST), 1),
    sets,
  );
  add(
    'set-first-again',
    F.DEFECT_SET_MEMBERS,
    'IPv6 begins where IPv4 does',
    put(ofSet(0, 1, F.ADDRESS_SET_FIRST), 0),
    sets,
  );
  add(
    'set-too-many',
    F.DEFECT_SET_MEMBERS,
    'more members than there are',
    put(ofSet(5, 1, F.ADDRESS_SET_COUNT), 2),
    sets,
  );
  add(
    'member-of-nobody',
    F.DEFECT_SET_MEMBERS,
    'a member after those of the last set',
    (table) => {
      table.set(ofSet(5, 1, F.ADDRESS_SET_COUNT)(table), 0);
      return table.cell(F.SECTION_MEMBERS, table.get(ofSet(5, 1, F.ADDRESS_SET_FIRST)(table)));
    },
    sets,
  );
  /** Sets a member and reports it. */
  const member =
    (index: number, value: number): Edit =>
    (table) => {
      const at = table.cell(F.SECTION_MEMBERS, index);
      table.set16(at, value);
      return at;
    };
  add('member-0', F.DEFECT_MEMBER, 'who has no ports is a member', member(0, 0), sets);
  add(
    'member-twice',
    F.DEFECT_MEMBER,
    'a port set that is a member twice',
    (table) => member(1, table.get16(table.cell(F.SECTION_MEMBERS, 0)))(table),
    sets,
  );
  add(
    'member-unknown',
    F.DEFECT_MEMBER,
    'a port set that is not there as a member',
    (table) => {
      const last = table.get(ofSet(0, 0, F.ADDRESS_SET_COUNT)(table)) - 1;
      const portSets = table.get(table.record(F.SECTION_PORT_SETS, F.DIRECTORY_COUNT)) - 1;
      return member(last, portSets)(table);
    },
    sets,
  );
  add(
    'member-of-own-trie',
    F.DEFECT_MEMBER,
    'port set 2 in a trie of 0 and 1',
    (table) => member(table.get(ofSet(4, 0, F.ADDRESS_SET_FIRST)(table)), 2)(table),
    sets,
  );
  const root = (table: Editor, index: number): number =>
    table.get(table.cell(F.SECTION_TRIES, index) + F.TRIE_ROOT);
  const starts = (table: Editor, index: number): number =>
    table.get(table.cell(F.SECTION_TRIES, index) + F.TRIE_STARTS);
  const cells = (table: Editor, index: number): number =>
    table.get(table.cell(F.SECTION_TRIES, index) + F.TRIE_SETS);
  add(
    'root-first',
    F.DEFECT_ROOT,
    'the first child begins at boundary 1',
    put((table) => root(table, 0), 1),
  );
  add(
    'root-descends',
    F.DEFECT_ROOT,
    'a child past the last boundary',
    put((table) => root(table, 0) + 4, 0xffffffff),
  );
  add(
    'root-descends-inside',
    F.DEFECT_ROOT,
    'a child that begins before its predecessor, yet at a boundary that is there',
    put((table) => root(table, 0) + 8, 1),
    build(NESTED),
  );
  add('root-last', F.DEFECT_ROOT, 'the root ends before the last boundary', (table) => {
    const last =
      root(table, 0) + (4 << table.get8(table.cell(F.SECTION_TRIES, 0) + F.TRIE_ROOT_BITS));
    table.set(last, table.get(last) - 1);
    return last;
  });
  add(
    'start-first',
    F.DEFECT_START,
    'the first boundary is not at key 0',
    put((table) => starts(table, 0), 1),
  );
  add('start-equal', F.DEFECT_START, 'two boundaries at one key', (table) => {
    table.set(starts(table, 0) + 4, 0);
    return starts(table, 0) + 4;
  });
  add('start-outside-child', F.DEFECT_START, 'a boundary in the run of another child', (table) => {
    // The last boundary of child 0 moves into the space of the last child.
    const at = starts(table, 0) + 4 * (table.get(root(table, 0) + 4) - 1);
    table.set(at, 0xfffffff0);
    return at;
  });
  /** The first cell of a trie without spans, and of one with spans, in NESTED and in MIXED. */
  const plain = (table: Editor): number => cells(table, 4);
  const spans = (table: Editor): number => cells(table, 0);
  const nested = build(NESTED);
  add('set-unknown', F.DEFECT_SET, 'a boundary with a port set that is not there', (table) => {
    table.set16(spans(table) + F.SPAN_BYTES, 0xffff);
    return spans(table) + F.SPAN_BYTES;
  });
  add(
    'set-unknown-without-spans',
    F.DEFECT_SET,
    'the same in a trie without spans',
    (table) => {
      table.set16(plain(table) + F.SET_BYTES, 0xffff);
      return plain(table) + F.SET_BYTES;
    },
    nested,
  );
  add(
    'member-2',
    F.DEFECT_SET,
    'an address that is neither in nor out',
    (table) => {
      table.set16(cells(table, F.PROTOCOL_TRIES) + F.SPAN_BYTES, 2);
      return cells(table, F.PROTOCOL_TRIES) + F.SPAN_BYTES;
    },
    sets,
  );
  add('span-too-long', F.DEFECT_SPAN, 'an IPv4 prefix of 33 bits', (table) => {
    const at = spans(table) + F.SPAN_BITS;
    table.set8(at, 33);
    return at;
  });
  add(
    'span-beyond-starts',
    F.DEFECT_SPAN,
    'an IPv6 prefix of 65 bits whose start holds 64',
    (table) => {
      const at = cells(table, 1) + F.SPAN_BITS;
      table.set8(at, 65);
      return at;
    },
    nested,
  );
  add(
    'span-wider-than-child',
    F.DEFECT_SPAN,
    'a prefix of 2 bits under a root of 3',
    (table) => {
      const at = spans(table) + F.SPAN_BITS;
      table.set8(at, 2);
      return at;
    },
    nested,
  );
  add('span-reserved', F.DEFECT_RESERVED, 'the last byte of a cell', (table) => {
    const at = spans(table) + F.SPAN_RESERVED;
    table.set8(at, 1);
    return at;
  });
  add(
    'set-repeated',
    F.DEFECT_SET_REPEATED,
    'two neighbours with the same port set',
    (table) => {
      table.set16(plain(table) + F.SET_BYTES, table.get16(plain(table)));
      return plain(table) + F.SET_BYTES;
    },
    nested,
  );
  add('span-of-background', F.DEFECT_SET_REPEATED, 'a span that changes nothing', (table) => {
    const at = cells(table, 2) + F.SPAN_BYTES;
    table.set16(at, table.get16(background(2)(table)));
    return at;
  });
  add(
    'background-repeated',
    F.DEFECT_SET_REPEATED,
    'a boundary that gives back what a span gave back already',
    (table) => {
      const last = cells(table, 6) + 3 * F.SPAN_BYTES;
      table.set(last - F.SPAN_BYTES, table.get(last));
      table.set(last, table.get16(background(6)(table)));
      return last;
    },
  );
  add(
    'closed-protocol-allows',
    F.DEFECT_CLOSED,
    'icmp is closed, its trie is that of tcp',
    (table) => {
      const [from, to] = [table.cell(F.SECTION_TRIES, 0), table.cell(F.SECTION_TRIES, 4)];
      table.bytes.copyWithin(to, from, from + F.TRIE_BYTES);
      return spans(table) + F.SPAN_BYTES;
    },
  );
  const kernel = build(KERNEL);
  const nothing = build(
    draftOf([ruleOf('allow', 'tcp://*:443', 1), ruleOf('deny', 'tcp://*:443', 2)]),
  );
  add(
    'plan-kernel-with-addresses',
    F.DEFECT_ADDRESSES,
    'tcp for the kernel, yet its rules name addresses',
    plan(0, F.MODE_KERNEL),
    build(draftOf([ruleOf('allow', 'tcp://10.0.0.0/8:443', 1)])),
  );
  add(
    'plan-open-with-addresses',
    F.DEFECT_ADDRESSES,
    'udp open, yet its rules name addresses',
    plan(1, F.MODE_OPEN),
    build(draftOf([ruleOf('allow', 'udp://10.0.0.0/8:*', 1)])),
  );
  add(
    'plan-open-with-ports',
    F.DEFECT_PORTS,
    'tcp open, yet some ports are not allowed',
    plan(0, F.MODE_OPEN),
    kernel,
  );
  add(
    'plan-kernel-without-ports',
    F.DEFECT_PORTS,
    'tcp for the kernel, yet all that is allowed is denied',
    plan(0, F.MODE_KERNEL),
    nothing,
  );
}
