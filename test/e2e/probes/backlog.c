/* A listener that never accepts: its queue is filled first, so a further connect stays in SYN-SENT for ever.
 * usage: backlog HOST   prints the port, then waits until its input ends. Runs outside the sandbox. */
#include "probe.h"

int main(int argc, char **argv) {
  struct sockaddr_storage at;
  char text[64];
  if (argc < 2) return 2;
  snprintf(text, sizeof text, "%s/0", argv[1]);
  socklen_t length = address(text, &at);
  int s = socket(at.ss_family, SOCK_STREAM, 0);
  if (bind(s, (void *)&at, length) || listen(s, 0) || getsockname(s, (void *)&at, &length)) return 1;
  /* A backlog of n takes n + 1 connections; two more make sure that none fits. */
  for (int i = 0; i < 3; i++) {
    int filler = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(filler, (void *)&at, length);
  }
  usleep(50000);
  printf("%d\n", ntohs(((struct sockaddr_in *)&at)->sin_port));
  fflush(stdout);
  while (read(0, text, sizeof text) > 0) {}
  return 0;
}
