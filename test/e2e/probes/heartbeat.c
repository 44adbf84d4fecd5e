/* A program that refuses to end: usage: heartbeat FILE HOST/PORT [orphan]
 * Every 20 ms it connects to HOST/PORT and appends a line to FILE with the answer. All signals that can be ignored are.
 * With `orphan` the work is done by a grandchild in a session of its own, whose parent has ended; the first task then
 * ends with status 0 as soon as the first line is written. Gives up after 20 s. */
#include "probe.h"
#include <sys/stat.h>

static void beat(const char *file, const char *target) {
  struct sockaddr_storage to;
  socklen_t length = address(target, &to);
  int log = open(file, O_WRONLY | O_CREAT | O_APPEND, 0644);
  for (double end = seconds() + 20; seconds() < end; usleep(20000)) {
    int s = socket(to.ss_family, SOCK_STREAM, 0);
    long result = s < 0 ? -1 : connect(s, (void *)&to, length);
    if (dprintf(log, "%s\n", result < 0 ? errno_name(errno) : "ok") < 0) _exit(3);
    close(s);
  }
  _exit(0);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  for (int number = 1; number < 32; number++) signal(number, SIG_IGN);
  if (argc < 4) beat(argv[1], argv[2]);
  if (fork() == 0) {
    setsid();
    if (fork() == 0) beat(argv[1], argv[2]);
    _exit(0);
  }
  struct stat file;
  while (stat(argv[1], &file) < 0 || file.st_size == 0) usleep(5000);
  return 0;
}
