/**
 * Destinations as `sandlock check` takes them.
 */
import { expect, test } from 'vitest';
import { formatAddress } from '../../compiler/address.ts';
import { type Destination, parseDestination } from '../../compiler/destination.ts';
import { formatDiagnostics } from '../../compiler/diagnostic.ts';

function show(destination: Destination): string {
  if (destination.protocol === 'unix') return `unix ${destination.kind} ${destination.text}`;
  const { protocol, port } = destination;
  if ('addresses' in destination) {
    return `${protocol} ${destination.addresses.map(formatAddress).join(' ')} ${port}`;
  }
  const { host } = destination;
  const where = host.kind === 'name' ? host.name : formatAddress(host.address);
  return `${protocol} ${host.kind} ${where} ${port}`;
}

test.each([
  ['tcp://10.1.2.3:443', 'tcp address 10.1.2.3 443'],
  ['udp://[::1]:53', 'udp address ::1 53'],
  ['icmp://1.2.3.4', 'icmp address 1.2.3.4 0'],
  ['icmp://[2001:db8::1]', 'icmp address 2001:db8::1 0'],
  ['1.2.3.4:443', 'tcp address 1.2.3.4 443'],
  ['0.0.0.0:80', 'tcp address 0.0.0.0 80'],
  ['[::ffff:1.2.3.4]:80', 'tcp address ::ffff:1.2.3.4 80'],
  ['Example.COM.:443', 'tcp name example.com 443'],
  ['icmp://localhost', 'icmp name localhost 0'],
  ['bind:tcp://127.0.0.1:8080', 'tcp-bind 127.0.0.1 8080'],
  ['bind:127.0.0.1:8080', 'tcp-bind 127.0.0.1 8080'],
  ['bind:udp://[::]:5353', 'udp-bind :: 5353'],
  ['bind:0.0.0.0:80', 'tcp-bind 0.0.0.0 80'],
  ['bind:udp://:5353', 'udp-bind 0.0.0.0 :: 5353'],
  ['bind::8080', 'tcp-bind 0.0.0.0 :: 8080'],
  ['bind:80', 'tcp name bind 80'],
  ['unix:/run/x.sock', 'unix path /run/x.sock'],
  ['unix:@name', 'unix abstract name'],
  ['unix:80', 'tcp name unix 80'],
])('%s is %s', (text, meaning) => {
  const parsed = parseDestination(text);
  expect(parsed.ok && show(parsed.destination)).toBe(meaning);
});

const FORM = 'expected: one destination, such as tcp://192.0.2.7:443 or example.com:443';

