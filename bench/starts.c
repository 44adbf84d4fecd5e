/* Starts programs to their end in turns, as that user, and prints a line for each round: how many
 * microseconds each of them took. What times is small itself, and touches little between two starts:
 * beside what starts, Node has caches and memory of its own to go through.
 * usage: starts USER ROUNDS COMMAND... (the words of a command end in newlines) */
#include "bench.h"
#include <spawn.h>

enum { COMMANDS = 16, WORDS = 16 };

static double start(char **words) {
  char *environment[] = {"PATH=/usr/bin:/bin", NULL};
  int status;
  pid_t child;
  uint64_t before = nanoseconds();
  must(posix_spawn(&child, words[0], NULL, NULL, words, environment) == 0, words[0]);
  waitpid(child, &status, 0);
  uint64_t took = nanoseconds() - before;
  must(status == 0, words[0]);
  return (double)took / 1e3;
}

int main(int argc, char **argv) {
  char *commands[COMMANDS][WORDS + 1] = {{0}};
  int count = argc - 3, rounds = argc > 3 ? atoi(argv[2]) : 0;
  if (rounds < 1 || count > COMMANDS) return 2;
  for (int i = 0; i < count; i++) {
    int words = 0;
    for (char *word = strtok(argv[3 + i], "\n"); word && words < WORDS; word = strtok(NULL, "\n"))
      commands[i][words++] = word;
  }
  /* What is told of the runs is not what is measured. */
  int null = open("/dev/null", O_RDWR), out = dup(1);
  must(null >= 0 && out >= 0 && dup2(null, 0) == 0 && dup2(null, 1) == 1, "/dev/null");
  must(fcntl(out, F_SETFD, FD_CLOEXEC) == 0 && fcntl(null, F_SETFD, FD_CLOEXEC) == 0, "fcntl");
  uid_t user = (uid_t)atoi(argv[1]);
  must(user == getuid() || (setgid(user) == 0 && setuid(user) == 0), "setuid");
  for (int round = 0; round < rounds; round++)
    for (int i = 0; i < count; i++)
      dprintf(out, "%.1f%c", start(commands[i]), i + 1 < count ? ' ' : '\n');
  return 0;
}
