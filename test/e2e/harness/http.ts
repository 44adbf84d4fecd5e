/**
 * A small web server for the tests with real programs: it serves given bytes by path, on the same port of several
 * loopback addresses, and counts the requests each address got.
 */
import { createServer, type Server } from 'node:http';
import { onTestFinished } from 'vitest';

/** The running server. */
export interface Web {
  readonly port: number;
  /** Paths asked for at an address since the start, in order. */
  requests(host: string): readonly string[];
}

/** Starts it; `find` gives the body of a path, or undefined for 404. Ends with the test. */
export async function openWeb(
  hosts: readonly string[],
  find: (path: string) => string | Uint8Array | undefined,
): Promise<Web> {
  const seen = new Map<string, string[]>(hosts.map((host) => [host, []]));
  for (let attempt = 0; ; attempt++) {
    const servers: Server[] = [];
    const close = () => {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    };
    try {
      let port = 0;
      for (const host of hosts) {
        const server = createServer((request, response) => {
          const path = request.url ?? '';
          seen.get(host)?.push(path);
          const body = find(path);
          const isHtml = typeof body === 'string' && body.startsWith('<');
          const type = isHtml ? { 'content-type': 'text/html' } : {};
          response
            .writeHead(body === undefined ? 404 : 200, { connection: 'close', ...type })
            .end(body);
        });
        servers.push(server);
        port = await listen(server, host, port);
      }
      onTestFinished(close);
      return { port, requests: (host) => seen.get(host) ?? [] };
    } catch (error) {
      close();
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || attempt > 20) throw error;
    }
  }
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.on('error', reject).listen({ host, port, ipv6Only: true }, () => {
      resolve((server.address() as { port: number }).port);
    });
  });
}
