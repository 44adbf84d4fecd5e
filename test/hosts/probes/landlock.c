/* Runs a command as on a kernel with an older Landlock: usage: landlock VERSION COMMAND… Where the
 * kernel's own is older still, as on that. A filter stops every landlock_create_ruleset; this
 * program traces the whole tree and answers for the kernel: the version asked for is VERSION, a
 * ruleset with what VERSION does not know is E2BIG or EINVAL (landlock_create_ruleset(2)). All else
 * runs as it is. When the first process has ended, ends as it did. */
#include "probe.h"
#include <elf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define CREATE_RULESET 444
#define PASS (-4096L)

static unsigned version;

static void install(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CREATE_RULESET, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {sizeof code / sizeof *code, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) { perror("landlock: seccomp"); _exit(2); }
}

/* The answer of a kernel of that version; PASS: let the real one answer. struct
 * landlock_ruleset_attr: handled_access_fs, handled_access_net (ABI 4), scoped (ABI 6). A tracer
 * without privileges can not read the memory of a process that is not dumpable, so its rulesets
 * pass. */
static long judge(pid_t pid, unsigned long attributes, unsigned long size, unsigned long flags) {
  if (attributes == 0 && size == 0 && flags == 1) return (long)version;
  unsigned long words[3] = {0};
  for (unsigned long i = 0; i < 3 && 8 * (i + 1) <= size; i++) {
    errno = 0;
    words[i] = (unsigned long)ptrace(PTRACE_PEEKDATA, pid, attributes + 8 * i, 0);
    if (errno != 0) return PASS;
  }
  if (version < 4 && (words[1] != 0 || words[2] != 0)) return -E2BIG;
  if (version < 6 && words[2] != 0) return -E2BIG;
  return PASS;
}

static void answer(pid_t pid) {
#if defined(__x86_64__)
  struct user_regs_struct registers;
  if (ptrace(PTRACE_GETREGS, pid, 0, &registers) < 0) return;
  long result = judge(pid, registers.rdi, registers.rsi, registers.rdx);
  if (result == PASS) return;
  registers.orig_rax = (unsigned long)-1;
  registers.rax = (unsigned long)result;
  ptrace(PTRACE_SETREGS, pid, 0, &registers);
#else
  struct user_regs_struct registers;
  struct iovec area = {&registers, sizeof registers};
  if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &area) < 0) return;
  long result = judge(pid, registers.regs[0], registers.regs[1], registers.regs[2]);
  if (result == PASS) return;
  int none = -1;
  struct iovec number = {&none, sizeof none};
  ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &number);
  registers.regs[0] = (unsigned long)result;
  ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &area);
#endif
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  version = (unsigned)atoi(argv[1]);
  long own = syscall(CREATE_RULESET, NULL, 0, 1);
  if (own < (long)version) version = own < 0 ? 0 : (unsigned)own;
  pid_t first = fork();
  if (first == 0) {
    raise(SIGSTOP);
    install();
    execvp(argv[2], argv + 2);
    _exit(127);
  }
  int status;
  waitpid(first, &status, WUNTRACED);
  long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SEIZE, first, 0, options) < 0) { perror("landlock: ptrace"); return 2; }
  kill(first, SIGCONT);
  for (;;) {
    pid_t pid = waitpid(-1, &status, __WALL);
    if (pid < 0) return 2;
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (pid != first) continue;
      if (WIFEXITED(status)) return WEXITSTATUS(status);
      signal(WTERMSIG(status), SIG_DFL);
      raise(WTERMSIG(status));
      return 2;
    }
    int event = status >> 16, stopped = WSTOPSIG(status);
    if (event == PTRACE_EVENT_SECCOMP) answer(pid);
    if (event == PTRACE_EVENT_STOP && stopped != SIGTRAP) ptrace(PTRACE_LISTEN, pid, 0, 0);
    else ptrace(PTRACE_CONT, pid, 0, event == 0 ? stopped : 0);
  }
}
