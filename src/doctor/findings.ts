/**
 * What an answer of the probes means for sandlock: nothing, a fallback, a wall that has to be given
 * up by name, or that nothing can be run. Pure: answers and surroundings in, findings out. The
 * stages are those of docs/native.md, the options those of `exec`.
 */
import { errnoName } from '../errno.ts';
import type { Answers } from './answers.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * `ok` · `note`: worth knowing, changes nothing · `fallback`: done in another way, and every wall
 * stands · `degraded`: runs only with `--allow-degraded` · `missing`: nothing can be run.
 */
export type State = 'ok' | 'note' | 'fallback' | 'degraded' | 'missing';

/** One line of the report. */
export interface Finding {
  readonly name: string;
  readonly state: State;
  /** What was found. */
  readonly found: string;
  /** What sandlock does about it, or the user may; empty where there is nothing to do. */
  readonly consequence: string;
  /** `degraded`: the name for `--allow-degraded`. */
  readonly option?: string;
  /** `missing`: at which stage `exec` refuses. */
  readonly stage?: string;
}

/** What each version of Landlock's interface brought (landlock(7)). */
const LANDLOCK = ['files', 'renames', 'truncation', 'TCP', 'device ioctl', 'scopes', 'audit log'];

/** The version that brought TCP: a domain of an older one handles files. */
const TCP_ABI = 4;

const ENOSYS = 38;
/** A probe's word for a wall that let a call pass. */
const EPROTO = 71;
const EBUSY = 16;

/** All findings, in the order of a start. */
export function judge(answers: Answers, around: Surroundings): Finding[] {
  const value = (name: string): number => answers.get(name) ?? -ENOSYS;
  const abi = value('landlock-abi');
  return [
    landlockVersion(abi),
    ...WALLS.map((wall) => landlockWall(wall, abi, value(wall.name))),
    kernelSettings(value('kernel-settings'), around),
    otherProcesses(value('other-processes')),
    ...NEEDED.map((need) =>
      need.name === 'pidfd-getfd' && value(need.name) < 0 && value('hold-sockets') >= 0
        ? heldSockets(-value(need.name))
        : needed(need, value(need.name), around),
    ),
    ...USEFUL.filter(
      ({ needsListener }) => needsListener !== true || value('seccomp-listener') >= 0,
    ).map((use) => useful(use, value(use.name), around, abi)),
    ...surroundingNotes(around),
  ];
}

function landlockVersion(abi: number): Finding {
  const name = 'landlock';
  if (abi <= 0) {
    const found = 'no Landlock: not built in, not enabled at boot (lsm=), or forbidden here';
    return { name, state: 'note', found, consequence: 'see the two lines below' };
  }
  const features = LANDLOCK.slice(0, abi).join(', ');
  return { name, state: 'ok', found: `version ${abi}: ${features}`, consequence: '' };
}

interface Wall {
  readonly name: string;
  readonly works: string;
  readonly fails: string;
  /** Version of the interface that brought it. */
  readonly abi: number;
  /** What is done instead. */
  readonly without: string;
  /** Stage at which `exec` ends when a kernel that should have it does not. */
  readonly stage: string;
}

const WALLS: readonly Wall[] = [
  {
    name: 'landlock-tcp',
    works: 'a domain refuses TCP',
    fails: 'Landlock can not hold TCP here (Linux 6.7)',
    abi: 4,
    without: 'the supervisor alone decides on TCP, and looks at every connect',
    stage: 'landlock',
  },
  {
    name: 'landlock-scopes',
    works: 'a domain keeps signals inside',
    fails: 'Landlock can not keep signals inside here (Linux 6.12)',
    abi: 6,
    without:
      'the supervisor sends the signals of the command, and finds out which abstract names are its own',
    stage: 'domain',
  },
];

function landlockWall(
  { name, works, fails, abi, without, stage }: Wall,
  has: number,
  answer: number,
): Finding {
  if (answer >= 0) return { name, state: 'ok', found: works, consequence: '' };
  if (has < abi) return { name, state: 'fallback', found: fails, consequence: without };
  const found =
    answer === -EPROTO
      ? 'a domain was entered, and a call went past it'
      : `version ${has} should have it, and it fails (${errnoName(-answer)})`;
  const consequence = 'another sandbox around this process forbids it, or makes its calls';
  return { name, state: 'missing', found, consequence, stage };
}

