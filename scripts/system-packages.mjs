// The Debian packages that the tests start programs of: `node scripts/system-packages.mjs` installs
// those that are missing. The lists are packages.txt here and in the folders of test/ that need
// more. Only root on a Debian-like system can install; elsewhere this does nothing, and whoever
// needs a program says that it is missing.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isInstalled, main, root, ScriptError } from './setup.mjs';

/** Installs what is missing. Throws when apt-get fails. */
export function installSystemPackages() {
  if (process.getuid?.() !== 0 || !isInstalled('apt-get') || !isInstalled('dpkg-query')) return;
  const missing = listed().filter((name) => !isPresent(name));
  if (missing.length === 0) return;
  console.error(`installing ${missing.join(' ')}`);
  apt(['update', '--quiet=2']);
  apt(['install', '--quiet=2', '--yes', '--no-install-recommends', ...missing]);
}

function listed() {
  const folders = readdirSync(join(root, 'test')).map((name) => join(root, 'test', name));
  const files = [join(root, 'scripts'), ...folders].map((folder) => join(folder, 'packages.txt'));
  const names = files
    .filter((file) => existsSync(file))
    .flatMap((file) => readFileSync(file, 'utf8').split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  return [...new Set(names)].sort();
}

function isPresent(name) {
  const format = '--showformat=$' + '{Status}';
  const { stdout } = spawnSync('dpkg-query', ['--show', format, name], { encoding: 'utf8' });
  return stdout?.includes('install ok installed') ?? false;
}

function apt(args) {
  const { status } = spawnSync('apt-get', args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    // Servers are started by tests that need them, not by the package system.
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
  });
  if (status !== 0) throw new ScriptError(`apt-get ${args.join(' ')}: exit ${status}`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await main(installSystemPackages);
