/**
 * What may be tried by who answers, by who asks, and by others of the machine. Servers listen on
 * every loopback address, so whatever a forged answer opened would be reached.
 */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parentOf, processesWith, sleep, until } from '../e2e/harness/processes.ts';
import { finished, runSandboxed, sandlock, start } from '../e2e/harness/run.ts';
import { users } from '../e2e/harness/stage.ts';
import { compile } from './table.ts';
import {
  A,
  AAAA,
  type Answer,
  CNAME,
  encode,
  type Forged,
  type Reply,
  startUpstream,
  type Upstream,
  useServer,
} from './upstream.ts';

const TRUE = '127.0.6.1';
const FALSE = '127.0.6.66';
/** The supervisor's own memory, at its highest, as in test/hostile/exhaustion.test.ts. */
const MOST_KIB = 64 * 1024;

let upstream: Upstream;
let server: Server;
let port = 0;
/** Local addresses at which connections arrived. */
const reached: string[] = [];
/** Every message that came to the server. */
const heard: Buffer[] = [];

/** What pretends to be the answer to a question, by the name that is asked for. */
const FORGERIES: Readonly<Record<string, (name: string, question: Buffer) => Forged>> = {
  'another number': (name, question) => {
    const message = forge(question, [[name, A, 60, FALSE]]);
    message.writeUInt16BE(question.readUInt16BE() ^ 1);
    return { from: 'server', message };
  },
  'no mark of an answer': (name, question) => {
    const message = forge(question, [[name, A, 60, FALSE]]);
    message.writeUInt8(message.readUInt8(2) & 0x7f, 2);
    return { from: 'server', message };
  },
  'another name': (name, question) => {
    const message = forge(question, [[name, A, 60, FALSE]]);
    message.write('x', 13, 'latin1');
    return { from: 'server', message };
  },
  'another type': (name, question) => {
    const message = forge(question, [[name, A, 60, FALSE]]);
    message.writeUInt16BE(AAAA, endOfName(question));
    return { from: 'server', message };
  },
  'another port': (name, question) => ({
    from: 'port',
    message: forge(question, [[name, A, 60, FALSE]]),
  }),
  'another address': (name, question) => ({
    from: 'address',
    message: forge(question, [[name, A, 60, FALSE]]),
  }),
};

function forge(question: Buffer, answers: readonly Answer[]): Buffer {
  return encode(question, { answers }) ?? Buffer.alloc(0);
}

/** Where the type of a question stands. */
function endOfName(question: Buffer): number {
  return question.indexOf(0, 12) + 1;
}

const labelOf = (attack: string): string => attack.replaceAll(' ', '-');

function script(name: string, type: number, _: string, message: Buffer): Reply {
  heard.push(Buffer.from(message));
  const [label = ''] = name.split('.');
  const hasEdns = message.readUInt16BE(10) > 0;
  switch (label) {
    case 'silent':
      return { isSilent: true };
    case 'late':
      return { answers: [[name, A, 60, TRUE]], delayMs: 700 };
    case 'old':
      return hasEdns ? { code: 1 } : answer(name, type);
    case 'older':
      return hasEdns ? { isSilent: true, forged: [headerOnly(message)] } : answer(name, type);
    case 'oldest':
      return hasEdns ? { isSilent: true } : answer(name, type);
    case 'others':
      return type === A ? { answers: [['elsewhere.test', A, 60, FALSE]] } : {};
    case 'beside':
      return { answers: type === A ? [...chain(name), ['beside.test', A, 60, FALSE]] : [] };
    case 'mapped':
      return { answers: type === AAAA ? [[name, AAAA, 60, '0:0:0:0:0:ffff:7f00:1']] : [] };
    case 'nat64':
      return { answers: type === AAAA ? [[name, AAAA, 60, '64:ff9b:0:0:0:0:a9fe:a9fe']] : [] };
    case 'metadata':
      return { answers: type === A ? [[name, A, 60, '169.254.169.254']] : [] };
  }
  const forgery = Object.entries(FORGERIES).find(([attack]) => labelOf(attack) === label)?.[1];
  if (forgery === undefined || type !== A) return answer(name, type);
  return { ...answer(name, type), forged: [forgery(name, message)], delayMs: 50 };
}

