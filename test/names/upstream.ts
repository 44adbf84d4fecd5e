/**
 * The name server behind the sandbox: answers by a script, and says what it was asked. What it is
 * never asked did not leave the machine. One for all tests of a file, on port 53 of 127.0.0.53,
 * which resolv.conf names.
 */
import { execFileSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { stage } from '../e2e/harness/stage.ts';

/** Record types. */
export const A = 1;
export const CNAME = 5;
export const AAAA = 28;

/** A record of an answer: owner, type, time to live, address or name. */
export type Answer = readonly [owner: string, type: number, ttl: number, value: string];

/** What is answered to one question; `bytes` in place of a message, or nothing at all. */
export interface Reply {
  readonly answers?: readonly Answer[];
  /** Response code; 0 by default. */
  readonly code?: number;
  readonly isTruncated?: boolean;
  /** What follows the header and the question, as it is. */
  readonly rest?: Buffer;
  readonly isSilent?: boolean;
  /** Over UDP. */
  readonly delayMs?: number;
  /** What comes over UDP before the answer; a delay sees to it. */
  readonly forged?: readonly Forged[];
}

/** A message that is taken for the answer if nobody looks: from the server's own port, or from another. */
export interface Forged {
  readonly from: 'server' | 'port' | 'address';
  readonly message: Buffer;
}

/** Answers a question, of which the last argument is the whole message. */
export type Script = (
  name: string,
  type: number,
  transport: 'udp' | 'tcp',
  message: Buffer,
) => Reply;

/** A running server. */
export interface Upstream {
  script: Script;
  /** `NAME TYPE TRANSPORT` of every question since the last call. */
  take(): string[];
  close(): void;
}

/** Points /etc/resolv.conf at a server, for every program of these tests. The mount namespace is the tests' own. */
export function useServer(address: string): void {
  const file = join(stage, `resolv-${address}.conf`);
  writeFileSync(file, `nameserver ${address}\n`, { mode: 0o644 });
  execFileSync('mount', ['--bind', file, '/etc/resolv.conf']);
}

/** Starts it. */
export async function startUpstream(script: Script): Promise<Upstream> {
  const asked: string[] = [];
  const server: Upstream = {
    script,
    take: () => asked.splice(0),
    close() {
      for (const socket of Object.values(sockets)) socket.close();
      tcp.close();
    },
  };
  const ask = (question: Buffer, transport: 'udp' | 'tcp'): Reply => {
    const { name, type } = readQuestion(question);
    asked.push(`${name} ${type} ${transport}`);
    return server.script(name, type, transport, question);
  };
  const sockets = {
    server: await bound(53, '127.0.0.53'),
    port: await bound(5353, '127.0.0.53'),
    address: await bound(53, '127.0.0.54'),
  };
  sockets.server.on('message', (question, { port, address }) => {
    const reply = ask(question, 'udp');
    const answer = encode(question, reply);
    for (const { from, message } of reply.forged ?? []) sockets[from].send(message, port, address);
    if (answer === undefined) return;
    const send = () => sockets.server.send(answer, port, address);
    if (reply.delayMs === undefined) send();
    else setTimeout(send, reply.delayMs);
  });
  const tcp = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const question = bytes.subarray(2);
      const answer = encode(question, ask(question, 'tcp'));
      if (answer === undefined) return;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      socket.end(Buffer.concat([length, answer]));
    });
  });
  await new Promise<void>((done) => tcp.listen(53, '127.0.0.53', done));
  return server;
}

async function bound(port: number, address: string): Promise<Socket> {
  const socket = createSocket('udp4');
  await new Promise<void>((done) => socket.bind(port, address, done));
  return socket;
}

function readQuestion(message: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 };
}

/** The answer to a question; none: there is none. */
export function encode(message: Buffer, reply: Reply): Buffer | undefined {
  if (reply.isSilent) return undefined;
  const question = message.subarray(0, readQuestion(message).end);
  const answers = reply.answers ?? [];
  const header = Buffer.from(question.subarray(0, 12));
  header.writeUInt16BE(0x8180 | (reply.isTruncated ? 0x200 : 0) | (reply.code ?? 0), 2);
  header.writeUInt16BE(reply.rest === undefined ? answers.length : 1, 6);
  header.fill(0, 8);
  const records = answers.map(([owner, type, ttl, value]) => {
    const data = type === CNAME ? encodeName(value) : encodeAddress(value);
    const fixed = Buffer.alloc(10);
    fixed.writeUInt16BE(type);
    fixed.writeUInt16BE(1, 2);
    fixed.writeUInt32BE(ttl, 4);
    fixed.writeUInt16BE(data.length, 8);
    return Buffer.concat([encodeName(owner), fixed, data]);
  });
  return Buffer.concat([header, question.subarray(12), ...records, reply.rest ?? Buffer.alloc(0)]);
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from(`\0${label}`, 'latin1'));
  for (const label of labels) label[0] = label.length - 1;
  return Buffer.concat([...labels, Buffer.of(0)]);
}

/** IPv4, or IPv6 in eight groups. */
function encodeAddress(text: string): Buffer {
  if (!text.includes(':')) return Buffer.from(text.split('.').map(Number));
  return Buffer.from(
    text
      .split(':')
      .map((group) => group.padStart(4, '0'))
      .join(''),
    'hex',
  );
}
