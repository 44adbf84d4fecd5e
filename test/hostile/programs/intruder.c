/* Row G: what a process can do to another one of its user. usage: intruder SKIPPED PID… (SKIPPED:
 * names with commas between them, or -)
 *
 * Waits for a byte on its input, then tries every way on every PID, one line each:
 * `WAY result errno`. The PID 0 stands for the parent, -1 for the parent's parent: under sandlock
 * the supervisor and its host. What it does to a process that it can reach is harmless or can be
 * seen from outside; on the two above it the signals are the real ones. */
#include "hostile.h"
#include <dirent.h>
#include <linux/aio_abi.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>

static int is_ours; /* the target is a bystander: signals must be ones it survives */
static int signal_number(void) { return is_ours ? SIGRTMIN : SIGKILL; }

static long by_kill(pid_t pid) { return kill(pid, signal_number()); }
static long by_tgkill(pid_t pid) { return syscall(SYS_tgkill, pid, pid, signal_number()); }

static long by_queue(pid_t pid) {
  union sigval none = {0};
  return sigqueue(pid, signal_number(), none);
}

static long by_pidfd(pid_t pid) {
  long fd = syscall(SYS_pidfd_open, pid, 0), result = fd < 0 ? -1 : syscall(SYS_pidfd_send_signal, fd, signal_number(), NULL, 0);
  close((int)fd);
  return result;
}

/**
 * The kernel sends it when the pipe becomes readable, with the owner's rights of the time it was
 * set. Cannot be told by a result.
 */
static long by_owner(pid_t pid) {
  int ends[2];
  if (pipe(ends) < 0) return -1;
  fcntl(ends[0], F_SETSIG, signal_number());
  if (fcntl(ends[0], F_SETOWN, pid) < 0) return -1;
  fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK);
  return write(ends[1], "x", 1);
}

static long limit(pid_t pid) {
  struct rlimit one = {1000, 1000};
  return prlimit(pid, RLIMIT_CPU, &one, NULL);
}

static long limit_read(pid_t pid) {
  struct rlimit all;
  return prlimit(pid, RLIMIT_NOFILE, NULL, &all);
}

static long limit_files(pid_t pid) {
  struct rlimit few = {50, 50};
  return prlimit(pid, RLIMIT_NOFILE, &few, NULL);
}

static long nice_of(pid_t pid) { return setpriority(PRIO_PROCESS, (id_t)pid, 1); }
static long nice_of_user(pid_t pid) { (void)pid; return setpriority(PRIO_USER, getuid(), 3); }
static long nice_of_group(pid_t pid) { return setpriority(PRIO_PGRP, (id_t)getpgid(pid), 2); }

static long affinity(pid_t pid) {
  cpu_set_t first;
  CPU_ZERO(&first);
  CPU_SET(0, &first);
  return sched_setaffinity(pid, sizeof first, &first);
}

static long scheduler(pid_t pid) {
  struct sched_param none = {0};
  return sched_setscheduler(pid, SCHED_IDLE, &none);
}

static long attributes(pid_t pid) {
  struct { unsigned size, policy; unsigned long long flags; int nice; unsigned priority; unsigned long long rest[3]; } batch =
    {48, SCHED_BATCH, 0, 19, 0, {0}};
  return syscall(SYS_sched_setattr, pid, &batch, 0);
}

static long io_priority(pid_t pid) { return syscall(SYS_ioprio_set, 1, pid, 3 << 13); }
static long io_priority_of_user(pid_t pid) { (void)pid; return syscall(SYS_ioprio_set, 3, getuid(), 3 << 13); }

static long seize(pid_t pid) {
  long result = ptrace(PTRACE_SEIZE, pid, 0, 0);
  if (result == 0) ptrace(PTRACE_INTERRUPT, pid, 0, 0), waitpid(pid, NULL, __WALL), ptrace(PTRACE_DETACH, pid, 0, 0);
  return result;
}

/* A mapping of its own, for calls that want an address there. */
static unsigned long mapping(pid_t pid) {
  char path[64];
  unsigned long from = 0x400000;
  snprintf(path, sizeof path, "/proc/%d/maps", pid);
  FILE *maps = fopen(path, "re");
  if (maps && fscanf(maps, "%lx", &from) != 1) from = 0x400000;
  if (maps) fclose(maps);
  return from;
}

