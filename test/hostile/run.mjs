// Starts the hostile-program suite: `node test/hostile/run.mjs [--json FILE] [vitest arguments]`.
// It stages what was built (setup/stage.mjs), compiles the programs, and runs vitest inside a PID
// namespace and a network namespace of their own: nothing that ends process trees can reach
// anything else, and no packet can leave. Two links of that network lead to each other and nowhere.
//
// SANDLOCK_HOSTILE_SECONDS=N makes every race last N seconds (scripts/soak.mjs).

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { compile, compileEach, prepareStage } from '../setup/stage.mjs';
import { apart, root, startVitest, surroundings } from '../setup/start.mjs';

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

const stage = prepareStage();
compileEach(join(import.meta.dirname, 'programs'), stage, 'hostile-');
compile(join(stage, 'bin/without'), [join(root, 'test/hosts/probes/without.c')]);
startVitest({
  through: [...apart('--net'), 'sh', '-c', NETWORK, 'network'],
  options: ['--config=test/hostile/vitest.config.ts'],
  env: surroundings(stage),
  over: () => rmSync(stage, { recursive: true, force: true }),
});
