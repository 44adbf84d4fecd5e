/* What having the filter costs. usage: filter REPETITIONS < instructions, `code jt jf k` a line
 * Prints the most instructions that one of the system calls which programs make most executes, the
 * length of the filter, and the median microseconds that installing it takes, each time in a new
 * process; then the same of a filter of 20 instructions, all of which every call executes. */
#include "bench.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#ifdef __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

static struct sock_filter code[BPF_MAXINSNS];

/**
 * Instructions executed for that call, every argument 0. The filter uses loads of words, masks, jumps and returns only.
 */
static int executed(int call) {
  struct seccomp_data data = {.nr = call, .arch = ARCH};
  uint32_t a = 0;
  for (int at = 0, steps = 1;; at++, steps++) {
    struct sock_filter i = code[at];
    switch (i.code) {
      case BPF_LD | BPF_W | BPF_ABS: memcpy(&a, (char *)&data + i.k, 4); break;
      case BPF_ALU | BPF_AND | BPF_K: a &= i.k; break;
      case BPF_JMP | BPF_JA: at += (int)i.k; break;
      case BPF_JMP | BPF_JEQ | BPF_K: at += a == i.k ? i.jt : i.jf; break;
      case BPF_JMP | BPF_JGT | BPF_K: at += a > i.k ? i.jt : i.jf; break;
      case BPF_JMP | BPF_JGE | BPF_K: at += a >= i.k ? i.jt : i.jf; break;
      case BPF_JMP | BPF_JSET | BPF_K: at += a & i.k ? i.jt : i.jf; break;
      case BPF_RET | BPF_K: return steps;
      default: must(0, "an instruction that is not known here");
    }
  }
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Installs it in a new process. */
static void install(struct sock_filter *filter, unsigned length, double *time) {
  if (fork() == 0) {
    struct sock_fprog program = {(unsigned short)length, filter};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
    uint64_t before = nanoseconds();
    must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0, "seccomp");
    *time = (double)(nanoseconds() - before) / 1000;
    _exit(0);
  }
  wait(NULL);
}

int main(int argc, char **argv) {
  static const int usual[] = {SYS_read, SYS_write, SYS_futex, SYS_openat, SYS_close, SYS_mmap, SYS_getppid, SYS_recvfrom, SYS_recvmsg,
                              SYS_newfstatat, SYS_epoll_pwait, SYS_clock_gettime};
  unsigned length = 0, c, jt, jf, k;
  int most = 0, repetitions = argc == 2 ? atoi(argv[1]) : 0;
  double *times = mmap(NULL, 2 * 8000 * sizeof *times, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  must(repetitions > 0 && repetitions < 8000 && times != MAP_FAILED, "usage: filter REPETITIONS");
  while (length < BPF_MAXINSNS && scanf("%u %u %u %u", &c, &jt, &jf, &k) == 4)
    code[length++] = (struct sock_filter){(unsigned short)c, (unsigned char)jt, (unsigned char)jf, k};
  must(length > 0, "instructions");
  for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
    if (executed(usual[i]) > most) most = executed(usual[i]);
  /* The least that a filter comes to which knows about as many calls: it asks of each in turn. */
  enum { FLOOR = 20 };
  struct sock_filter least[FLOOR] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)};
  for (unsigned i = 1; i < FLOOR - 1; i++) least[i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 70000 + i, FLOOR - 2 - i, 0);
  least[FLOOR - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  for (int i = 0; i < repetitions; i++) {
    install(code, length, times + i);
    install(least, FLOOR, times + 8000 + i);
  }
  qsort(times, (size_t)repetitions, sizeof *times, ascending);
  qsort(times + 8000, (size_t)repetitions, sizeof *times, ascending);
  printf("%d %u %.1f %.1f\n", most, length, times[repetitions / 2], times[8000 + repetitions / 2]);
  return 0;
}
