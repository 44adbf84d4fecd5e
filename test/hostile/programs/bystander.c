/* A process outside, of the same user, that others may try to harm. It counts what reaches it by
 * signal and says so when asked (a line on its input): `signals N`. It keeps a connection to the
 * denied TCP port on descriptor 3, which somebody could take, and a file on 4. Everything else
 * about it can be read in /proc. */
#include "hostile.h"

static volatile sig_atomic_t signals;
static void count(int number) { (void)number; signals++; }

int main(void) {
  char line[64];
  struct sockaddr_in to = ip4("127.0.0.1", BAD_TCP);
  struct sigaction action = {.sa_handler = count};
  sigaction(SIGRTMIN, &action, NULL); /* queued: each counts */
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(s, (void *)&to, sizeof to) < 0) { perror("bystander"); return 1; }
  if (s != 3) dup2(s, 3);
  dup2(memfd_create("secret", 0), 4);
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    ssize_t got = read(0, line, sizeof line);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return 0;
    printf("signals %d\n", (int)signals);
    fflush(stdout);
  }
}
