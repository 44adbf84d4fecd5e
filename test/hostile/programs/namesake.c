/* Row G: a process that has the number which the command had. usage: namesake
 *
 * The command ends well. An orphan makes children of its own parent, which is the supervisor, until
 * one gets that number: it ends with status 7. */
#include "hostile.h"

#define MOST 20000

int main(void) {
  pid_t command = getpid(), child = 0;
  if (fork() != 0) return 0;
  while (getppid() == command) usleep(1000);
  for (int i = 0; i < MOST && child != command; i++) {
    child = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) _exit(getpid() == command ? 7 : 0);
  }
  say(child == command ? "again" : "other", 0);
  return 0;
}
