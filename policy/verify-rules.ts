/** Checks the sections that explain decisions: rules, pinned names, their addresses, and the text. */
import { report } from './defect';
import {
  ACTION_ALLOW,
  ADDRESS_BYTES,
  DEFECT_ADDRESS,
  DEFECT_NAME_ADDRESSES,
  DEFECT_NAME_KIND,
  DEFECT_PLACE,
  DEFECT_RESERVED,
  DEFECT_RULE_ACTION,
  DEFECT_RULE_ADDRESS,
  DEFECT_RULE_INDEX,
  DEFECT_RULE_PORTS,
  DEFECT_RULE_PREFIX,
  DEFECT_RULE_PROTOCOL,
  DEFECT_RULE_TARGET,
  DEFECT_TEXT,
  DEFECT_UTF8,
  NAME_AT_START,
  NAME_BYTES,
  NAME_COUNT,
  NAME_FIRST,
  NAME_KIND,
  NAME_PINNED,
  NAME_RESERVED,
  NAME_TEXT,
  NAME_TEXT_BYTES,
  ORIGIN_COLUMN,
  ORIGIN_LINE,
  ORIGIN_SOURCE,
  ORIGIN_TEXT,
  PORT_RANGE_BYTES,
  PORT_SET_BYTES,
  PROTOCOL_ICMP,
  PROTOCOL_TCP_BIND,
  PROTOCOLS,
  RULE_ACTION,
  RULE_ADDRESS,
  RULE_BYTES,
  RULE_INDEX,
  RULE_ORIGIN,
  RULE_PORT_SET,
  RULE_PREFIX_BITS,
  RULE_PROTOCOL,
  RULE_RESERVED,
  RULE_SET_NAME,
  RULE_SET_NAME_BYTES,
  RULE_TARGET,
  SECTION_ADDRESSES,
  SECTION_NAMES,
  SECTION_PORT_RANGES,
  SECTION_PORT_SETS,
  SECTION_RULES,
  SECTION_SETS,
  SECTION_STRINGS,
  TARGET_IPV4,
  TARGET_IPV6,
  TARGET_NAME,
  TARGET_SET,
} from './format';
import { hasHostBits, isMapped } from './prefix';
import { sectionCount, sectionOffset } from './section';

export function checkRules(table: usize): bool {
  const rules = sectionOffset(table, SECTION_RULES);
  const count = sectionCount(table, SECTION_RULES);
  for (let i: u32 = 0; i < count; i++) {
    if (!checkRule(table, rules + i * RULE_BYTES)) return false;
  }
  return true;
}

function checkRule(table: usize, offset: u32): bool {
  const rule = table + offset;
  const target = <u32>load<u8>(rule, RULE_TARGET);
  if (<u32>load<u8>(rule, RULE_ACTION) > ACTION_ALLOW) {
    return report(DEFECT_RULE_ACTION, offset + RULE_ACTION);
  }
  if (<u32>load<u8>(rule, RULE_PROTOCOL) >= PROTOCOLS) {
    return report(DEFECT_RULE_PROTOCOL, offset + RULE_PROTOCOL);
  }
  if (target > TARGET_SET || (target == TARGET_NAME && isBind(rule))) {
    return report(DEFECT_RULE_TARGET, offset + RULE_TARGET);
  }
  const longest: u32 = target == TARGET_IPV4 ? 32 : target == TARGET_IPV6 ? 128 : 0;
  if (<u32>load<u8>(rule, RULE_PREFIX_BITS) > longest) {
    return report(DEFECT_RULE_PREFIX, offset + RULE_PREFIX_BITS);
  }
  if (!hasRulePorts(table, rule)) return report(DEFECT_RULE_PORTS, offset + RULE_PORT_SET);
  const index = load<u32>(rule, RULE_INDEX);
  if (index > 0 ? index >= indexLimit(table, target) : indexLimit(table, target) == 0) {
    return report(DEFECT_RULE_INDEX, offset + RULE_INDEX);
  }
  if (target == TARGET_NAME && <u32>load<u8>(rule, RULE_ACTION) != ACTION_ALLOW) {
    const name = table + sectionOffset(table, SECTION_NAMES) + <usize>index * NAME_BYTES;
    // What it stands for is not known yet, so it could not be denied.
    if (load<u32>(name, NAME_KIND) != NAME_PINNED) {
      return report(DEFECT_RULE_TARGET, offset + RULE_TARGET);
    }
  }
  if (!checkOrigin(table, offset + RULE_ORIGIN)) return false;
  if (target == TARGET_SET) {
    if (!checkText(table, offset + RULE_SET_NAME)) return false;
  } else {
    if (load<u32>(rule, RULE_SET_NAME) != 0) {
      return report(DEFECT_RESERVED, offset + RULE_SET_NAME);
    }
    if (load<u32>(rule, RULE_SET_NAME_BYTES) != 0) {
      return report(DEFECT_RESERVED, offset + RULE_SET_NAME_BYTES);
    }
  }
  if (load<u32>(rule, RULE_RESERVED) != 0) return report(DEFECT_RESERVED, offset + RULE_RESERVED);
  if (!hasRuleAddress(rule)) return report(DEFECT_RULE_ADDRESS, offset + RULE_ADDRESS);
  return true;
}

