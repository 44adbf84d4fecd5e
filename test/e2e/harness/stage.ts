/**
 * Where the end-to-end tests stand: the stage that test/e2e/run.mjs prepared, the users they run programs as, and
 * directories of their own. Loading this file outside the PID namespace that run.mjs makes is an error: the tests
 * end process trees. It starts nothing.
 */
import { chmodSync, existsSync, mkdtempSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A user that programs are run as. */
export interface User {
  readonly name: 'root' | 'nobody';
  readonly uid: number;
}

const path = process.env.SANDLOCK_E2E_STAGE;
if (path === undefined) throw new Error('start the end-to-end tests by: node test/e2e/run.mjs');
if (readlinkSync('/proc/self/ns/pid') === process.env.SANDLOCK_E2E_OUTER) {
  throw new Error('the end-to-end tests need a PID namespace of their own');
}

/** The stage's directory. */
export const stage: string = path;

const names = (process.env.SANDLOCK_E2E_USERS ?? 'root').split(' ');

/** Every test runs as each of these: root and uid 65534, or only oneself where the tests are not run by root. */
export const users: readonly User[] = (
  [
    { name: 'root', uid: 0 },
    { name: 'nobody', uid: 65534 },
  ] as const
).filter((user) => names.includes(user.name));

const staged = join(stage, 'bin/node');

/** A node that every user can run. */
export const node: string = existsSync(staged) ? staged : process.execPath;

/** The command under test, without arguments. Development may put a stand-in in its place. */
export const launcher: readonly string[] = process.env.SANDLOCK_E2E_LAUNCHER?.split(' ') ?? [
  node,
  join(stage, 'dist/sandlock.cjs'),
];

/** Whether the command's sockets are made for it and held, as where descriptors can not be taken (`run.mjs --held`). */
export const isHeld: boolean = process.env.SANDLOCK_E2E_HELD === '1';

/** The launcher without Node. */
export const native: string = join(stage, 'dist/sandlock-exec');

/** Whether commands are run by `native`, from tables (`run.mjs --native`). */
export const isNative: boolean = process.env.SANDLOCK_E2E_NATIVE === '1';

/** The environment of every program under test: fixed, so that no test depends on its caller's. */
export const environment: Readonly<Record<string, string>> = {
  PATH: `${dirname(node)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
  HOME: join(stage, 'tmp'),
  LC_ALL: 'C',
};

/** By how much time limits are wider: on an emulated machine (scripts/kernels.mjs). */
export const patience: number = Number(process.env.SANDLOCK_E2E_PATIENCE ?? 1);

/** The command line of a compiled probe. */
export function probe(name: string, ...args: readonly string[]): string[] {
  return [join(stage, 'bin', name), ...args];
}

/** A new directory that every user may write to. */
export function makeDirectory(): string {
  const directory = mkdtempSync(join(stage, 'tmp/t-'));
  chmodSync(directory, 0o777);
  return directory;
}

/** Writes a file that every user may read into a new directory; returns its path. */
export function makeFile(name: string, text: string | Uint8Array): string {
  const file = join(makeDirectory(), name);
  writeFileSync(file, text);
  chmodSync(file, 0o644);
  return file;
}
