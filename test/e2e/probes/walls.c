/* The ways around the trap, each tried once. usage: walls NAME…   (see `ways` below)
 * A line tells the kernel's answer; where a way could carry a packet, the destination is the second half of
 * NAME=HOST/PORT and the token is sent to it, so that a listener can tell too; ways that concern another process
 * are NAME=PID. */
#include "probe.h"
#include <dirent.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

static const char *target;

static void io_uring(const char *name) {
  struct io_uring_params parameters;
  memset(&parameters, 0, sizeof parameters);
  long fd = syscall(SYS_io_uring_setup, 2, &parameters);
  say(name, fd < 0 ? -1 : 0);
  if (fd >= 0) close((int)fd);
}

/* Call 20 of the i386 table is getpid; a 64-bit program may ask for it as well. */
static void int80(const char *name) {
#ifdef __x86_64__
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
  say(name, result > 0 ? 0 : -1);
#else
  errno = ENOSYS;
  say(name, -1);
#endif
}

/* connect under its number in the x32 table. */
static void x32(const char *name) {
  struct sockaddr_storage to;
  socklen_t length = address(target, &to);
  int s = socket(to.ss_family, SOCK_STREAM, 0);
  long result = syscall(0x40000000 | 42, s, &to, length);
  say(name, result);
  if (result == 0 && write(s, TOKEN, 5) < 0) say("write", -1);
  close(s);
}

static void fastopen(const char *name) {
  struct sockaddr_storage to;
  socklen_t length = address(target, &to);
  int s = socket(to.ss_family, SOCK_STREAM, 0);
  say(name, sendto(s, TOKEN, 5, MSG_FASTOPEN | MSG_NOSIGNAL, (void *)&to, length));
  close(s);
}

static void fastopen_message(const char *name) {
  struct sockaddr_storage to;
  struct iovec part = {(void *)TOKEN, 5};
  struct msghdr m = {.msg_name = &to, .msg_namelen = address(target, &to), .msg_iov = &part, .msg_iovlen = 1};
  int s = socket(to.ss_family, SOCK_STREAM, 0);
  say(name, sendmsg(s, &m, MSG_FASTOPEN | MSG_NOSIGNAL));
  close(s);
}

static void fastopen_connect(const char *name) {
  struct sockaddr_storage to;
  socklen_t length = address(target, &to);
  int s = socket(to.ss_family, SOCK_STREAM, 0), on = 1;
  setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on);
  long result = connect(s, (void *)&to, length);
  say(name, result);
  if (result == 0 && send(s, TOKEN, 5, MSG_NOSIGNAL) < 0) say("send", -1);
  close(s);
}

static void listener(const char *name, int family, int bound) {
  struct sockaddr_storage at;
  int s = socket(family, SOCK_STREAM, 0);
  if (bound) {
    socklen_t length = address(family == AF_INET ? "127.0.0.1/0" : "::1/0", &at);
    long result = bind(s, (void *)&at, length);
    if (result < 0) { say(name, -1); close(s); return; }
  }
  say(name, listen(s, 4));
  close(s);
}

static void listen_unbound(const char *name) { listener(name, AF_INET, 0); }
static void listen_unbound6(const char *name) { listener(name, AF_INET6, 0); }
static void listen_bound(const char *name) { listener(name, AF_INET, 1); }

/* A filter with a listener of one's own, the first step of answering one's own notifications. */
static void new_listener(const char *name) {
  struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {1, &allow};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  say(name, fd < 0 ? -1 : 0);
}

