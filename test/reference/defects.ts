/**
 * Tables with one defect each, for every code of policy/format.ts: how the MIXED draft's table is edited, and the code and byte offset
 * with which every reader must refuse the result. The files in test/bad-data are made from this list.
 */
import * as F from '../../compiler/format.gen.ts';
import { draftOf, KERNEL, MIXED, NESTED, rule as ruleOf, SETS, set } from './drafts.ts';
import { type Editor, edit, seal } from './edit.ts';

/** One damaged table. */
export interface BadTable {
  readonly name: string;
  readonly code: number;
  readonly offset: number;
  readonly why: string;
  readonly bytes: Uint8Array;
}

type Edit = (table: Editor) => number;

/** Builds the table of a draft. */
export type Builder = (draft: typeof MIXED) => Uint8Array;

/** All damaged tables, in the order of the checks. */
export function badTables(build: Builder): readonly BadTable[] {
  const base = build(MIXED);
  const list: BadTable[] = [];
  const add = (name: string, code: number, why: string, change: Edit, table = base): void => {
    const editor = edit(table);
    const offset = change(editor);
    const raw = code === F.DEFECT_CHECKSUM;
    list.push({ name, code, offset, why, bytes: raw ? editor.bytes : seal(editor.bytes) });
  };
  /** Sets a field and reports its own offset. */
  const put =
    (offset: (table: Editor) => number, value: number | ((old: number) => number)): Edit =>
    (table) => {
      const at = offset(table);
      table.set(at, typeof value === 'number' ? value : value(table.get(at)));
      return at;
    };
  const put8 =
    (offset: (table: Editor) => number, value: number): Edit =>
    (table) => {
      const at = offset(table);
      table.set8(at, value);
      return at;
    };
  const header = (field: number) => (): number => field;
  const record =
    (kind: number, field: number) =>
    (table: Editor): number =>
      table.record(kind, field);
  const field =
    (kind: number, index: number, at: number) =>
    (table: Editor): number =>
      table.cell(kind, index) + at;
  const trie = (index: number, at: number): ((table: Editor) => number) =>
    field(F.SECTION_TRIES, index, at);
  const rule = (index: number, at: number): ((table: Editor) => number) =>
    field(F.SECTION_RULES, index, at);

  const shorten =
    (length: number): Edit =>
    (table) => {
      table.bytes = table.bytes.slice(0, length);
      return length;
    };
  add('short-empty', F.DEFECT_SHORT, 'no byte at all', shorten(0));
  add('short-header', F.DEFECT_SHORT, 'cut inside the header', shorten(63));
  add('short-directory', F.DEFECT_SHORT, 'cut inside the directory', shorten(100));
  add('magic', F.DEFECT_MAGIC, 'another first letter', put8(header(0), 0x73));
  add('magic-last-letter', F.DEFECT_MAGIC, 'another eighth letter', (table) => {
    table.set8(7, 0x6b);
    return 0;
  });
  add('major-2', F.DEFECT_MAJOR, 'version 2.0', put8(header(F.HEADER_MAJOR), 2));
  add('major-0', F.DEFECT_MAJOR, 'version 0.0', put8(header(F.HEADER_MAJOR), 0));
  add('minor-newer', F.DEFECT_MINOR, 'version 1.1', put8(header(F.HEADER_MINOR), 1));
  add('sections-15', F.DEFECT_SECTIONS, 'fifteen sections', put(header(F.HEADER_SECTIONS), 15));
  add(
    'file-bytes-wrong',
    F.DEFECT_FILE_BYTES,
    'header says one byte more',
    put(header(F.HEADER_FILE_BYTES), (n) => n + 1),
  );
  add('file-bytes-high-half', F.DEFECT_FILE_BYTES, 'the right length plus 4 GiB', (table) => {
    table.set(F.HEADER_FILE_BYTES + 4, 1);
    return F.HEADER_FILE_BYTES;
  });
  add('truncated', F.DEFECT_FILE_BYTES, 'the last 8 bytes are missing', (table) => {
    table.bytes = table.bytes.slice(0, -8);
    return F.HEADER_FILE_BYTES;
  });
  add('extended', F.DEFECT_FILE_BYTES, '8 more bytes', (table) => {
    table.bytes = Uint8Array.from([...table.bytes, ...new Uint8Array(8)]);
    return F.HEADER_FILE_BYTES;
  });
  add('checksum-flipped-bit', F.DEFECT_CHECKSUM, 'a bit of a port is flipped', (table) => {
    const at = table.cell(F.SECTION_PORT_RANGES, 0);
    table.set8(at, table.get8(at) ^ 1);
    return F.HEADER_CHECKSUM;
  });
  add(
    'checksum-zero',
    F.DEFECT_CHECKSUM,
    'no checksum was stored',
    put(header(F.HEADER_CHECKSUM), 0),
  );
  add('header-reserved', F.DEFECT_RESERVED, 'a reserved byte of the header', put8(header(60), 1));
  add(
    'kinds-swapped',
    F.DEFECT_KIND,
    'section 3 stands in place 2',
    put(record(F.SECTION_TRIES, F.DIRECTORY_KIND), 3),
  );
  add(
    'section-bytes',
    F.DEFECT_SECTION_BYTES,
    'rules one byte longer than their count',
    put(record(F.SECTION_RULES, F.DIRECTORY_SIZE), (n) => n + 1),
  );
  add(
    'section-count-overflow',
    F.DEFECT_SECTION_BYTES,
    'count × cell is right only modulo 2^32',
    (table) => {
      const at = table.record(F.SECTION_RULES, F.DIRECTORY_COUNT);
      table.set(at, table.get(at) + 2 ** 26);
      return table.record(F.SECTION_RULES, F.DIRECTORY_SIZE);
    },
  );
  add(
    'section-gap',
    F.DEFECT_SECTION_OFFSET,
    'rules begin 8 bytes late',
    put(record(F.SECTION_RULES, F.DIRECTORY_OFFSET), (n) => n + 8),
  );
  add(
    'section-overlap',
    F.DEFECT_SECTION_OFFSET,
    'strings lie on the addresses',
    put(record(F.SECTION_STRINGS, F.DIRECTORY_OFFSET), (n) => n - 16),
  );
  add('section-end', F.DEFECT_SECTION_END, 'the last section reaches past the end', (table) => {
    const count = table.record(F.SECTION_MEMBERS, F.DIRECTORY_COUNT);
    const size = table.record(F.SECTION_MEMBERS, F.DIRECTORY_SIZE);
    table.set(count, table.get(count) + 1);
    table.set(size, table.get(size) + F.MEMBER_BYTES);
    return size;
  });
  add('padding', F.DEFECT_PADDING, 'a byte between strings and cells', (table) => {
    const at = table.cell(F.SECTION_CELLS, 0) - 1;
    table.set8(at, 1);
    return at;
  });
  add(
    'trailing',
    F.DEFECT_TRAILING,
    '8 bytes after the last section, counted by the header',
    (table) => {
      const end = table.bytes.length;
      table.bytes = Uint8Array.from([...table.bytes, ...new Uint8Array(8)]);
      table.set(F.HEADER_FILE_BYTES, end + 8);
      return end;
    },
  );
  add('plan-four-protocols', F.DEFECT_SECTION_COUNT, 'a plan of four cells', (table) => {
    table.cut(F.SECTION_PLAN, table.cell(F.SECTION_PLAN, 4), F.PLAN_BYTES);
    return table.record(F.SECTION_PLAN, F.DIRECTORY_COUNT);
  });
  const sets = build(SETS);
  const oddTries: Edit = (table) => {
    table.cut(F.SECTION_TRIES, table.cell(F.SECTION_TRIES, 11), F.TRIE_BYTES);
    return table.record(F.SECTION_TRIES, F.DIRECTORY_COUNT);
  };
  add('tries-odd', F.DEFECT_SECTION_COUNT, 'an IPv6 trie less than for IPv4', oddTries, sets);
  add('tries-8', F.DEFECT_SECTION_COUNT, 'no tries for udp-bind', (table) => {
    table.cut(F.SECTION_TRIES, table.cell(F.SECTION_TRIES, 8), 2 * F.TRIE_BYTES);
    return table.record(F.SECTION_TRIES, F.DIRECTORY_COUNT);
  });
  add('facts-none', F.DEFECT_SECTION_COUNT, 'no facts', (table) => {
    table.cut(F.SECTION_FACTS, table.cell(F.SECTION_FACTS, 0), F.FACTS_BYTES);
    return table.record(F.SECTION_FACTS, F.DIRECTORY_COUNT);
  });
  const plan = (protocol: number, mode: number): Edit =>
    put(field(F.SECTION_PLAN, protocol, F.PLAN_MODE), mode);
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
  const background = (index: number): ((table: Editor) => number) => trie(index, F.TRIE_BACKGROUND);
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
  add('rule-action', F.DEFECT_RULE_ACTION, 'action 2', put8(rule(0, F.RULE_ACTION), 2));
  add(
    'rule-protocol',
    F.DEFECT_RULE_PROTOCOL,
    'protocol 5, of a deny rule',
    put8(rule(3, F.RULE_PROTOCOL), 5),
  );
  add('rule-target', F.DEFECT_RULE_TARGET, 'target 5', put8(rule(6, F.RULE_TARGET), 5));
  add('rule-name-bound', F.DEFECT_RULE_TARGET, 'a name that is bound', (table) => {
    const at = table.cell(F.SECTION_RULES, 1);
    table.set8(at + F.RULE_PROTOCOL, F.PROTOCOL_TCP_BIND);
    return at + F.RULE_TARGET;
  });
  add(
    'rule-prefix-33',
    F.DEFECT_RULE_PREFIX,
    'an IPv4 prefix of 33 bits',
    put8(rule(0, F.RULE_PREFIX_BITS), 33),
  );
  add(
    'rule-prefix-of-any',
    F.DEFECT_RULE_PREFIX,
    'any address, 8 bits of it',
    put8(rule(6, F.RULE_PREFIX_BITS), 8),
  );
  add(
    'rule-ports-empty',
    F.DEFECT_RULE_PORTS,
    'a rule without ports',
    put(rule(0, F.RULE_PORT_SET), 0),
  );
  add(
    'rule-ports-none',
    F.DEFECT_RULE_PORTS,
    'a rule whose port set has no ports',
    (table) => {
      table.set(table.cell(F.SECTION_PORT_SETS, 2), 0);
      return rule(0, F.RULE_PORT_SET)(table);
    },
    build(draftOf([ruleOf('allow', 'tcp://10.0.0.1:80', 1), ruleOf('allow', 'tcp://*:443', 2)])),
  );
  add(
    'rule-ports-unknown',
    F.DEFECT_RULE_PORTS,
    'a port set that is not there',
    put(rule(0, F.RULE_PORT_SET), 60000),
  );
  add(
    'rule-icmp-ports',
    F.DEFECT_RULE_PORTS,
    'icmp with some ports',
    put(rule(8, F.RULE_PORT_SET), 1),
  );
  add(
    'rule-name-unknown',
    F.DEFECT_RULE_INDEX,
    'the fourth of three names',
    put(rule(1, F.RULE_INDEX), 3),
  );
  add(
    'rule-set-unknown',
    F.DEFECT_RULE_INDEX,
    'the second of one set',
    put(rule(2, F.RULE_INDEX), 1),
  );
  add(
    'rule-index-without-use',
    F.DEFECT_RULE_INDEX,
    'a prefix with an index',
    put(rule(0, F.RULE_INDEX), 1),
  );
  add('rule-text-outside', F.DEFECT_TEXT, 'a text that is longer than the strings', (table) => {
    const at = table.cell(F.SECTION_RULES, 0) + F.RULE_TEXT;
    table.set(at + 4, 0xffffffff);
    return at;
  });
  add('rule-text-cut', F.DEFECT_TEXT, 'a file name that ends inside ï', (table) => {
    const at = table.cell(F.SECTION_RULES, 0) + F.RULE_SOURCE;
    table.set(at + 4, 4);
    return at;
  });
  add(
    'rule-set-name-without-set',
    F.DEFECT_RESERVED,
    'a prefix with the name of a set',
    put(rule(0, F.RULE_SET_NAME_BYTES), 3),
  );
  add(
    'rule-reserved',
    F.DEFECT_RESERVED,
    'the reserved field of a rule',
    put(rule(0, F.RULE_RESERVED), 1),
  );
  add('rule-host-bits', F.DEFECT_RULE_ADDRESS, '10.0.0.1/8', (table) => {
    const at = table.cell(F.SECTION_RULES, 0) + F.RULE_ADDRESS;
    table.set8(at + 15, 1);
    return at;
  });
  add('rule-ipv4-not-mapped', F.DEFECT_RULE_ADDRESS, 'IPv4 as ::10.0.0.0', (table) => {
    const at = table.cell(F.SECTION_RULES, 0) + F.RULE_ADDRESS;
    table.set8(at + 10, 0);
    table.set8(at + 11, 0);
    return at;
  });
  add(
    'rule-ipv6-mapped',
    F.DEFECT_RULE_ADDRESS,
    '::ffff:10.0.0.0/104 as an IPv6 prefix',
    (table) => {
      const at = table.cell(F.SECTION_RULES, 0);
      table.set8(at + F.RULE_TARGET, F.TARGET_IPV6);
      table.set8(at + F.RULE_PREFIX_BITS, 104);
      return at + F.RULE_ADDRESS;
    },
  );
  add(
    'rule-unspecified',
    F.DEFECT_RULE_ADDRESS,
    '0.0.0.0/32, which stands for 127.0.0.1',
    (table) => {
      const at = table.cell(F.SECTION_RULES, 7) + F.RULE_ADDRESS;
      table.set(at + 12, 0);
      return at;
    },
  );
  add('rule-any-address', F.DEFECT_RULE_ADDRESS, 'any address, and an address', (table) => {
    const at = table.cell(F.SECTION_RULES, 6) + F.RULE_ADDRESS;
    table.set8(at, 1);
    return at;
  });
  add(
    'name-without-text',
    F.DEFECT_TEXT,
    'a name of no letters',
    put(field(F.SECTION_NAMES, 0, F.NAME_TEXT_BYTES), 0),
  );
  add(
    'name-first',
    F.DEFECT_NAME_ADDRESSES,
    'the first name begins at the second address',
    put(field(F.SECTION_NAMES, 0, F.NAME_FIRST), 1),
  );
  add(
    'name-without-address',
    F.DEFECT_NAME_ADDRESSES,
    'a name without an address',
    put(field(F.SECTION_NAMES, 0, F.NAME_COUNT), 0),
  );
  add(
    'name-too-many',
    F.DEFECT_NAME_ADDRESSES,
    'more addresses than there are',
    put(field(F.SECTION_NAMES, 0, F.NAME_COUNT), 4),
  );
  add(
    'name-live-with-address',
    F.DEFECT_NAME_ADDRESSES,
    'a name of the kind live that has addresses',
    (table) => {
      table.set(table.cell(F.SECTION_NAMES, 0) + F.NAME_KIND, F.NAME_LIVE);
      return table.cell(F.SECTION_NAMES, 0) + F.NAME_COUNT;
    },
  );
  add(
    'name-kind',
    F.DEFECT_NAME_KIND,
    'a name of a fifth kind',
    put(field(F.SECTION_NAMES, 2, F.NAME_KIND), 4),
  );
  add(
    'name-reserved',
    F.DEFECT_RESERVED,
    'a name with something reserved',
    put(field(F.SECTION_NAMES, 1, F.NAME_RESERVED), 1),
  );
  add(
    'rule-denies-live-name',
    F.DEFECT_RULE_TARGET,
    'a deny rule on a name that is not pinned',
    (table) => {
      const rule = table.cell(F.SECTION_RULES, 12);
      table.set8(rule + F.RULE_ACTION, F.ACTION_DENY);
      return rule + F.RULE_TARGET;
    },
  );
  add(
    'address-of-nobody',
    F.DEFECT_NAME_ADDRESSES,
    'an address after those of the last name',
    (table) => {
      table.set(table.cell(F.SECTION_NAMES, 0) + F.NAME_COUNT, 2);
      for (const name of [1, 2]) table.set(table.cell(F.SECTION_NAMES, name) + F.NAME_FIRST, 2);
      return table.cell(F.SECTION_ADDRESSES, 2);
    },
  );
  add('address-twice', F.DEFECT_ADDRESS, '192.0.2.8 twice', (table) => {
    const at = table.cell(F.SECTION_ADDRESSES, 1);
    table.set8(at + 15, 8);
    return at;
  });
  add('address-unspecified', F.DEFECT_ADDRESS, '0.0.0.0 as an address of a name', (table) => {
    const at = table.cell(F.SECTION_ADDRESSES, 0);
    table.set(at + 12, 0);
    return at;
  });
  add('utf8', F.DEFECT_UTF8, 'a byte 0xff in a text', (table) => {
    const at = table.cell(F.SECTION_STRINGS, 1);
    table.set8(at, 0xff);
    return at;
  });
  add(
    'facts-family',
    F.DEFECT_FAMILIES,
    'an eleventh family',
    put(field(F.SECTION_FACTS, 0, F.FACTS_FAMILIES), 1024),
  );
  add(
    'facts-flag',
    F.DEFECT_FLAGS,
    'a second flag',
    put(field(F.SECTION_FACTS, 0, F.FACTS_FLAGS), 2),
  );
  add(
    'facts-reserved',
    F.DEFECT_RESERVED,
    'the last byte of the facts',
    put8(field(F.SECTION_FACTS, 0, F.FACTS_BYTES - 1), 1),
  );
  add(
    'facts-resolve',
    F.DEFECT_RESOLVE,
    'a fourth way in which names become addresses',
    put(field(F.SECTION_FACTS, 0, F.FACTS_RESOLVE), 3),
  );
  add(
    'private-name-kind',
    F.DEFECT_PRIVATE_KIND,
    'a private name of a third kind',
    put(field(F.SECTION_PRIVATE_NAMES, 1, F.PRIVATE_NAME_KIND), 2),
  );
  add(
    'private-name-without-text',
    F.DEFECT_TEXT,
    'a private name of no letters',
    put(field(F.SECTION_PRIVATE_NAMES, 0, F.PRIVATE_NAME_TEXT_BYTES), 0),
  );
  const unix = (index: number, at: number): ((table: Editor) => number) =>
    field(F.SECTION_UNIX_RULES, index, at);
  /** Gives the text of a UNIX rule another place and reports it. */
  const place =
    (index: number, move: number, bytes: number): Edit =>
    (table) => {
      const at = unix(index, F.UNIX_RULE_TEXT)(table);
      table.set(at, table.get(at) + move);
      table.set(at + 4, bytes);
      return at;
    };
  add('unix-kind', F.DEFECT_UNIX_KIND, 'kind 3', put(unix(1, F.UNIX_RULE_KIND), 3));
  add('unix-outside', F.DEFECT_TEXT, 'a path longer than the strings', place(0, 0, 0xffffffff));
  add('unix-cut', F.DEFECT_TEXT, 'a directory that ends inside ü', place(1, 0, 6));
  add('unix-empty', F.DEFECT_UNIX_TEXT, 'an abstract name of no letters', place(2, 0, 0));
  add('unix-long', F.DEFECT_UNIX_TEXT, 'a name of 108 bytes', (table) => {
    const at = unix(2, F.UNIX_RULE_TEXT)(table);
    table.set(at, 0);
    table.set(at + 4, F.UNIX_TEXT_MAX + 1);
    return at;
  });
  add('unix-nul', F.DEFECT_UNIX_TEXT, 'an abstract name with a NUL', (table) => {
    const at = unix(2, F.UNIX_RULE_TEXT)(table);
    table.set8(table.cell(F.SECTION_STRINGS, table.get(at)) + 3, 0);
    return at;
  });
  add('unix-relative', F.DEFECT_UNIX_TEXT, 'a path that begins with a letter', place(0, 1, 20));
  add('unix-path-slash', F.DEFECT_UNIX_TEXT, 'the path /run/', place(0, 0, 5));
  add('unix-path-root', F.DEFECT_UNIX_TEXT, 'the path /', place(0, 0, 1));
  add('unix-directory-slash', F.DEFECT_UNIX_TEXT, 'the directory /run/', place(1, 0, 5));
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
  return list;
}

