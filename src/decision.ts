/**
 * What a policy decided about one call of a program: the one shape in which that leaves sandlock,
 * as a line of the log (docs/log.md), as an event of the Node API, and behind the line on the
 * terminal. The verdict is the executor's; rule, reason and suggestion are found afterwards in the
 * same table.
 */
import { errnoName } from './errno.ts';
import type { Call, DecidedRecord } from './records.ts';

/** One decision. Members that do not apply are absent. */
export interface Decision {
  readonly event: 'decision';
  /** When, in UTC: `2026-01-31T12:00:00.123Z`. */
  readonly time: string;
  readonly verdict: 'allow' | 'deny';
  readonly pid: number;
  readonly tid: number;
  /** Name of the calling thread, chosen by the program: at most 15 bytes, may hold anything. */
  readonly program: string;
  /** The system call. */
  readonly syscall: Call;
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'unix' | 'other';
  /** As a rule writes it: `192.0.2.1:443`, `[2001:db8::1]:443`, `192.0.2.7` (icmp), `/run/x.sock`, `@name`. */
  readonly destination: string;
  /** The address alone; of a UNIX socket the same as `destination`. */
  readonly address: string;
  /** 0 for icmp and unix. */
  readonly port: number;
  /** A name by which the address is known: pinned in the table, or looked up by the program. */
  readonly name?: string;
  /** What the program was answered, such as `ECONNREFUSED`; absent when the call was made. */
  readonly errno?: string;
  /** The rule that decides. */
  readonly rule?: {
    readonly text: string;
    /** File without directories, or the option that gave the rule. */
    readonly source: string;
    /** 1-based; 0 for an option. */
    readonly line: number;
    readonly column: number;
  };
  /** Of a denial without a deny rule: why nothing allows it. */
  readonly reason?: string;
  /** Of a denial: the rule to add, and to which list of `[network]`. */
  readonly suggestion?: { readonly list: string; readonly rule: string };
  /** Under observation: the policy would have refused the call, and it was made. */
  readonly observed?: true;
}

/** What the table says about a record: the members of a decision, and the same in words for a line. */
export interface Explained extends Pick<Decision, 'name' | 'rule' | 'reason' | 'suggestion'> {
  /** `no tcp rule for this address; to allow: "192.0.2.1:443"`; '' when there is nothing to say. */
  readonly hint: string;
}

/** Explains records by the table they were decided with. */
export type Explain = (record: DecidedRecord) => Explained;

/** Says nothing. */
export const NO_EXPLANATION: Explained = { hint: '' };

/** The decision of a record. */
export function toDecision(record: DecidedRecord, explained: Explained): Decision {
  const { kind, timeMs, pid, tid, program, call, protocol, address, port, errno } = record;
  const { name, rule, reason, suggestion } = explained;
  return {
    event: 'decision',
    time: new Date(timeMs).toISOString(),
    verdict: kind === 'allowed' ? 'allow' : 'deny',
    pid,
    tid,
    program,
    syscall: call,
    protocol,
    destination: formatDestination(record),
    address,
    port,
    ...(name === undefined ? {} : { name }),
    ...(errno === 0 ? {} : { errno: errnoName(errno) }),
    ...(rule === undefined ? {} : { rule }),
    ...(reason === undefined ? {} : { reason }),
    ...(suggestion === undefined ? {} : { suggestion }),
    ...(kind === 'denied' && errno === 0 ? { observed: true as const } : {}),
  };
}

/** The destination as a rule writes it, without scheme. */
function formatDestination({
  protocol,
  address,
  port,
}: Pick<DecidedRecord, 'protocol' | 'address' | 'port'>): string {
  if (protocol === 'icmp' || protocol === 'unix') return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
