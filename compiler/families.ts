/**
 * `allow_families`: the kinds of sockets that programs may make. Knows the names of the language
 * and of Linux's other families, and why those can not be named: the rules could not hold what goes
 * through them; and which kinds Linux needs for which addresses.
 */
import type { Fault } from './diagnostic.ts';
import type { FamilyName, Protocol } from './model.ts';
import { nearest } from './nearest.ts';

/** The smallest kinds, in the order of their bits in the table (docs/format.md, section facts). */
const KINDS: readonly FamilyName[] = [
  'unix/stream',
  'unix/dgram',
  'unix/seqpacket',
  'inet/stream',
  'inet/dgram',
  'inet6/stream',
  'inet6/dgram',
  'netlink/route',
  'alg',
  'unix/pair',
];

/**
 * Kinds that only their own full name stands for. A UNIX datagram socket honours a name in every
 * message, so all messages have to be looked at where it exists; `unix` brings it only where rules
 * for UDP or ICMP demand that anyway (docs/enforcement.md). `unix/pair` is less than `unix`, which
 * has pairs with its sockets.
 */
const BY_NAME_ONLY: ReadonlySet<FamilyName> = new Set(['unix/dgram', 'unix/pair']);

/** What programs may make when the policy does not say. */
export const DEFAULT_FAMILIES: readonly FamilyName[] = KINDS.filter(
  (kind) => kind !== 'alg' && !BY_NAME_ONLY.has(kind),
);

/** The kinds that a word of `allow_families` stands for; none when the language has no such word. */
export function expandFamily(word: string): readonly FamilyName[] {
  const isWhole = WHOLE.has(word);
  return KINDS.filter(
    (kind) => kind === word || (isWhole && kind.startsWith(`${word}/`) && !BY_NAME_ONLY.has(kind)),
  );
}

/** Families of which every kind may be named at once. Netlink is not one: `route` is all of it that there is. */
const WHOLE: ReadonlySet<string> = new Set(['unix', 'inet', 'inet6']);

/** Every word, for suggestions. */
const WORDS: readonly string[] = [...WHOLE, ...KINDS];

/** The kinds that a list of words allows, each once, in the order of {@link KINDS}. Unknown words are passed over. */
export function readFamilies(words: readonly string[]): readonly FamilyName[] {
  const allowed = new Set(words.flatMap(expandFamily));
  return KINDS.filter((kind) => allowed.has(kind));
}

/**
 * The kinds of which any one is enough for an address of a family. Sockets of inet6 reach and bind
 * IPv4 as well (ipv6(7)), but for ping sockets, which refuse IPv4-mapped addresses
 * (net/ipv6/ping.c).
 */
export function familiesFor(protocol: Protocol, family: 4 | 6): readonly FamilyName[] {
  const isStream = protocol === 'tcp' || protocol === 'tcp-bind';
  if (family === 6) return isStream ? STREAM_6 : DGRAM_6;
  if (protocol === 'icmp') return PING_4;
  return isStream ? STREAM_4 : DGRAM_4;
}

const STREAM_4: readonly FamilyName[] = ['inet/stream', 'inet6/stream'];
const STREAM_6: readonly FamilyName[] = ['inet6/stream'];
const DGRAM_4: readonly FamilyName[] = ['inet/dgram', 'inet6/dgram'];
const DGRAM_6: readonly FamilyName[] = ['inet6/dgram'];
const PING_4: readonly FamilyName[] = ['inet/dgram'];

/** Says what is wrong with a word that stands for nothing. */
export function refuseFamily(word: string): Omit<Fault, 'start' | 'end'> {
  const plain = word.toLowerCase().replace(/^(af|pf)_/, '');
  const meant = OTHER_NAMES.get(plain) ?? (WORDS.includes(plain) ? plain : undefined);
  if (meant !== undefined) return { ...unknown(word), help: `did you mean "${meant}"?` };
  if (plain === '') return { ...unknown(word), message: 'the family is missing' };
  const [family = ''] = plain.split('/');
  if (family === 'netlink') return { ...refused(word), help: 'did you mean "netlink/route"?' };
  if (CARRIERS.has(family) || /\/(raw|packet|rdm|dccp)$/.test(plain)) return refused(word);
  const close = nearest(word, WORDS);
  return close === undefined
    ? unknown(word)
    : { ...unknown(word), help: `did you mean "${close}"?` };
}

function unknown(word: string): Omit<Fault, 'start' | 'end'> {
  const message = `no family is named \`${word}\``;
  return { code: 'SL2022', message, expected: WORDS.map((known) => `"${known}"`).join(', ') };
}

function refused(word: string): Omit<Fault, 'start' | 'end'> {
  const message = `\`${word}\` can not be allowed: what goes through it, no rule could hold`;
  const help = 'remove it; programs find such sockets missing, as on a kernel without them';
  return { code: 'SL2023', message, help };
}

/** What people and systems call the families of the language. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['local', 'unix'],
  ['file', 'unix'],
  ['uds', 'unix'],
  ['ip', 'inet'],
  ['ipv4', 'inet'],
  ['ip4', 'inet'],
  ['inet4', 'inet'],
  ['ipv6', 'inet6'],
  ['ip6', 'inet6'],
  ['tcp', 'inet/stream'],
  ['tcp4', 'inet/stream'],
  ['tcp6', 'inet6/stream'],
  ['udp', 'inet/dgram'],
  ['udp4', 'inet/dgram'],
  ['udp6', 'inet6/dgram'],
  ['icmp', 'inet/dgram'],
  ['ping', 'inet/dgram'],
  ['icmp6', 'inet6/dgram'],
  ['icmpv6', 'inet6/dgram'],
  ['route', 'netlink/route'],
  ['rtnetlink', 'netlink/route'],
  ['crypto', 'alg'],
]);

/**
 * Linux's families other than those of the language (AF_ constants of include/linux/socket.h, kernels of old included),
 * and protocols of inet sockets that carry what the rules do not look at.
 */
const CARRIERS: ReadonlySet<string> = new Set(
  `ax25 ipx appletalk netrom bridge atmpvc x25 rose decnet netbeui security key packet ash econet atmsvc rds sna irda
  pppox wanpipe llc ib mpls can tipc bluetooth iucv rxrpc isdn phonet ieee802154 caif nfc vsock kcm qipcrtr smc xdp mctp
  raw raw6 icmp-raw mptcp sctp dccp udplite l2tp gre esp ah`.split(/\s+/),
);
