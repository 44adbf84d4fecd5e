// What every script stands on: running a tool, knowing that it is there, and installing the packages of
// a fresh clone. Uses node's built-ins only, because it runs before `npm ci` has brought anything else.
// It does not know what is built or tested.

import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Root of the repository. */
export const root = join(import.meta.dirname, '..');

/** An error whose message is all there is to say; scripts print it without a stack. */
export class ScriptError extends Error {}

/** Runs a program in the repository, shows its output, and throws unless it succeeds. */
export function run(command, args) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) throw new ScriptError(`${command}: ${error.message}`);
  if (status !== 0)
    throw new ScriptError(`${command} ${args.join(' ')}: ${signal ?? `exit ${status}`}`);
}

/** Runs a program, shows its output and returns it: `{ status, output }`. Never throws for its failure. */
export function runCaptured(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (stream) => (chunk) => {
      output += chunk;
      stream.write(chunk);
    };
    child.stdout.setEncoding('utf8').on('data', take(process.stdout));
    child.stderr.setEncoding('utf8').on('data', take(process.stderr));
    child.on('error', (error) => resolve({ status: 127, output: `${output}${error.message}` }));
    child.on('close', (status) => resolve({ status: status ?? 1, output }));
  });
}

/** Is a program of this name on the PATH? */
export function isInstalled(name) {
  const folders = (process.env.PATH ?? '').split(delimiter).concat('/usr/sbin', '/sbin');
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Debian packages of the programs that the scripts ask for, where the names differ. */
const PACKAGES = {
  cargo: 'cargo, or rustup (rust-toolchain: stable)',
  cc: 'gcc',
  'c++': 'g++',
  prlimit: 'util-linux',
  nc: 'netcat-openbsd',
  ip: 'iproute2',
  unshare: 'util-linux',
  setpriv: 'util-linux',
};

/** One line for each program that is missing, with the package that has it. */
export function missingTools(names) {
  return names
    .filter((name) => !isInstalled(name))
    .map((name) => `${name} is missing (package: ${PACKAGES[name] ?? name})`);
}

/** Installs the locked packages unless the ones that package.json pins are already there. */
export function install() {
  const { dependencies, devDependencies } = readJson(join(root, 'package.json'));
  const pins = Object.entries({ ...dependencies, ...devDependencies });
  const isCurrent = pins.every(([name, pin]) => {
    try {
      const { version } = readJson(join(root, 'node_modules', name, 'package.json'));
      return version === pin || version.startsWith(`${pin}.`);
    } catch {
      return false;
    }
  });
  if (!isCurrent) run('npm', ['ci', '--no-audit', '--no-fund']);
}

/** Runs a script's main function; an expected failure is one line and exit status 1. */
export async function main(body) {
  try {
    await body(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}
