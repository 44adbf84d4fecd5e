/** The sentence and the exit status for each way in which a start can fail. */
import { describe, expect, it } from 'vitest';
import { startFailure } from '../../src/start-failure.ts';

describe('a start that failed', () => {
  const failures: [stage: string, errno: number, program: string, status: number, text: string][] =
    [
      ['exec', 2, 'curl', 127, 'curl: not found'],
      ['exec', 2, './x', 127, './x: no such file, or its interpreter is missing'],
      ['exec', 13, './x', 126, './x: permission denied'],
      ['exec', 8, './x', 126, './x: not a program'],
      ['exec', 7, 'ls', 126, 'ls: too many arguments'],
      ['exec', 40, './x', 126, './x: ELOOP'],
      [
        'cwd',
        2,
        'ls',
        125,
        'the working directory could not be entered; nothing was run (cwd: ENOENT)',
      ],
      [
        'landlock',
        95,
        'ls',
        125,
        'this kernel offers no Landlock, or too old a version of it; nothing was run (landlock: EOPNOTSUPP)',
      ],
      [
        'domain',
        1,
        'ls',
        125,
        'the Landlock domain could not be entered; nothing was run (domain: EPERM)',
      ],
      [
        'seccomp',
        38,
        'ls',
        125,
        'this kernel lacks a seccomp feature that is needed; nothing was run (seccomp: ENOSYS)',
      ],
      [
        'seccomp',
        12,
        'ls',
        125,
        'the system call filter could not be installed; nothing was run (seccomp: ENOMEM)',
      ],
      [
        'nested',
        16,
        'ls',
        125,
        'already inside a sandbox that supervises system calls; a second one can not start in it (nested: EBUSY)',
      ],
      [
        'names',
        13,
        'ls',
        125,
        'the resolver of this sandbox may not listen on the loopback, most likely because it would start inside another, which is not possible; nothing was run (names: EACCES)',
      ],
      [
        'exec',
        2,
        'curl http://x/',
        127,
        "curl http://x/: not found; a command's arguments are words of their own, and what is for a shell follows: sh -c",
      ],
      ['table', 22, 'ls', 125, 'the supervisor refused the table; nothing was run (table: EINVAL)'],
      [
        'supervisor',
        0,
        'ls',
        125,
        "the supervisor died; the command's processes were ended, or have no network any more",
      ],
      [
        'supervisor',
        130,
        'ls',
        125,
        "the supervisor died; the command's processes were ended, or have no network any more (supervisor: EOWNERDEAD)",
      ],
      ['spawn', 11, 'ls', 125, 'the sandbox could not be started; nothing was run (spawn: EAGAIN)'],
    ];
  it.each(failures)(
    'in stage %s with errno %i is explained',
    (stage, errno, program, status, message) => {
      const error = startFailure(stage, errno, program);
      expect({ status: error.status, message: error.message }).toEqual({ status, message });
    },
  );
});