static void own_filter(const char *name) {
  struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {1, &allow};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  say(name, syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

/* Sends the token over descriptor 9, which the caller of the sandbox left open. */
static void inherited(const char *name) { say(name, send(9, TOKEN, 5, MSG_NOSIGNAL)); }

static void descriptors(const char *name) {
  DIR *open_files = opendir("/proc/self/fd");
  struct dirent *entry;
  long above = 0;
  while (open_files && (entry = readdir(open_files)))
    above += atoi(entry->d_name) > 2 && atoi(entry->d_name) != dirfd(open_files);
  say(name, above);
}

static void user_namespace(const char *name) { say(name, syscall(SYS_unshare, 0x10000000)); }

static void limit_of_another(const char *name) {
  struct rlimit limit;
  say(name, syscall(SYS_prlimit64, (pid_t)atoi(target), RLIMIT_NOFILE, NULL, &limit));
}

static void own_limit(const char *name) {
  struct rlimit limit;
  say(name, syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit));
}

/* NAME=PID: what is tried on another process does no harm when it is not refused. */
static void signal_outside(const char *name) { say(name, kill((pid_t)atoi(target), 0)); }
static void trace_outside(const char *name) { say(name, ptrace(PTRACE_SEIZE, (pid_t)atoi(target), 0, 0)); }
static void affinity_of_another(const char *name) {
  cpu_set_t all;
  sched_getaffinity((pid_t)atoi(target), sizeof all, &all);
  say(name, sched_setaffinity((pid_t)atoi(target), sizeof all, &all));
}

static void scheduler_of_another(const char *name) {
  struct sched_param none = {0};
  say(name, sched_setscheduler((pid_t)atoi(target), SCHED_OTHER, &none));
}

static void nice_of_another(const char *name) { say(name, setpriority(PRIO_PROCESS, (id_t)atoi(target), 0)); }
static void nice_of_user(const char *name) { say(name, setpriority(PRIO_USER, 0, 0)); }
static void nice_of_group(const char *name) { say(name, setpriority(PRIO_PGRP, 0, 0)); }

/* Everything of a child: whose number is never 0, but which is one's own. */
static void schedule_child(const char *name) {
  cpu_set_t all;
  struct sched_param none = {0};
  pid_t child = fork();
  if (child == 0) for (;;) pause();
  say(name, setpriority(PRIO_PROCESS, (id_t)child, 5));
  say("nice", getpriority(PRIO_PROCESS, (id_t)child));
  sched_getaffinity(child, sizeof all, &all);
  say("affinity", sched_setaffinity(child, sizeof all, &all));
  say("batch", sched_setscheduler(child, SCHED_BATCH, &none));
  say("scheduler", sched_getscheduler(child));
  say("ioprio", syscall(SYS_ioprio_set, 1, child, (2 << 13) | 7));
  say("ioprio read", syscall(SYS_ioprio_get, 1, child));
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

static void signal_parent(const char *name) { say(name, kill(getppid(), 0)); }

static void trace_inside(const char *name) {
  pid_t child = fork();
  if (child == 0) for (;;) pause();
  long result = ptrace(PTRACE_ATTACH, child, 0, 0);
  say(name, result);
  if (result == 0) {
    waitpid(child, NULL, 0);
    char byte = 0;
    struct iovec here = {&byte, 1}, there = {(void *)TOKEN, 1};
    say("read memory", process_vm_readv(child, &here, 1, &there, 1, 0));
  }
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

/* Takes the first descriptor of a process, for which Linux asks what it asks for tracing. */
static void take(const char *name, pid_t pid) {
  int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  long fd = syscall(SYS_pidfd_getfd, pidfd, 0, 0);
  say(name, fd < 0 ? -1 : 0);
}

static void take_outside(const char *name) { take(name, (pid_t)atoi(target)); }

static void take_inside(const char *name) {
  pid_t child = fork();
  if (child == 0) for (;;) pause();
  take(name, child);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

static void *affinity(void *name) {
  cpu_set_t all;
  CPU_ZERO(&all);
  sched_getaffinity(0, sizeof all, &all);
  errno = 0;
  say(name, sched_setaffinity((pid_t)syscall(SYS_gettid), sizeof all, &all));
  return NULL;
}

static void own_affinity(const char *name) {
  pthread_t thread;
  pthread_create(&thread, NULL, affinity, (void *)name);
  pthread_join(thread, NULL);
}

static void separate_files(const char *name) { say(name, unshare(CLONE_FILES)); }

/* A thread with a descriptor table of its own: its number 50 is a TCP socket, the leader's is a UNIX one. */
static void *apart(void *name) {
  struct sockaddr_storage to;
  socklen_t length = address(target, &to);
  separate_files("unshare");
  dup2(socket(to.ss_family, SOCK_STREAM, 0), 50);
  long result = connect(50, (void *)&to, length);
  say(name, result);
  if (result == 0 && write(50, TOKEN, 5) < 0) say("write", -1);
  return NULL;
}

static void split_table(const char *name) {
  pthread_t thread;
  dup2(socket(AF_UNIX, SOCK_STREAM, 0), 50);
  pthread_create(&thread, NULL, apart, (void *)name);
  pthread_join(thread, NULL);
}

/* The sockaddr lies in memory that only its owner can read: neither process_vm_readv nor /proc/PID/mem can. */
static void secret_memory(const char *name) {
  long fd = syscall(447, 0);
  if (fd < 0 || ftruncate((int)fd, 4096) < 0) { say(name, -1); return; }
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
  if (page == MAP_FAILED) { say(name, -1); return; }
  socklen_t length = address(target, page);
  int s = socket(((struct sockaddr *)page)->sa_family, SOCK_STREAM, 0);
  long result = connect(s, page, length);
  say(name, result);
  if (result == 0 && write(s, TOKEN, 5) < 0) say("write", -1);
}

static const struct { const char *name; void (*run)(const char *); } ways[] = {
  {"io_uring", io_uring}, {"int80", int80}, {"x32", x32}, {"fastopen", fastopen},
  {"fastopen-message", fastopen_message}, {"fastopen-connect", fastopen_connect},
  {"listen", listen_unbound}, {"listen6", listen_unbound6}, {"listen-bound", listen_bound},
  {"new-listener", new_listener}, {"own-filter", own_filter}, {"inherited", inherited},
  {"descriptors", descriptors}, {"user-namespace", user_namespace}, {"limit-outside", limit_of_another},
  {"own-limit", own_limit}, {"signal-outside", signal_outside}, {"trace-outside", trace_outside},
  {"signal-parent", signal_parent}, {"trace-inside", trace_inside},
  {"take-inside", take_inside}, {"take-outside", take_outside}, {"own-affinity", own_affinity},
  {"affinity-outside", affinity_of_another}, {"scheduler-outside", scheduler_of_another},
  {"nice-outside", nice_of_another}, {"nice-user", nice_of_user}, {"nice-group", nice_of_group},
  {"schedule-child", schedule_child},
  {"split-table", split_table}, {"secret-memory", secret_memory},
};

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    char name[64];
    snprintf(name, sizeof name, "%s", argv[i]);
    char *equals = strchr(name, '=');
    if (equals) *equals = 0, target = destination(argv[i]);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
      if (strcmp(ways[w].name, name) == 0) { ways[w].run(ways[w].name); goto next; }
    fprintf(stderr, "no such way: %s\n", name);
    return 2;
  next:;
  }
  return 0;
}