function kernelSettings(answer: number, around: Surroundings): Finding {
  const name = 'kernel-settings';
  if (around.user !== 0) {
    return { name, state: 'ok', found: 'not root: out of reach', consequence: '' };
  }
  if (answer >= 0) {
    return { name, state: 'ok', found: 'root, sealed for the command', consequence: '' };
  }
  return {
    name,
    state: 'degraded',
    found: `root, and /proc/sys can not be made read-only (${errnoName(-answer)})`,
    consequence:
      'the command could make the kernel run programs outside; better run sandlock as another user',
    option: name,
  };
}

function otherProcesses(answer: number): Finding {
  const name = 'other-processes';
  if (answer >= 0) {
    const found = "what the user's other processes hold is out of reach";
    return { name, state: 'ok', found, consequence: '' };
  }
  if (answer !== -EPROTO) {
    const found = `whether other processes are out of reach can not be tried (${errnoName(-answer)})`;
    const consequence = 'another sandbox around this process forbids it';
    return { name, state: 'missing', found, consequence, stage: 'landlock' };
  }
  return {
    name,
    state: 'degraded',
    found: 'no Landlock',
    consequence:
      'the command could write to what other processes of its user have open; better run it as a user of its own',
    option: name,
  };
}

interface Need {
  readonly name: string;
  readonly works: string;
  readonly fails: string;
  /** The stage at which `exec` refuses, by errno. */
  readonly stage: (errno: number) => string;
  /** What may help. */
  readonly help: (errno: number, around: Surroundings) => string;
}

const PTRACE_HELP = (errno: number): string =>
  errno === ENOSYS
    ? 'this kernel is too old (Linux 5.6)'
    : 'a filter forbids it; Docker does without --cap-add SYS_PTRACE';

const NEEDED: readonly Need[] = [
  {
    name: 'seccomp-listener',
    works: 'system calls can be handed to a supervisor',
    fails: 'no filter with a listener can be installed',
    stage: (errno) => (errno === EBUSY ? 'nested' : 'seccomp'),
    help: (errno) =>
      errno === EBUSY
        ? 'this process is inside a sandbox that supervises already; a second one can not start in it'
        : 'seccomp is forbidden here, or this kernel is too old (Linux 5.0)',
  },
  {
    name: 'pidfd-open',
    works: 'processes can be held by descriptor',
    fails: 'pidfd_open fails',
    stage: () => 'front',
    help: () => 'this kernel is too old (Linux 5.3), or a filter forbids it',
  },
  {
    name: 'pidfd-getfd',
    works: 'descriptors can be duplicated from a process',
    fails: 'pidfd_getfd fails',
    stage: () => 'inspection',
    help: PTRACE_HELP,
  },
  {
    name: 'read-memory',
    works: 'memory of a process can be read',
    fails: 'neither process_vm_readv nor /proc/PID/mem reads memory',
    stage: () => 'inspection',
    help: PTRACE_HELP,
  },
  {
    name: 'inspect-child',
    works: 'the same for a child, without capabilities',
    fails: 'a child can not be looked into',
    stage: () => 'inspection',
    help: (errno, { yamaScope }) =>
      yamaScope !== undefined && yamaScope > 1
        ? `kernel.yama.ptrace_scope is ${yamaScope}, which keeps the supervisor out of the command; 1 is enough`
        : PTRACE_HELP(errno),
  },
  {
    name: 'close-range',
    works: 'descriptors can be closed for the command alone',
    fails: 'close_range with CLOSE_RANGE_UNSHARE fails',
    stage: (errno) => (errno === ENOSYS ? 'close-range' : 'spawn'),
    help: () => 'this kernel is too old (Linux 5.9), or a filter forbids it',
  },
  {
    name: 'prepare',
    works: 'the supervisor can give up its rights',
    fails: 'the supervisor can not prepare itself (prctl, capset, setrlimit)',
    stage: () => 'prepare',
    help: () => 'a filter forbids it',
  },
  {
    name: 'memory-file',
    works: 'tables can be sealed in memory',
    fails: 'memfd_create fails',
    stage: () => 'front',
    help: () => 'a filter forbids it',
  },
];

function needed(need: Need, answer: number, around: Surroundings): Finding {
  const { name, works, fails, stage, help } = need;
  if (answer >= 0) return { name, state: 'ok', found: works, consequence: '' };
  const errno = -answer;
  return {
    name,
    state: 'missing',
    found: `${fails} (${errnoName(errno)})`,
    consequence: help(errno, around),
    stage: stage(errno),
  };
}

