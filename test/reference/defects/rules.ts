/** Defects of rules, names, addresses, texts, facts and UNIX rules. */
import * as F from '../../../compiler/format.gen.ts';
import { draftOf, rule as ruleOf } from '../drafts.ts';
import type { Editor } from '../edit.ts';
import {
  type Add,
  type Builder,
  type Edit,
  field,
  type Place,
  put,
  put8,
  rule,
} from './editing.ts';

/** In the order of the checks. */
export function ruleDefects(add: Add, build: Builder): void {
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
  originDefects(add, 'rule', (table) => table.cell(F.SECTION_RULES, 0) + F.RULE_ORIGIN);
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
  const unixText = (index: number): ((table: Editor) => number) =>
    unix(index, F.UNIX_RULE_ORIGIN + F.ORIGIN_TEXT);
  /** Gives the text of a UNIX rule another place and reports it. */
  const place =
    (index: number, move: number, bytes: number): Edit =>
    (table) => {
      const at = unixText(index)(table);
      table.set(at, table.get(at) + move);
      table.set(at + 4, bytes);
      return at;
    };
  add('unix-kind', F.DEFECT_UNIX_KIND, 'kind 3', put(unix(1, F.UNIX_RULE_KIND), 3));
  originDefects(add, 'unix', unix(0, F.UNIX_RULE_ORIGIN));
  add('unix-cut', F.DEFECT_TEXT, 'a directory that ends inside ü', place(1, 0, 6));
  add('unix-empty', F.DEFECT_UNIX_TEXT, 'an abstract name of no letters', place(2, 0, 0));
  add('unix-long', F.DEFECT_UNIX_TEXT, 'a name of 108 bytes', (table) => {
    const at = unixText(2)(table);
    table.set(at, 0);
    table.set(at + 4, F.UNIX_TEXT_MAX + 1);
    return at;
  });
  add('unix-nul', F.DEFECT_UNIX_TEXT, 'an abstract name with a NUL', (table) => {
    const at = unixText(2)(table);
    table.set8(table.cell(F.SECTION_STRINGS, table.get(at)) + 3, 0);
    return at;
  });
  add('unix-relative', F.DEFECT_UNIX_TEXT, 'a path that begins with a letter', place(0, 1, 20));
  add('unix-path-slash', F.DEFECT_UNIX_TEXT, 'the path /run/', place(0, 0, 5));
  add('unix-path-root', F.DEFECT_UNIX_TEXT, 'the path /', place(0, 0, 1));
  add('unix-directory-slash', F.DEFECT_UNIX_TEXT, 'the directory /run/', place(1, 0, 5));
}

/** Defects of an origin, of a rule of MIXED or a UNIX rule: its file is polïcy.toml. */
function originDefects(add: Add, name: string, origin: Place): void {
  const at =
    (field: number): Place =>
    (table) =>
      origin(table) + field;
  add(`${name}-without-column`, F.DEFECT_PLACE, 'a line, no column', put(at(F.ORIGIN_COLUMN), 0));
  add(`${name}-without-line`, F.DEFECT_PLACE, 'a column, no line', (table) => {
    table.set(at(F.ORIGIN_LINE)(table), 0);
    return at(F.ORIGIN_COLUMN)(table);
  });
  const texts = [
    ['text-outside', 'a text that is longer than the strings', F.ORIGIN_TEXT, 0xffffffff],
    ['source-outside', 'a file name that is longer than the strings', F.ORIGIN_SOURCE, 0xffffffff],
    ['source-cut', 'a file name that ends inside ï', F.ORIGIN_SOURCE, 4],
  ] as const;
  for (const [what, why, field, bytes] of texts) {
    add(`${name}-${what}`, F.DEFECT_TEXT, why, (table) => {
      table.set(at(field + 4)(table), bytes);
      return at(field)(table);
    });
  }
  add(`${name}-source-behind`, F.DEFECT_TEXT, 'a file name behind the strings', (table) =>
    put(at(F.ORIGIN_SOURCE), table.get(table.record(F.SECTION_STRINGS, F.DIRECTORY_SIZE)))(table),
  );
}
