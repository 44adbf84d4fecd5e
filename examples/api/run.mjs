// A command under a policy: its streams, its decisions, its end.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { compile, spawn } from 'sandlock';

const server = createServer((_, response) => response.end('served\n')).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();

const { table } = await compile({ allow: [`127.0.0.1:${port}`] });
const script = `cat; curl -sS http://127.0.0.1:${port}/; curl -s http://127.0.0.2:${port}/; exit 3`;
const child = spawn(table, 'bash', ['-c', script], { allowed: true, cwd: '/', env: process.env });
const closed = once(child, 'close');
child.stdin.end('from the host\n');
child.stdout.on('data', (text) => process.stdout.write(text));

for await (const { verdict, program, destination, reason } of child.decisions) {
  console.log(verdict, program, destination.replace(port, 'PORT'), reason ?? '');
}
const [code, signal] = await closed;
console.log('ended with', code, signal, 'and', child.dropped, 'decisions lost');
server.close();
