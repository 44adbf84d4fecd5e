/**
 * What was meant by a rule that does not parse: forms of URLs, of ssh, of container tools and of
 * other filters, which people bring along. Asked only after the parser has said no, so nothing here
 * decides what a policy means.
 */
import type { Fault } from './diagnostic.ts';

/**
 * What to say of such a rule: a fault in place of those found, the rules that were meant if they
 * are some, or a help for the first fault.
 */
export type Meant = Fault | { readonly rules: readonly string[] } | { readonly help: string };

/** Finds a known form of another language in a rule that has faults; undefined when it looks like none. */
export function meantByRule(text: string): Meant | undefined {
  const [, , quoted] = /^(["'`])([^"'`]*)\1$/.exec(text) ?? [];
  if (quoted !== undefined) return { rules: [quoted] };
  const word = WORDS.get(text.toLowerCase());
  if (word !== undefined) return { rules: [word] };
  const several = text.split(/[,;\s]+/).filter((part) => part !== '');
  if (several.length > 1 && several.every((part) => part.includes(':'))) return { rules: several };
  const [, scheme = '', rest = ''] = /^((?:tcp|udp):\/\/)?(.*)$/s.exec(text) ?? [];
  const whole = { start: scheme.length, end: text.length };
  if (/^[0-9]{1,5}$/.test(rest) && Number(rest) <= 65535) {
    const message = `\`${rest}\` is a port, and no host stands before it`;
    const expected = `host:port, such as ${scheme}example.com:${rest}`;
    const help = `for every address write ${scheme}:${rest}`;
    return { code: 'SL2019', message, ...whole, expected, help };
  }
  const [, path] = /^(?:unix:)?(\/(?!\/)[^:]*)$/.exec(rest) ?? [];
  if (path !== undefined) {
    const message = 'a path is no destination of the network';
    const help = `UNIX sockets are listed in \`allow_unix\`: "${path}"`;
    return { code: 'SL2019', message, ...whole, expected: 'host:port', help };
  }
  if (rest.startsWith('!'))
    return { help: 'what may not be reached stands in `deny`, without `!`' };
  const rule = rewrite(rest, scheme);
  if (rule !== undefined) return { rules: [rule] };
  if (/^[0-9.]+-[0-9.]+(:|$)/.test(rest)) {
    return { help: 'write a range of addresses as CIDRs, such as 192.0.2.0/28' };
  }
  return undefined;
}

/** What is written alone for everything of a kind. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ['all', '*:443'],
  ['any', '*:443'],
  ['icmp', 'icmp://*'],
  ['ping', 'icmp://*'],
  ['tcp', 'tcp://*:443'],
  ['udp', 'udp://*:53'],
]);

function rewrite(rest: string, scheme: string): string | undefined {
  // git@example.com:group/project.git, and user@example.com:22
  const login = /^[\w.-]+@([\w.-]+)(?::(.*))?$/.exec(rest);
  if (login !== null) {
    const [, host, port = ''] = login;
    return `${scheme}${host}:${/^[0-9]+$/.test(port) ? port : 22}`;
  }
  // 443/tcp
  const docker = /^(.*:[0-9,-]+)\/(tcp|udp)$/i.exec(rest);
  if (docker !== null) return `${docker[2]?.toLowerCase() === 'udp' ? 'udp://' : ''}${docker[1]}`;
  // example.com:443/path
  const url = /^([^/]*[^/:]:[0-9,-]+)\/[^:]*$/.exec(rest);
  if (url !== null) return `${scheme}${url[1]}`;
  // example.com/path, and //example.com/path
  const page = /^(?:\/\/)?([a-z0-9][\w.-]*\.[a-z]+)(?:\/[^:]*)?$/i.exec(rest);
  if (page !== null && rest !== page[1]) return `${scheme}${page[1]}:${usualPort(scheme)}`;
  // 10.0/16
  const short = /^([0-9]+(?:\.[0-9]+){0,2})(\/[0-9]+)(:.*)?$/.exec(rest);
  if (short !== null) {
    const octets = (short[1] ?? '').split('.');
    while (octets.length < 4) octets.push('0');
    return `${scheme}${octets.join('.')}${short[2]}${short[3] ?? `:${usualPort(scheme)}`}`;
  }
  // 10.0.*.*
  const stars = /^([0-9]+(?:\.[0-9]+){0,2})((?:\.\*)+)(:.*)?$/.exec(rest);
  if (stars !== null) {
    const octets = (stars[1] ?? '').split('.').map(Number);
    if (octets.some((octet) => octet > 255)) return undefined;
    const bits = 8 * octets.length;
    while (octets.length < 4) octets.push(0);
    return `${scheme}${octets.join('.')}/${bits}${stars[3] ?? ''}`;
  }
  // *example.com
  const below = /^\*([a-z0-9][\w.-]*\.[a-z]+)(:.*)?$/i.exec(rest);
  return below === null ? undefined : `${scheme}*.${below[1]}${below[2] ?? ''}`;
}

function usualPort(scheme: string): number {
  return scheme === 'udp://' ? 53 : 443;
}