static long read_memory(pid_t pid) {
  char byte;
  struct iovec here = {&byte, 1}, there = {(void *)mapping(pid), 1};
  return process_vm_readv(pid, &here, 1, &there, 1, 0);
}

static long write_memory(pid_t pid) {
  char byte = 0;
  struct iovec here = {&byte, 1}, there = {(void *)mapping(pid), 1};
  long result = process_vm_writev(pid, &here, 1, &there, 1, 0);
  return result < 0 && errno == EFAULT ? 0 : result; /* permitted; the page is read-only */
}

static long open_proc(pid_t pid, const char *file, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
  int fd = open(path, flags | O_CLOEXEC);
  if (fd >= 0) close(fd);
  return fd;
}

static long memory(pid_t pid) { return open_proc(pid, "mem", O_RDWR); }
static long environment(pid_t pid) { return open_proc(pid, "environ", O_RDONLY); }
static long maps(pid_t pid) { return open_proc(pid, "maps", O_RDONLY); }

static long descriptors(pid_t pid) {
  char path[64], target[64];
  snprintf(path, sizeof path, "/proc/%d/fd/0", pid);
  return readlink(path, target, sizeof target);
}

static long reopen(pid_t pid) { return open_proc(pid, "fd/4", O_RDWR); }

static long take_descriptor(pid_t pid) {
  long fd = syscall(SYS_pidfd_open, pid, 0), result = -1;
  for (int i = 0; i < 10 && fd >= 0 && result < 0; i++) result = syscall(SYS_pidfd_getfd, fd, i, 0);
  return result;
}

static long advise(pid_t pid) {
  struct iovec there = {(void *)mapping(pid), 4096};
  long fd = syscall(SYS_pidfd_open, pid, 0);
  return fd < 0 ? -1 : syscall(440 /* process_madvise */, fd, &there, 1, 3 /* MADV_WILLNEED */, 0);
}

static long first_to_die(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/oom_score_adj", pid);
  int fd = open(path, O_WRONLY);
  return fd < 0 ? -1 : write(fd, "999", 3);
}

static long timer_slack(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/timerslack_ns", pid);
  int fd = open(path, O_WRONLY);
  return fd < 0 ? -1 : write(fd, "1000000000", 10);
}

static const struct { const char *name; long (*run)(pid_t); } ways[] = {
  {"limit", limit}, {"limit-files", limit_files}, {"limit-read", limit_read}, {"nice", nice_of}, {"nice-group", nice_of_group},
  {"user-nice", nice_of_user}, {"affinity", affinity}, {"attributes", attributes}, {"scheduler", scheduler},
  {"io-priority", io_priority}, {"user-io-priority", io_priority_of_user}, {"seize", seize}, {"read-memory", read_memory},
  {"write-memory", write_memory}, {"memory", memory}, {"environment", environment}, {"maps", maps}, {"descriptors", descriptors},
  {"reopen", reopen}, {"take-descriptor", take_descriptor}, {"advise", advise}, {"timer-slack", timer_slack},
  {"owner", by_owner}, {"queue", by_queue}, {"pidfd", by_pidfd}, {"tgkill", by_tgkill}, {"kill", by_kill}, {"first-to-die", first_to_die},
};

static pid_t parent_of(pid_t pid) {
  char path[64], line[128];
  pid_t parent = 0;
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *file = fopen(path, "re");
  while (file && fgets(line, sizeof line, file) && sscanf(line, "PPid: %d", &parent) != 1) {}
  if (file) fclose(file);
  return parent;
}

static int is_listed(const char *list, const char *name) {
  char wanted[64], whole[256];
  snprintf(wanted, sizeof wanted, ",%s,", name);
  snprintf(whole, sizeof whole, ",%s,", list);
  return strstr(whole, wanted) != NULL;
}

int main(int argc, char **argv) {
  char byte;
  if (argc < 3 || read(0, &byte, 1) < 0) return 2;
  for (int i = 2; i < argc; i++) {
    pid_t pid = atoi(argv[i]);
    is_ours = pid > 0;
    if (pid <= 0) pid = pid == 0 ? getppid() : parent_of(getppid());
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
      if (!is_listed(argv[1], ways[w].name)) tell(ways[w].name, ways[w].run(pid));
  }
  if (read(0, &byte, 1) < 0) return 3; /* stays until the outside has looked */
  return 0;
}