function answer(name: string, type: number): Reply {
  return type === A ? { answers: [[name, A, 60, TRUE]] } : {};
}

function chain(name: string): readonly Answer[] {
  return [
    [name, CNAME, 60, 'end.test'],
    ['end.test', A, 60, TRUE],
  ];
}

/** FORMERR of a server that did not get as far as the question. */
function headerOnly(question: Buffer): Forged {
  const message = Buffer.from(question.subarray(0, 12));
  message.writeUInt16BE(0x8181, 2);
  message.fill(0, 4);
  return { from: 'server', message };
}

beforeAll(async () => {
  useServer('127.0.0.53');
  upstream = await startUpstream(script);
  server = createServer((socket) => {
    reached.push(socket.localAddress?.replace('::ffff:', '') ?? '');
    socket.on('error', () => {});
    socket.end();
  });
  await new Promise<void>((done) => server.listen(0, done));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  upstream.close();
  server.close();
});

/** Looks a name up, then connects to each address that may have been opened; prints both. */
const LOOK = `
import socket, sys
name, port, places = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
try:
    print(*sorted({found[4][0] for found in socket.getaddrinfo(name, port, type=1)}))
except OSError as error:
    print(error.errno)
for place in places:
    try:
        socket.create_connection((place, port)).close()
        print(place, 'open')
    except OSError as error:
        print(place, error.errno)
`;

const policy = (): string => `[network]
allow = ["*.public.test:${port}", "*.wild.test:${port}", "udp://192.0.2.1:123"]
[dns]
resolve = "live"
private = ["*.wild.test"]
`;

