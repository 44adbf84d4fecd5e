/**
 * Checks the plan (docs/format.md §3): by itself and against the rules, and, once the tries are
 * checked, against them. What is left to the kernel or to nobody is not looked up, so it has to be
 * the same for every address.
 */
import { report } from './defect';
import {
  ACTION_ALLOW,
  DEFECT_ADDRESSES,
  DEFECT_PLAN_MODE,
  DEFECT_PLAN_RULES,
  DEFECT_PORTS,
  DEFECT_RESERVED,
  MODE_CLOSED,
  MODE_KERNEL,
  MODE_OPEN,
  MODE_SUPERVISED,
  PLAN_BYTES,
  PLAN_MODE,
  PLAN_RESERVED,
  PROTOCOL_TCP,
  PROTOCOL_TCP_BIND,
  PROTOCOLS,
  RULE_ACTION,
  RULE_BYTES,
  RULE_PROTOCOL,
  RULE_TARGET,
  SECTION_PLAN,
  SECTION_RULES,
  TARGET_NAME,
} from './format';
import { sectionCount, sectionOffset } from './section';
import { areAllPorts, countPorts, DIFFERENT, portsOfAll } from './whole-space';

/**
 * A protocol is closed exactly when no rule allows anything of it; what has rules with names is
 * looked up, for a name may have addresses that no trie knows.
 */
export function checkPlan(table: usize): bool {
  // Bit p: some rule allows something of protocol p. Rules are checked later; a protocol above 31 sets no bit.
  let allowed: u32 = 0;
  let named: u32 = 0;
  const rules = table + sectionOffset(table, SECTION_RULES);
  const count = sectionCount(table, SECTION_RULES);
  for (let i: u32 = 0; i < count; i++) {
    const rule = rules + <usize>i * RULE_BYTES;
    const protocol = <u32>load<u8>(rule, RULE_PROTOCOL);
    if (protocol >= 32) continue;
    if (<u32>load<u8>(rule, RULE_ACTION) == ACTION_ALLOW) allowed |= 1 << protocol;
    if (<u32>load<u8>(rule, RULE_TARGET) == TARGET_NAME) named |= 1 << protocol;
  }
  const plan = sectionOffset(table, SECTION_PLAN);
  for (let protocol: u32 = 0; protocol < PROTOCOLS; protocol++) {
    const offset = plan + protocol * PLAN_BYTES;
    const mode = load<u32>(table + offset, PLAN_MODE);
    if (!canHave(protocol, mode)) return report(DEFECT_PLAN_MODE, offset);
    if ((mode == MODE_CLOSED) != ((allowed & (1 << protocol)) == 0)) {
      return report(DEFECT_PLAN_RULES, offset);
    }
    if (mode > MODE_SUPERVISED && (named & (1 << protocol)) != 0) {
      return report(DEFECT_PLAN_RULES, offset);
    }
    if (load<u32>(table + offset, PLAN_RESERVED) != 0) {
      return report(DEFECT_RESERVED, offset + PLAN_RESERVED);
    }
  }
  return true;
}

/** Ports alone are left to the kernel for TCP; whatever is bound is looked at. */
function canHave(protocol: u32, mode: u32): bool {
  if (mode == MODE_KERNEL) return protocol == PROTOCOL_TCP;
  if (mode == MODE_OPEN) return protocol < PROTOCOL_TCP_BIND;
  return mode <= MODE_SUPERVISED;
}

/**
 * A protocol that is not looked up has one port set for every address: all ports if it is open,
 * some if they are for the kernel.
 */
export function checkPlanned(table: usize): bool {
  const plan = sectionOffset(table, SECTION_PLAN);
  for (let protocol: u32 = 0; protocol < PROTOCOLS; protocol++) {
    const offset = plan + protocol * PLAN_BYTES;
    const mode = load<u32>(table + offset, PLAN_MODE);
    if (mode != MODE_KERNEL && mode != MODE_OPEN) continue;
    const ports = portsOfAll(table, protocol);
    if (ports == DIFFERENT) return report(DEFECT_ADDRESSES, offset);
    const isRight = mode == MODE_OPEN ? areAllPorts(table, ports) : countPorts(table, ports) != 0;
    if (!isRight) return report(DEFECT_PORTS, offset);
  }
  return true;
}
