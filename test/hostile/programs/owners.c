/* Row G: a descriptor whose owner is the process group, to which others belong. usage: owners
 *
 * A child stands first in the group's list, where Landlock before Linux 6.12.101, 6.18.40 and 7.1.5 takes the
 * whole group for the child itself. It tries each call that sets an owner, one line each, and has the
 * kernel send SIGUSR1 to it. */
#include "hostile.h"
#include <sys/ioctl.h>

static long by_number(int fd) { return fcntl(fd, F_SETOWN, -getpgrp()); }
static long by_request(int fd, unsigned long request) {
  int owner = -getpgrp();
  return ioctl(fd, request, &owner);
}
static long by_fio(int fd) { return by_request(fd, 0x8901 /* FIOSETOWN */); }
static long by_sio(int fd) { return by_request(fd, 0x8902 /* SIOCSPGRP */); }
static long by_kind(int fd) {
  struct f_owner_ex owner = {F_OWNER_PGRP, getpgrp()};
  return fcntl(fd, F_SETOWN_EX, &owner);
}

static void own(const char *name, long (*set)(int)) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) exit(2);
  fcntl(ends[0], F_SETSIG, SIGUSR1);
  fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK);
  tell(name, set(ends[0]));
  if (write(ends[1], "x", 1) < 0) exit(2);
  close(ends[0]), close(ends[1]);
}

int main(void) {
  signal(SIGUSR1, SIG_IGN);
  if (fork() != 0) return wait(NULL) < 0;
  own("own", by_number);
  own("own-kind", by_kind);
  own("own-fio", by_fio);
  own("own-sio", by_sio);
  return 0;
}
