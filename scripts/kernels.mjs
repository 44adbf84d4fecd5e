// `npm run kernels -- PACKAGE SUITE [vitest arguments]`: runs a suite of test/ on another kernel,
// that of a Debian package (for example linux-image-6.1.0-56-cloud-amd64), in a virtual machine with
// what this machine has in /usr and /etc, the repository as it was built, and no network. KVM runs
// it where a trial shows that it can (a device is no proof: there are some that boot no kernel as it
// is). Otherwise it is emulated, some ten times slower, and the tests' own time limits are wider.
// On a kernel without Landlock sandlock runs nothing unless that is accepted, so the tests' launcher
// accepts it. Needs apt-get, dpkg, cpio, xz, mke2fs and qemu-system-x86_64, and root for a copy that
// keeps owners. It knows nothing of what is tested.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
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
 * Of the kernel's modules, as far as it has them and not built in: the disk's are loaded before
 * there is a root, then what would be loaded by itself when a test asks for it.
 */
const MODULES = [
  ...['virtio_pci', 'virtio_blk', 'veth', 'tun', 'overlay', 'binfmt_misc'],
  ...['unix_diag', 'tcp_diag', 'nfnetlink', 'af_alg', 'algif_hash', 'vsock'],
  ...['sctp', 'dccp_ipv4', 'tipc', 'kcm', 'rds', 'smc', 'l2tp_ip'],
];

const MEBIBYTES = 6000;
const LIMIT_MS = 3_600_000;
/**
 * For an emulated processor: what a real one has to be kept from it can not do, and to exchange the page
 * tables at every system call, as against Meltdown, costs it much.
 */
const EMULATED = 'mitigations=off';
/** KVM boots the trial in one or two seconds. */
const TRIAL_MS = 10_000;
/** How much slower than this machine an emulated one may be. */
const PATIENCE = 10;

/** For programs that write a lot. */
const BIG = { maxBuffer: 1 << 28 };

const INIT = `#!/busybox sh
PATH=/
busybox mkdir -p /proc /sys /dev /new
busybox mount -t proc proc /proc; busybox mount -t sysfs sys /sys; busybox mount -t devtmpfs dev /dev
busybox grep -q trial /proc/cmdline && { echo trial > /dev/ttyS0; busybox poweroff -f; }
while read name; do busybox insmod /modules/$name.ko; done < /modules/order
busybox mount -t ext4 /dev/vda /new || busybox poweroff -f
for name in proc sys dev; do busybox mount --move /$name /new/$name; done
exec /busybox switch_root /new /bin/sh /start
`;

// A program without rights may measure itself with perf where the setting is 2 at most; Debian's is 3.
const START = `export PATH=/usr/local/bin:/usr/bin:/usr/sbin HOME=/root TERM=dumb CI=true SANDLOCK_BUILT=1
mount -t tmpfs -o mode=1777 tmpfs /tmp; mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts; mount -t tmpfs tmpfs /dev/shm
mount -t securityfs securityfs /sys/kernel/security
grep -q landlock /sys/kernel/security/lsm || export SANDLOCK_E2E_LAUNCHER=/accepting
echo 2 > /proc/sys/kernel/perf_event_paranoid
ln -sfn /proc/self/fd /dev/fd; ip link set lo up; uname -r > /dev/ttyS0
cd /repository && sh /job < /dev/null > /dev/ttyS0 2>&1
echo "status $?" > /dev/ttyS0; sync; echo o > /proc/sysrq-trigger; sleep 9
`;

/** The command line with what it takes for exec to run without Landlock. */
const ACCEPTING = `#!/bin/sh
[ "$1" = exec ] && { shift; set -- exec --allow-degraded other-processes "$@"; }
exec ${process.execPath} /repository/dist/sandlock.cjs "$@"
`;

