/** One program for every resolver there is. */
import { node, probe, stage } from '../e2e/harness/stage.ts';

const sh = (script: string): string[] => ['sh', '-c', script, 'sh'];
const js = (script: string): string[] => [node, '-e', script];

/** Programs that print the addresses of the name in their last argument, and fail when there are none. */
export const RESOLVERS: readonly (readonly [string, readonly string[]])[] = [
  ['getent (glibc)', sh(`found=$(getent ahosts "$1") && echo "$found" | cut -d' ' -f1`)],
  [
    'python',
    [
      'python3',
      '-c',
      'import socket,sys\nfor a in socket.getaddrinfo(sys.argv[1],80,type=1): print(a[4][0])',
    ],
  ],
  [
    'node dns.lookup',
    js(`require('dns').lookup(process.argv.at(-1), {all: true}, (error, found) => {
      if (error) throw error; for (const {address} of found) console.log(address); })`),
  ],
  [
    'node dns.resolve (c-ares)',
    js(`const {promises: dns} = require('dns'), name = process.argv.at(-1);
      Promise.all([dns.resolve4(name), dns.resolve6(name)]).then((all) => console.log(all.flat().join('\\n')))`),
  ],
  ['musl', probe('musl-lookup')],
  ['Go', probe('go-lookup')],
  ['Java', ['java', '-XX:TieredStopAtLevel=1', '-cp', `${stage}/bin`, 'Lookup']],
  ['dig', sh('dig +short "$1" A; dig +short "$1" AAAA; dig "$1" | grep -q "status: NOERROR"')],
  [
    'dig +tcp',
    sh(
      'dig +tcp +short "$1" A; dig +tcp +short "$1" AAAA; dig +tcp "$1" | grep -q "status: NOERROR"',
    ),
  ],
  [
    'busybox nslookup',
    sh(`found=$(busybox nslookup "$1") && echo "$found" | sed -n '3,$s/^Address: //p'`),
  ],
];
