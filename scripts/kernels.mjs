// `npm run kernels -- PACKAGE SUITE [vitest arguments]`: runs a suite of test/ on another kernel,
// that of a Debian package (for example linux-image-6.1.0-56-cloud-amd64), in an emulated machine:
// with what this machine has in /usr and /etc, the repository as it was built, and no network.
// Emulation is some ten times slower, so the tests' own time limits are wider there. Needs apt-get,
// dpkg, cpio, xz, mke2fs and qemu-system-x86_64, and root for a copy that keeps owners. It knows
// nothing of what is tested.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { main, missingTools, root, run, ScriptError } from './setup.mjs';

const TOOLS = ['apt-get', 'cpio', 'dpkg', 'mke2fs', 'qemu-system-x86_64', 'xz'];

/**
 * Of /usr/lib, what programs of the tests need: libraries, interpreters, compilers; all of it would
 * be several gigabytes.
 */
const LIBRARIES = ['x86_64-linux-gnu', 'python3', 'python3.11', 'git-core', 'gcc', 'ssl', 'locale'];

/**
 * Of the kernel's modules: the disk's are loaded before there is a root, in this order, the others before the tests.
 */
const DISK = [
  'virtio_ring',
  'virtio',
  'virtio_pci_modern_dev',
  'virtio_pci_legacy_dev',
  'virtio_pci',
  'virtio_blk',
];
const OTHERS = ['veth', 'unix_diag'];

const MEBIBYTES = 6000;
const LIMIT_MS = 3_600_000;

/** For programs that write a lot. */
const BIG = { maxBuffer: 1 << 28 };

const INIT = `#!/busybox sh
PATH=/
busybox mkdir -p /proc /sys /dev /new
busybox mount -t proc proc /proc; busybox mount -t sysfs sys /sys; busybox mount -t devtmpfs dev /dev
for name in ${[...DISK, ...OTHERS].join(' ')}; do
  [ -f /modules/$name.ko ] && busybox insmod /modules/$name.ko
done
busybox mount -t ext4 /dev/vda /new || busybox poweroff -f
for name in proc sys dev; do busybox mount --move /$name /new/$name; done
exec /busybox switch_root /new /bin/sh /start
`;

const START = `export PATH=/usr/local/bin:/usr/bin:/usr/sbin HOME=/root TERM=dumb CI=true
mount -t tmpfs -o mode=1777 tmpfs /tmp; mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts; mount -t tmpfs tmpfs /dev/shm
# Debian's kernels have Yama and leave it off; where there is no Landlock sandlock needs it.
echo 1 > /proc/sys/kernel/yama/ptrace_scope
ln -sfn /proc/self/fd /dev/fd; ip link set lo up; uname -r > /dev/ttyS0
cd /repository && sh /job < /dev/null > /dev/ttyS0 2>&1
echo "status $?" > /dev/ttyS0; sync; echo o > /proc/sysrq-trigger; sleep 9
`;

await main((args) => {
  const [packageName, suite, ...rest] = args;
  if (suite === undefined) {
    throw new ScriptError('usage: npm run kernels -- PACKAGE SUITE [vitest arguments]');
  }
  const missing = missingTools(TOOLS);
  if (missing.length > 0) throw new ScriptError(missing.join('\n'));
  if (!existsSync(join(root, 'dist'))) throw new ScriptError('dist/ is missing: npm run build');
  const folder = join(root, 'build/kernels');
  mkdirSync(folder, { recursive: true });
  const kernel = unpack(folder, packageName);
  const initrd = makeInitrd(folder, kernel);
  const job = [process.execPath, `test/${suite}/run.mjs`, '--testTimeout=300000', ...rest];
  const disk = makeDisk(folder, job.map((word) => `'${word}'`).join(' '));
  boot(kernel, initrd, disk);
});

/** Fetches a package, and the busybox that starts the machine; returns where the package lies unpacked. */
function unpack(folder, name) {
  const to = join(folder, name);
  for (const [each, where] of [
    [name, to],
    ['busybox-static', join(folder, 'busybox')],
  ]) {
    if (existsSync(where)) continue;
    execFileSync('apt-get', ['download', '--quiet=2', each], { cwd: folder, stdio: 'inherit' });
    const file = readdirSync(folder).find((entry) => entry.startsWith(`${each}_`));
    run('dpkg', ['-x', join(folder, file ?? ''), where]);
  }
  return to;
}

