/**
 * Programs inside their policy do not notice: every section of the fidelity program (probe/) prints under sandlock what
 * it prints without, but for the deviations (deviations.ts). Under `OPEN` every call that can carry a destination is
 * trapped; under `TCP` messages are not, as there is no socket that would honour a name in them.
 */
import { describe, test } from 'vitest';
import { isHeld, users } from '../e2e/harness/stage.ts';
import { compare } from './compare.ts';
import * as known from './deviations.ts';

/** Opens everything, and yet nothing can be let through unseen: some addresses are denied. */
function open(base: number): string {
  return `[network]
allow = [":*", "udp://*:*", "icmp://*"]
deny = ["192.0.2.0/24:*", "udp://192.0.2.0/24:*", "[2001:db8::/32]:*", "udp://[2001:db8::/32]:*"]
allow_bind = ["127.0.0.1:${base + 40}-${base + 42}", "udp://127.0.0.1:${base + 41}"]
`;
}

function onlyTcp(): string {
  return '[network]\nallow = ["127.0.0.0/8:*", "[::1]:*"]\n';
}

describe.concurrent.each(users)('as $name, everything allowed', (user) => {
  test('names of every kind, length and address: the errno of the kernel, in its order', () =>
    compare(user, 'names', open, known.names));

  test('families, types and protocols: the sockets of an IP host', () =>
    compare(user, 'sockets', open, known.sockets));

  // Not where sockets are held: there a connection can not be dissolved, and from there on everything differs.
  if (!isHeld) {
    test('connects in every state of a socket: names, readiness and flags after them', () =>
      compare(user, 'states', open, known.states));
  }

  test('binds, listens, and what becomes of accepted connections', () =>
    compare(user, 'bind', open, known.binds));

  test('datagrams of every size, family and flag: what arrives', () =>
    compare(user, 'datagrams', open, known.datagrams));

  test('messages with vectors, control messages, segments, in batches', () =>
    compare(user, 'messages', open, known.messages));

  test('streams: parts, full buffers, faults, broken pipes, Fast Open', () =>
    compare(user, 'streams', open, known.streams));

  test('unix sockets of the program itself', () => compare(user, 'unix', open, known.unix));

  test('descriptors and credentials passed on unix sockets', () =>
    compare(user, 'rights', open, known.rights));

  test('signals during a call that waits', () => compare(user, 'signals', open, known.signals));

  test('time limits on a call that waits', () => compare(user, 'timeouts', open, known.timeouts));

  test('stops, continues and ends while calls wait', () =>
    compare(user, 'stops', open, known.stops));
});

describe.concurrent.each(users)('as $name, TCP alone allowed', (user) => {
  test('streams: only Fast Open differs', () =>
    compare(user, 'streams', onlyTcp, known.streamsOfTcp));

  test('descriptors and credentials: nothing differs but datagram sockets', () =>
    compare(user, 'rights', onlyTcp, known.rightsOfTcp));
});
