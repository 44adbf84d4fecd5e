/**
 * Where a call under sandlock does not answer as Linux does, line by line, and why that is accepted. Everything else is
 * the same, and each of these must be seen: the list shrinks when one is mended, or the tests fail.
 */
import type { Deviation } from './compare.ts';

const TWICE_WRONG =
  'The call is wrong in two ways; it fails either way, but the arguments are read before the kind of socket is asked.';
const ALLOWLIST =
  'Control messages are an allowlist; Linux ignores this one, or refuses it otherwise.';
const FAULT_IN_STREAM =
  'What can be read of the data is sent. Linux gives up the page fragment in which the fault lies.';
const READ_FIRST = 'Data is read before the queue is looked at, so the fault is seen first.';
const NO_FAST_OPEN =
  'TCP Fast Open connects without connect(2); it answers as if it were switched off.';
const SENDER =
  'A datagram made on behalf is sent by the supervisor, whose process id the receiver sees.';
const CREDENTIALS = 'Credentials would have to be the supervisor’s own; the message is refused.';
const CONNECTOR =
  'A connect made on behalf is the supervisor’s: SO_PEERCRED has its process id; users are right.';
const NO_NAME = 'A name of length 0 is taken for a name that is too short.';

export const names: readonly Deviation[] = [
  {
    lines: /^connect udp6only (straddling|v4) (2|3|8|12|15)$/,
    bare: '-1 EAFNOSUPPORT',
    sandboxed: '-1 EINVAL',
    reason: TWICE_WRONG,
  },
  {
    lines: /^sendto udp6only (straddling|v4) (2|3|8|12|15)$/,
    bare: '-1 ENETUNREACH',
    sandboxed: '-1 EINVAL',
    reason: TWICE_WRONG,
  },
  {
    lines: /^bind (tcp4|udp4|tcp6|udp6|tcp6only|udp6only) unspecified (2|3|8|12|15|16|23)$/,
    bare: '-1 EINVAL',
    sandboxed: '-1 EAFNOSUPPORT',
    reason: TWICE_WRONG,
  },
  {
    lines: /^bind udp6(only)? v4 (24|28|110|111|128)$/,
    bare: '-1 EAFNOSUPPORT',
    sandboxed: '-1 EINVAL',
    reason: TWICE_WRONG,
  },
  {
    lines: /^connect dgram unspecified (111|128)$/,
    bare: '0',
    sandboxed: '-1 EINVAL',
    reason: 'No address of unix sockets is that long.',
  },
  {
    lines: /^sendto (stream|dgram) [a-z0-9]+ 0$/,
    bare: '-1 ENOTCONN',
    sandboxed: /^-1 (EOPNOTSUPP|EINVAL)$/,
    reason: NO_NAME,
  },
  {
    lines: /^(connect|sendto) (stream|dgram|seqpacket) path (3|8)$/,
    bare: '-1 EACCES',
    sandboxed: '-1 ECONNREFUSED',
    reason: 'What is no socket is told apart before its permissions are looked at (not as root).',
    isOccasional: true,
  },
  { lines: /^sendto route [a-z0-9]+ 0$/, bare: '1', sandboxed: '-1 EINVAL', reason: NO_NAME },
];

export const sockets: readonly Deviation[] = [
  {
    lines: /^socket 2,0x10,0$/,
    bare: '-1 EINVAL',
    sandboxed: '-1 ESOCKTNOSUPPORT',
    reason: 'The filter looks at the four bits of the type; Linux refuses the flag bit above them.',
  },
  {
    lines: /^socketpair (2,1|2,2|16,3)$/,
    bare: '-1 EOPNOTSUPP',
    sandboxed: '-1 EAFNOSUPPORT',
    reason: 'Only unix sockets come in pairs.',
  },
];

export const states: readonly Deviation[] = [];

export const binds: readonly Deviation[] = [];

export const datagrams: readonly Deviation[] = [];

