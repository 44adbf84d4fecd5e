/**
 * What answers otherwise, beside deviations.ts, where sockets are made for the program and held
 * (`run.mjs --held`, docs/enforcement.md §7), by section.
 */
import type { Deviation } from './compare.ts';

const NOT_HELD =
  'A message on a connection, which is not held, runs only in a program without threads.';
const CONNECTED =
  'What is not held is connected; of which kind it is, and so which names it takes, is not known.';
const CLOSED = 'A socket that is held is closed for others when that is next searched.';
const PASSED =
  'A message on a datagram socket is made on behalf, and of its descriptors only sockets that are held can be passed on.';
const NO_RING = 'Without rings a connect has a thread, and is interrupted while that begins.';

export const held: Readonly<Record<string, readonly Deviation[]>> = {
  streams: [
    {
      lines: /^(sendto|sendmsg|sendmmsg) in a thread$/,
      bare: '-1 EPIPE',
      sandboxed: '-1 EPERM',
      reason: NOT_HELD,
    },
    {
      lines: /^(sendto|sendmsg|sendmmsg) in a thread: SIGPIPE$/,
      bare: 'this one',
      sandboxed: 'another',
      reason: NOT_HELD,
    },
  ],
  unix: [
    {
      lines: /^(stream|packets) connect length 111$/,
      bare: '-1 EINVAL',
      sandboxed: '-1 EISCONN',
      reason: CONNECTED,
    },
    {
      lines: /^datagram (connect to a closed one|broken|broken, no signal)$/,
      bare: /^-1 (ECONNREFUSED|ENOTCONN)$/,
      sandboxed: /^[04]$/,
      reason: CLOSED,
    },
  ],
  rights: [
    {
      lines: /^datagram (pass|taken|the one passed|path taken|sockets taken|passed socket) ?.*$/,
      bare: /^(\d+|-1 (EINVAL|EBADF))$/,
      sandboxed: /^(0|-1 (EPERM|EAGAIN|EBADF))$/,
      reason: PASSED,
    },
  ],
  signals: [
    {
      lines: /^2 s of connects under a signal each 10 ms$/,
      bare: 'few',
      sandboxed: 'many',
      reason: NO_RING,
      isOccasional: true,
    },
  ],
};
