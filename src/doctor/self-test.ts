/**
 * A sandbox that really runs: /bin/true, and a program that connects to two listeners of this
 * process, one of which the table allows. The last word of `doctor`: it goes the whole way that
 * `exec` goes.
 */
import { type AddressInfo, createServer, type Server } from 'node:net';
import { loadLibrary, type NativeLibrary } from '../binding.ts';
import { compileSources } from '../compiling.ts';
import { SandlockError } from '../errors.ts';
import { decodeStatus } from '../outcome.ts';
import { decodeRecord, RECORD_BYTES } from '../records.ts';
import { encodeRequest, ownSource } from '../request.ts';
import { startFailure } from '../start-failure.ts';
import type { Finding } from './findings.ts';

const ADDRESS = '127.0.0.1';
const NAME = 'self-test';

/** Connects to two ports in turn and ends with 0 if the first is refused and the second answers. */
const PROGRAM = `const net = require('node:net');
const connect = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '${ADDRESS}', () => { socket.destroy(); resolve('connected'); });
  socket.on('error', (error) => resolve(error.code));
});
const [refused, allowed] = process.argv.slice(1);
connect(refused).then(async (first) => {
  const second = await connect(allowed);
  process.exit(first === 'ECONNREFUSED' && second === 'connected' ? 0 : first === 'connected' ? 3 : 4);
});`;

/** Runs both, accepting these lacks by name. Nothing of it outlives the call. */
export async function testSelf(degraded: readonly string[]): Promise<Finding> {
  const failed = (found: string, consequence: string): Finding => {
    return { name: NAME, state: 'missing', found, consequence, stage: NAME };
  };
  const listeners: Listener[] = [];
  try {
    const allowed = await listen(listeners);
    const refused = await listen(listeners);
    const table = await compileFor(allowed.port);
    const library = loadLibrary();
    const run = (command: readonly string[]): string => runOne(library, table, command, degraded);
    const bare = run(['/bin/true']);
    if (bare !== 'exit 0')
      return failed(`/bin/true: ${bare}`, 'it did not run as it does by itself');
    const ports = [String(refused.port), String(allowed.port)];
    const ended = run([process.execPath, '--eval', PROGRAM, ...ports]);
    await allowed.settled();
    const seen = `listeners saw ${allowed.count()} allowed and ${refused.count()} refused`;
    if (ended !== 'exit 0' || allowed.count() !== 1 || refused.count() !== 0) {
      return failed(`connects: ${ended}; ${seen}`, 'the policy does not hold here: do not use it');
    }
    const found = `/bin/true ran; ${ADDRESS}:${allowed.port} was reached, ${ADDRESS}:${refused.port} was refused and saw nothing`;
    return { name: NAME, state: 'ok', found, consequence: '' };
  } catch (error) {
    return failed(
      error instanceof Error ? error.message : String(error),
      'exec fails the same way',
    );
  } finally {
    for (const { server } of listeners) server.close();
  }
}

async function compileFor(port: number): Promise<Buffer> {
  const sources = { file: undefined, allow: [`tcp://${ADDRESS}:${port}`], deny: [] };
  const result = await compileSources(sources, 'exec');
  if (!result.ok) throw new SandlockError('policy', 'the policy of the self-test does not compile');
  return Buffer.from(result.table);
}

/** `exit N` or `signal N`. */
function runOne(
  library: NativeLibrary,
  table: Buffer,
  command: readonly string[],
  degraded: readonly string[],
): string {
  const source = ownSource({ command, lingerSeconds: 0, degraded });
  const handle = library.start(table, encodeRequest(source));
  if (handle < 0) throw startFailure('front', -handle, command[0] ?? '');
  const bytes = Buffer.alloc(RECORD_BYTES);
  let ended = 'lost';
  while (library.next(handle, bytes, -1) > 0) {
    const record = decodeRecord(bytes);
    if (record?.kind === 'failed') throw startFailure(record.stage, record.errno, command[0] ?? '');
    if (record?.kind === 'ended') break;
    if (record?.kind !== 'exited') continue;
    const outcome = decodeStatus(record.status);
    ended = 'exit' in outcome ? `exit ${outcome.exit}` : `signal ${outcome.signal}`;
  }
  return ended;
}

interface Listener {
  readonly server: Server;
  readonly port: number;
  readonly count: () => number;
  /** Waits for a connection, a second at most, and for what came before it. */
  readonly settled: () => Promise<void>;
}

/** Connections wait in the kernel's queue while this thread waits for the sandbox; they are counted afterwards. */
function listen(listeners: Listener[]): Promise<Listener> {
  let count = 0;
  const server = createServer((socket) => {
    count += 1;
    socket.on('error', () => {});
    socket.destroy();
  });
  const settled = async (): Promise<void> => {
    for (let round = 0; round < 100 && count === 0; round += 1) await pause(10);
    await pause(10);
  };
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, ADDRESS, () => {
      const { port } = server.address() as AddressInfo;
      const listener = { server, port, count: () => count, settled };
      listeners.push(listener);
      resolve(listener);
    });
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