test.each([
  ['', `error SL2018: the destination is empty\n  \n  ^\n${FORM}`],
  [
    '10.0.0.0/8:1',
    `error SL2019: \`10.0.0.0/8\` is not one destination\n  10.0.0.0/8:1\n  ^^^^^^^^^^\n${FORM}`,
  ],
  [
    '10.0.0.1/32:1',
    `error SL2019: \`10.0.0.1/32\` is not one destination\n  10.0.0.1/32:1\n  ^^^^^^^^^^^\n${FORM}`,
  ],
  ['@set:1', `error SL2019: \`@set\` is not one destination\n  @set:1\n  ^^^^\n${FORM}`],
  ['*:1', `error SL2019: \`*\` is not one destination\n  *:1\n  ^\n${FORM}`],
  [
    '*.example.com:1',
    `error SL2019: \`*.example.com\` is not one destination\n  *.example.com:1\n  ^^^^^^^^^^^^^\n${FORM}`,
  ],
  [':443', `error SL2019: the destination has no host\n  :443\n  ^\n${FORM}`],
  [
    'a:1,2',
    'error SL2003: a destination has one port\n  a:1,2\n    ^^^\nexpected: a port from 1 to 65535',
  ],
  [
    'a:1-2',
    'error SL2003: a destination has one port\n  a:1-2\n    ^^^\nexpected: a port from 1 to 65535',
  ],
  [
    'tcp://[::1]:3,3-3',
    'error SL2003: a destination has one port\n  tcp://[::1]:3,3-3\n              ^^^^^\nexpected: a port from 1 to 65535',
  ],
  [
    'a:*',
    'error SL2003: a destination has one port\n  a:*\n    ^\nexpected: a port from 1 to 65535',
  ],
  [
    'a:0',
    'error SL2004: port 0 can not be reached\n  a:0\n    ^\nexpected: a port from 1 to 65535\nhelp: write `*` for every port',
  ],
  ['a', 'error SL2002: expected host:port, found no port\n  a\n  ^\nhelp: did you mean a:443?'],
  [
    'icmp://a:1',
    'error SL2007: icmp has no ports\n  icmp://a:1\n          ^^\nhelp: did you mean icmp://a?',
  ],
  [
    'raw://a',
    'error SL2001: unknown scheme `raw`\n  raw://a\n  ^^^\nexpected: tcp://, udp:// or icmp://, or no scheme for TCP\nhelp: raw sockets are never exposed',
  ],
  [
    '1.2.3:80',
    'error SL2010: `1.2.3` has 3 octets instead of 4\n  1.2.3:80\n  ^^^^^\nexpected: four decimal octets, such as 192.0.2.7',
  ],
  [
    'bind:localhost:80',
    'error SL2019: `localhost` is not one address\n  bind:localhost:80\n       ^^^^^^^^^\nexpected: one address, such as bind:tcp://127.0.0.1:8080, or none for every address',
  ],
  [
    'bind:*:80',
    'error SL2019: `*` is not one address\n  bind:*:80\n       ^\nexpected: one address, such as bind:tcp://127.0.0.1:8080, or none for every address',
  ],
  [
    'bind:10.0.0.0/8:80,90',
    'error SL2019: `10.0.0.0/8` is not one address\n  bind:10.0.0.0/8:80,90\n       ^^^^^^^^^^\nexpected: one address, such as bind:tcp://127.0.0.1:8080, or none for every address\n\ndestination: error SL2003: a bind has one port\n  bind:10.0.0.0/8:80,90\n                  ^^^^^\nexpected: a port from 1 to 65535',
  ],
  [
    'bind:tcp://127.0.0.1',
    'error SL2002: expected address:port, found no port\n  bind:tcp://127.0.0.1\n             ^^^^^^^^^',
  ],
  [
    'bind:[::1]:0',
    'error SL2004: port 0 needs no rule\n  bind:[::1]:0\n             ^\nexpected: a port from 1 to 65535\nhelp: it leaves the choice to the kernel; name the port that the program binds',
  ],
  [
    'bind:icmp://[::1]',
    'error SL2020: icmp has no ports to bind\n  bind:icmp://[::1]\n       ^^^^',
  ],
  [
    'bind:sctp://:80',
    'error SL2001: unknown scheme `sctp`\n  bind:sctp://:80\n       ^^^^\nexpected: tcp:// or udp://, or no scheme for TCP',
  ],
  [
    'unix:/run/',
    'error SL2021: `/run/` is a directory, not one socket\n  unix:/run/\n       ^^^^^\nexpected: one socket, such as unix:/run/x.sock or unix:@name',
  ],
  [
    'unix:@',
    'error SL2021: the abstract name is missing behind `@`\n  unix:@\n       ^\nexpected: one socket, such as unix:/run/x.sock or unix:@name',
  ],
  [
    'unix:x.sock',
    'error SL2021: `x.sock` is not an absolute path\n  unix:x.sock\n       ^^^^^^\nexpected: one socket, such as unix:/run/x.sock or unix:@name\nhelp: did you mean unix:/x.sock, or unix:@x.sock (abstract)?',
  ],
  [
    'unix:///run/x',
    'error SL2021: `///run/x` is not the shortest form of its path\n  unix:///run/x\n       ^^^^^^^^\nhelp: did you mean unix:/run/x?',
  ],
  [
    '/run/x.sock',
    `error SL2019: \`/run/x.sock\` is a path, and no destination of the network\n  /run/x.sock\n  ^^^^^^^^^^^\n${FORM}\nhelp: did you mean unix:/run/x.sock?`,
  ],
  [
    'unix:80-90',
    'error SL2003: a destination has one port\n  unix:80-90\n       ^^^^^\nexpected: a port from 1 to 65535',
  ],
])('%j is refused', (text, complete) => {
  const parsed = parseDestination(text);
  const shown = parsed.ok ? '' : formatDiagnostics(parsed.diagnostics);
  expect(shown.replace(/ +$/gm, '')).toBe(`destination: ${complete}\n`.replace(/ +$/gm, ''));
});
