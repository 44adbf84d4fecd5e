/* Sections `signals` and `timeouts`: what interrupts a call that waits, when, and with what. Times
 * are told as `at once` (within a second of the cause) or `late`. */
#include "fidelity.h"

static Address full, sink, deaf;
static int shared;
static volatile sig_atomic_t alarms;
static volatile pid_t handled_by;
static double began;

static void on_signal(int number) {
  (void)number;
  alarms++;
  handled_by = (pid_t)syscall(SYS_gettid);
}

static void handle(int number, int flags) {
  struct sigaction handler = {.sa_handler = on_signal, .sa_flags = flags};
  sigaction(number, &handler, NULL);
  alarms = 0;
  began = seconds();
}

static void every(int ms, int then) {
  struct itimerval timer = {{then / 1000, then % 1000 * 1000}, {ms / 1000, ms % 1000 * 1000}};
  setitimer(ITIMER_REAL, &timer, NULL);
}

static const char *when(double due) {
  double passed = seconds() - began;
  return passed < due - 0.02 ? "early" : passed < due + 1 ? "at once" : "late";
}

static int hung(void) {
  return opened(AF_INET, SOCK_STREAM);
}

static int filled(void) {
  int s = opened(AF_INET, SOCK_STREAM), size = 4096;
  setsockopt(s, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  if (connect(s, (void *)&deaf, 16) < 0) row(-1, "deaf");
  fill(s);
  return s;
}

static long by(int way, int s, void *data, size_t length) {
  struct iovec part = {data, length};
  struct mmsghdr m = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
  if (way == 0) return sendto(s, data, length, 0, (void *)&sink, 16);
  if (way == 1) return sendmsg(s, &m.msg_hdr, 0);
  return sendmmsg(s, &m, 1, 0) == 1 ? (long)m.msg_len : -1;
}
static const char *const ways[] = {"sendto", "sendmsg", "sendmmsg"};

static void connects(void) {
  Address drained;
  int s = hung();
  handle(SIGALRM, 0);
  every(100, 0);
  row(connect(s, (void *)&full, 16), "connect, handler");
  fact(when(0.1), "connect, handler");
  row(alarms, "connect, handler: handled");
  names(s, "connect, handler");
  began = seconds();
  every(100, 0);
  row(connect(s, (void *)&full, 16), "connect after EINTR, handler");
  fact(when(0.1), "connect after EINTR, handler");
  fact(fcntl(s, F_GETFL) & O_NONBLOCK ? "yes" : "no", "connect after EINTR: non-blocking");
  fcntl(s, F_SETFL, O_NONBLOCK);
  row(connect(s, (void *)&full, 16), "connect after EINTR, non-blocking");
  close(s);
  for (int restart = 0; restart < 2; restart++) {
    const char *label = restart ? "each 100 ms, restarted" : "each 10 ms, restarted";
    s = hung();
    at("127.0.0.1", FIRST_DRAIN + restart, &drained);
    drain(restart, 300);
    handle(SIGALRM, SA_RESTART);
    every(restart ? 100 : 10, restart ? 100 : 10);
    row(connect(s, (void *)&drained, 16), "connect %s", label);
    every(0, 0);
    fact(alarms > (restart ? 1 : 10) ? "many times" : "seldom", "connect %s: handled", label);
    names(s, label);
    row(send(s, "x", 1, 0), "connect %s: send", label);
    close(s);
  }
  s = hung();
  handle(SIGALRM, SA_RESTART);
  every(10, 10);
  int failures = 0, many = 0;
  /* Two seconds, or more on a machine that stands still for most of them. */
  double start = seconds(), end = start + 2;
  for (; seconds() < end || ((many <= 100 || alarms <= 100) && seconds() < start + 20); many++) {
    int quick = opened(AF_INET, SOCK_STREAM);
    failures += connect(quick, (void *)&sink, 16) < 0;
    close(quick);
  }
  every(0, 0);
  row(failures, "2 s of connects under a signal each 10 ms: failures");
  fact(many > 100 && alarms > 100 ? "many" : "few", "2 s of connects under a signal each 10 ms");
  close(s);
}

static void others(void) {
  int s = hung();
  sigset_t mask, pending;
  handle(SIGALRM, 0);
  signal(SIGUSR2, SIG_IGN);
  handle(SIGUSR1, 0);
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    usleep(100000);
    kill(parent, SIGUSR1); /* blocked */
    kill(parent, SIGUSR2); /* ignored */
    _exit(0);              /* SIGCHLD: ignored by default */
  }
  every(400, 0);
  began = seconds();
  row(connect(s, (void *)&full, 16), "connect under signals that do not interrupt");
  fact(when(0.4), "connect under signals that do not interrupt");
  sigpending(&pending);
  row(sigismember(&pending, SIGUSR1), "the blocked one is pending");
  row(alarms, "handled");
  sigprocmask(SIG_UNBLOCK, &mask, NULL);
  row(alarms, "handled once unblocked");
  waitpid(child, NULL, 0);
  close(s);
}

