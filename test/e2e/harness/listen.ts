/**
 * Live listeners on the loopback, the witnesses of every test: they record what arrived, from whomever. A question
 * to a listener is exact, not a matter of waiting: it first sends something of its own, and queues of the
 * kernel are first in, first out, so whatever was sent before has been recorded by the time that arrives.
 */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A listener on one address and port. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  /** `HOST/PORT`, as the probes take it. */
  readonly at: string;
  /** The destination as a rule writes it, without scheme: `127.0.0.1:80`, `[::1]:80`. */
  readonly rule: string;
  /** What arrived since the last question: per TCP connection its bytes, per datagram its payload. */
  take(): Promise<string[]>;
}

/** One listener for each host. */
export type Each<Hosts extends readonly string[]> = { readonly [Host in keyof Hosts]: Listener };

const QUESTION = 'question of the test';

/** Opens TCP listeners on one port at each host; closed when the test ends. */
export function openTcp<const Hosts extends readonly string[]>(
  ...hosts: Hosts
): Promise<Each<Hosts>> {
  return openAll(hosts, openTcpAt);
}

/** Opens UDP listeners on one port at each host; closed when the test ends. */
export function openUdp<const Hosts extends readonly string[]>(
  ...hosts: Hosts
): Promise<Each<Hosts>> {
  return openAll(hosts, openUdpAt);
}

type Opened = Listener & { close(): void };

/** The first host gets a free port; if another host's is taken, all are tried again. */
async function openAll<const Hosts extends readonly string[]>(
  hosts: Hosts,
  open: (host: string, port: number) => Promise<Opened>,
): Promise<Each<Hosts>> {
  for (let attempt = 0; ; attempt++) {
    const opened: Opened[] = [];
    try {
      for (const host of hosts) opened.push(await open(host, opened[0]?.port ?? 0));
      onTestFinished(() => {
        for (const listener of opened) listener.close();
      });
      return opened as readonly Listener[] as Each<Hosts>;
    } catch (error) {
      for (const listener of opened) listener.close();
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || attempt > 20) throw error;
    }
  }
}

function named(host: string, port: number): Pick<Listener, 'host' | 'port' | 'at' | 'rule'> {
  const rule = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return { host, port, at: `${host}/${port}`, rule };
}

async function openTcpAt(host: string, port: number): Promise<Opened> {
  let arrived: Promise<string>[] = [];
  const waiting: (() => void)[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    const text = textOf(socket).finally(() => sockets.delete(socket));
    arrived.push(text);
    void text.then((bytes) => bytes === QUESTION && waiting.shift()?.());
  });
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject).listen({ host, port, ipv6Only: true, backlog: 511 }, resolve);
  });
  const bound = (server.address() as { port: number }).port;
  return {
    ...named(host, bound),
    async take() {
      await new Promise<void>((resolve, reject) => {
        waiting.push(resolve);
        connect(bound, host).on('error', reject).end(QUESTION);
      });
      const texts = await Promise.all(arrived);
      arrived = [];
      return texts.filter((text) => text !== QUESTION);
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function textOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    // A reset ends a connection as well; that it was made is what counts.
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

async function openUdpAt(host: string, port: number): Promise<Opened> {
  const type = host.includes(':') ? 'udp6' : 'udp4';
  let arrived: string[] = [];
  const waiting: (() => void)[] = [];
  const socket: DatagramSocket = createSocket({ type, ipv6Only: type === 'udp6' });
  socket.on('message', (bytes) => {
    const text = bytes.toString('utf8');
    if (text === QUESTION) waiting.shift()?.();
    else arrived.push(text);
  });
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject).bind({ port, address: host }, resolve);
  });
  const bound = socket.address().port;
  return {
    ...named(host, bound),
    async take() {
      await new Promise<void>((resolve, reject) => {
        waiting.push(resolve);
        const asking = createSocket(type);
        asking.send(QUESTION, bound, host, (error) => {
          asking.close();
          if (error) reject(error);
        });
      });
      const texts = arrived;
      arrived = [];
      return texts;
    },
    close() {
      socket.close();
    },
  };
}
