/* Section `states`: what a socket is after each connect: again, pending, refused, dissolved, mapped, unspecified, shut;
 * its names, its readiness in poll and epoll, its flags. */
#include "fidelity.h"
#include <sys/epoll.h>

static Address to;

static void join(int s, const char *host, int distance, const char *label) {
  socklen_t length = at(host, distance, &to);
  row(connect(s, (void *)&to, length), "%s", label);
}

static void dissolve(int s, const char *label) {
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  memset(none.sa_data, 0x5a, sizeof none.sa_data);
  row(connect(s, &none, sizeof none), "%s", label);
}

static void blocking(const char *host, const char *label) {
  Address tmp;
  at(host, SINK, &tmp);
  int s = opened(tmp.ss_family, SOCK_STREAM);
  names(s, label);
  join(s, host, SINK, label);
  join(s, host, SINK, label);
  names(s, label);
  readiness(s, label);
  row(send(s, "x", 1, 0), "%s send", label);
  dissolve(s, label);
  names(s, label);
  join(s, host, NOBODY, label);
  join(s, host, SINK, label);
  names(s, label);
  shutdown(s, SHUT_WR);
  join(s, host, SINK, label);
  close(s);
}

static void nonblocking(int distance, const char *label) {
  int s = opened(AF_INET, SOCK_STREAM | SOCK_NONBLOCK), queue = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
  epoll_ctl(queue, EPOLL_CTL_ADD, s, &event);
  epoll_wait(queue, &event, 1, 0);
  join(s, "127.0.0.1", distance, label);
  if (distance == FULL) {
    join(s, "127.0.0.1", distance, label);
    struct pollfd p = {.fd = s, .events = POLLIN | POLLOUT};
    row(poll(&p, 1, 50), "%s poll", label);
    row(send(s, "x", 1, MSG_NOSIGNAL), "%s send", label);
    row(sendto(s, "x", 1, MSG_NOSIGNAL, (void *)&to, 16), "%s sendto", label);
  } else {
    event.events = 0;
    int count = epoll_wait(queue, &event, 1, 1000);
    printf("%s epoll: %d %#x\n", label, count, (unsigned)event.events);
    readiness(s, label);
    join(s, "127.0.0.1", distance, label);
    join(s, "127.0.0.1", distance, label);
  }
  names(s, label);
  fact(fcntl(s, F_GETFL) & O_NONBLOCK ? "yes" : "no", "%s still non-blocking", label);
  dissolve(s, label);
  names(s, label);
  close(queue);
  close(s);
}

static void unspecified(const char *host, int domain, int type, const char *bound, const char *label) {
  int s = opened(domain, type);
  Address here;
  if (bound) {
    socklen_t length = at(bound, -1, &here);
    row(bind(s, (void *)&here, length), "%s bind %s", label, bound);
  }
  join(s, host, type == SOCK_STREAM ? SINK : REPORTER, label);
  names(s, label);
  close(s);
}

static void only_v6(int type, const char *host, const char *label) {
  int s = opened(AF_INET6, type), yes = 1;
  setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
  join(s, host, type == SOCK_STREAM ? SINK : REPORTER, label);
  names(s, label);
  close(s);
}

static void datagram(const char *host, const char *label) {
  Address tmp;
  at(host, REPORTER, &tmp);
  int s = opened(tmp.ss_family, SOCK_DGRAM);
  names(s, label);
  join(s, host, REPORTER, label);
  names(s, label);
  join(s, host, NOBODY, label);
  names(s, label);
  row(send(s, "x", 1, 0), "%s send to nobody", label);
  readiness(s, label);
  row(send(s, "x", 1, 0), "%s send to nobody", label);
  usleep(20000);
  row(send(s, "x", 1, 0), "%s send after error", label);
  dissolve(s, label);
  names(s, label);
  row(send(s, "x", 1, 0), "%s send dissolved", label);
  join(s, host, -1, label);
  names(s, label);
  close(s);
}

void section_states(void) {
  blocking("127.0.0.1", "tcp4");
  blocking("::1", "tcp6");
  blocking("::ffff:127.0.0.1", "tcp6 mapped");
  nonblocking(SINK, "non-blocking");
  nonblocking(NOBODY, "non-blocking nobody");
  nonblocking(FULL, "non-blocking full");
  datagram("127.0.0.1", "udp4");
  datagram("::1", "udp6");
  datagram("::ffff:127.0.0.1", "udp6 mapped");
  unspecified("0.0.0.0", AF_INET, SOCK_STREAM, NULL, "tcp4 to 0.0.0.0");
  unspecified("0.0.0.0", AF_INET, SOCK_STREAM, "127.0.0.5", "tcp4 bound to 0.0.0.0");
  unspecified("0.0.0.0", AF_INET, SOCK_DGRAM, NULL, "udp4 to 0.0.0.0");
  unspecified("0.0.0.0", AF_INET, SOCK_DGRAM, "127.0.0.5", "udp4 bound to 0.0.0.0");
  unspecified("::", AF_INET6, SOCK_STREAM, NULL, "tcp6 to ::");
  unspecified("::", AF_INET6, SOCK_DGRAM, NULL, "udp6 to ::");
  unspecified("::", AF_INET6, SOCK_STREAM, "::1", "tcp6 bound to ::");
  unspecified("::", AF_INET6, SOCK_DGRAM, "::ffff:127.0.0.5", "udp6 bound mapped to ::");
  unspecified("::", AF_INET6, SOCK_STREAM, "::ffff:127.0.0.5", "tcp6 bound mapped to ::");
  unspecified("::ffff:0.0.0.0", AF_INET6, SOCK_STREAM, NULL, "tcp6 to ::ffff:0.0.0.0");
  unspecified("::ffff:0.0.0.0", AF_INET6, SOCK_DGRAM, NULL, "udp6 to ::ffff:0.0.0.0");
  unspecified("127.0.0.1", AF_INET6, SOCK_DGRAM, NULL, "udp6 to sockaddr_in");
  unspecified("0.0.0.0", AF_INET6, SOCK_DGRAM, NULL, "udp6 to sockaddr_in 0.0.0.0");
  unspecified("127.0.0.1", AF_INET, SOCK_STREAM, "127.0.0.7", "tcp4 bound");
  only_v6(SOCK_STREAM, "::ffff:127.0.0.1", "tcp6only to mapped");
  only_v6(SOCK_DGRAM, "::ffff:127.0.0.1", "udp6only to mapped");
  only_v6(SOCK_DGRAM, "127.0.0.1", "udp6only to sockaddr_in");
  only_v6(SOCK_STREAM, "127.0.0.1", "tcp6only to sockaddr_in");
  only_v6(SOCK_STREAM, "::1", "tcp6only to ::1");
  only_v6(SOCK_STREAM, "fe80::1", "tcp6 to link-local without scope");
  only_v6(SOCK_DGRAM, "fe80::1", "udp6 to link-local without scope");
  for (int i = 0; i < 2; i++) {
    int s = opened(AF_INET, i ? SOCK_DGRAM : SOCK_STREAM);
    join(s, "127.255.255.255", SINK, i ? "udp4 to broadcast" : "tcp4 to broadcast");
    join(s, "224.0.0.1", SINK, i ? "udp4 to multicast" : "tcp4 to multicast");
    join(s, "127.0.0.1", -1, i ? "udp4 to port 0" : "tcp4 to port 0");
    join(s, "10.255.0.1", SINK, i ? "udp4 without route" : "tcp4 without route");
    close(s);
  }
}
