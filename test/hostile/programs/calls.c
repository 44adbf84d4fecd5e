/* Rows C: other ways to make the call: other calls, other system call tables, other tasks. */
#include "hostile.h"
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <sys/ptrace.h>
#include <sys/user.h>

static size_t payload(void) { return strlen(nonce); }

/* Connections opened by a send. They are closed slowly, so that the nonce arrives. */
static void fastopen(const char *way, int form) {
  struct sockaddr_in to = ip4("127.0.0.1", BAD_TCP);
  struct iovec part = {(void *)nonce, payload()};
  struct mmsghdr m = {.msg_hdr = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &part, .msg_iovlen = 1}};
  int s = socket(AF_INET, SOCK_STREAM, 0), flags = MSG_FASTOPEN | MSG_NOSIGNAL;
  tell(way, form == 0 ? sendto(s, nonce, payload(), flags, (void *)&to, sizeof to)
    : form == 1 ? sendmsg(s, &m.msg_hdr, flags) : sendmmsg(s, &m, 1, flags));
  close(s);
}

static void fastopen_sendto(const char *way) { fastopen(way, 0); }
static void fastopen_sendmsg(const char *way) { fastopen(way, 1); }
static void fastopen_sendmmsg(const char *way) { fastopen(way, 2); }

static void fastopen_connect(const char *way) {
  struct sockaddr_in to = ip4("127.0.0.1", BAD_TCP);
  int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on);
  tell(way, connect(s, (void *)&to, sizeof to));
  if (send(s, nonce, payload(), MSG_NOSIGNAL) < 0) tell("send", -1);
  close(s);
}

/* 600 messages, the last one elsewhere; the witness of the allowed port sees the others. */
static void last_of_many(const char *way) {
  static struct mmsghdr m[600];
  static struct sockaddr_in good, bad;
  good = ip4("127.0.0.1", GOOD_UDP), bad = ip4("127.0.0.1", BAD_UDP);
  struct iovec part = {(void *)nonce, payload()};
  for (int i = 0; i < 600; i++) {
    m[i].msg_hdr.msg_iov = &part, m[i].msg_hdr.msg_iovlen = 1;
    m[i].msg_hdr.msg_name = i == 599 ? &bad : &good, m[i].msg_hdr.msg_namelen = sizeof good;
  }
  say(way, sendmmsg(socket(AF_INET, SOCK_DGRAM, 0), m, 600, 0));
}

/* On a connected socket: the first message without a name, the second with one. */
static void second_named(const char *way) {
  struct sockaddr_in good = ip4("127.0.0.1", GOOD_UDP), bad = ip4("127.0.0.1", BAD_UDP);
  struct iovec part = {(void *)nonce, payload()};
  struct mmsghdr m[2] = {{.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}}};
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  tell("connect", connect(s, (void *)&good, sizeof good));
  m[1].msg_hdr.msg_name = &bad, m[1].msg_hdr.msg_namelen = sizeof bad;
  say(way, sendmmsg(s, m, 2, 0));
}

/* One ring, one call at a time. Returns the call's result or -errno. */
static int ring_call(int ring, const struct io_uring_params *p, const struct io_uring_sqe *call) {
  static char *queue, *done;
  static struct io_uring_sqe *calls;
  if (!queue) {
    queue = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    done = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    calls = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    if (queue == MAP_FAILED || done == MAP_FAILED || calls == MAP_FAILED) return -ENOMEM;
  }
  unsigned *tail = (unsigned *)(queue + p->sq_off.tail), mask = *(unsigned *)(queue + p->sq_off.ring_mask), at = *tail & mask;
  calls[at] = *call;
  ((unsigned *)(queue + p->sq_off.array))[at] = at;
  __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
  if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) return -errno;
  unsigned *head = (unsigned *)(done + p->cq_off.head), first = *head & *(unsigned *)(done + p->cq_off.ring_mask);
  int result = ((struct io_uring_cqe *)(done + p->cq_off.cqes))[first].res;
  __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
  return result;
}

static void io_uring(const char *way) {
  struct io_uring_params p = {0};
  long ring = syscall(SYS_io_uring_setup, 4, &p);
  tell(way, ring);
  if (ring < 0) return;
  struct sockaddr_in tcp = ip4("127.0.0.1", BAD_TCP), udp = ip4("127.0.0.1", BAD_UDP);
  struct iovec part = {(void *)nonce, payload()};
  struct msghdr m = {.msg_name = &udp, .msg_namelen = sizeof udp, .msg_iov = &part, .msg_iovlen = 1};
  int s = socket(AF_INET, SOCK_STREAM, 0), d = socket(AF_INET, SOCK_DGRAM, 0);
  struct io_uring_sqe calls[] = {
    {.opcode = IORING_OP_CONNECT, .fd = s, .addr = (uintptr_t)&tcp, .off = sizeof tcp},
    {.opcode = IORING_OP_SENDMSG, .fd = d, .addr = (uintptr_t)&m, .len = 1},
  };
  for (size_t i = 0; i < 2; i++) {
    errno = -ring_call((int)ring, &p, &calls[i]);
    say("ring", errno > 0 ? -1 : 0);
  }
  if (send(s, nonce, payload(), MSG_NOSIGNAL) < 0) tell("send", -1);
  close(s);
}

