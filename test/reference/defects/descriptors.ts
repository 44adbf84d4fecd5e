/** Defects of what is read before any rule: the plan, descriptors of tries, where their arrays lie, port sets. */
import * as F from '../../../compiler/format.gen.ts';
import { NESTED, SETS } from '../drafts.ts';
import { type Add, type Builder, background, field, plan, put, put8, trie } from './editing.ts';
import { MANY_SETS, shareAll } from './sharing.ts';

/** In the order of the checks. */
export function descriptorDefects(add: Add, build: Builder): void {
  const sets = build(SETS);
  add('plan-mode', F.DEFECT_PLAN_MODE, 'mode 4', plan(1, 4));
  add('plan-kernel-udp', F.DEFECT_PLAN_MODE, 'udp for the kernel', plan(1, F.MODE_KERNEL));
  add(
    'plan-kernel-with-names',
    F.DEFECT_PLAN_RULES,
    'tcp for the kernel, yet a rule has a name',
    plan(0, F.MODE_KERNEL),
  );
  add('plan-open-bind', F.DEFECT_PLAN_MODE, 'tcp-bind open', plan(3, F.MODE_OPEN));
  add(
    'plan-closed-with-rules',
    F.DEFECT_PLAN_RULES,
    'tcp closed, yet rules allow',
    put(field(F.SECTION_PLAN, 0, F.PLAN_MODE), F.MODE_CLOSED),
  );
  add(
    'plan-supervised-without-rules',
    F.DEFECT_PLAN_RULES,
    'icmp supervised, yet nothing is allowed',
    put(field(F.SECTION_PLAN, 2, F.PLAN_MODE), F.MODE_SUPERVISED),
  );
  add(
    'plan-reserved',
    F.DEFECT_RESERVED,
    'a reserved field of the plan',
    put(field(F.SECTION_PLAN, 2, F.PLAN_RESERVED), 1),
  );
  add('root-bits-19', F.DEFECT_ROOT_BITS, 'a root of 19 bits', put8(trie(1, F.TRIE_ROOT_BITS), 19));
  add(
    'start-bytes-3',
    F.DEFECT_START_BYTES,
    'starts of 3 bytes',
    put8(trie(0, F.TRIE_START_BYTES), 3),
  );
  add(
    'start-bytes-2-small-root',
    F.DEFECT_START_BYTES,
    'half an address under a root that has not read the other half',
    put8(trie(0, F.TRIE_START_BYTES), 2),
  );
  add(
    'start-bytes-ipv6-in-ipv4',
    F.DEFECT_START_BYTES,
    'starts of 8 bytes for IPv4',
    put8(trie(0, F.TRIE_START_BYTES), 8),
  );
  add(
    'key-bits',
    F.DEFECT_KEY_BITS,
    'IPv4 with keys of 128 bits',
    put8(trie(0, F.TRIE_KEY_BITS), 128),
  );
  add('spans-2', F.DEFECT_SPANS, 'cells of a third form', put8(trie(0, F.TRIE_SPANS), 2));
  add('trie-reserved', F.DEFECT_RESERVED, 'the last byte of a descriptor', put8(trie(7, 39), 1));
  add(
    'background-unknown',
    F.DEFECT_BACKGROUND,
    'a background that is no port set',
    put8(background(0), 0xff),
  );
  add(
    'background-member',
    F.DEFECT_BACKGROUND,
    'a background that is neither in nor out',
    put8(background(F.PROTOCOL_TRIES), 2),
    sets,
  );
  add(
    'background-without-spans',
    F.DEFECT_BACKGROUND,
    'a background where no span ends',
    put8(background(4), 1),
    build(NESTED),
  );
  add(
    'background-closed',
    F.DEFECT_BACKGROUND,
    'icmp is closed, behind its spans applies what behind those of udp',
    (table) => {
      const [from, to] = [table.cell(F.SECTION_TRIES, 2), table.cell(F.SECTION_TRIES, 4)];
      table.bytes.copyWithin(to, from, from + F.TRIE_BYTES);
      return background(4)(table);
    },
  );
  add('trie-empty', F.DEFECT_TRIE_COUNT, 'no boundary', put(trie(2, F.TRIE_COUNT), 0));
  add(
    'array-misaligned',
    F.DEFECT_ARRAY_ALIGN,
    'starts at 4 modulo 8',
    put(trie(0, F.TRIE_STARTS), (n) => n + 4),
  );
  add('array-in-strings', F.DEFECT_ARRAY_PLACE, 'a root inside the strings', (table) => {
    const at = table.cell(F.SECTION_TRIES, 0) + F.TRIE_ROOT;
    table.set(at, table.cell(F.SECTION_CELLS, 0) - 8);
    return at;
  });
  add(
    'array-past-end',
    F.DEFECT_ARRAY_PLACE,
    'port sets of boundaries beyond the file',
    put(trie(0, F.TRIE_SETS), 0xfffffff8),
  );
  add(
    'array-count-overflow',
    F.DEFECT_ARRAY_PLACE,
    'so many boundaries that their bytes wrap around 2^32',
    (table) => {
      table.set(table.cell(F.SECTION_TRIES, 1) + F.TRIE_COUNT, 0x10000000);
      return table.cell(F.SECTION_TRIES, 1) + F.TRIE_STARTS;
    },
  );
  add(
    'sharing',
    F.DEFECT_SHARING,
    'forty tries over one array: checking it would take forty times the file',
    shareAll,
    build(MANY_SETS),
  );
  add(
    'port-set-0-not-empty',
    F.DEFECT_PORT_SET,
    'set 0 has a range',
    put(field(F.SECTION_PORT_SETS, 1, 0), 1),
  );
  add(
    'port-set-descends',
    F.DEFECT_PORT_SET,
    'a set that ends before it begins',
    put(field(F.SECTION_PORT_SETS, 3, 0), 1),
  );
  add('port-set-past-end', F.DEFECT_PORT_SET, 'the last set has one range too many', (table) => {
    const last = table.get(table.record(F.SECTION_PORT_SETS, F.DIRECTORY_COUNT)) - 1;
    const at = table.cell(F.SECTION_PORT_SETS, last);
    table.set(at, table.get(at) + 1);
    return at;
  });
  add(
    'port-range-reversed',
    F.DEFECT_PORT_RANGE,
    'low above high',
    put(field(F.SECTION_PORT_RANGES, 0, 0), 443 | (442 << 16)),
  );
  add(
    'port-range-touching',
    F.DEFECT_PORT_RANGE,
    '443 and 444–8010 are one range',
    put(field(F.SECTION_PORT_RANGES, 1, 0), 444 | (8010 << 16)),
  );
}