/** Whether the rule is on addresses that are bound. */
function isBind(rule: usize): bool {
  return <u32>load<u8>(rule, RULE_PROTOCOL) >= PROTOCOL_TCP_BIND;
}

/** The port set exists, is not empty, and is 0–65535 for icmp. */
function hasRulePorts(table: usize, rule: usize): bool {
  const set = load<u32>(rule, RULE_PORT_SET);
  if (set == 0 || set >= sectionCount(table, SECTION_PORT_SETS) - 1) return false;
  const portSet = table + sectionOffset(table, SECTION_PORT_SETS) + <usize>set * PORT_SET_BYTES;
  const first = load<u32>(portSet);
  if (load<u32>(portSet, PORT_SET_BYTES) == first) return false;
  if (<u32>load<u8>(rule, RULE_PROTOCOL) != PROTOCOL_ICMP) return true;
  const ranges = table + sectionOffset(table, SECTION_PORT_RANGES);
  return load<u32>(ranges + <usize>first * PORT_RANGE_BYTES) == 0xffff0000;
}

/** The index of a rule is below this; targets without an index have the one index 0. */
function indexLimit(table: usize, target: u32): u32 {
  if (target == TARGET_NAME) return sectionCount(table, SECTION_NAMES);
  if (target == TARGET_SET) return sectionCount(table, SECTION_SETS);
  return 1;
}

function hasRuleAddress(rule: usize): bool {
  const target = <u32>load<u8>(rule, RULE_TARGET);
  const bits = <u32>load<u8>(rule, RULE_PREFIX_BITS);
  const hi = bswap(load<u64>(rule, RULE_ADDRESS));
  const lo = bswap(load<u64>(rule, RULE_ADDRESS + 8));
  if (target < TARGET_IPV4 || target > TARGET_IPV6) return (hi | lo) == 0;
  const wideBits = target == TARGET_IPV4 ? bits + 96 : bits;
  if (isMapped(hi, lo, wideBits) != (target == TARGET_IPV4)) return false;
  if (hasHostBits(hi, lo, wideBits)) return false;
  return isBind(rule) || !isUnspecified(hi, lo, wideBits);
}

/** ::/128 or ::ffff:0.0.0.0/128, which no canonical form of a destination has. */
function isUnspecified(hi: u64, lo: u64, bits: u32): bool {
  return bits == 128 && hi == 0 && (lo == 0 || lo == 0xffff00000000);
}

/** Checks how and where a rule or UNIX rule says that it was written. */
export function checkOrigin(table: usize, origin: u32): bool {
  if (!isPlace(table + origin)) return report(DEFECT_PLACE, origin + ORIGIN_COLUMN);
  return checkText(table, origin + ORIGIN_TEXT) && checkText(table, origin + ORIGIN_SOURCE);
}

/** Whether the origin has a line and a column, or neither; the builder asks, too. */
export function isPlace(origin: usize): bool {
  return (load<u32>(origin, ORIGIN_LINE) != 0) == (load<u32>(origin, ORIGIN_COLUMN) != 0);
}

/** Checks the text whose offset stands at `field` and whose length follows it. */
export function checkText(table: usize, field: u32): bool {
  const start = load<u32>(table + field);
  const end = <u64>start + <u64>load<u32>(table + field, 4);
  const count = sectionCount(table, SECTION_STRINGS);
  const strings = table + sectionOffset(table, SECTION_STRINGS);
  if (end > <u64>count) return report(DEFECT_TEXT, field);
  if (start < count && isContinuation(strings + start)) return report(DEFECT_TEXT, field);
  if (end < <u64>count && isContinuation(strings + <usize>end)) return report(DEFECT_TEXT, field);
  return true;
}

