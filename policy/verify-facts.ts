/**
 * Checks what a policy says apart from its rules on addresses: the families of sockets, the flags,
 * the UNIX sockets outside that may be reached, and how names become addresses. Bits that this
 * version does not know are refused: a policy is enforced whole or not at all.
 */
import { report } from './defect';
import {
  DEFECT_FAMILIES,
  DEFECT_FLAGS,
  DEFECT_PRIVATE_KIND,
  DEFECT_RESERVED,
  DEFECT_RESOLVE,
  DEFECT_TEXT,
  DEFECT_UNIX_KIND,
  DEFECT_UNIX_TEXT,
  FACTS_BYTES,
  FACTS_FAMILIES,
  FACTS_FLAGS,
  FACTS_RESERVED,
  FACTS_RESOLVE,
  FAMILIES_ALL,
  FLAGS_ALL,
  ORIGIN_TEXT,
  ORIGIN_TEXT_BYTES,
  PRIVATE_BELOW,
  PRIVATE_NAME_BYTES,
  PRIVATE_NAME_KIND,
  PRIVATE_NAME_TEXT,
  PRIVATE_NAME_TEXT_BYTES,
  RESOLVE_LIVE,
  SECTION_FACTS,
  SECTION_PRIVATE_NAMES,
  SECTION_STRINGS,
  SECTION_UNIX_RULES,
  UNIX_ABSTRACT,
  UNIX_DIRECTORY,
  UNIX_RULE_BYTES,
  UNIX_RULE_KIND,
  UNIX_RULE_ORIGIN,
  UNIX_TEXT_MAX,
} from './format';
import { sectionCount, sectionOffset } from './section';
import { checkOrigin, checkText } from './verify-rules';

const SLASH: u8 = 0x2f;

export function checkFacts(table: usize): bool {
  const offset = sectionOffset(table, SECTION_FACTS);
  const facts = table + offset;
  if ((load<u32>(facts, FACTS_FAMILIES) & ~FAMILIES_ALL) != 0) {
    return report(DEFECT_FAMILIES, offset + FACTS_FAMILIES);
  }
  if ((load<u32>(facts, FACTS_FLAGS) & ~FLAGS_ALL) != 0) {
    return report(DEFECT_FLAGS, offset + FACTS_FLAGS);
  }
  if (load<u32>(facts, FACTS_RESOLVE) > RESOLVE_LIVE) {
    return report(DEFECT_RESOLVE, offset + FACTS_RESOLVE);
  }
  for (let field = FACTS_RESERVED; field < FACTS_BYTES; field++) {
    if (load<u8>(facts + field) != 0) return report(DEFECT_RESERVED, offset + field);
  }
  return true;
}

export function checkUnixRules(table: usize): bool {
  const rules = sectionOffset(table, SECTION_UNIX_RULES);
  const count = sectionCount(table, SECTION_UNIX_RULES);
  const strings = table + sectionOffset(table, SECTION_STRINGS);
  for (let i: u32 = 0; i < count; i++) {
    const offset = rules + i * UNIX_RULE_BYTES;
    const rule = table + offset;
    const kind = load<u32>(rule, UNIX_RULE_KIND);
    if (kind > UNIX_ABSTRACT) return report(DEFECT_UNIX_KIND, offset + UNIX_RULE_KIND);
    if (!checkOrigin(table, offset + UNIX_RULE_ORIGIN)) return false;
    const text = strings + load<u32>(rule, UNIX_RULE_ORIGIN + ORIGIN_TEXT);
    if (!isUnixText(kind, text, load<u32>(rule, UNIX_RULE_ORIGIN + ORIGIN_TEXT_BYTES))) {
      return report(DEFECT_UNIX_TEXT, offset + UNIX_RULE_ORIGIN + ORIGIN_TEXT);
    }
  }
  return true;
}

export function checkPrivateNames(table: usize): bool {
  const names = sectionOffset(table, SECTION_PRIVATE_NAMES);
  const count = sectionCount(table, SECTION_PRIVATE_NAMES);
  for (let i: u32 = 0; i < count; i++) {
    const offset = names + i * PRIVATE_NAME_BYTES;
    const name = table + offset;
    if (load<u32>(name, PRIVATE_NAME_KIND) > PRIVATE_BELOW) {
      return report(DEFECT_PRIVATE_KIND, offset + PRIVATE_NAME_KIND);
    }
    if (!checkText(table, offset + PRIVATE_NAME_TEXT)) return false;
    if (load<u32>(name, PRIVATE_NAME_TEXT_BYTES) == 0) {
      return report(DEFECT_TEXT, offset + PRIVATE_NAME_TEXT_BYTES);
    }
  }
  return true;
}

/** Whether the `bytes` bytes at `text` can be what a UNIX rule of the kind names; the builder asks, too. */
export function isUnixText(kind: u32, text: usize, bytes: u32): bool {
  if (bytes == 0 || bytes > UNIX_TEXT_MAX) return false;
  for (let i: u32 = 0; i < bytes; i++) {
    if (load<u8>(text + i) == 0) return false;
  }
  if (kind == UNIX_ABSTRACT) return true;
  if (load<u8>(text) != SLASH) return false;
  // The directory / is the only path that ends as it begins.
  return load<u8>(text + bytes - 1) != SLASH || (kind == UNIX_DIRECTORY && bytes == 1);
}