describe.each(users)('as $name', (user) => {
  const runs = async (command: readonly string[]) => {
    reached.length = 0;
    heard.length = 0;
    upstream.take();
    const outcome = await runSandboxed(user, { file: compile(policy()) }, command);
    return { ...outcome, lines: outcome.stdout.trim().split('\n') };
  };
  const look = async (name: string, ...places: readonly string[]) =>
    (await runs(['python3', '-c', LOOK, name, String(port), ...places])).lines;

  test.each(Object.keys(FORGERIES))(
    'a message with %s is no answer: the one after it is, and opens what it says',
    async (attack) => {
      const lines = await look(`${labelOf(attack)}.wild.test`, FALSE, TRUE);
      expect(lines).toEqual([TRUE, `${FALSE} 111`, `${TRUE} open`]);
      expect(reached).toEqual([TRUE]);
    },
  );

  test('records of other names are no answer, and open nothing', async () => {
    expect(await look('others.wild.test', FALSE)).toEqual(['-5', `${FALSE} 111`]);
    expect(await look('beside.wild.test', FALSE)).toEqual([TRUE, `${FALSE} 111`]);
    expect(reached).toEqual([]);
  });

  test.each(['mapped', 'nat64', 'metadata'])(
    'an address of the inside is left out of an answer, in whatever form: %s',
    async (label) => {
      const lines = await look(`${label}.public.test`, '127.0.0.1');
      expect(lines).toEqual([expect.stringMatching(/^-[25]$/), '127.0.0.1 111']);
      expect(reached).toEqual([]);
    },
  );

  test.each(['old', 'older', 'oldest'])(
    'servers that know no EDNS are asked without: %s',
    async (label) => {
      expect(await look(`${label}.wild.test`, TRUE)).toEqual([TRUE, `${TRUE} open`]);
    },
  );

  test('of a question nothing leaves but its name, in small letters, and whether IPv4 or IPv6 is asked for', async () => {
    const types = ['TXT', 'NULL', 'PTR', 'HTTPS', 'SRV', 'ANY', 'TYPE65280'];
    const ways = ['', '+tcp', '+ednsopt=65001:534543524554', '+subnet=83.69.67.0/24'];
    const script = [
      `for type in ${types.join(' ')}; do dig +short x.wild.test $type; dig +short +tcp x.wild.test $type; done`,
      ...ways.map((way) => `dig +short ${way} SeCReT${way.length}.wild.test A`),
      'dig +short x.wild.test A CH',
    ];
    const { lines } = await runs(['sh', '-c', script.join('\n')]);
    // ANY is answered with what A has.
    expect(lines).toEqual(Array(2 + ways.length).fill(TRUE));
    const asked = ways.map((way) => `secret${way.length}.wild.test 1 udp`);
    expect(upstream.take()).toEqual(['x.wild.test 1 udp', ...asked]);
    for (const message of heard) {
      const end = endOfName(message);
      expect(message.subarray(2, 12).toString('hex')).toBe('01000001000000000001');
      expect(message.subarray(12, end).toString('latin1')).not.toMatch(/[A-Z]/);
      // A, IN, and EDNS without options.
      expect(message.subarray(end).toString('hex')).toBe('0001000100002904d0000000000000');
    }
  });

  test('an answer that comes late is not for who has the port by then', async () => {
    const ask = `
import socket, sys
question = lambda n: bytes([0, n]) + b'\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4late\\4wild\\4test\\0\\0\\1\\0\\1'
gone, waits = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
for number, udp in enumerate([gone, waits]):
    udp.connect(('127.0.0.53', 53))
    udp.send(question(number))
port = gone.getsockname()[1]
gone.close()
print(port, flush=True)
print(len(waits.recv(512)), flush=True)
sys.stdin.read()
`;
    const child = start(user, sandlock({ file: compile(policy()) }, ['python3', '-c', ask]));
    const outside = createSocket('udp4');
    const came: string[] = [];
    outside.on('message', (message) => came.push(message.toString('hex')));
    const [told] = await new Promise<string[]>((done) =>
      child.stdout?.once('data', (text) => done(String(text).split('\n'))),
    );
    await new Promise<void>((done) => outside.bind(Number(told), '127.0.0.1', done));
    const answered = new Promise<string>((done) => child.stdout?.once('data', done));
    try {
      expect(Number(await answered)).toBeGreaterThan(40);
      await sleep(100);
      expect(came).toEqual([]);
    } finally {
      outside.close();
      child.stdin?.end();
      await finished(child);
    }
  });

  test('questions of 64 KiB that wait for an answer take no memory', async () => {
    const mark = `mark-${user.name}-${process.pid}`;
    const ask = `
import socket, struct, sys, threading
def question(label, kind):
    name = b'\\6silent\\1' + label + b'\\4wild\\4test\\0'
    head = struct.pack('>6H', 7, 256, 1, 0, 0, 1) + name + struct.pack('>2H', kind, 1)
    room = 65535 - len(head) - 11
    whole = head + struct.pack('>BHHIH', 0, 41, 1232, 0, room) + bytes(room)
    return struct.pack('>H', len(whole)) + whole
def fill(number):
    with socket.create_connection(('192.0.2.53', 53)) as stream:
        for turn in range(128):
            stream.sendall(question(b'%c' % (97 + number), 1 if turn % 2 else 28))
        waits.wait()
waits = threading.Barrier(17)
for number in range(16): threading.Thread(target=fill, args=(number,)).start()
waits.wait()
print('sent', flush=True)
sys.stdin.read()
`;
    const command = ['python3', '-c', ask, mark];
    const child = start(user, sandlock({ file: compile(policy()) }, command));
    const ended = finished(child);
    await new Promise((done) => child.stdout?.once('data', done));
    const inside = processesWith(mark).find((pid) => parentOf(parentOf(pid)) === child.pid) ?? 0;
    const status = readFileSync(`/proc/${parentOf(inside)}/status`, 'utf8');
    child.stdin?.end();
    expect((await ended).stdout).toBe('sent\n');
    expect(Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1])).toBeLessThan(MOST_KIB);
    await until('all is gone', () => processesWith(mark).length === 0);
  });
});