#ifdef __x86_64__
static long i386(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long last __asm__("r12") = f;
  __asm__ volatile("push %%rbp; mov %[f], %%rbp; int $0x80; pop %%rbp" : "=a"(result)
    : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), [f] "r"(last) : "memory", "r8", "r9", "r10", "r11");
  return (int)result;
}

static long answer(long result) { errno = result < 0 ? (int)-result : 0; return result < 0 ? -1 : result; }

/* Everything the i386 table reads must lie below 4 GiB. */
static void i386_calls(const char *way, int form) {
  struct low { struct sockaddr_in tcp, udp; unsigned args[3]; char text[64]; } *low =
    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (low == MAP_FAILED) { say(way, -1); return; }
  low->tcp = ip4("127.0.0.1", BAD_TCP), low->udp = ip4("127.0.0.1", BAD_UDP);
  snprintf(low->text, sizeof low->text, "%s", nonce);
  int s = socket(AF_INET, form == 2 ? SOCK_DGRAM : SOCK_STREAM, 0);
  low->args[0] = (unsigned)s, low->args[1] = (unsigned)(uintptr_t)&low->tcp, low->args[2] = sizeof low->tcp;
  long result = form == 0 ? i386(102, 3, (long)low->args, 0, 0, 0, 0) /* socketcall(SYS_CONNECT) */
    : form == 1 ? i386(362, s, (long)&low->tcp, sizeof low->tcp, 0, 0, 0) /* connect */
    : i386(369, s, (long)low->text, (long)payload(), 0, (long)&low->udp, sizeof low->udp); /* sendto */
  tell(way, answer(result));
  if (form != 2 && send(s, nonce, payload(), MSG_NOSIGNAL) < 0) tell("send", -1);
  close(s);
}

static void i386_socketcall(const char *way) { i386_calls(way, 0); }
static void i386_connect(const char *way) { i386_calls(way, 1); }
static void i386_sendto(const char *way) { i386_calls(way, 2); }
#endif

static void connect_bad(const char *way) {
  struct sockaddr_in to = ip4("127.0.0.1", BAD_TCP);
  tcp_to(way, AF_INET, &to, sizeof to);
}

static void in_child(const char *way) {
  pid_t child = fork();
  if (child == 0) { connect_bad(way); _exit(0); }
  waitpid(child, NULL, 0);
}

static void in_vfork(const char *way) {
  struct sockaddr_in to = ip4("127.0.0.1", BAD_TCP);
  volatile int s = socket(AF_INET, SOCK_STREAM, 0), error = 0;
  if (vfork() == 0) {
    if (connect(s, (void *)&to, sizeof to) < 0) error = errno;
    _exit(0);
  }
  errno = error;
  tell(way, error ? -1 : 0);
  if (send(s, nonce, payload(), MSG_NOSIGNAL) < 0) tell("send", -1);
  close(s);
}

static void in_execed(const char *way) {
  (void)way;
  pid_t child = fork();
  if (child == 0) {
    execl("/proc/self/exe", "calls", nonce, "plain", (char *)NULL);
    _exit(127);
  }
  waitpid(child, NULL, 0);
}

static void *from_thread(void *way) { connect_bad(way); return NULL; }

static void in_thread(const char *way) {
  pthread_t thread;
  pthread_create(&thread, NULL, from_thread, (void *)way);
  pthread_join(thread, NULL);
}

#ifdef __x86_64__
static int by_registers(pid_t tracee, const long to[4]) {
  struct user_regs_struct r;
  if (ptrace(PTRACE_GETREGS, tracee, 0, &r) < 0 || r.orig_rax != SYS_getppid) return 0;
  r.orig_rax = (unsigned long)to[0], r.rdi = (unsigned long)to[1], r.rsi = (unsigned long)to[2], r.rdx = (unsigned long)to[3];
  return ptrace(PTRACE_SETREGS, tracee, 0, &r) == 0;
}
#endif