static void *sleeper(void *unused) {
  sigset_t all_but;
  (void)unused;
  sigfillset(&all_but);
  sigdelset(&all_but, SIGUSR1);
  pthread_sigmask(SIG_SETMASK, &all_but, NULL);
  for (;;) pause();
  return NULL;
}

static void *connecting(void *socket) {
  errno = 0;
  long result = connect((int)(intptr_t)socket, (void *)&full, 16);
  row(result, "connect in a thread");
  return NULL;
}

static void *joining(void *to) {
  errno = 0;
  return (void *)(intptr_t)(connect(shared, to, 16) < 0 ? errno : 0);
}

/**
 * Three threads wait for the connection of one socket; then it is made, also after the program has
 * closed the socket, is refused or given up.
 */
enum Fate { MADE, CLOSED, REFUSED, SHUT, DISSOLVED };

static void together(int number, enum Fate fate, const char *label) {
  static const int known[] = {0, ECONNREFUSED, ECONNRESET, EPIPE};
  Address drained;
  pthread_t threads[3];
  at("127.0.0.1", number < 0 ? FULL : FIRST_DRAIN + number, &drained);
  shared = hung();
  for (int i = 0; i < 3; i++) {
    pthread_create(&threads[i], NULL, joining, &drained);
    usleep(30000);
  }
  int kept = dup(shared), results[4] = {0};
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  if (fate == CLOSED) close(shared);
  if (fate == SHUT) row(shutdown(kept, SHUT_RDWR), "%s: shutdown", label);
  else if (fate == DISSOLVED) row(connect(kept, &none, sizeof none), "%s: dissolved", label);
  else drain(number, fate == REFUSED ? -1 : 200);
  for (int i = 0; i < 3; i++) {
    void *error;
    int kind = 0;
    pthread_join(threads[i], &error);
    while (kind < 4 && known[kind] != (intptr_t)error) kind++;
    if (kind < 4) results[kind]++;
    else fact(errno_name((int)(intptr_t)error), "%s: thread %d", label, i);
  }
  /* Which thread the kernel wakes first is no matter. */
  for (int i = 0; i < 4; i++) row(results[i], "%s: threads with %s", label, known[i] ? errno_name(known[i]) : "success");
  if (fate == MADE || fate == CLOSED) row(connect(kept, (void *)&drained, 16), "%s: then", label);
  names(kept, label);
  if (fate != CLOSED) close(shared);
  close(kept);
}

static void threads(void) {
  pthread_t thread;
  sigset_t mask;
  int s = hung();
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &mask, NULL);
  pthread_create(&thread, NULL, sleeper, NULL);
  handle(SIGUSR1, 0);
  handle(SIGALRM, 0);
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    usleep(100000);
    kill(parent, SIGUSR1);
    _exit(0);
  }
  every(400, 0);
  row(connect(s, (void *)&full, 16), "connect while another thread takes a signal");
  fact(when(0.4), "connect while another thread takes a signal");
  row(alarms, "signals handled meanwhile");
  waitpid(child, NULL, 0);
  pthread_cancel(thread);
  pthread_join(thread, NULL);
  close(s);
  pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
  s = hung();
  void *value = NULL;
  pthread_create(&thread, NULL, connecting, (void *)(intptr_t)s);
  usleep(100000);
  began = seconds();
  row(pthread_cancel(thread), "cancel a thread that connects");
  pthread_join(thread, &value);
  fact(value == PTHREAD_CANCELED ? "cancelled" : "ended", "cancel a thread that connects");
  fact(when(0), "cancel a thread that connects");
  close(s);
  s = hung();
  handle(SIGUSR2, 0);
  pthread_create(&thread, NULL, connecting, (void *)(intptr_t)s);
  usleep(100000);
  began = seconds();
  pthread_kill(thread, SIGUSR2);
  pthread_join(thread, NULL);
  fact(when(0), "signal to a thread that connects");
  close(s);
  s = hung();
  pthread_create(&thread, NULL, connecting, (void *)(intptr_t)s);
  usleep(100000);
  began = seconds();
  int result = shutdown(s, SHUT_RDWR), error = errno;
  pthread_join(thread, NULL);
  errno = error;
  row(result, "shutdown during a connect");
  fact(when(0), "shutdown during a connect");
  close(s);
  together(2, MADE, "three threads connect one socket");
  together(3, CLOSED, "three threads connect one socket, closed");
  together(7, REFUSED, "three threads connect one socket, refused");
  together(-1, SHUT, "three threads connect one socket, shut");
  together(-1, DISSOLVED, "three threads connect one socket, dissolved");
}

