/**
 * The witness outside (programs/witness.c) as the tests question it: what arrived, anywhere in the
 * private network or at its unix sockets, that the policy does not allow. There is one for each
 * test file. It judges nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll } from 'vitest';
import { makeDirectory, probe } from '../../e2e/harness/stage.ts';

/** The destinations of the policy under test; hostile.h has the same ports. */
export const ALLOWED: readonly string[] = [
  'tcp://127.0.0.1:7001',
  'tcp://[::1]:7001',
  'udp://127.0.0.1:7002',
  'udp://[::1]:7002',
  'udp://[fd00::66]:7002',
  'tcp://[fd00::66]:7001',
  'tcp://127.0.0.1:7005',
];

const PLACES = ALLOWED.map((rule) => rule.replace(/^(\w+):\/\/\[?(.+?)\]?:(\d+)$/, '$1/$2/$3'));

/** What went to one place that is not allowed. */
export interface Arrival {
  readonly where: string;
  /** Packets, or messages to a unix socket. */
  readonly count: number;
  /** How many of them, or of what was said on the connection, carried the nonce. */
  readonly nonced: number;
  /** Milliseconds from `begin` to the first. */
  readonly firstMs: number;
}

/** A running witness. */
export interface Witness {
  /** Directory of its unix sockets. */
  readonly directory: string;
  /** Forgets everything and returns a fresh nonce to look for. */
  begin(): Promise<string>;
  /** What arrived since then. */
  report(): Promise<Arrival[]>;
}

/** A witness for the tests of the calling file. */
export function openWitness(): Witness {
  let child: ChildProcess | undefined;
  let directory = '';
  const lines: string[] = [];
  let wake = () => {};
  const next = async (): Promise<string> => {
    for (;;) {
      const line = lines.shift();
      if (line !== undefined) return line;
      if (child?.exitCode !== null) throw new Error('the witness ended');
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  beforeAll(async () => {
    directory = makeDirectory();
    const [program = ''] = probe('hostile-witness');
    child = spawn(program, [directory, ...PLACES], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (!child.stdout) throw new Error('the witness has no output');
    createInterface(child.stdout).on('line', (line) => {
      lines.push(line);
      wake();
    });
    child.on('exit', () => wake());
    if ((await next()) !== 'ready') throw new Error('the witness is not ready');
  });
  afterAll(() => {
    child?.stdin?.end();
    child?.kill();
  });
  const ask = (line: string): void => {
    child?.stdin?.write(`${line}\n`);
  };
  return {
    get directory() {
      return directory;
    },
    async begin() {
      const nonce = `N${randomBytes(8).toString('hex')}`;
      ask(`begin ${nonce}`);
      if ((await next()) !== 'ok') throw new Error('the witness does not answer');
      return nonce;
    },
    async report() {
      ask('report');
      const arrivals: Arrival[] = [];
      for (let line = await next(); line !== '.'; line = await next()) {
        const [count, nonced, firstMs, ...where] = line.split(' ');
        arrivals.push({
          where: where.join(' '),
          count: Number(count),
          nonced: Number(nonced),
          firstMs: Number(firstMs),
        });
      }
      return arrivals;
    },
  };
}