export const messages: readonly Deviation[] = [
  {
    lines: /^null name length -\d+$/,
    bare: '-1 EDESTADDRREQ',
    sandboxed: '-1 EINVAL',
    reason: TWICE_WRONG,
  },
  {
    lines: /^parts length LONG_MAX$/,
    bare: '-1 EFAULT',
    sandboxed: '-1 EMSGSIZE',
    reason: TWICE_WRONG,
  },
  {
    lines: /^control (rights on udp|level 99)$/,
    bare: '7',
    sandboxed: '-1 EPERM',
    reason: ALLOWLIST,
  },
  {
    lines: /^(rights on udp|level 99) arrived$/,
    bare: /^length 7 sum 769 tos 0 ttl 64 from 127\.0\.0\.1$/,
    sandboxed: 'nothing',
    reason: ALLOWLIST,
  },
  { lines: /^control udp 99$/, bare: '-1 EINVAL', sandboxed: '-1 EPERM', reason: ALLOWLIST },
];

const fastOpen: readonly Deviation[] = [
  {
    lines: /^fast open(, udp)?$/,
    bare: '1',
    sandboxed: '-1 EOPNOTSUPP',
    reason: NO_FAST_OPEN,
  },
  {
    lines: /^fast open, connected$/,
    bare: '-1 EISCONN',
    sandboxed: '-1 EOPNOTSUPP',
    reason: NO_FAST_OPEN,
  },
  {
    lines: /^fast open, unnamed$/,
    bare: '-1 EINVAL',
    sandboxed: '-1 EOPNOTSUPP',
    reason: NO_FAST_OPEN,
  },
];

export const streams: readonly Deviation[] = [
  {
    lines: /^(sendto|sendmsg|sendmmsg) half mapped$/,
    bare: '-1 EFAULT',
    sandboxed: '8',
    reason: FAULT_IN_STREAM,
  },
  {
    lines: /^sendmsg hole in the second part$/,
    bare: '-1 EFAULT',
    sandboxed: '10',
    reason: FAULT_IN_STREAM,
  },
  {
    lines: /^(sendto|sendmsg|sendmmsg) full, hole$/,
    bare: '-1 EAGAIN',
    sandboxed: '-1 EFAULT',
    reason: READ_FIRST,
  },
  ...fastOpen,
];

export const unix: readonly Deviation[] = [
  {
    lines: /^peer of the (client|accepted): process is ours$/,
    bare: '1',
    sandboxed: '0',
    reason: CONNECTOR,
  },
];

export const rights: readonly Deviation[] = [
  { lines: /^datagram sendmsg: process is ours$/, bare: '1', sandboxed: '0', reason: SENDER },
  {
    lines: /^datagram credentials \+0 \+0$/,
    bare: '1',
    sandboxed: '-1 EPERM',
    reason: CREDENTIALS,
  },
  {
    lines: /^datagram credentials: (process is|users are) ours$/,
    bare: '1',
    sandboxed: '0',
    reason: CREDENTIALS,
  },
];

export const signals: readonly Deviation[] = [];

export const timeouts: readonly Deviation[] = [];

export const stops: readonly Deviation[] = [
  {
    lines: /^all hang (second )?stop$/,
    bare: 'stopped by 19',
    sandboxed: 'nothing',
    reason:
      'When all of many threads wait, one that is not the leader may take the signal; the others are not told to stop.',
    isOccasional: true,
  },
];

export const streamsOfTcp: readonly Deviation[] = fastOpen;

const NO_DATAGRAMS =
  'Without datagram rules messages are not looked at, so there is no datagram socket that would honour a name in them.';

export const rightsOfTcp: readonly Deviation[] = [
  { lines: /^datagram pair$/, bare: '0', sandboxed: '-1 EACCES', reason: NO_DATAGRAMS },
  { lines: /^datagram /, bare: /./, sandboxed: /^(-1 (EBADF|EACCES)|0)$/, reason: NO_DATAGRAMS },
];
