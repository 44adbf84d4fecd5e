/** The ports from which the kernel takes one when a program asks for port 0 (net.ipv4.ip_local_port_range). */
import { readFileSync } from 'node:fs';

/** The first and the last of them. */
export type PortRange = readonly [low: number, high: number];

/** What Linux starts with. */
export const USUAL_PORTS: PortRange = [32_768, 60_999];

/** Those of this machine; where /proc is not mounted, the usual ones. */
export function readEphemeralPorts(): PortRange {
  try {
    const text = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
    const [low, high] = text.trim().split(/\s+/).map(Number);
    if (low && high && low <= high && high < 65_536) return [low, high];
  } catch {
    // Not mounted.
  }
  return USUAL_PORTS;
}