/* Linux 6.16: linux/ptrace.h, `struct ptrace_syscall_info` with what it has at the entry of a call. */
static int by_information(pid_t tracee, const long to[4]) {
  struct { uint32_t kind, arch; uint64_t at, stack, number, arguments[6], rest; } call = {0};
  if (ptrace(0x420e /* PTRACE_GET_SYSCALL_INFO */, tracee, (void *)sizeof call, &call) < 0) return 0;
  if ((call.kind & 0xff) != 1 || call.number != SYS_getppid) return 0;
  call.number = (uint64_t)to[0];
  for (int i = 0; i < 3; i++) call.arguments[i] = (uint64_t)to[i + 1];
  return ptrace(0x4212 /* PTRACE_SET_SYSCALL_INFO */, tracee, (void *)sizeof call, &call) == 0;
}

/* Has getppid stop for the tracer by a filter of its own, behind which calls are looked at anew. */
static void stop_by_filter(void) {
  struct sock_filter code[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {4, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) _exit(3);
}

/* A tracer inside turns the tracee's getppid into connect when it enters the call. */
static void rewritten_by(const char *way, int (*change)(pid_t, const long[4]), int by_filter) {
  struct sockaddr_in to = ip4("127.0.0.1", BAD_TCP);
  int s = socket(AF_INET, SOCK_STREAM, 0), status, is_done = 0;
  const long call[4] = {SYS_connect, s, (long)&to, sizeof to};
  pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0) { tell(way, -1); _exit(0); }
    if (by_filter) stop_by_filter();
    raise(SIGSTOP);
    long result = syscall(SYS_getppid);
    tell(way, result);
    _exit(0);
  }
  waitpid(child, &status, 0);
  ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL);
  while (!WIFEXITED(status) && !WIFSIGNALED(status)) {
    ptrace(is_done || by_filter ? PTRACE_CONT : PTRACE_SYSCALL, child, 0, 0);
    if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status)) break;
    is_done = is_done || change(child, call);
  }
  if (send(s, nonce, payload(), MSG_NOSIGNAL) < 0) tell("send", -1);
  close(s);
}

#ifdef __x86_64__
static void rewritten(const char *way) { rewritten_by(way, by_registers, 0); }
static void rewritten_filter(const char *way) { rewritten_by(way, by_registers, 1); }
#endif
static void rewritten_information(const char *way) { rewritten_by(way, by_information, 0); }

/* The address lies in memory that only its owner can read: not the reader of a supervisor, but the kernel. */
static void secret_memory(const char *way) {
  long fd = syscall(447, 0);
  if (fd < 0 || ftruncate((int)fd, 4096) < 0) { tell(way, -1); return; }
  struct sockaddr_in *to = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
  if (to == MAP_FAILED) { tell(way, -1); return; }
  *to = ip4("127.0.0.1", BAD_UDP);
  udp_to(way, AF_INET, to, sizeof *to);
}

/* The thread's number 50 is a UDP socket, its leader's a unix one. */
static void *apart(void *way) {
  struct sockaddr_in to = ip4("127.0.0.1", BAD_UDP);
  unshare(CLONE_FILES);
  dup2(socket(AF_INET, SOCK_DGRAM, 0), 50);
  tell(way, connect(50, (void *)&to, sizeof to));
  if (send(50, nonce, payload(), 0) < 0) tell("send", -1);
  return NULL;
}

static void split_table(const char *way) {
  pthread_t thread;
  dup2(socket(AF_UNIX, SOCK_STREAM, 0), 50);
  pthread_create(&thread, NULL, apart, (void *)way);
  pthread_join(thread, NULL);
}

/* As before, and the leader is gone when the thread calls. */
static void *survivor(void *way) {
  struct timespec wait = {0, 100000000};
  nanosleep(&wait, NULL);
  connect_bad(way);
  exit(0);
}

static void leader_gone(const char *way) {
  pthread_t thread;
  pthread_create(&thread, NULL, survivor, (void *)way);
  pthread_exit(NULL);
}

static const struct way ways[] = {
  {"fastopen-sendto", fastopen_sendto}, {"fastopen-sendmsg", fastopen_sendmsg}, {"fastopen-sendmmsg", fastopen_sendmmsg},
  {"fastopen-connect", fastopen_connect}, {"last-of-many", last_of_many}, {"second-named", second_named},
  {"io-uring", io_uring}, {"plain", connect_bad}, {"in-child", in_child}, {"in-vfork", in_vfork},
  {"in-execed", in_execed}, {"in-thread", in_thread}, {"secret-memory", secret_memory},
  {"split-table", split_table}, {"leader-gone", leader_gone}, {"rewritten-information", rewritten_information},
#ifdef __x86_64__
  {"rewritten", rewritten}, {"rewritten-filter", rewritten_filter},
  {"i386-socketcall", i386_socketcall}, {"i386-connect", i386_connect}, {"i386-sendto", i386_sendto},
#endif
};

int main(int argc, char **argv) { return RUN_WAYS(argc, argv, ways); }