static void sends(int way) {
  static char large[1 << 20];
  const char *name = ways[way];
  struct timeval limit = {0, 300000};
  int s = filled();
  handle(SIGALRM, 0);
  every(100, 0);
  row(by(way, s, large, 1), "%s full, handler", name);
  fact(when(0.1), "%s full, handler", name);
  handle(SIGALRM, SA_RESTART);
  setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  every(100, 0);
  row(by(way, s, large, 1), "%s full, time limit, handler that restarts", name);
  fact(when(0.1), "%s full, time limit, handler that restarts", name);
  began = seconds();
  row(by(way, s, large, 1), "%s full, time limit", name);
  fact(when(0.3), "%s full, time limit", name);
  close(s);
  int size = 4096;
  for (int flags = 0; flags < 2; flags++) {
    s = opened(AF_INET, SOCK_STREAM);
    setsockopt(s, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    (void)!connect(s, (void *)&deaf, 16);
    handle(SIGALRM, flags ? SA_RESTART : 0);
    every(200, 0);
    fact(length_class(by(way, s, large, sizeof large), sizeof large), "%s partly sent, handler %d", name, flags);
    fact(when(0.2), "%s partly sent, handler %d", name, flags);
    close(s);
  }
}

static void local(void) {
  static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
  char data[1000];
  struct iovec part = {data, sizeof data};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
  memset(data, 0, sizeof data);
  for (size_t i = 0; i < 3; i++) {
    int ends[2];
    socketpair(AF_UNIX, types[i], 0, ends);
    while (sendmsg(ends[0], &m, MSG_DONTWAIT) >= 0) {}
    handle(SIGALRM, 0);
    every(100, 0);
    row(sendmsg(ends[0], &m, 0), "unix type %d full, handler", types[i]);
    fact(when(0.1), "unix type %d full, handler", types[i]);
    close(ends[0]);
    close(ends[1]);
  }
}

static void setup(void) {
  at("127.0.0.1", FULL, &full);
  at("127.0.0.1", SINK, &sink);
  at("127.0.0.1", DEAF, &deaf);
}

void section_signals(void) {
  setup();
  connects();
  others();
  threads();
  for (int way = 0; way < 3; way++) sends(way);
  local();
}

void section_timeouts(void) {
  struct timeval limit = {0, 200000}, none = {0, 0};
  Address drained;
  setup();
  int s = hung();
  setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  began = seconds();
  row(connect(s, (void *)&full, 16), "connect in 200 ms");
  fact(when(0.2), "connect in 200 ms");
  began = seconds();
  row(connect(s, (void *)&full, 16), "connect again in 200 ms");
  fact(when(0.2), "connect again in 200 ms");
  close(s);
  s = hung();
  limit.tv_usec = 900000;
  setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  handle(SIGALRM, SA_RESTART);
  every(100, 0);
  row(connect(s, (void *)&full, 16), "connect in 900 ms, handler that restarts");
  fact(when(0.1), "connect in 900 ms, handler that restarts");
  setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
  close(s);
  s = hung();
  at("127.0.0.1", FIRST_DRAIN + 4, &drained);
  limit.tv_usec = 200000;
  setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  row(connect(s, (void *)&drained, 16), "connect in 200 ms to a late one");
  setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
  drain(4, 0);
  row(connect(s, (void *)&drained, 16), "connect again without limit");
  row(connect(s, (void *)&drained, 16), "connect a third time");
  readiness(s, "connected late");
  close(s);
  s = opened(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  at("127.0.0.1", FIRST_DRAIN + 5, &drained);
  row(connect(s, (void *)&drained, 16), "non-blocking to a late one");
  fcntl(s, F_SETFL, 0);
  drain(5, 100);
  row(connect(s, (void *)&drained, 16), "then blocking");
  names(s, "then blocking");
  close(s);
}
