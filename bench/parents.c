/* Starts a program from a copy of itself and waits: as many processes as sandlock-exec has, which
 * do nothing else. Link it statically. usage: parents PROGRAM */
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  char *arguments[] = {argv[argc - 1], NULL}, *environment[] = {NULL};
  int status;
  pid_t child = fork();
  if (child == 0) {
    pid_t program;
    if (posix_spawn(&program, arguments[0], NULL, NULL, arguments, environment) != 0) _exit(127);
    waitpid(program, &status, 0);
    _exit(WEXITSTATUS(status));
  }
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}