/** Many equal sets: their tries share arrays. */
const MANY_SETS: typeof MIXED = {
  facts: MIXED.facts,
  unixRules: [],
  rules: Array.from({ length: 20 }, (_, i) => ({
    action: 'deny',
    protocol: 'tcp',
    ports: [{ low: 1, high: 1 }],
    target: { kind: 'set', set: `s${i}` },
    text: '',
    source: '',
    line: 0,
    column: 0,
  })),
  names: [],
  dns: MIXED.dns,
  sets: Array.from({ length: 20 }, (_, i) =>
    set(
      `s${i}`,
      Array.from({ length: 20 }, (_, j) => `10.${j * 2}.0.0/16`),
    ),
  ),
};

/** Points every trie to the arrays of the first set's and cuts the section of cells behind them. */
function shareAll(table: Editor): number {
  const tries = table.get(table.record(F.SECTION_TRIES, F.DIRECTORY_COUNT));
  const first = table.cell(F.SECTION_TRIES, F.PROTOCOL_TRIES);
  for (let index = F.PROTOCOL_TRIES; index < tries; index += 2) {
    table.bytes.copyWithin(table.cell(F.SECTION_TRIES, index), first, first + F.TRIE_BYTES);
    const [ipv6, empty] = [table.cell(F.SECTION_TRIES, index + 1), table.cell(F.SECTION_TRIES, 1)];
    table.bytes.copyWithin(ipv6, empty, empty + F.TRIE_BYTES);
  }
  const end = table.get(first + F.TRIE_SETS) + F.SPAN_BYTES * table.get(first + F.TRIE_COUNT);
  const cut = Math.ceil(end / 8) * 8;
  table.cut(F.SECTION_CELLS, cut, table.cell(F.SECTION_FACTS, 0) - cut);
  const limit = F.SHARING_MAX * table.get(table.record(F.SECTION_CELLS, F.DIRECTORY_SIZE));
  let named = 0;
  for (let index = 0; ; index++) {
    const trie = table.cell(F.SECTION_TRIES, index);
    const count = table.get(trie + F.TRIE_COUNT);
    const root = ((1 << table.get8(trie + F.TRIE_ROOT_BITS)) + 1) * 4;
    const cellBytes = table.get8(trie + F.TRIE_SPANS) === 0 ? F.SET_BYTES : F.SPAN_BYTES;
    const starts = count * table.get8(trie + F.TRIE_START_BYTES);
    for (const bytes of [root, starts, count * cellBytes]) {
      named += Math.ceil(bytes / 8) * 8;
    }
    if (named > limit) return trie + F.TRIE_ROOT;
  }
}
