/**
 * What surrounds this process, as /proc, /sys and the environment tell: who it is, what confines it
 * already, and settings of the kernel that explain an answer of the probes. Reads only; a file that
 * is missing or unreadable is `undefined`.
 */
import { readFileSync } from 'node:fs';
import { arch, release } from 'node:os';

/** Reads a file, or undefined. */
export type ReadText = (path: string) => string | undefined;

/** What was read. */
export interface Surroundings {
  readonly kernel: string;
  readonly architecture: string;
  readonly node: string;
  readonly user: number;
  /** Effective capabilities, as 16 hexadecimal digits. */
  readonly capabilities: string | undefined;
  /** How many seccomp filters this process is under already; mode 1 counts as one. */
  readonly filters: number;
  readonly noNewPrivileges: boolean;
  /** Name of what contains this process, as far as it can be told. */
  readonly container: string | undefined;
  /** 0 to 3; undefined without Yama. */
  readonly yamaScope: number | undefined;
  /** kernel.io_uring_disabled: 0 to 2. */
  readonly ringsDisabled: number | undefined;
  /** Settings that keep unprivileged users from user namespaces, with their values. */
  readonly namespaceLimits: readonly string[];
  /** Limits of the control groups around this process and of the process itself: `pids.max = 100`. */
  readonly limits: readonly string[];
  /** Below how many tasks or open files it gets tight. */
  readonly tight: readonly string[];
}

/** Fewer tasks than this in a control group leave little for the supervisor's three threads beside the command. */
const FEW_TASKS = 32;
/** The supervisor holds two descriptors for each call that waits. */
const FEW_FILES = 256;

/** Looks around. `read` and `environment` are replaced in tests. */
export function lookAround(
  read: ReadText = readText,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Surroundings {
  const status = fields(read('/proc/self/status'));
  const limits = [...groupLimits(read), ...openFiles(read)];
  return {
    kernel: release(),
    architecture: arch(),
    node: process.versions.node,
    user: process.geteuid?.() ?? 0,
    capabilities: status.get('CapEff'),
    filters: Number(status.get('Seccomp_filters') ?? (status.get('Seccomp') === '0' ? 0 : 1)),
    noNewPrivileges: status.get('NoNewPrivs') === '1',
    container: containerOf(read, environment),
    yamaScope: setting(read, 'kernel/yama/ptrace_scope'),
    ringsDisabled: setting(read, 'kernel/io_uring_disabled'),
    namespaceLimits: [
      ['kernel/apparmor_restrict_unprivileged_userns', 1],
      ['kernel/unprivileged_userns_clone', 0],
      ['user/max_user_namespaces', 0],
    ].flatMap(([path, value]) =>
      setting(read, String(path)) === value
        ? [`${String(path).replaceAll('/', '.')} = ${value}`]
        : [],
    ),
    limits: limits.map(({ text }) => text),
    tight: limits.filter(({ isTight }) => isTight).map(({ text }) => text),
  };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** `Name:\tvalue` lines. */
function fields(text: string | undefined): ReadonlyMap<string, string> {
  const lines = (text ?? '').split('\n').map((line) => line.split(':\t'));
  return new Map(lines.map(([name = '', value = '']) => [name, value.trim()]));
}

function setting(read: ReadText, path: string): number | undefined {
  const text = read(`/proc/sys/${path}`)?.trim();
  return text === undefined || text === '' ? undefined : Number(text);
}

function containerOf(
  read: ReadText,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (environment.KUBERNETES_SERVICE_HOST !== undefined) return 'Kubernetes';
  if (read('/.dockerenv') !== undefined) return 'Docker';
  if (read('/run/.containerenv') !== undefined) return 'Podman';
  const [, name] =
    /(docker|podman|libpod|lxc|kubepods|containerd)/.exec(read('/proc/self/cgroup') ?? '') ?? [];
  return name ?? environment.container;
}

interface Limit {
  readonly text: string;
  readonly isTight: boolean;
}

/** The narrowest pids.max and memory.max from this process's control group up, in version 2 or 1 of them. */
function groupLimits(read: ReadText): Limit[] {
  const found = new Map<string, number>();
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [number, controllers = '', path = ''] = line.split(':');
    if (number === undefined || path === '') continue;
    const places =
      controllers === ''
        ? [
            { base: '/sys/fs/cgroup', files: ['pids.max', 'memory.max'] },
            { base: '/sys/fs/cgroup/unified', files: ['pids.max', 'memory.max'] },
          ]
        : [
            {
              base: `/sys/fs/cgroup/${controllers}`,
              files: ['pids.max', 'memory.limit_in_bytes'],
            },
          ];
    for (const { base, files } of places) {
      for (const folder of upwards(path)) {
        for (const file of files) {
          const value = Number(read(`${base}${folder}/${file}`) ?? 'max');
          // Version 1 says "no limit" by a number near 2^63.
          if (Number.isNaN(value) || value > 2 ** 60) continue;
          const name = file === 'memory.limit_in_bytes' ? 'memory.max' : file;
          found.set(name, Math.min(value, found.get(name) ?? Number.POSITIVE_INFINITY));
        }
      }
    }
  }
  return [...found].map(([name, value]) => ({
    text: `${name} = ${value}`,
    isTight: name === 'pids.max' && value < FEW_TASKS,
  }));
}

/** `/a/b`, `/a` and the root, as far as a container shows them. */
function upwards(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return parts
    .map((_, index) => `/${parts.slice(0, index + 1).join('/')}`)
    .concat('')
    .reverse();
}

function openFiles(read: ReadText): Limit[] {
  const line = /^Max open files\s+(\S+)\s+(\S+)/m.exec(read('/proc/self/limits') ?? '');
  const hard = line?.[2];
  if (hard === undefined) return [];
  return [{ text: `open files = ${hard}`, isTight: Number(hard) < FEW_FILES }];
}
