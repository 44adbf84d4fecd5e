/* Section `stops`: what a parent sees of a child whose threads wait in connect or send: stops, continues, ends. */
#include "fidelity.h"
#include <sched.h>

static Address full, deaf, drained;
static int late;

static void *connecting(void *to) {
  int s = opened(AF_INET, SOCK_STREAM);
  (void)!connect(s, to, 16);
  return NULL;
}

static void *quiet(void *unused) {
  (void)unused;
  for (;;) pause();
  return NULL;
}

static void *ending(void *how) {
  usleep(200000);
  if (how) execl("/bin/true", "true", NULL);
  _exit(5);
  return NULL;
}

static void thread(void *(*body)(void *), void *argument) {
  pthread_t id;
  if (pthread_create(&id, NULL, body, argument)) row(-1, "thread");
}

static void child(const char *what) {
  if (!strcmp(what, "alone")) connecting(&full);
  if (!strcmp(what, "late")) {
    int s = opened(AF_INET, SOCK_STREAM);
    _exit(connect(s, (void *)&drained, 16) == 0 ? 7 : 8);
  }
  if (!strcmp(what, "leader hangs")) { thread(quiet, NULL); connecting(&full); }
  if (!strcmp(what, "thread hangs")) { thread(connecting, &full); quiet(NULL); }
  if (!strcmp(what, "all hang")) { for (int i = 0; i < 30; i++) thread(connecting, &full); connecting(&full); }
  if (!strcmp(what, "leader gone")) { thread(connecting, &full); pthread_exit(NULL); }
  if (!strcmp(what, "thread exits")) { thread(ending, NULL); connecting(&full); }
  if (!strcmp(what, "thread executes")) { thread(ending, "exec"); connecting(&full); }
  if (!strcmp(what, "sends")) {
    int s = opened(AF_INET, SOCK_STREAM);
    (void)!connect(s, (void *)&deaf, 16);
    fill(s);
    (void)!sendto(s, "x", 1, 0, (void *)&deaf, 16);
  }
  if (!strcmp(what, "packets")) {
    int ends[2];
    struct iovec part = {(void *)"x", 1};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
    for (;;) sendmsg(ends[0], &m, 0);
  }
  _exit(9);
}

static pid_t started(const char *what) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    signal(SIGPIPE, SIG_DFL);
    child(what);
  }
  usleep(250000);
  return pid;
}

/* Waits up to a second for a change of state. */
static void change(pid_t pid, int options, const char *what, const char *label) {
  char text[40] = "nothing";
  int status;
  for (double end = seconds() + (late ? 8 : 1); seconds() < end; usleep(2000)) {
    pid_t got = waitpid(pid, &status, options | WNOHANG);
    if (got == 0) continue;
    if (got < 0) strcpy(text, errno_name(errno));
    else if (WIFSTOPPED(status)) snprintf(text, sizeof text, "stopped by %d", WSTOPSIG(status));
    else if (WIFCONTINUED(status)) strcpy(text, "continued");
    else if (WIFSIGNALED(status)) snprintf(text, sizeof text, "ended by %d", WTERMSIG(status));
    else snprintf(text, sizeof text, "exit %d", WEXITSTATUS(status));
    break;
  }
  fact(text, "%s %s", what, label);
}

static void stopped(const char *what, int stop, int end) {
  pid_t pid = started(what);
  kill(pid, stop);
  change(pid, WUNTRACED, what, "stop");
  kill(pid, SIGCONT);
  change(pid, WCONTINUED, what, "continue");
  usleep(50000);
  kill(pid, stop);
  change(pid, WUNTRACED, what, "second stop");
  kill(pid, SIGCONT);
  change(pid, WCONTINUED, what, "second continue");
  kill(pid, end);
  change(pid, 0, what, "end");
  kill(pid, SIGKILL);
}

static void ended(const char *what, int signal) {
  pid_t pid = started(what);
  if (signal) kill(pid, signal);
  change(pid, 0, what, signal == SIGKILL ? "killed" : signal ? "signalled" : "left");
  kill(pid, SIGKILL);
  if (!signal) waitpid(pid, NULL, WNOHANG);
}

static int vforked(void *unused) {
  (void)unused;
  int s = opened(AF_INET, SOCK_STREAM);
  Address sink;
  at("127.0.0.1", SINK, &sink);
  _exit(connect(s, (void *)&sink, 16) == 0 ? 3 : 4);
}

static int split(void *unused) {
  (void)unused;
  return unshare(CLONE_FILES);
}

void section_stops(void) {
  static char stack[65536];
  int status;
  at("127.0.0.1", FULL, &full);
  at("127.0.0.1", DEAF, &deaf);
  at("127.0.0.1", FIRST_DRAIN + 6, &drained);
  stopped("alone", SIGSTOP, SIGTERM);
  stopped("alone", SIGTSTP, SIGINT);
  stopped("leader hangs", SIGSTOP, SIGTERM);
  stopped("thread hangs", SIGSTOP, SIGTERM);
  stopped("all hang", SIGSTOP, SIGTERM);
  stopped("sends", SIGSTOP, SIGHUP);
  stopped("packets", SIGSTOP, SIGTERM);
  pid_t pid = started("late");
  kill(pid, SIGSTOP);
  change(pid, WUNTRACED, "late", "stop");
  drain(6, 0);
  usleep(300000);
  kill(pid, SIGCONT);
  change(pid, WCONTINUED, "late", "continue");
  late = 1;
  change(pid, 0, "late", "end");
  late = 0;
  ended("alone", SIGKILL);
  ended("all hang", SIGTERM);
  ended("leader gone", SIGTERM);
  ended("thread exits", 0);
  ended("thread executes", 0);
  pid = clone(vforked, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
  waitpid(pid, &status, 0);
  row(WEXITSTATUS(status), "connect in a vfork child");
  row(split(NULL), "split the descriptor table");
}
