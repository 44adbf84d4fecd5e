/**
 * Policies that honest programs of one kind run under. The three of `each` differ in how the executor treats messages:
 * where datagrams may go somewhere, every message is made on behalf of the program; else none is.
 */

/** A policy, and what it has, for the title of a test. */
export interface Rules {
  readonly rules: string;
  /** As `unchanged` takes it. */
  readonly policy: string | readonly string[];
}

/** Nothing of the network. */
export const nothing: readonly string[] = [];

/** TCP to the test's own port. */
export const tcp: readonly string[] = ['127.0.0.1:PORT'];

/** UDP to the test's own port. */
export const udp: readonly string[] = ['udp://127.0.0.1:PORT'];

/** For programs that need no network: they have to work under each. */
export const each: readonly Rules[] = [
  { rules: 'no rule', policy: nothing },
  { rules: 'a TCP rule', policy: tcp },
  { rules: 'a UDP rule', policy: udp },
];

/** The default kinds of sockets, and datagram ones of unix. */
const FAMILIES = JSON.stringify(['unix', 'unix/dgram', 'inet', 'inet6', 'netlink/route']);

/** For programs with unix datagram sockets: they exist under UDP rules, or by their name. */
export const withDatagrams: readonly Rules[] = [
  { rules: 'a UDP rule', policy: udp },
  { rules: 'their family', policy: `[network]\nallow_families = ${FAMILIES}\n` },
];

/** A server on the test's own port of 127.0.0.1 and its clients; TCP, or TCP and UDP. */
function server(rules: readonly string[], families: string = ''): string {
  const text = JSON.stringify(rules);
  return `[network]\nallow = ${text}\nallow_bind = ${text}\n${families}`;
}

const TCP_SERVER = '127.0.0.1:PORT';
const UDP_SERVER = 'udp://127.0.0.1:PORT';

/** Both kinds of server. */
export const servers: readonly Rules[] = [
  { rules: 'TCP rules', policy: server([TCP_SERVER]) },
  { rules: 'TCP and UDP rules', policy: server([TCP_SERVER, UDP_SERVER]) },
];

/** The same for a server with unix datagram sockets. */
export const serversWithDatagrams: readonly Rules[] = [
  { rules: 'TCP and UDP rules', policy: server([TCP_SERVER, UDP_SERVER]) },
  {
    rules: 'TCP rules and its family',
    policy: server([TCP_SERVER], `allow_families = ${FAMILIES}\n`),
  },
];