function makeInitrd(folder, kernel) {
  const tree = join(folder, 'initrd');
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(join(tree, 'modules'), { recursive: true });
  copyFileSync(join(folder, 'busybox/bin/busybox'), join(tree, 'busybox'));
  writeFileSync(join(tree, 'init'), INIT);
  chmodSync(join(tree, 'init'), 0o755);
  const modules = readdirSync(join(kernel, 'lib/modules'), { recursive: true }).map(String);
  for (const name of [...DISK, ...OTHERS]) {
    // Some are built into some kernels.
    const path = modules.find((entry) => new RegExp(`/${name}\\.ko(\\.xz)?$`).test(entry));
    if (path === undefined) continue;
    const from = join(kernel, 'lib/modules', path);
    const to = join(tree, 'modules', `${name}.ko`);
    if (path.endsWith('.xz')) writeFileSync(to, execFileSync('xz', ['-dc', from], BIG));
    else copyFileSync(from, to);
  }
  const file = `${tree}.cpio`;
  const names = readdirSync(tree, { recursive: true }).join('\n');
  writeFileSync(
    file,
    execFileSync('cpio', ['-o', '-H', 'newc', '--quiet'], { ...BIG, cwd: tree, input: names }),
  );
  return file;
}

/** A disk with this machine's programs and the repository; what the tests write there is not kept. */
function makeDisk(folder, job) {
  const tree = join(folder, 'root');
  rmSync(tree, { recursive: true, force: true });
  for (const name of ['proc', 'sys', 'dev', 'tmp', 'run', 'root', 'var/tmp', 'usr/lib']) {
    mkdirSync(join(tree, name), { recursive: true });
  }
  for (const name of ['tmp', 'var/tmp']) chmodSync(join(tree, name), 0o1777);
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(tree, name));
  const copied = ['/etc', '/usr/bin', '/usr/sbin', '/usr/lib64', '/usr/include', process.execPath];
  for (const path of [...copied, ...LIBRARIES.map((name) => `/usr/lib/${name}`)]) {
    const to = join(tree, path);
    if (!existsSync(path) || existsSync(to)) continue;
    mkdirSync(dirname(to), { recursive: true });
    run('cp', ['-a', path, to]);
  }
  mkdirSync(join(tree, 'repository'));
  for (const name of readdirSync(root)) {
    if (!['.git', 'build', 'executor', 'fuzz'].includes(name)) {
      run('cp', ['-a', join(root, name), join(tree, 'repository', name)]);
    }
  }
  writeFileSync(join(tree, 'start'), START);
  writeFileSync(join(tree, 'job'), `${job}\n`);
  const disk = join(folder, 'disk.img');
  rmSync(disk, { force: true });
  run('mke2fs', ['-q', '-t', 'ext4', '-d', tree, disk, `${MEBIBYTES}M`]);
  rmSync(tree, { recursive: true, force: true });
  return disk;
}

function boot(kernel, initrd, disk) {
  const image = readdirSync(join(kernel, 'boot')).find((name) => name.startsWith('vmlinuz-'));
  const { stdout } = spawnSync(
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg,thread=multi', '-cpu', 'Skylake-Client', '-smp', '2', '-m', '3000'],
      ...['-nographic', '-no-reboot', '-nic', 'none', '-initrd', initrd],
      ...['-kernel', join(kernel, 'boot', image ?? '')],
      ...['-append', 'console=ttyS0 quiet panic=-1 lsm=landlock,yama'],
      ...['-drive', `file=${disk},if=virtio,format=raw,snapshot=on`],
    ],
    { ...BIG, stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8', timeout: LIMIT_MS },
  );
  process.stdout.write(stdout);
  const [, status] = /status (\d+)\r?$/m.exec(stdout) ?? [];
  if (status !== '0') throw new ScriptError(`the tests ended with status ${status ?? 'unknown'}`);
}
