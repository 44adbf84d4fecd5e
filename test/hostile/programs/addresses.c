/* Rows A: forms of an address that a reader of addresses may misjudge. Each way is one call with a
 * constant address: no race. It decides nothing about which of them is allowed. */
#include "hostile.h"
#include <net/if.h>

static size_t payload(void) { return strlen(nonce); }

static struct sockaddr_in unspecified(void) {
  struct sockaddr_in to = ip4("127.0.0.1", BAD_UDP);
  to.sin_family = AF_UNSPEC;
  return to;
}

static void unspec_sendto(const char *way) {
  struct sockaddr_in to = unspecified();
  udp_to(way, AF_INET, &to, sizeof to);
}

static long message(int s, void *to, socklen_t length, int many) {
  struct iovec part = {(void *)nonce, payload()};
  struct mmsghdr m = {.msg_hdr = {.msg_name = to, .msg_namelen = length, .msg_iov = &part, .msg_iovlen = 1}};
  return many ? sendmmsg(s, &m, 1, 0) : sendmsg(s, &m.msg_hdr, 0);
}

static void unspec_sendmsg(const char *way) {
  struct sockaddr_in to = unspecified();
  tell(way, message(socket(AF_INET, SOCK_DGRAM, 0), &to, sizeof to, 0));
}

static void unspec_sendmmsg(const char *way) {
  struct sockaddr_in to = unspecified();
  tell(way, message(socket(AF_INET, SOCK_DGRAM, 0), &to, sizeof to, 1));
}

/* Connected to an allowed place first: a name in the message goes elsewhere. */
static void named_on_connected(const char *way) {
  struct sockaddr_in good = ip4("127.0.0.1", GOOD_UDP), to = unspecified();
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  tell("connect", connect(s, (void *)&good, sizeof good));
  tell(way, message(s, &to, sizeof to, 0));
}

static void unspec_then_connect(const char *way) {
  struct sockaddr_in good = ip4("127.0.0.1", GOOD_UDP), none = {.sin_family = AF_UNSPEC}, bad = ip4("127.0.0.1", BAD_UDP);
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  tell("connect", connect(s, (void *)&good, sizeof good));
  tell("disconnect", connect(s, (void *)&none, 2));
  tell(way, connect(s, (void *)&bad, sizeof bad));
  if (send(s, nonce, payload(), 0) < 0) tell("send", -1);
}

static void short_v6(const char *way) {
  struct sockaddr_in6 to = ip6("::1", BAD_TCP);
  tcp_to(way, AF_INET6, &to, 24); /* the size of RFC 2133 */
}

static void short_v6_datagram(const char *way) {
  struct sockaddr_in6 to = ip6("::1", BAD_UDP);
  udp_to(way, AF_INET6, &to, 24);
}

static void long_name(const char *way) {
  char room[128];
  struct sockaddr_in to = ip4("127.0.0.1", BAD_TCP);
  memset(room, 0xaa, sizeof room);
  memcpy(room, &to, sizeof to);
  memset(room + 8, 0xaa, 8);
  tcp_to(way, AF_INET, room, sizeof room);
}

static void mapped(const char *way) {
  struct sockaddr_in6 to = ip6("::ffff:127.0.0.1", BAD_TCP);
  tcp_to(way, AF_INET6, &to, sizeof to);
}

static void mapped_datagram(const char *way) {
  struct sockaddr_in6 to = ip6("::ffff:127.0.0.1", BAD_UDP);
  udp_to(way, AF_INET6, &to, sizeof to);
}

static void v4_on_v6(const char *way) {
  struct sockaddr_in to = ip4("127.0.0.1", BAD_UDP);
  udp_to(way, AF_INET6, &to, sizeof to);
}

static void v4_on_v6_connect(const char *way) {
  struct sockaddr_in to = ip4("127.0.0.1", BAD_UDP);
  int s = socket(AF_INET6, SOCK_DGRAM, 0);
  tell(way, connect(s, (void *)&to, sizeof to));
  if (send(s, nonce, payload(), 0) < 0) tell("send", -1);
}

static void zero(const char *way) { struct sockaddr_in to = ip4("0.0.0.0", BAD_TCP); tcp_to(way, AF_INET, &to, sizeof to); }
static void zero6(const char *way) { struct sockaddr_in6 to = ip6("::", BAD_TCP); tcp_to(way, AF_INET6, &to, sizeof to); }
static void zero_datagram(const char *way) { struct sockaddr_in to = ip4("0.0.0.0", BAD_UDP); udp_to(way, AF_INET, &to, sizeof to); }

