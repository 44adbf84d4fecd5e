/**
 * How a command that did not start is told: an exit status of sandlock's with a sentence that says what failed and
 * what may help. Stages are those of docs/native.md.
 */
import { errnoName } from './errno.ts';
import { EXIT, SandlockError } from './errors.ts';
import stages from './stages.json' with { type: 'json' };

const ENOENT = 2;
const E2BIG = 7;
const ENOEXEC = 8;
const EACCES = 13;

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
    const reason = /\s/.test(program)
      ? "not found; a command's arguments are words of their own, and what is for a shell follows: sh -c"
      : program.includes('/')
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

/** What failed and what may help: the first line of stages.json that fits; the launcher in `executor/` has a copy. */
function explainStage(stage: string, errno: number): string {
  const found = stages.find(
    (line) => [stage, ''].includes(line.stage) && (line.errnos?.includes(errno) ?? true),
  );
  return found?.text ?? '';
}
