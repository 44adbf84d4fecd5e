/* Races a bind against a change of the file that the bound path names. usage: swap DIRECTORY
 * OUTSIDE SECONDS One thread binds sockets of its own to DIRECTORY/s; another replaces that name at
 * once by a link to the socket OUTSIDE; a third connects to it and sends. Prints how many binds,
 * links and connections succeeded. Who was reached, OUTSIDE says. */
#include "probe.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

static struct sockaddr_un at = {.sun_family = AF_UNIX};
static const char *outside;
static double end;
static atomic_long binds, links, connections;

static void *bind_often(void *none) {
  while (seconds() < end) {
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(s, (void *)&at, sizeof at) == 0) {
      listen(s, 1);
      binds++;
    }
    /* The socket is closed at once: whoever connects later reaches it no more, or OUTSIDE. */
    close(s);
  }
  return none;
}

static void *link_often(void *none) {
  while (seconds() < end) {
    unlink(at.sun_path);
    if (link(outside, at.sun_path) == 0) links++;
    unlink(at.sun_path);
  }
  return none;
}

static void *connect_often(void *none) {
  while (seconds() < end) {
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect(s, (void *)&at, sizeof at) == 0 && send(s, TOKEN, 5, MSG_NOSIGNAL) == 5) connections++;
    close(s);
  }
  return none;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  void *(*parts[])(void *) = {bind_often, link_often, connect_often};
  pthread_t threads[3];
  snprintf(at.sun_path, sizeof at.sun_path, "%s/s", argv[1]);
  outside = argv[2];
  end = seconds() + atof(argv[3]);
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, parts[i], NULL);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  printf("binds %ld\nlinks %ld\nconnections %ld\n", binds, links, connections);
  return 0;
}