static void zero_mapped(const char *way) {
  struct sockaddr_in6 to = ip6("::ffff:0.0.0.0", BAD_TCP);
  tcp_to(way, AF_INET6, &to, sizeof to);
}

/* 0.0.0.0 is then the address the socket is bound to: an allowed port, another host. */
static void zero_when_bound(const char *way) {
  struct sockaddr_in from = ip4("127.0.0.5", 0), to = ip4("0.0.0.0", GOOD_UDP);
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  tell("bind", bind(s, (void *)&from, sizeof from));
  tell(way, sendto(s, nonce, payload(), 0, (void *)&to, sizeof to));
}

static void broadcast(const char *way) {
  struct sockaddr_in to = ip4("10.77.0.255", BAD_UDP);
  int s = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
  setsockopt(s, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
  tell(way, sendto(s, nonce, payload(), 0, (void *)&to, sizeof to));
}

static void multicast(const char *way) {
  struct sockaddr_in to = ip4("239.7.7.7", BAD_UDP);
  udp_to(way, AF_INET, &to, sizeof to);
}

static void multicast6(const char *way) {
  struct sockaddr_in6 to = ip6("ff15::7777", BAD_UDP);
  int s = socket(AF_INET6, SOCK_DGRAM, 0), link = (int)if_nametoindex("out0");
  setsockopt(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, &link, sizeof link);
  tell(way, sendto(s, nonce, payload(), 0, (void *)&to, sizeof to));
}

/* The denied 10.88.0.1 inside IPv6 addresses: NAT64's and 6to4's form. */
static void embedded_nat64(const char *way) { struct sockaddr_in6 to = ip6("64:ff9b::10.88.0.1", BAD_UDP); udp_to(way, AF_INET6, &to, sizeof to); }
static void embedded_6to4(const char *way) { struct sockaddr_in6 to = ip6("2002:a58:1::1", BAD_UDP); udp_to(way, AF_INET6, &to, sizeof to); }
static void embedded_mapped(const char *way) { struct sockaddr_in6 to = ip6("::ffff:10.88.0.1", BAD_UDP); udp_to(way, AF_INET6, &to, sizeof to); }

static void other_host(const char *way) { struct sockaddr_in to = ip4("127.0.0.2", GOOD_TCP); tcp_to(way, AF_INET, &to, sizeof to); }
static void other_host_datagram(const char *way) { struct sockaddr_in to = ip4("127.0.0.2", GOOD_UDP); udp_to(way, AF_INET, &to, sizeof to); }
static void tcp_to_udp_port(const char *way) { struct sockaddr_in to = ip4("127.0.0.1", GOOD_UDP); tcp_to(way, AF_INET, &to, sizeof to); }
static void udp_to_tcp_port(const char *way) { struct sockaddr_in to = ip4("127.0.0.1", GOOD_TCP); udp_to(way, AF_INET, &to, sizeof to); }

static const struct way ways[] = {
  {"unspec-sendto", unspec_sendto}, {"unspec-sendmsg", unspec_sendmsg}, {"unspec-sendmmsg", unspec_sendmmsg},
  {"named-on-connected", named_on_connected}, {"unspec-then-connect", unspec_then_connect}, {"short-v6", short_v6},
  {"short-v6-datagram", short_v6_datagram}, {"long-name", long_name}, {"mapped", mapped}, {"mapped-datagram", mapped_datagram},
  {"v4-on-v6", v4_on_v6}, {"v4-on-v6-connect", v4_on_v6_connect}, {"zero", zero}, {"zero6", zero6},
  {"zero-datagram", zero_datagram}, {"zero-mapped", zero_mapped}, {"zero-when-bound", zero_when_bound},
  {"broadcast", broadcast}, {"multicast", multicast}, {"multicast6", multicast6}, {"embedded-nat64", embedded_nat64},
  {"embedded-6to4", embedded_6to4}, {"embedded-mapped", embedded_mapped}, {"other-host", other_host},
  {"other-host-datagram", other_host_datagram}, {"tcp-to-udp-port", tcp_to_udp_port}, {"udp-to-tcp-port", udp_to_tcp_port},
};

int main(int argc, char **argv) { return RUN_WAYS(argc, argv, ways); }
