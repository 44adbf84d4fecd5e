/**
 * What was meant by a rule that does not parse: forms of URLs, of ssh, of container tools and of
 * other filters, which people bring along. Asked only after the parser has said no, so nothing here
 * decides what a policy means.
 */
import type { Fault } from './diagnostic.ts';

/**
 * What to say of such a rule: a fault in place of those found, the rule that was meant if it is
 * one, or a help for the first fault.
 */
export type Meant = Fault | { readonly rule: string } | { readonly help: string };

/** Finds a known form of another language in a rule that has faults; undefined when it looks like none. */
export function meantByRule(text: string): Meant | undefined {
  const [, scheme = '', rest = ''] = /^((?:tcp|udp):\/\/)?(.*)$/s.exec(text) ?? [];
  const whole = { start: scheme.length, end: text.length };
  if (/^[0-9]{1,5}$/.test(rest) && Number(rest) <= 65535) {
    const message = `\`${rest}\` is a port, and no host stands before it`;
    const expected = `host:port, such as ${scheme}example.com:${rest}`;
    const help = `for every address write ${scheme}:${rest}`;
    return { code: 'SL2019', message, ...whole, expected, help };
  }
  const [, path] = /^(?:unix:)?(\/[^:]*)$/.exec(rest) ?? [];
  if (path !== undefined) {
    const message = 'a path is no destination of the network';
    const help = `UNIX sockets are listed in \`allow_unix\`: "${path}"`;
    return { code: 'SL2019', message, ...whole, expected: 'host:port', help };
  }
  if (rest.startsWith('!'))
    return { help: 'what may not be reached stands in `deny`, without `!`' };
  const rule = rewrite(rest, scheme);
  if (rule !== undefined) return { rule };
  if (/^[0-9.]+-[0-9.]+(:|$)/.test(rest)) {
    return { help: 'write a range of addresses as CIDRs, such as 192.0.2.0/28' };
  }
  return undefined;
}

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
