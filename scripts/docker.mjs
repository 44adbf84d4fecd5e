// `npm run docker -- [--OPTION=VALUE …] SUITE [vitest arguments]`: runs a suite of test/ in a real
// container of the Docker daemon that `docker` reaches, under its default profile. Options go to
// `docker run`, for example --cap-drop=ALL or --user=65534. Where no daemon answers and root has a
// dockerd, one is started for the while, with nothing that others see: its own directories and
// socket, no network, no rules for packets.
//
// The image is empty; /usr, /etc and the repository are this machine's, read-only. It knows nothing of what is tested.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isInstalled, main, missingTools, root, ScriptError } from './setup.mjs';

const IMAGE = 'sandlock-tests';
const DIRECTORIES = ['usr', 'etc', 'proc', 'sys', 'dev', 'run', 'root', 'tmp', 'var/tmp'];
const LIMIT_MS = 30_000;

await main(async (args) => {
  const at = args.findIndex((arg) => !arg.startsWith('-'));
  if (at < 0) {
    throw new ScriptError('usage: npm run docker -- [--OPTION=VALUE …] SUITE [vitest arguments]');
  }
  const options = args.slice(0, at);
  const [suite, ...rest] = args.slice(at);
  const missing = missingTools(['docker', 'tar']);
  if (missing.length > 0) throw new ScriptError(missing.join('\n'));
  if (!existsSync(join(root, 'dist'))) throw new ScriptError('dist/ is missing: npm run build');
  const folder = mkdtempSync(join(tmpdir(), 'sandlock-docker-'));
  const daemon = answers() ? undefined : await startDaemon(folder);
  try {
    makeImage(join(folder, 'image'));
    process.exitCode = test(options, suite, rest);
  } finally {
    await daemon?.();
    rmSync(folder, { recursive: true, force: true });
  }
});

function answers() {
  return spawnSync('docker', ['version'], { stdio: 'ignore' }).status === 0;
}

/** Starts a daemon that lives in `folder`; returns what ends it. */
async function startDaemon(folder) {
  if (process.getuid?.() !== 0 || !isInstalled('dockerd')) {
    throw new ScriptError(
      'no Docker daemon answers, and there is none to start (as root; Debian: docker.io)',
    );
  }
  const socket = `unix://${folder}/socket`;
  const log = join(folder, 'log');
  const options = [
    ...['--data-root', `${folder}/data`, '--exec-root', `${folder}/exec`],
    ...['--pidfile', `${folder}/pid`, '--host', socket, '--storage-driver', 'vfs'],
    ...['--bridge', 'none', '--iptables=false', '--ip6tables=false'],
  ];
  // In a mount namespace of its own: what it mounts, and forgets, goes with it.
  const daemon = spawn('unshare', ['--mount', '--propagation', 'private', 'dockerd', ...options], {
    stdio: ['ignore', openSync(log, 'w'), openSync(log, 'a')],
  });
  const ended = new Promise((resolve) => daemon.on('exit', resolve));
  process.env.DOCKER_HOST = socket;
  const deadline = Date.now() + LIMIT_MS;
  while (!answers()) {
    if (daemon.exitCode !== null || Date.now() > deadline) {
      daemon.kill();
      const last = execFileSync('tail', ['-n', '3', log], { encoding: 'utf8' });
      throw new ScriptError(`dockerd does not start:\n${last}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return () => {
    daemon.kill();
    return ended;
  };
}

/** Directories and links, of which a container sees this machine's programs. */
function makeImage(folder) {
  for (const name of DIRECTORIES) mkdirSync(join(folder, name), { recursive: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64'])
    symlinkSync(`usr/${name}`, join(folder, name));
  execFileSync('chmod', ['1777', join(folder, 'tmp'), join(folder, 'var/tmp')]);
  const tar = execFileSync('tar', ['-C', folder, '-c', '.']);
  execFileSync('docker', ['import', '-', IMAGE], {
    input: tar,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
}

function test(options, suite, rest) {
  const isOther = options.some((option) => option.startsWith('--user='));
  // Without the right to become somebody else, root is the only user that root can test as.
  const isAlone = options.some((option) => /^--cap-drop=(ALL|SETUID)$/i.test(option));
  const users = isOther ? 'nobody' : isAlone ? 'root' : 'root nobody';
  const isHeld = !options.some((option) => /^--cap-add=(ALL|SYS_PTRACE)$/i.test(option));
  const variables = {
    ...{ SANDLOCK_E2E_APART: '1', SANDLOCK_E2E_USERS: users, SANDLOCK_BUILT: '1', HOME: '/tmp' },
    ...(isHeld ? { SANDLOCK_E2E_HELD: '1' } : {}),
  };
  // vitest writes what it makes of its configuration.
  const scratch = join(root, 'node_modules/.vite-temp');
  mkdirSync(scratch, { recursive: true });
  const { status } = spawnSync(
    'docker',
    [
      ...['run', '--rm', '--network=none', '--sysctl=net.ipv6.conf.all.disable_ipv6=0'],
      ...['/usr', '/etc', root].flatMap((path) => ['--volume', `${path}:${path}:ro`]),
      ...Object.entries(variables).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
      ...['--tmpfs', scratch],
      ...[`--workdir=${root}`, ...options, IMAGE],
      ...[process.execPath, `test/${suite}/run.mjs`, ...rest],
    ],
    { stdio: 'inherit' },
  );
  return status ?? 1;
}
