/** Containers as Docker makes them: the system calls that its default profile refuses, and no capability. */
import type { User } from '../e2e/harness/stage.ts';
import { type Host, without } from './host.ts';

/**
 * What Docker's default profile (an allowlist: github.com/moby/profiles, seccomp/default.json)
 * refuses when the container has no capability, as far as this kernel and architecture have it. The
 * real one: `npm run docker`.
 */
const REFUSED = [
  ...[
    'acct',
    'add_key',
    'bpf',
    'chroot',
    'clock_settime',
    'delete_module',
    'fanotify_init',
    'finit_module',
  ],
  ...[
    'get_mempolicy',
    'init_module',
    'kexec_file_load',
    'kexec_load',
    'keyctl',
    'lookup_dcookie',
    'mbind',
  ],
  ...[
    'migrate_pages',
    'mount',
    'move_pages',
    'open_by_handle_at',
    'perf_event_open',
    'pivot_root',
    'quotactl',
    'reboot',
  ],
  ...[
    'request_key',
    'set_mempolicy',
    'setdomainname',
    'sethostname',
    'setns',
    'settimeofday',
    'swapoff',
    'swapon',
  ],
  ...[
    'syslog',
    'umount2',
    'unshare',
    'userfaultfd',
    'vhangup',
    'io_uring_setup',
    'io_uring_enter',
    'io_uring_register',
  ],
  ...['open_tree', 'move_mount', 'fsopen', 'fsconfig', 'fsmount', 'fspick', 'mount_setattr'],
].map((call) => `${call}=EPERM`);
const BY_ARGUMENT = [
  'clone=EPERM&0:0x7e020000',
  'clone3=ENOSYS',
  'socket=EPERM@0:40',
  'socket=EPERM@0:38',
  'personality=EPERM@0:0x0040000',
];
/** What CAP_SYS_PTRACE opens; ptrace and the memory of other processes are open by themselves. */
export const TAKING: readonly string[] = ['kcmp', 'pidfd_getfd'].map((call) => `${call}=EPERM`);
/** The same of Docker 20.10, where that memory is open by its file alone. */
export const READING: readonly string[] = [
  ...TAKING,
  'process_vm_readv=EPERM',
  'process_vm_writev=EPERM',
];
/** A profile that lets nobody look at another process. */
export const INSPECTION: readonly string[] = [...READING, 'preadv=EPERM'];

/** A host that takes root's capabilities; nobody else has any. */
export function dropped(user: User): Host {
  return user.uid === 0 ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--'] : [];
}

/** The container's user has no capability, whoever it is. */
export function container(user: User, ...more: readonly string[]): Host {
  return [...dropped(user), ...without(...more, ...REFUSED, ...BY_ARGUMENT)];
}