await main(async (args) => {
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
  const isVirtual = mayUseKvm(kernel, initrd);
  process.stdout.write(isVirtual ? 'KVM runs this kernel\n' : 'KVM does not run it: emulated\n');
  const job = [process.execPath, `test/${suite}/run.mjs`];
  if (!isVirtual) job.push('--testTimeout=600000', '--hookTimeout=600000');
  const words = [...job, ...rest].map((word) => `'${word}'`).join(' ');
  const patience = `SANDLOCK_E2E_PATIENCE=${isVirtual ? 1 : PATIENCE}`;
  const disk = makeDisk(folder, `${patience} ${words}`);
  const accelerator = isVirtual ? ['kvm', 'host'] : ['tcg,thread=multi', 'Skylake-Client'];
  await boot(kernel, initrd, disk, accelerator);
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
  writeFileSync(join(tree, 'modules/order'), unpackModules(kernel, join(tree, 'modules')));
  const file = `${tree}.cpio`;
  const names = readdirSync(tree, { recursive: true }).join('\n');
  writeFileSync(
    file,
    execFileSync('cpio', ['-o', '-H', 'newc', '--quiet'], { ...BIG, cwd: tree, input: names }),
  );
  return file;
}

/** Unpacks MODULES with what they depend on; returns their names, a line each, in the order of loading. */
function unpackModules(kernel, to) {
  const paths = readdirSync(join(kernel, 'lib/modules'), { recursive: true }).map(String);
  const order = new Set();
  const take = (name) => {
    const path = paths.find((entry) => new RegExp(`/${name}\\.ko(\\.xz)?$`).test(entry));
    if (path === undefined || order.has(name)) return;
    const from = join(kernel, 'lib/modules', path);
    const isPacked = path.endsWith('.xz');
    const bytes = isPacked ? execFileSync('xz', ['-dc', from], BIG) : readFileSync(from);
    const [, needs = ''] = /\0depends=([^\0]*)/.exec(bytes.toString('latin1')) ?? [];
    for (const other of needs.split(',')) take(other.replaceAll('-', '_'));
    writeFileSync(join(to, `${name}.ko`), bytes);
    order.add(name);
  };
  for (const name of MODULES) take(name);
  return [...order].map((name) => `${name}\n`).join('');
}

/** A disk with this machine's programs and the repository; what the tests write there is not kept. */
function makeDisk(folder, job) {
  const tree = join(folder, 'root');
  rmSync(tree, { recursive: true, force: true });
  for (const name of ['proc', 'sys', 'dev', 'tmp', 'run', 'root', 'mnt', 'var/tmp', 'usr/lib']) {
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
  writeFileSync(join(tree, 'accepting'), ACCEPTING, { mode: 0o755 });
  const disk = join(folder, 'disk.img');
  rmSync(disk, { force: true });
  run('mke2fs', ['-q', '-t', 'ext4', '-d', tree, disk, `${MEBIBYTES}M`]);
  rmSync(tree, { recursive: true, force: true });
  return disk;
}

/** The words that start a machine with this kernel. */
function machine(kernel, initrd, [accelerator, processor], more) {
  const image = readdirSync(join(kernel, 'boot')).find((name) => name.startsWith('vmlinuz-'));
  return [
    ...['-accel', accelerator, '-cpu', processor, '-smp', '2', '-m', '3000'],
    ...['-nographic', '-no-reboot', '-nic', 'none', '-initrd', initrd],
    ...['-kernel', join(kernel, 'boot', image ?? '')],
    ...['-append', `console=ttyS0 quiet panic=-1 lsm=landlock,yama secretmem.enable=1 ${more}`],
  ];
}

/** Whether KVM boots that kernel: tried. */
function mayUseKvm(kernel, initrd) {
  if (!existsSync('/dev/kvm')) return false;
  const { stdout } = spawnSync(
    'qemu-system-x86_64',
    machine(kernel, initrd, ['kvm', 'host'], 'trial'),
    { stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8', timeout: TRIAL_MS },
  );
  return /^trial\r?$/m.test(stdout);
}

/** Boots it, shows what the tests say, and throws unless they pass. */
async function boot(kernel, initrd, disk, accelerator) {
  const drive = ['-drive', `file=${disk},if=virtio,format=raw,snapshot=on`];
  const child = spawn(
    'qemu-system-x86_64',
    [...machine(kernel, initrd, accelerator, accelerator[0] === 'kvm' ? '' : EMULATED), ...drive],
    { stdio: ['ignore', 'pipe', 'ignore'], timeout: LIMIT_MS },
  );
  let last = '';
  for await (const text of child.stdout.setEncoding('utf8')) {
    process.stdout.write(text);
    last = `${last}${text}`.slice(-4096);
  }
  const [, status] = /status (\d+)\r?$/m.exec(last) ?? [];
  if (status !== '0') throw new ScriptError(`the tests ended with status ${status ?? 'unknown'}`);
}