function isContinuation(ptr: usize): bool {
  return (load<u8>(ptr) & 0xc0) == 0x80;
}

/**
 * Names have a text; the addresses of the pinned ones stand one after another in the section of addresses and fill it.
 */
export function checkNames(table: usize): bool {
  const names = sectionOffset(table, SECTION_NAMES);
  const count = sectionCount(table, SECTION_NAMES);
  const addresses = sectionCount(table, SECTION_ADDRESSES);
  let next: u64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const offset = names + i * NAME_BYTES;
    const name = table + offset;
    if (!checkText(table, offset + NAME_TEXT)) return false;
    if (load<u32>(name, NAME_TEXT_BYTES) == 0) return report(DEFECT_TEXT, offset + NAME_TEXT_BYTES);
    if (<u64>load<u32>(name, NAME_FIRST) != next) {
      return report(DEFECT_NAME_ADDRESSES, offset + NAME_FIRST);
    }
    const own = <u64>load<u32>(name, NAME_COUNT);
    const kind = load<u32>(name, NAME_KIND);
    next += own;
    if ((own != 0) != (kind == NAME_PINNED) || next > <u64>addresses) {
      return report(DEFECT_NAME_ADDRESSES, offset + NAME_COUNT);
    }
    if (kind > NAME_AT_START) return report(DEFECT_NAME_KIND, offset + NAME_KIND);
    if (load<u32>(name, NAME_RESERVED) != 0) {
      return report(DEFECT_RESERVED, offset + NAME_RESERVED);
    }
  }
  if (next != <u64>addresses) {
    const unowned = sectionOffset(table, SECTION_ADDRESSES) + <u32>next * ADDRESS_BYTES;
    return report(DEFECT_NAME_ADDRESSES, unowned);
  }
  return true;
}

/** The addresses of each name are canonical and ascend. */
export function checkAddresses(table: usize): bool {
  const names = table + sectionOffset(table, SECTION_NAMES);
  const count = sectionCount(table, SECTION_NAMES);
  const addresses = sectionOffset(table, SECTION_ADDRESSES);
  for (let i: u32 = 0; i < count; i++) {
    const name = names + <usize>i * NAME_BYTES;
    const first = load<u32>(name, NAME_FIRST);
    const end = first + load<u32>(name, NAME_COUNT);
    let beforeHi: u64 = 0;
    let beforeLo: u64 = 0;
    for (let index = first; index < end; index++) {
      const offset = addresses + index * ADDRESS_BYTES;
      const hi = bswap(load<u64>(table + offset));
      const lo = bswap(load<u64>(table + offset, 8));
      const ascends = index == first || hi > beforeHi || (hi == beforeHi && lo > beforeLo);
      if (!ascends || isUnspecified(hi, lo, 128)) return report(DEFECT_ADDRESS, offset);
      beforeHi = hi;
      beforeLo = lo;
    }
  }
  return true;
}

/** The section of strings is UTF-8 (RFC 3629); reports the start of the first sequence that is not. */
export function checkStrings(table: usize): bool {
  const strings = sectionOffset(table, SECTION_STRINGS);
  const end = strings + sectionCount(table, SECTION_STRINGS);
  let offset = strings;
  while (offset < end) {
    const ptr = table + offset;
    if (end - offset >= 8 && (load<u64>(ptr) & 0x8080808080808080) == 0) {
      offset += 8;
      continue;
    }
    const length = sequenceLength(ptr, end - offset);
    if (length == 0) return report(DEFECT_UTF8, offset);
    offset += length;
  }
  return true;
}

/** Bytes of the UTF-8 sequence at `ptr`, of which `rest` bytes are there; 0 when it is none. */
function sequenceLength(ptr: usize, rest: u32): u32 {
  const first = <u32>load<u8>(ptr);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length: u32 = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (rest < length) return 0;
  const second = <u32>load<u8>(ptr, 1);
  // Overlong forms, surrogates and what lies above U+10FFFF show in the second byte.
  const low: u32 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const high: u32 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i: u32 = 2; i < length; i++) {
    if (!isContinuation(ptr + i)) return 0;
  }
  return length;
}