/** Descriptors can not be taken, and what takes the place of that works. */
function heldSockets(errno: number): Finding {
  return {
    name: 'pidfd-getfd',
    state: 'fallback',
    found: `descriptors can not be taken from a process (${errnoName(errno)}): ${PTRACE_HELP(errno)}`,
    consequence:
      'sandlock makes the sockets itself and holds them: sendmsg on a connection fails (EPERM) in programs with threads, under policies with names or UDP',
  };
}

interface Use {
  readonly name: string;
  readonly works: string;
  readonly fails: string;
  readonly state: 'fallback' | 'note';
  readonly instead: (around: Surroundings, abi: number) => string;
  /** Can not be tried without a listener. */
  readonly needsListener?: true;
}

const USEFUL: readonly Use[] = [
  {
    name: 'wait-killable',
    needsListener: true,
    works: 'a call made on behalf is not interrupted half-way',
    fails: 'signals interrupt a call that is being decided (before Linux 5.19)',
    state: 'fallback',
    instead: () =>
      'a call may be decided twice when a signal arrives; programs see EINTR more often',
  },
  {
    name: 'sync-wake-up',
    needsListener: true,
    works: 'caller and supervisor hand over on one processor',
    fails: 'no SYNC_WAKE_UP (before Linux 6.6)',
    state: 'fallback',
    instead: () => 'each decided call takes a few microseconds longer',
  },
  {
    name: 'pidfd-thread',
    works: 'single threads can be held by descriptor',
    fails: 'no PIDFD_THREAD (before Linux 6.9)',
    state: 'fallback',
    instead: () =>
      'threads with a descriptor table of their own are refused (EPERM); they are rare',
  },
  {
    name: 'kcmp',
    works: 'descriptor tables of threads can be compared',
    fails: 'kcmp fails',
    state: 'note',
    instead: () => 'matters only without pidfd-thread: then calls of threads are refused',
  },
  {
    name: 'io-uring',
    works: 'connects go as far as they can without a thread',
    fails: 'no ring can be made',
    state: 'fallback',
    instead: ({ ringsDisabled }) => {
      const why =
        ringsDisabled === undefined || ringsDisabled === 0
          ? ''
          : ` (kernel.io_uring_disabled = ${ringsDisabled})`;
      return `a blocking connect to another machine begins in a thread of its own${why}`;
    },
  },
  {
    name: 'sock-diag',
    works: 'the kernel tells which file a UNIX socket is bound to',
    fails: 'sock_diag does not answer for UNIX sockets (module unix_diag)',
    state: 'fallback',
    instead: () => 'UNIX sockets by path are refused, the command’s own and those of allow_unix',
  },
  {
    name: 'user-namespaces',
    works: 'programs with sandboxes of their own can have namespaces, where allow_userns says so',
    fails: 'no user namespace with rights in it',
    state: 'note',
    instead: ({ namespaceLimits }, abi) => {
      const why = [...namespaceLimits];
      if (abi >= 1 && abi < TCP_ABI) {
        why.push(
          'before Linux 6.7 nobody mounts in a Landlock domain, and --allow-degraded other-processes leaves it out',
        );
      }
      return ['only allow_userns would need them', ...why].join('; ');
    },
  },
];

function useful(use: Use, answer: number, around: Surroundings, abi: number): Finding {
  const { name, works, fails, state, instead } = use;
  if (answer >= 0) return { name, state: 'ok', found: works, consequence: '' };
  const found = `${fails} (${errnoName(-answer)})`;
  return { name, state, found, consequence: instead(around, abi) };
}

function surroundingNotes(around: Surroundings): Finding[] {
  const { user, capabilities, filters, noNewPrivileges, container, yamaScope, limits, tight } =
    around;
  const note = (name: string, found: string, consequence = ''): Finding => ({
    name,
    state: 'note',
    found,
    consequence,
  });
  return [
    note(
      'user',
      `uid ${user}, capabilities ${/^0*$/.test(capabilities ?? '') ? 'none' : (capabilities ?? 'unknown')}`,
      user === 0 ? 'the command runs as root without capabilities; another user is better' : '',
    ),
    note('container', container ?? 'none that can be seen'),
    note(
      'confinement',
      `${filters === 0 ? 'no seccomp filter' : `${filters} seccomp filter${filters === 1 ? '' : 's'}`}, no_new_privs ${noNewPrivileges ? 'set' : 'not set'}`,
    ),
    note('yama', yamaScope === undefined ? 'not there' : `ptrace_scope ${yamaScope}`),
    note(
      'limits',
      limits.length === 0 ? 'none that can be seen' : limits.join(', '),
      tight.length === 0 ? '' : `${tight.join(' and ')} may be too little for busy commands`,
    ),
  ];
}
