/**
 * Which refusals are no one's wish to reach anything, and are not reported. Programs never see a
 * difference: what was refused stays refused.
 *
 * - Resolvers connect UDP sockets to addresses, without sending, to sort them (getaddrinfo,
 *   RFC 6724) or to learn their own source. Such a connect is held back for a moment; if the process
 *   then connects by TCP to that port, it was a probe; one to 0.0.0.0 or :: also if it binds that port by TCP.
 * - Every lookup by glibc tries the name service cache, the system log and the like by UNIX socket, and does without.
 */
import type { DecidedRecord } from './records.ts';

/** How long a refused UDP connect waits for the TCP connect or bind that would explain it. */
const HOLD_MS = 250;

/** Ports that resolvers probe when they have none: unset, Go's, musl's. */
const PROBED_PORTS: ReadonlySet<number> = new Set([0, 9, 65535]);

/** Sockets of system services that libraries try unasked; a directory ends in `/`. Without `/var`: /var/run is /run. */
const SERVICES = [
  '/dev/log',
  '/run/avahi-daemon/socket',
  '/run/dbus/system_bus_socket',
  '/run/nscd/',
  '/run/systemd/journal/',
  '/run/systemd/resolve/',
  '/run/systemd/userdb/',
  '/var/lib/sss/pipes/',
];

/** Passes records on, some of them later, probes never. Time is in milliseconds since 1970. */
export interface ProbeFilter {
  /** What is to be reported now that this record has come. */
  push(record: DecidedRecord): readonly DecidedRecord[];
  /** What has waited long enough. */
  due(nowMs: number): readonly DecidedRecord[];
  /** Everything that still waits. */
  flush(): readonly DecidedRecord[];
  /** When something is due next; undefined: nothing waits. */
  readonly nextMs: number | undefined;
}

/** A filter in which nothing waits. */
export function createProbeFilter(): ProbeFilter {
  let held: DecidedRecord[] = [];
  const release = (isDue: (record: DecidedRecord) => boolean): readonly DecidedRecord[] => {
    const due = held.filter(isDue);
    if (due.length > 0) held = held.filter((record) => !isDue(record));
    return due;
  };
  return {
    push(record) {
      if (record.protocol === 'tcp') held = held.filter((probe) => !explains(record, probe));
      const due = release(({ timeMs }) => timeMs + HOLD_MS <= record.timeMs);
      if (record.kind === 'allowed' || record.errno === 0) return [...due, record];
      if (record.protocol === 'unix') return isService(record.address) ? due : [...due, record];
      if (record.protocol !== 'udp' || record.call !== 'connect') return [...due, record];
      if (!PROBED_PORTS.has(record.port)) held.push(record);
      return due;
    },
    due: (nowMs) => release(({ timeMs }) => timeMs + HOLD_MS <= nowMs),
    flush: () => release(() => true),
    get nextMs() {
      const [first] = held;
      return first === undefined ? undefined : first.timeMs + HOLD_MS;
    },
  };
}

/** Whether what a process did by TCP says that its UDP connect before was a probe. */
function explains({ call, pid, port }: DecidedRecord, probe: DecidedRecord): boolean {
  if (pid !== probe.pid || port !== probe.port) return false;
  return call === 'connect' || (call === 'bind' && ['0.0.0.0', '::'].includes(probe.address));
}

/** Whether a UDP port is one that resolvers probe when they have none. */
export function isProbedPort(port: number): boolean {
  return PROBED_PORTS.has(port);
}

/** Whether a UNIX socket is a system service's that libraries try unasked. */
export function isService(path: string): boolean {
  const plain = path.replace(/^\/var\/run\//, '/run/');
  return SERVICES.some((service) =>
    service.endsWith('/') ? plain.startsWith(service) : plain === service,
  );
}
