/* Connects from a thread that is not its process's first. usage: thread shared|own HOST/PORT — with
 * the process's descriptor table, or with one of its own, in which the socket has a number that in
 * the other table is another socket's. */
#include "probe.h"
#include <pthread.h>
#include <sched.h>

static const char *form, *target;

static void *connect_there(void *none) {
  struct sockaddr_storage to;
  socklen_t length = address(target, &to);
  if (strcmp(form, "own") == 0 && unshare(CLONE_FILES) < 0) say("unshare", -1);
  dup2(socket(to.ss_family, SOCK_STREAM, 0), 50);
  long result = connect(50, (void *)&to, length);
  say(form, result);
  if (result == 0 && write(50, TOKEN, 5) < 0) say("write", -1);
  return none;
}

int main(int argc, char **argv) {
  pthread_t thread;
  if (argc != 3) return 2;
  form = argv[1];
  target = argv[2];
  dup2(socket(AF_UNIX, SOCK_STREAM, 0), 50);
  pthread_create(&thread, NULL, connect_there, NULL);
  pthread_join(thread, NULL);
  return 0;
}
