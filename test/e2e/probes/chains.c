/* Processes that are gone before they can be looked at: usage: chains COUNT MARK
 * COUNT chains, each a task that forks its successor, leaves its session and ends, for at most 20 s. MARK only shows in
 * the command line. */
#include "probe.h"

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  double end = seconds() + 20;
  for (int number = 1; number < 32; number++) signal(number, SIG_IGN);
  for (int i = 0; i < atoi(argv[1]); i++) {
    if (fork() != 0) continue;
    while (seconds() < end) {
      if (fork() > 0) _exit(0);
      setsid();
      usleep(500);
    }
    _exit(0);
  }
  puts("running");
  fflush(stdout);
  for (;;) pause();
}
