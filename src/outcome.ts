/**
 * How a run ended, as an exit status: the command's own, or one of sandlock's with a sentence that says
 * what failed and what may help. Stages are those of docs/native.md.
 */
import { errnoName } from './errno.ts';
import { EXIT, SandlockError } from './errors.ts';

/** The end of a command: it exited by itself or was killed by a signal. */
export type Outcome = { readonly exit: number } | { readonly signal: number };

/** Splits a wait(2) status. */
export function decodeStatus(status: number): Outcome {
  const signal = status & 0x7f;
  return signal === 0 ? { exit: (status >> 8) & 0xff } : { signal };
}

const ENOENT = 2;
const E2BIG = 7;
const ENOEXEC = 8;
const EACCES = 13;
const EBUSY = 16;
const EINVAL = 22;
const ENODATA = 61;
const ENOSYS = 38;
const EOPNOTSUPP = 95;

/** The error for a record `failed`: `program` is the command's first word. */
export function startFailure(stage: string, errno: number, program: string): SandlockError {
  if (stage === 'exec') return execFailure(errno, program);
  const detail = errno === 0 ? '' : ` (${stage}: ${errnoName(errno)})`;
  const reason = `${explainStage(stage, errno)}${detail}`;
  const kind = stage === 'table' ? 'table' : 'kernel';
  return new SandlockError(kind, reason, { status: EXIT.failed });
}

function execFailure(errno: number, program: string): SandlockError {
  if (errno === ENOENT) {
    const reason = program.includes('/')
      ? 'no such file, or its interpreter is missing'
      : 'not found';
    return new SandlockError('command', `${program}: ${reason}`, { status: EXIT.notFound });
  }
  const reason =
    { [EACCES]: 'permission denied', [ENOEXEC]: 'not a program', [E2BIG]: 'too many arguments' }[
      errno
    ] ?? errnoName(errno);
  return new SandlockError('command', `${program}: ${reason}`);
}

function explainStage(stage: string, errno: number): string {
  const isMissing = errno === ENOSYS || errno === EOPNOTSUPP;
  switch (stage) {
    case 'domain':
    case 'landlock':
      return isMissing
        ? 'this kernel offers no Landlock, or too old a version of it; nothing was run'
        : 'the Landlock domain could not be entered; nothing was run';
    case 'landlock-tcp':
      return 'this kernel can not hold TCP by Landlock (Linux 6.7), the wall behind the supervisor; --allow-degraded landlock-tcp accepts that; nothing was run';
    case 'landlock-scopes':
      return 'this kernel can not keep signals inside by Landlock (Linux 6.12), so the command could kill its supervisor; --allow-degraded landlock-scopes accepts that; nothing was run';
    case 'settings':
      return "as root the command could write the kernel's settings (/proc/sys) and so run programs outside; run it as another user, or accept that by --allow-degraded kernel-settings; nothing was run";
    case 'seccomp':
      return isMissing || errno === EINVAL
        ? 'this kernel lacks a seccomp feature that is needed; nothing was run'
        : 'the system call filter could not be installed; nothing was run';
    case 'nested':
      return errno === EBUSY
        ? 'already inside a sandbox that supervises system calls; a second one can not start in it'
        : 'can not start inside this sandbox';
    case 'close-range':
      return 'this kernel is too old: close_range (Linux 5.9) is needed; nothing was run';
    case 'inspection':
      return isMissing
        ? 'this kernel is too old: pidfd_getfd (Linux 5.6) is needed; nothing was run'
        : 'pidfd_getfd or process_vm_readv is forbidden here, as by Docker without --cap-add SYS_PTRACE; nothing was run';
    case 'table':
      return errno === ENODATA
        ? 'the table has names that are to be resolved before a command starts; nothing was run'
        : 'the supervisor refused the table; nothing was run';
    case 'stdio':
      return 'standard input, output or error is a socket that could reach past the policy; redirect it; nothing was run';
    case 'cwd':
      return 'the working directory could not be entered; nothing was run';
    case 'supervisor':
      return "the supervisor died; the command's processes were ended, or have no network any more";
    default:
      return 'the sandbox could not be started; nothing was run';
  }
}
