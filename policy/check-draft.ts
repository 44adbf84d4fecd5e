/**
 * Checks a draft (draft.ts) before anything reads it: a field that no table may have is a bug of
 * the caller's, and nothing is built.
 */
import { fail } from './arena';
import {
  ACTION_ALLOW,
  DRAFT_FAMILIES,
  DRAFT_FLAGS,
  DRAFT_NAME_COUNT,
  DRAFT_NAMES,
  DRAFT_PRIVATE_NAME_COUNT,
  DRAFT_PRIVATE_NAMES,
  DRAFT_RESOLVE,
  DRAFT_RULE_COUNT,
  DRAFT_RULES,
  DRAFT_SET_COUNT,
  DRAFT_STRINGS,
  DRAFT_UNIX_RULE_COUNT,
  DRAFT_UNIX_RULES,
  FAILURE_DRAFT,
  FAMILIES_ALL,
  FLAGS_ALL,
  NAME_AT_START,
  NAME_BYTES,
  NAME_COUNT,
  NAME_KIND,
  NAME_PINNED,
  ORIGIN_TEXT,
  ORIGIN_TEXT_BYTES,
  PRIVATE_BELOW,
  PRIVATE_NAME_BYTES,
  PRIVATE_NAME_KIND,
  PROTOCOL_TCP_BIND,
  PROTOCOLS,
  RESOLVE_LIVE,
  RULE_ACTION,
  RULE_BYTES,
  RULE_INDEX,
  RULE_ORIGIN,
  RULE_PROTOCOL,
  RULE_TARGET,
  TARGET_NAME,
  TARGET_SET,
  UNIX_ABSTRACT,
  UNIX_RULE_BYTES,
  UNIX_RULE_KIND,
  UNIX_RULE_ORIGIN,
} from './format';
import { isUnixText } from './verify-facts';
import { isPlace } from './verify-rules';

/** Fails with FAILURE_DRAFT unless every rule's fields are in range. */
export function checkRules(draft: usize): void {
  const count = load<u32>(draft, DRAFT_RULE_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const rule = load<usize>(draft, DRAFT_RULES) + <usize>i * RULE_BYTES;
    const target = <u32>load<u8>(rule, RULE_TARGET);
    const index = load<u32>(rule, RULE_INDEX);
    if (load<u8>(rule, RULE_ACTION) > <u8>ACTION_ALLOW) fail(FAILURE_DRAFT);
    const protocol = <u32>load<u8>(rule, RULE_PROTOCOL);
    if (protocol >= PROTOCOLS) fail(FAILURE_DRAFT);
    if (target > TARGET_SET || !isPlace(rule + RULE_ORIGIN)) fail(FAILURE_DRAFT);
    if (target == TARGET_NAME && protocol >= PROTOCOL_TCP_BIND) fail(FAILURE_DRAFT);
    if (target == TARGET_NAME && index >= load<u32>(draft, DRAFT_NAME_COUNT)) fail(FAILURE_DRAFT);
    if (target == TARGET_SET && index >= load<u32>(draft, DRAFT_SET_COUNT)) fail(FAILURE_DRAFT);
    if (target == TARGET_NAME && load<u8>(rule, RULE_ACTION) != <u8>ACTION_ALLOW) {
      if (load<u32>(nameAt(draft, index), NAME_KIND) != NAME_PINNED) fail(FAILURE_DRAFT);
    }
  }
}

function nameAt(draft: usize, index: u32): usize {
  return load<usize>(draft, DRAFT_NAMES) + <usize>index * NAME_BYTES;
}

/** Fails with FAILURE_DRAFT unless names are of a kind and exactly the pinned ones have addresses. */
export function checkNames(draft: usize): void {
  const count = load<u32>(draft, DRAFT_NAME_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const kind = load<u32>(nameAt(draft, i), NAME_KIND);
    const hasAddresses = load<u32>(nameAt(draft, i), NAME_COUNT) != 0;
    if (kind > NAME_AT_START || hasAddresses != (kind == NAME_PINNED)) fail(FAILURE_DRAFT);
  }
}

/**
 * Fails with FAILURE_DRAFT unless families, flags, UNIX rules and what is said of names are such as a table may have.
 */
export function checkFacts(draft: usize): void {
  if ((load<u32>(draft, DRAFT_FAMILIES) & ~FAMILIES_ALL) != 0) fail(FAILURE_DRAFT);
  if ((load<u32>(draft, DRAFT_FLAGS) & ~FLAGS_ALL) != 0) fail(FAILURE_DRAFT);
  const count = load<u32>(draft, DRAFT_UNIX_RULE_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const rule = load<usize>(draft, DRAFT_UNIX_RULES) + <usize>i * UNIX_RULE_BYTES;
    const kind = load<u32>(rule, UNIX_RULE_KIND);
    const origin = rule + UNIX_RULE_ORIGIN;
    const text = load<usize>(draft, DRAFT_STRINGS) + load<u32>(origin, ORIGIN_TEXT);
    const bytes = load<u32>(origin, ORIGIN_TEXT_BYTES);
    if (kind > UNIX_ABSTRACT || !isUnixText(kind, text, bytes)) fail(FAILURE_DRAFT);
    if (!isPlace(origin)) fail(FAILURE_DRAFT);
  }
  if (load<u32>(draft, DRAFT_RESOLVE) > RESOLVE_LIVE) fail(FAILURE_DRAFT);
  const privateNames = load<u32>(draft, DRAFT_PRIVATE_NAME_COUNT);
  for (let i: u32 = 0; i < privateNames; i++) {
    const name = load<usize>(draft, DRAFT_PRIVATE_NAMES) + <usize>i * PRIVATE_NAME_BYTES;
    if (load<u32>(name, PRIVATE_NAME_KIND) > PRIVATE_BELOW) fail(FAILURE_DRAFT);
  }
}
