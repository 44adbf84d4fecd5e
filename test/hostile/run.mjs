// Starts the hostile-program suite: `node test/hostile/run.mjs [--json FILE] [vitest arguments]`. It stages what was built
// (test/e2e/stage.mjs), compiles the programs, and runs vitest inside a PID namespace and a network namespace of their own:
// nothing that ends process trees can reach anything else, and no packet can leave. Two links of that network lead to each
// other and nowhere. With --json, vitest's report goes to FILE as well. Exit status: vitest's. Uses node's built-ins only.
//
// SANDLOCK_HOSTILE_SECONDS=N makes every race last N seconds (scripts/soak.mjs).

import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { prepareStage } from '../e2e/stage.mjs';

const root = join(import.meta.dirname, '../..');

const args = process.argv.slice(2);
const reporters = ['--reporter=default'];
const at = args.indexOf('--json');
if (at >= 0) {
  const [, file] = args.splice(at, 2);
  if (file === undefined) {
    process.stderr.write('--json needs a file name\n');
    process.exit(2);
  }
  reporters.push('--reporter=json', `--outputFile.json=${resolve(file)}`);
}

/** The network: a default route that leads to a link nobody answers on, and everything loopback-like allowed. */
const NETWORK = `
set -e
ip link set lo up
ip link add out0 type veth peer name out1
ip link set out0 arp off
ip link set out1 arp off
ip link set out0 up
ip link set out1 up
ip addr add 10.77.0.1/24 dev out0
ip addr add fd77::1/64 dev out0 nodad
ip addr add fd00::66/128 dev lo nodad
ip route add default dev out0
ip -6 route add default dev out0
sysctl -qw net.ipv4.tcp_fastopen=3
sysctl -qw net.ipv4.ping_group_range='0 2147483647' || sysctl -qw net.ipv4.ping_group_range='0 0'
exec "$@"
`;

const isRoot = process.getuid?.() === 0;
const stage = prepareStage(root);
compilePrograms();

const child = spawn(
  'unshare',
  [
    ...(isRoot ? [] : ['--user', '--map-root-user']),
    ...['--net', '--pid', '--fork', '--kill-child', '--mount-proc', '--'],
    ...['sh', '-c', NETWORK, 'network'],
    ...[process.execPath, join(root, 'node_modules/vitest/vitest.mjs')],
    ...['run', '--config=test/hostile/vitest.config.ts', ...reporters, ...args],
  ],
  {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      SANDLOCK_E2E_STAGE: stage,
      SANDLOCK_E2E_OUTER: readlinkSync('/proc/self/ns/pid'),
      SANDLOCK_E2E_USERS: isRoot ? 'root nobody' : 'root',
    },
  },
);
child.on('error', (error) => finish(127, `unshare: ${error.message}`));
child.on('close', (status, signal) => finish(status ?? 1, signal && `vitest: ${signal}`));

function compilePrograms() {
  const from = join(import.meta.dirname, 'programs');
  for (const file of readdirSync(from)) {
    if (!file.endsWith('.c')) continue;
    const to = join(stage, 'bin', `hostile-${file.slice(0, -2)}`);
    const flags = ['-O1', '-Wall', '-Wextra', '-Werror', '-pthread'];
    execFileSync('cc', [...flags, '-o', to, join(from, file)], { stdio: 'inherit' });
    chmodSync(to, 0o755);
  }
}

/** @param {number} status @param {string | null} [message] */
function finish(status, message) {
  rmSync(stage, { recursive: true, force: true });
  if (message) process.stderr.write(`${message}\n`);
  process.exit(status);
}
