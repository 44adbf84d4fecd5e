/* A terminal with a user behind it: runs a command on a new terminal and afterwards reads, as the
 * user's shell would, what was typed there meanwhile. usage: terminal COMMAND… Prints what the
 * command wrote, then `typed TEXT` or `typed nothing`. */
#include "hostile.h"
#include <sys/ioctl.h>
#include <termios.h>

int main(int argc, char **argv) {
  char bytes[4096], typed[64];
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (argc < 2 || master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) return 2;
  const char *name = ptsname(master);
  int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  struct termios quiet;
  tcgetattr(slave, &quiet);
  quiet.c_lflag &= ~(tcflag_t)ECHO;
  quiet.c_oflag &= ~(tcflag_t)OPOST;
  tcsetattr(slave, TCSANOW, &quiet);
  pid_t child = fork();
  if (child == 0) {
    setsid();
    int terminal = open(name, O_RDWR);
    ioctl(terminal, TIOCSCTTY, 0);
    for (int i = 0; i < 3; i++) dup2(terminal, i);
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  waitpid(child, NULL, 0);
  struct pollfd ready = {master, POLLIN, 0};
  while (poll(&ready, 1, 100) > 0 && (ready.revents & POLLIN)) {
    ssize_t got = read(master, bytes, sizeof bytes);
    if (got <= 0 || fwrite(bytes, 1, (size_t)got, stdout) != (size_t)got) break;
  }
  fcntl(slave, F_SETFL, O_NONBLOCK);
  ssize_t got = read(slave, typed, sizeof typed - 1);
  if (got > 0) typed[strcspn(typed, "\n")] = 0;
  printf("typed %s\n", got > 0 ? typed : "nothing");
  return 0;
}
