/* The floor: the least that any correct supervisor of this kind has to do for a call made on
 * behalf, and nothing else. usage: floor [--deny] [--apart] COMMAND… runs the command, traps its
 * connect, sendto with an address and sendmsg, and performs each, or with --deny refuses each after
 * the same reads. With --apart in a session of its own (setsid(2)), which under
 * kernel.sched_autogroup_enabled is a scheduling group of its own.
 *
 * Per call: receive the notification, copy the arguments once (one process_vm_readv; three for sendmsg, whose reads
 * depend on each other), duplicate the descriptor through a cached pidfd, ask its protocol, ask whether the call still
 * waits, make the call, close, answer. One thread; SYNC_WAKE_UP keeps both sides on one CPU. There is no policy, no
 * table, no bound on anything a hostile program may pass: it is a yardstick, never a sandbox. */
#include "bench.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#define SYNC_WAKE_UP 1ul
#define PIDFD_OF_THREAD O_EXCL

#ifdef __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

#define AT(field) (unsigned)offsetof(struct seccomp_data, field)
#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)

static volatile sig_atomic_t child_ended;
static int is_denying;

static void on_child(int number) {
  (void)number;
  child_ended = 1;
}

static int install(void) {
  struct sock_filter code[] = {
    LOAD(AT(arch)), EQUAL(ARCH, 1, 0), RETURN(SECCOMP_RET_KILL_PROCESS),
    LOAD(AT(nr)), EQUAL(SYS_connect, 6, 0), EQUAL(SYS_sendmsg, 5, 0), EQUAL(SYS_sendto, 0, 5),
    LOAD(AT(args[4])), EQUAL(0, 0, 2),
    LOAD(AT(args[4]) + 4), EQUAL(0, 1, 0),
    RETURN(SECCOMP_RET_USER_NOTIF), RETURN(SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
  int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  must(fd >= 0, "seccomp");
  return fd;
}

static ssize_t copy(pid_t pid, struct iovec *here, struct iovec *there, unsigned long count) {
  return process_vm_readv(pid, here, count, there, count, 0);
}

static long perform(int call, int fd, pid_t pid, const __u64 *args) {
  static char payload[65536];
  struct sockaddr_in6 to; /* or one of IPv4, which is shorter */
  if (call == SYS_connect) {
    socklen_t size = args[2] < sizeof to ? (socklen_t)args[2] : sizeof to;
    struct iovec here = {&to, size}, there = {(void *)args[1], size};
    must(copy(pid, &here, &there, 1) == (ssize_t)size, "copy");
    if (is_denying) {
      errno = ECONNREFUSED;
      return -1;
    }
    return connect(fd, (void *)&to, size);
  }
  if (call == SYS_sendto) {
    size_t length = args[2] < sizeof payload ? args[2] : sizeof payload;
    socklen_t size = args[5] < sizeof to ? (socklen_t)args[5] : sizeof to;
    struct iovec here[2] = {{&to, size}, {payload, length}};
    struct iovec there[2] = {{(void *)args[4], size}, {(void *)args[1], length}};
    must(copy(pid, here, there, 2) == (ssize_t)(size + length), "copy");
    return sendto(fd, payload, length, (int)args[3], (void *)&to, size);
  }
  struct msghdr message;
  struct iovec part, here = {&message, sizeof message}, there = {(void *)args[1], sizeof message};
  must(copy(pid, &here, &there, 1) == sizeof message, "copy");
  socklen_t size = message.msg_namelen < sizeof to ? message.msg_namelen : sizeof to;
  struct iovec both[2] = {{&to, size}, {&part, sizeof part}};
  struct iovec theirs[2] = {{message.msg_name, size}, {message.msg_iov, sizeof part}};
  must(copy(pid, both, theirs, 2) == (ssize_t)(size + sizeof part), "copy");
  struct iovec data = {payload, part.iov_len < sizeof payload ? part.iov_len : sizeof payload};
  must(copy(pid, &data, &part, 1) == (ssize_t)part.iov_len, "copy");
  struct msghdr ours = {.msg_name = &to, .msg_namelen = size, .msg_iov = &data, .msg_iovlen = 1};
  return sendmsg(fd, &ours, (int)args[2]);
}

static void supervise(int listener) {
  struct seccomp_notif request;
  pid_t known[256] = {0};
  int pidfds[256];
  must(ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) == 0, "SYNC_WAKE_UP");
  while (!child_ended) {
    memset(&request, 0, sizeof request);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0) continue;
    struct seccomp_notif_resp answer = {.id = request.id};
    int cell = request.pid & 255;
    if ((pid_t)request.pid != known[cell]) {
      if (known[cell]) close(pidfds[cell]);
      known[cell] = (pid_t)request.pid;
      pidfds[cell] = (int)syscall(SYS_pidfd_open, request.pid, PIDFD_OF_THREAD);
      must(pidfds[cell] >= 0, "pidfd_open");
    }
    int pidfd = pidfds[cell];
    int fd = (int)syscall(SYS_pidfd_getfd, pidfd, (int)request.data.args[0], 0), protocol;
    socklen_t size = sizeof protocol;
    must(fd >= 0, "pidfd_getfd");
    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &request.id) == 0) {
      long result = perform(request.data.nr, fd, (pid_t)request.pid, request.data.args);
      answer.val = result < 0 ? 0 : result;
      answer.error = result < 0 ? -errno : 0;
    }
    close(fd);
    must(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0 || errno == ENOENT, "answer");
  }
}

int main(int argc, char **argv) {
  volatile int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  is_denying = argc > 1 && strcmp(argv[1], "--deny") == 0;
  argc -= is_denying;
  argv += is_denying;
  int is_apart = argc > 1 && strcmp(argv[1], "--apart") == 0;
  argc -= is_apart;
  argv += is_apart;
  must(argc > 1 && shared != MAP_FAILED, "usage: floor [--deny] [--apart] COMMAND");
  struct sigaction end = {.sa_handler = on_child};
  sigaction(SIGCHLD, &end, NULL);
  pid_t child = fork();
  if (child == 0) {
    int listener = install();
    shared[0] = listener;
    while (!shared[1]) usleep(100);
    close(listener);
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  while (!shared[0] && !child_ended) usleep(100);
  int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
  int listener = (int)syscall(SYS_pidfd_getfd, pidfd, shared[0], 0), status = 0;
  must(listener >= 0, "listener");
  must(!is_apart || setsid() > 0, "setsid");
  shared[1] = 1;
  supervise(listener);
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
