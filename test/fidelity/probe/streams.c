/* Section `streams`: TCP data by every call: full buffers, parts, faults in the middle, shut and reset connections, who
 * gets SIGPIPE, Fast Open. Amounts depend on the kernel's buffers, so they are told as part or whole. */
#include "fidelity.h"

#define LARGE (8L << 20)
static char *large;
static Address deaf, sink;
static volatile sig_atomic_t pipes;
static volatile pid_t piped;

static void on_pipe(int number) {
  (void)number;
  pipes++;
  piped = (pid_t)syscall(SYS_gettid);
}

/* Each way of sending on a connected stream. */
static long by(int way, int s, void *data, size_t length, int flags) {
  struct iovec part = {data, length};
  struct mmsghdr m = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
  switch (way) {
    case 0: return send(s, data, length, flags);
    case 1: return sendto(s, data, length, flags, (void *)&sink, 16);
    case 2: return sendmsg(s, &m.msg_hdr, flags);
    default: return sendmmsg(s, &m, 1, flags) == 1 ? (long)m.msg_len : -1;
  }
}
static const char *const ways[] = {"send", "sendto", "sendmsg", "sendmmsg"};

static int deafly(void) {
  int s = opened(AF_INET, SOCK_STREAM), size = 4096;
  setsockopt(s, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  if (connect(s, (void *)&deaf, 16) < 0) row(-1, "deaf");
  return s;
}

static void amounts(int way) {
  const char *name = ways[way];
  int s = joined(SOCK_STREAM, "127.0.0.1", SINK);
  row(by(way, s, large, LARGE, 0), "%s 8 MiB, blocking", name);
  row(by(way, s, large, 0, 0), "%s nothing", name);
  row(by(way, s, large, 1, MSG_MORE), "%s more", name);
  row(by(way, s, large, 1, MSG_EOR), "%s end of record", name);
  row(by(way, s, large, 1, MSG_OOB), "%s urgent", name);
  row(by(way, s, hole, 1, 0), "%s hole", name);
  row(by(way, s, hole - 8, 16, 0), "%s half mapped", name);
  fact(length_class(by(way, s, hole - READABLE, 2 * READABLE, 0), 2 * READABLE), "%s half mapped, large", name);
  struct iovec parts[3] = {{large, 10}, {hole, 10}, {large, 10}};
  struct msghdr m = {.msg_iov = parts, .msg_iovlen = 3};
  if (way == 2) row(sendmsg(s, &m, 0), "sendmsg hole in the second part");
  close(s);
  s = deafly();
  fact(length_class(by(way, s, large, LARGE, MSG_DONTWAIT), LARGE), "%s 8 MiB, not waiting", name);
  fill(s);
  row(by(way, s, large, 1, MSG_DONTWAIT), "%s full, not waiting", name);
  fcntl(s, F_SETFL, O_NONBLOCK);
  row(by(way, s, large, 1, 0), "%s full, non-blocking", name);
  row(by(way, s, hole, 1, 0), "%s full, hole", name);
  fcntl(s, F_SETFL, 0);
  struct timeval limit = {0, 150000};
  setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  row(by(way, s, large, 1, 0), "%s full, 150 ms", name);
  close(s);
  s = deafly();
  setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  fact(length_class(by(way, s, large, LARGE, 0), LARGE), "%s 8 MiB in 150 ms", name);
  close(s);
}

static void broken(int way) {
  const char *name = ways[way];
  struct sigaction handler = {.sa_handler = on_pipe}, ignore = {.sa_handler = SIG_IGN};
  sigset_t pipe, pending;
  int s = joined(SOCK_STREAM, "127.0.0.1", SINK), fresh = opened(AF_INET, SOCK_STREAM);
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  shutdown(s, SHUT_WR);
  sigaction(SIGPIPE, &handler, NULL);
  pipes = 0;
  row(by(way, s, large, 4, 0), "%s shut", name);
  row(pipes, "%s shut: SIGPIPE", name);
  row(by(way, s, large, 4, MSG_NOSIGNAL), "%s shut, no signal", name);
  row(pipes, "%s shut, no signal: SIGPIPE", name);
  fact(piped == (pid_t)syscall(SYS_gettid) ? "this one" : "another", "%s thread of SIGPIPE", name);
  row(by(way, fresh, large, 4, 0), "%s unconnected", name);
  row(pipes, "%s unconnected: SIGPIPE", name);
  sigprocmask(SIG_BLOCK, &pipe, NULL);
  row(by(way, s, large, 4, 0), "%s shut, blocked", name);
  sigpending(&pending);
  row(sigismember(&pending, SIGPIPE), "%s shut, blocked: pending", name);
  row(pipes, "%s shut, blocked: SIGPIPE", name);
  sigprocmask(SIG_UNBLOCK, &pipe, NULL);
  row(pipes, "%s shut, unblocked: SIGPIPE", name);
  sigaction(SIGPIPE, &ignore, NULL);
  row(by(way, s, large, 4, 0), "%s shut, ignored", name);
  close(s);
  s = joined(SOCK_STREAM, "127.0.0.1", RESETTER);
  usleep(50000);
  row(by(way, s, large, 4, 0), "%s reset", name);
  row(by(way, s, large, 4, 0), "%s reset, again", name);
  readiness(s, name);
  close(s);
  close(fresh);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    signal(SIGPIPE, SIG_DFL);
    s = joined(SOCK_STREAM, "127.0.0.1", SINK);
    shutdown(s, SHUT_WR);
    by(way, s, large, 4, 0);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  row(WIFSIGNALED(status) ? WTERMSIG(status) : -status, "%s shut, default: ended by", name);
}

/* A second thread gets the signal that its own call earned. */
static void *in_thread(void *way) {
  int s = joined(SOCK_STREAM, "127.0.0.1", SINK);
  shutdown(s, SHUT_WR);
  piped = 0;
  row(by((int)(intptr_t)way, s, large, 4, 0), "%s in a thread", ways[(intptr_t)way]);
  fact(piped == (pid_t)syscall(SYS_gettid) ? "this one" : "another", "%s in a thread: SIGPIPE", ways[(intptr_t)way]);
  close(s);
  return NULL;
}

static void fast_open(void) {
  int s = joined(SOCK_STREAM, "127.0.0.1", SINK), fresh = opened(AF_INET, SOCK_STREAM), yes = 1;
  row(sendto(s, "x", 1, MSG_FASTOPEN, (void *)&sink, 16), "fast open, connected");
  row(sendto(fresh, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, NULL, 0), "fast open, unnamed");
  row(sendto(fresh, "x", 1, MSG_FASTOPEN, (void *)&sink, 16), "fast open");
  close(fresh);
  Address udp;
  at("127.0.0.1", REPORTER, &udp);
  fresh = opened(AF_INET, SOCK_DGRAM);
  row(sendto(fresh, "q", 1, MSG_FASTOPEN, (void *)&udp, 16), "fast open, udp");
  close(fresh);
  fresh = opened(AF_INET, SOCK_STREAM);
  row(setsockopt(fresh, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &yes, sizeof yes), "deferred connect option");
  row(connect(fresh, (void *)&sink, 16), "deferred connect");
  row(send(fresh, "x", 1, 0), "deferred connect, send");
  names(fresh, "deferred connect");
  close(fresh);
  close(s);
}

void section_streams(void) {
  at("127.0.0.1", DEAF, &deaf);
  at("127.0.0.1", SINK, &sink);
  large = malloc(LARGE);
  memset(large, 'l', LARGE);
  for (int way = 0; way < 4; way++) {
    amounts(way);
    broken(way);
    pthread_t thread;
    struct sigaction handler = {.sa_handler = on_pipe}, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &handler, NULL);
    pthread_create(&thread, NULL, in_thread, (void *)(intptr_t)way);
    pthread_join(thread, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
  }
  fast_open();
}
