/* Where the measured calls go, on the loopback alone: a TCP listener on all its addresses, whose
 * queue is emptied every few milliseconds, and a UDP socket that never reads, so that a send costs
 * the same whoever makes it. Prints `TCP-PORT UDP-PORT` and runs until its input ends. */
#include "bench.h"
#include <poll.h>

static int open_socket(int type, uint32_t address, int *port) {
  int s = socket(AF_INET, type, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
  socklen_t length = sizeof at;
  must(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0, "SO_BINDTODEVICE");
  must(bind(s, (void *)&at, length) == 0 && getsockname(s, (void *)&at, &length) == 0, "bind");
  *port = ntohs(at.sin_port);
  return s;
}

int main(void) {
  int tcp_port, udp_port, small = 4096, peer;
  int tcp = open_socket(SOCK_STREAM | SOCK_NONBLOCK, INADDR_ANY, &tcp_port);
  int udp = open_socket(SOCK_DGRAM, INADDR_LOOPBACK, &udp_port);
  struct pollfd input = {0, POLLIN, 0};
  setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  must(listen(tcp, 4096) == 0, "listen");
  printf("%d %d\n", tcp_port, udp_port);
  fflush(stdout);
  while (poll(&input, 1, 3) == 0)
    while ((peer = accept(tcp, NULL, NULL)) >= 0) close(peer);
  return 0;
}
