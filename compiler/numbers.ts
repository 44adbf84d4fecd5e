/**
 * The numbers by which a table knows the words of model.ts (docs/format.md §3, §8); writer and
 * reader of tables go by the same lists.
 */
import * as F from './format.gen.ts';
import type { Dns, FamilyName, Protocol, UnixRule } from './model.ts';

/** Numbers of the protocols in a table (docs/format.md §3). */
export const PROTOCOL_NUMBERS: Readonly<Record<Protocol, number>> = {
  tcp: F.PROTOCOL_TCP,
  udp: F.PROTOCOL_UDP,
  icmp: F.PROTOCOL_ICMP,
  'tcp-bind': F.PROTOCOL_TCP_BIND,
  'udp-bind': F.PROTOCOL_UDP_BIND,
};

/** Bits of the families in a table (docs/format.md §8). */
export const FAMILY_BITS: Readonly<Record<FamilyName, number>> = {
  'unix/stream': F.FAMILY_UNIX_STREAM,
  'unix/dgram': F.FAMILY_UNIX_DGRAM,
  'unix/seqpacket': F.FAMILY_UNIX_SEQPACKET,
  'inet/stream': F.FAMILY_INET_STREAM,
  'inet/dgram': F.FAMILY_INET_DGRAM,
  'inet6/stream': F.FAMILY_INET6_STREAM,
  'inet6/dgram': F.FAMILY_INET6_DGRAM,
  'netlink/route': F.FAMILY_NETLINK_ROUTE,
  alg: F.FAMILY_ALG,
  'unix/pair': F.FAMILY_UNIX_PAIR,
};

/** Numbers of the ways in which names become addresses. */
export const RESOLVE_NUMBERS: Readonly<Record<Dns['resolve'], number>> = {
  exec: F.RESOLVE_EXEC,
  compile: F.RESOLVE_COMPILE,
  live: F.RESOLVE_LIVE,
};

/** Numbers of the kinds of UNIX rules in a table. */
export const UNIX_KIND_NUMBERS: Readonly<Record<UnixRule['kind'], number>> = {
  path: F.UNIX_PATH,
  directory: F.UNIX_DIRECTORY,
  abstract: F.UNIX_ABSTRACT,
};
