/**
 * What a command was observed to use, gathered from the records of a run under observation, without
 * what is nobody's wish: probes of resolvers, system services that libraries try unasked, sockets
 * that the command made itself. It knows records, not how a policy is written.
 */
import { isProbedPort, isService } from '../probes.ts';
import type { DecidedRecord, NameRecord } from '../records.ts';

/** One thing that a policy has to allow, and the programs that used it. */
export interface Use {
  /** Of `[network]`. */
  readonly list: 'allow' | 'allow_bind' | 'allow_unix' | 'allow_families';
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'unix' | 'other';
  /** A name, if the program asked for one, else an address; of a UNIX socket its path, of a family its word. */
  readonly host: string;
  /** 0 where there is none. */
  readonly port: number;
  /** The port was chosen by the kernel, and is another one the next time. */
  readonly isEphemeral: boolean;
  readonly programs: readonly string[];
}

const DNS_PORT = 53;

/** Gathers records. */
export interface Observations {
  decided(record: DecidedRecord): void;
  named(record: NameRecord): void;
  /** What the policy has to allow beside what it allows already, in the order in which it was first used. */
  uses(): readonly Use[];
  /** System services that were tried, and left out. */
  services(): readonly string[];
}

/** Whether a name may stand in a rule for that address. */
export type MayStandFor = (name: string, address: string) => boolean;

/** `knownNames`: by address, the names that the present policy has for it. */
export function createObservations(
  knownNames: ReadonlyMap<string, string>,
  mayStandFor: MayStandFor,
): Observations {
  const records: DecidedRecord[] = [];
  /** By `pid address`, and by address alone, the names that were answered with it. */
  const asked = new Map<string, Set<string>>();
  const services = new Set<string>();
  /** `pid port` of TCP connects: a silent UDP connect of the same process and port was a probe. */
  const connected = new Set<string>();
  const bound = new Set<string>();
  /** By `tid port`, the addresses of silent UDP connects. */
  const silent = new Map<string, Set<string>>();

  const ask = (key: string, name: string): void => {
    asked.set(key, (asked.get(key) ?? new Set()).add(name));
  };
  /**
   * What a rule may say for a destination: every name that the process asked for and that has the
   * address, since a connect does not tell which of them it was for, and each fact is told once;
   * else those of any process; else what the present policy says; else the address.
   */
  const hostsOf = ({ pid, address }: DecidedRecord): readonly string[] => {
    const known = knownNames.get(address);
    const names = asked.get(`${pid} ${address}`) ?? asked.get(address) ?? (known ? [known] : []);
    const fit = [...names].filter((name) => mayStandFor(name, address));
    return fit.length > 0 ? fit : [address];
  };
  const isUse = (record: DecidedRecord): boolean => {
    const { kind, protocol, call, pid, tid, port, address } = record;
    if (kind === 'allowed') return false;
    if (protocol === 'unix') return !bound.has(address);
    if (call === 'bind' || call === 'listen') return port !== 0 || call === 'listen';
    if (!isSilent(record)) return true;
    if (isProbedPort(port) || connected.has(`${pid} ${port}`)) return false;
    // One thread, one port, several addresses: what sorts the addresses of a name. Only a resolver
    // asks several servers so.
    return port === DNS_PORT || (silent.get(`${tid} ${port}`)?.size ?? 0) < 2;
  };
  return {
    decided(record) {
      const { protocol, call, pid, tid, port, address } = record;
      if (isSilent(record)) {
        const key = `${tid} ${port}`;
        silent.set(key, (silent.get(key) ?? new Set()).add(address));
      }
      if (protocol === 'tcp' && call === 'connect') connected.add(`${pid} ${port}`);
      if (call === 'bind') bound.add(protocol === 'unix' ? address : `${protocol} ${port}`);
      if (protocol === 'unix' && isService(address)) services.add(address);
      else records.push(record);
    },
    named({ pid, name, address }) {
      if (address === undefined) return;
      ask(`${pid} ${address}`, name);
      ask(address, name);
    },
    uses() {
      const found = records.filter(isUse);
      const chosen = new Set(
        found
          .filter(
            ({ call, protocol, port }) => call === 'listen' && !bound.has(`${protocol} ${port}`),
          )
          .map(({ port }) => port),
      );
      const uses = new Map<string, Use & { programs: string[] }>();
      for (const record of found) {
        const { protocol, port, address, program } = record;
        const list = listOf(record);
        const isOwn = list === 'allow_bind' || isLoopback(address);
        const isEphemeral = protocol === 'tcp' && port !== 0 && isOwn && chosen.has(port);
        for (const host of list === 'allow' ? hostsOf(record) : [address]) {
          const key = `${list} ${protocol} ${host} ${isEphemeral ? 'ephemeral' : port}`;
          const use = uses.get(key) ?? { list, protocol, host, port, isEphemeral, programs: [] };
          if (program !== '' && !use.programs.includes(program)) use.programs.push(program);
          uses.set(key, use);
        }
      }
      return [...uses.values()];
    },
    services: () => [...services].sort(),
  };
}

/** A UDP connect that is told as such: nothing was seen to be sent through it. */
function isSilent({ protocol, call }: DecidedRecord): boolean {
  return protocol === 'udp' && call === 'connect';
}

function listOf({ protocol, call }: DecidedRecord): Use['list'] {
  if (protocol === 'unix') return 'allow_unix';
  if (call === 'socket') return 'allow_families';
  return call === 'bind' || call === 'listen' ? 'allow_bind' : 'allow';
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}
