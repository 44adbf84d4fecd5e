/* The same connect from every kind of task. usage: tree HOST/PORT
 * Prints one line each for the first task, a thread, a forked child, a grandchild, a vforked and executed program,
 * and a task whose thread group leader has ended. */
#include "probe.h"
#include <pthread.h>

static char *target;

static void attempt(const char *name) {
  struct sockaddr_storage to;
  socklen_t length = address(target, &to);
  int s = socket(to.ss_family, SOCK_STREAM, 0);
  long result = s < 0 ? -1 : connect(s, (void *)&to, length);
  say(name, result);
  if (result == 0 && write(s, TOKEN, 5) < 0) say("write", -1);
  close(s);
}

static void *in_thread(void *name) { attempt(name); return NULL; }

static void *after_leader(void *unused) {
  (void)unused;
  /* The leader is a zombie by now; /proc keeps its directory until this thread ends too. */
  usleep(100000);
  attempt("leaderless");
  exit(0);
}

static void wait_for(pid_t child) {
  int status;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  target = argv[1];
  if (argc > 2) { attempt(argv[2]); return 0; }
  attempt("first");
  pthread_t thread;
  pthread_create(&thread, NULL, in_thread, (void *)"thread");
  pthread_join(thread, NULL);
  pid_t child = fork();
  if (child == 0) { attempt("fork"); _exit(0); }
  wait_for(child);
  child = fork();
  if (child == 0) {
    pid_t grandchild = fork();
    if (grandchild == 0) { setsid(); attempt("grandchild"); _exit(0); }
    wait_for(grandchild);
    _exit(0);
  }
  wait_for(child);
  child = vfork();
  if (child == 0) { execl("/proc/self/exe", argv[0], target, "exec", (char *)NULL); _exit(127); }
  wait_for(child);
  child = fork();
  if (child == 0) {
    pthread_create(&thread, NULL, after_leader, NULL);
    syscall(SYS_exit, 0);
  }
  wait_for(child);
  return 0;
}
