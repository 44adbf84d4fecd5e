/**
 * The plan (docs/format.md §3): by which mechanism the destinations of each protocol are held.
 * Decides on the cheapest that is sound, from a table whose other sections are written. Why each is
 * sound, and what keeps a policy from a cheaper one, is in docs/enforcement.md, "The plan".
 *
 * What rules could be left to (`candidate`) is a property of one protocol. What is left to it
 * depends on all: a system call is trapped for every kind of socket or for none, because a filter
 * can not tell descriptors apart.
 */
import {
  ACTION_ALLOW,
  FACTS_FAMILIES,
  FAMILY_UNIX_DGRAM,
  FAMILY_UNIX_SEQPACKET,
  FAMILY_UNIX_STREAM,
  KERNEL_PORTS_MAX,
  MODE_CLOSED,
  MODE_KERNEL,
  MODE_OPEN,
  MODE_SUPERVISED,
  PLAN_BYTES,
  PLAN_MODE,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_TCP_BIND,
  PROTOCOL_UDP,
  PROTOCOL_UDP_BIND,
  RULE_ACTION,
  RULE_BYTES,
  RULE_PROTOCOL,
  RULE_TARGET,
  SECTION_FACTS,
  SECTION_PLAN,
  SECTION_RULES,
  SECTION_UNIX_RULES,
  TARGET_NAME,
} from './format';
import { sectionCount, sectionOffset } from './section';
import { areAllPorts, countPorts, DIFFERENT, portsOfAll } from './whole-space';

/** Writes the plan of a table of which everything else is written. */
export function writePlan(table: usize): void {
  const tcpBind = candidate(table, PROTOCOL_TCP_BIND);
  const udpBind = candidate(table, PROTOCOL_UDP_BIND);
  let tcp = candidate(table, PROTOCOL_TCP);
  // The one place where the mode of UDP is chosen: what has UDP looked at for reasons of its own is to say so here.
  let udp = candidate(table, PROTOCOL_UDP);
  let icmp = candidate(table, PROTOCOL_ICMP);
  // ping(8) has a UDP socket, and a server of UDP has one, whether UDP is allowed to leave or not.
  const hasClosedUdp = udp == MODE_CLOSED && (icmp != MODE_CLOSED || udpBind != MODE_CLOSED);
  const families = load<u32>(table + sectionOffset(table, SECTION_FACTS), FACTS_FAMILIES);
  // Whether a message can carry a name that has to be looked at.
  const looksAtMessages =
    udp == MODE_SUPERVISED ||
    icmp == MODE_SUPERVISED ||
    hasClosedUdp ||
    (families & FAMILY_UNIX_DGRAM) != 0 ||
    sectionCount(table, SECTION_UNIX_RULES) != 0;
  if (looksAtMessages && udp == MODE_OPEN) udp = MODE_SUPERVISED;
  if (looksAtMessages && icmp == MODE_OPEN) icmp = MODE_SUPERVISED;
  // Whether connect(2) has to be looked at: a UNIX socket can be connected to a path outside, which no register tells.
  const looksAtConnects =
    looksAtMessages ||
    tcp == MODE_SUPERVISED ||
    (families & (FAMILY_UNIX_STREAM | FAMILY_UNIX_SEQPACKET)) != 0;
  if (looksAtConnects && tcp != MODE_CLOSED) tcp = MODE_SUPERVISED;
  write(table, PROTOCOL_TCP, tcp);
  write(table, PROTOCOL_UDP, udp);
  write(table, PROTOCOL_ICMP, icmp);
  write(table, PROTOCOL_TCP_BIND, tcpBind);
  write(table, PROTOCOL_UDP_BIND, udpBind);
}

/** What the rules of a protocol could be left to, whatever the others say. */
function candidate(table: usize, protocol: u32): u32 {
  if (!hasAllow(table, protocol)) return MODE_CLOSED;
  // bind(2) and listen(2) are looked at always: they are rare, and the kernel knows no rules on UDP.
  if (protocol >= PROTOCOL_TCP_BIND) return MODE_SUPERVISED;
  // A name may have addresses that no trie knows yet.
  if (hasNames(table, protocol)) return MODE_SUPERVISED;
  const ports = portsOfAll(table, protocol);
  if (ports == DIFFERENT || countPorts(table, ports) == 0) return MODE_SUPERVISED;
  if (areAllPorts(table, ports)) return MODE_OPEN;
  const isFew = protocol == PROTOCOL_TCP && countPorts(table, ports) <= KERNEL_PORTS_MAX;
  return isFew ? MODE_KERNEL : MODE_SUPERVISED;
}

/** Whether some rule of the protocol has a name for its target. */
function hasNames(table: usize, protocol: u32): bool {
  const rules = table + sectionOffset(table, SECTION_RULES);
  const count = sectionCount(table, SECTION_RULES);
  for (let i: u32 = 0; i < count; i++) {
    const rule = rules + <usize>i * RULE_BYTES;
    if (load<u8>(rule, RULE_PROTOCOL) != <u8>protocol) continue;
    if (load<u8>(rule, RULE_TARGET) == <u8>TARGET_NAME) return true;
  }
  return false;
}

/** Whether some rule of the protocol allows something. */
function hasAllow(table: usize, protocol: u32): bool {
  const rules = table + sectionOffset(table, SECTION_RULES);
  const count = sectionCount(table, SECTION_RULES);
  for (let i: u32 = 0; i < count; i++) {
    const rule = rules + <usize>i * RULE_BYTES;
    if (load<u8>(rule, RULE_PROTOCOL) != <u8>protocol) continue;
    if (load<u8>(rule, RULE_ACTION) == <u8>ACTION_ALLOW) return true;
  }
  return false;
}

function write(table: usize, protocol: u32, mode: u32): void {
  store<u32>(table + sectionOffset(table, SECTION_PLAN) + protocol * PLAN_BYTES, mode, PLAN_MODE);
}
