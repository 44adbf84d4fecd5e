/* Where the measured calls go, on the loopback alone: a TCP listener on all its addresses of IPv4 and one on ::1, whose
 * queues are emptied every few milliseconds, and UDP sockets that never read, so that a send costs the same whoever
 * makes it. Those of IPv6 have the same ports. Prints `TCP-PORT UDP-PORT` and runs until its input ends. */
#include "bench.h"
#include <poll.h>

static int open_socket(int type, const struct sockaddr *at, socklen_t length) {
  int s = socket(at->sa_family, type, 0);
  must(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0, "SO_BINDTODEVICE");
  must(bind(s, at, length) == 0, "bind");
  return s;
}

static int open_v4(int type, uint32_t address, int *port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
  socklen_t length = sizeof at;
  int s = open_socket(type, (void *)&at, length);
  must(getsockname(s, (void *)&at, &length) == 0, "getsockname");
  *port = ntohs(at.sin_port);
  return s;
}

static int open_v6(int type, int port) {
  struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = in6addr_loopback};
  return open_socket(type, (void *)&at, sizeof at);
}

int main(void) {
  int tcp_port, udp_port, small = 4096, peer;
  int tcp[2], udp[2];
  tcp[0] = open_v4(SOCK_STREAM | SOCK_NONBLOCK, INADDR_ANY, &tcp_port);
  tcp[1] = open_v6(SOCK_STREAM | SOCK_NONBLOCK, tcp_port);
  udp[0] = open_v4(SOCK_DGRAM, INADDR_LOOPBACK, &udp_port);
  udp[1] = open_v6(SOCK_DGRAM, udp_port);
  struct pollfd input = {0, POLLIN, 0};
  for (int i = 0; i < 2; i++) {
    setsockopt(udp[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    must(listen(tcp[i], 4096) == 0, "listen");
  }
  printf("%d %d\n", tcp_port, udp_port);
  fflush(stdout);
  while (poll(&input, 1, 3) == 0)
    for (int i = 0; i < 2; i++)
      while ((peer = accept(tcp[i], NULL, NULL)) >= 0) close(peer);
  return 0;
}
