/** The log as a file: whole lines, rotation, errors; and the schema of its lines. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Decision } from '../../src/decision.ts';
import { openLog } from '../../src/log.ts';

const folder = mkdtempSync(join(tmpdir(), 'sandlock-log-'));
const path = join(folder, 'log');
beforeEach(() => rmSync(path, { force: true }));
afterAll(() => rmSync(folder, { recursive: true }));

const decision = (port: number): Decision => ({
  event: 'decision',
  time: '2026-01-31T12:00:00.123Z',
  verdict: 'deny',
  pid: 1,
  tid: 1,
  program: 'a"\n\u001b',
  syscall: 'connect',
  protocol: 'tcp',
  destination: `192.0.2.1:${port}`,
  address: '192.0.2.1',
  port,
});

const noError = (message: string): never => {
  throw new Error(message);
};

/** Ports of the lines in a file, each of which has to be whole. */
function ports(file = path): number[] {
  const text = readFileSync(file, 'utf8');
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as Decision).port);
}

describe('a log', () => {
  it('appends lines of JSON, all of a decision on one', () => {
    writeFileSync(path, '{"port":7}\n');
    const log = openLog(path, noError);
    log.add(decision(1));
    log.add(decision(2));
    expect([log.isPending, ports()]).toEqual([true, [7]]);
    log.flush();
    expect([log.isPending, ports()]).toEqual([false, [7, 1, 2]]);
    expect(JSON.parse(readFileSync(path, 'utf8').split('\n')[1] ?? '')).toEqual(decision(1));
  });

  it('writes by itself before much has been gathered', () => {
    const log = openLog(path, noError);
    for (let port = 0; port < 1000; port += 1) log.add(decision(port));
    expect(ports().length).toBeGreaterThan(200);
    log.flush();
    expect(ports()).toEqual(Array.from({ length: 1000 }, (_, port) => port));
  });

  it('goes on in a new file when the old one was renamed or deleted', () => {
    const log = openLog(path, noError);
    const write = (port: number): void => {
      log.add(decision(port));
      log.flush();
    };
    write(1);
    renameSync(path, `${path}.1`);
    write(2);
    expect([ports(`${path}.1`), ports()]).toEqual([[1], [2]]);
    unlinkSync(path);
    write(3);
    expect(ports()).toEqual([3]);
    renameSync(path, `${path}.2`);
    writeFileSync(path, '{"port":9}\n');
    write(4);
    expect([ports(`${path}.2`), ports()]).toEqual([[3], [9, 4]]);
  });

  it('goes on at the new end of a file that was truncated', () => {
    const log = openLog(path, noError);
    log.add(decision(1));
    log.flush();
    truncateSync(path);
    log.add(decision(2));
    log.flush();
    expect(ports()).toEqual([2]);
  });

  it('stays with the old file when its directory is gone', () => {
    const below = join(folder, 'below');
    writeFileSync(path, '');
    const log = openLog(path, noError);
    renameSync(path, below);
    // Nothing can be created where a directory has the name.
    const inWay = mkdtempSync(join(folder, 'x-'));
    renameSync(inWay, path);
    log.add(decision(1));
    log.flush();
    expect(ports(below)).toEqual([1]);
    rmSync(path, { recursive: true });
  });

  it('does not wait for a FIFO that has taken its place, read or not', () => {
    const old = `${path}.old`;
    const log = openLog(path, noError);
    renameSync(path, old);
    execFileSync('mkfifo', [path]);
    log.add(decision(1));
    log.flush();
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    log.add(decision(2));
    log.flush();
    expect(ports(old)).toEqual([1, 2]);
    closeSync(reader);
  });

  it('that can not be written says so once and is given up', () => {
    const messages: string[] = [];
    const log = openLog('/dev/full', (message) => messages.push(message));
    for (let round = 0; round < 3; round += 1) {
      log.add(decision(1));
      log.flush();
    }
    expect(messages).toEqual(['the log ends here: /dev/full: no space left on device']);
  });

  it('that can not be opened is an error with its reason', () => {
    const missing = join(folder, 'none/log');
    expect(() => openLog(missing, noError)).toThrow(
      `can not write ${missing}: no such file or directory`,
    );
  });
});
