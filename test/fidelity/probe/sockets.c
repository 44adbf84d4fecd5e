/* Section `sockets`: which sockets can be made. Families, types, protocols, flags and garbage in the high words. */
#include "fidelity.h"

void section_sockets(void) {
  static const int triples[][3] = {
    {2, 1, 0}, {2, 1, 6}, {10, 1, 6}, {2, 2, 0}, {2, 2, 17}, {10, 2, 17}, {2, 1, 17}, {2, 2, 6}, {10, 2, 6},
    {2, 0, 0}, {2, 5, 0}, {2, 4, 0}, {2, 7, 0}, {99, 1, 0}, {-1, 1, 0}, {2, 1, -1}, {2, 1, 256}, {2, 2, 300},
    {2, 15, 0}, {2, 16, 0}, {1, 1, 0}, {1, 2, 0}, {1, 5, 0}, {1, 1, 1}, {1, 1, 7}, {1, 4, 0}, {16, 3, 0}, {16, 2, 0},
    {16, 1, 0}, {0, 1, 0}, {2, 0x20001, 0}, {2, 0x1001, 0},
  };
  for (size_t i = 0; i < sizeof triples / sizeof *triples; i++) {
    int s = socket(triples[i][0], triples[i][1], triples[i][2]);
    row(s < 0 ? -1 : 0, "socket %d,%#x,%d", triples[i][0], (unsigned)triples[i][1], triples[i][2]);
    if (s >= 0) close(s);
  }
  long high = 1L << 32;
  long s = syscall(SYS_socket, high | AF_INET, high | SOCK_STREAM, high);
  row(s < 0 ? -1 : 0, "socket with high words");
  int flags = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  fact(fcntl(flags, F_GETFL) & O_NONBLOCK && fcntl(flags, F_GETFD) & FD_CLOEXEC ? "both" : "lost", "socket flags");
  static const int pairs[][3] = {{1, 1, 0}, {1, 2, 0}, {1, 5, 0}, {1, 3, 0}, {1, 4, 0}, {2, 1, 0}, {2, 2, 0}, {16, 3, 0}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    int ends[2] = {-1, -1};
    row(socketpair(pairs[i][0], pairs[i][1], pairs[i][2], ends), "socketpair %d,%d", pairs[i][0], pairs[i][1]);
    close(ends[0]);
    close(ends[1]);
  }
}
