/**
 * Whoever is outside of the sandbox: clients that come to its listeners, and daemons on UNIX sockets. Each says in one
 * word what became of it. Knows nothing of policies.
 */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { finished, start } from '../e2e/harness/run.ts';
import { probe, type User } from '../e2e/harness/stage.ts';

/** A TCP client: sends "ping" and returns what it is answered, or the code of its error. */
export function callTcp(host: string, port: number): () => Promise<string> {
  return () =>
    new Promise((resolve) => {
      let text = '';
      const socket = connect({ host, port }, () => socket.write('ping'));
      socket.setTimeout(3000, () => socket.destroy(new Error('silence')));
      socket.on('data', (chunk) => {
        text += chunk.toString();
      });
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.on('close', () => resolve(text));
    });
}

/**
 * A UDP client: sends "ping" from its own connected socket, and returns what it is answered, or the code of its error.
 */
export function callUdp(host: string, port: number, from?: number): () => Promise<string> {
  return () =>
    new Promise((resolve) => {
      const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
      const end = (word: string): void => {
        clearTimeout(limit);
        socket.close();
        resolve(word);
      };
      const limit = setTimeout(() => end('silence'), 500);
      socket.on('message', (bytes) => end(bytes.toString()));
      socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
      socket.bind(from ?? 0, () => socket.connect(port, host, () => socket.send('ping')));
    });
}

/**
 * A daemon outside that listens on four names: streams at `path` and `@path`, datagrams at both
 * with `-d` appended. The returned function ends it and tells, for the path and for the abstract
 * name, how many connections and datagrams came. `starter`: a command that takes its own behind it.
 */
export async function openDaemon(
  path: string,
  user?: User,
  starter: readonly string[] = [],
): Promise<() => Promise<string[]>> {
  const child = start(user ?? { name: 'root', uid: process.getuid?.() ?? 0 }, [
    ...starter,
    ...probe('unix', 'daemon', path),
  ]);
  const outcome = finished(child, 60_000);
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return async () => {
    child.stdin?.end();
    return (await outcome).stdout.replace('ready\n', '').trimEnd().split('\n');
  };
}
