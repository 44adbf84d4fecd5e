/* Options and control messages that send a packet elsewhere than its sockaddr says.
 * usage: redirect HOST/PORT   (an allowed UDP destination, IPv4)
 * Prints the answer to each; the last lines are options that honest programs use and must keep. */
#include "probe.h"
#include <linux/ipv6.h>
#include <net/if.h>

static int u4, u6, t4;
static struct sockaddr_storage to;

static void option(const char *name, int s, int level, int number, const void *value, socklen_t size) {
  say(name, setsockopt(s, level, number, value, size));
}

static void message(const char *name, int level, int type, const void *value, size_t size) {
  union { struct cmsghdr head; char room[256]; } control = {0};
  struct iovec part = {(void *)TOKEN, 5};
  struct msghdr m = {.msg_name = &to, .msg_namelen = sizeof(struct sockaddr_in), .msg_iov = &part, .msg_iovlen = 1,
                     .msg_control = &control, .msg_controllen = CMSG_SPACE(size)};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = level;
  c->cmsg_type = type;
  c->cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(c), value, size);
  say(name, sendmsg(u4, &m, 0));
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  address(argv[1], &to);
  u4 = socket(AF_INET, SOCK_DGRAM, 0);
  u6 = socket(AF_INET6, SOCK_DGRAM, 0);
  t4 = socket(AF_INET, SOCK_STREAM, 0);
  /* Loose source route over 127.0.0.66; a routing header (type 4) over ::1; the index of lo is 1. */
  unsigned char route[8] = {131, 7, 4, 127, 0, 0, 66, 0};
  unsigned char segment[24] = {0, 2, 4, 0, 0, 0, 0, 0};
  segment[23] = 1;
  int on = 1, off = 0, lo = 1, hops = 7;
  option("IP_OPTIONS", u4, IPPROTO_IP, IP_OPTIONS, route, 8);
  option("IPV6_RTHDR", u6, IPPROTO_IPV6, IPV6_RTHDR, segment, 24);
  option("SO_BINDTODEVICE", u4, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
  option("SO_BINDTOIFINDEX", u4, SOL_SOCKET, 62, &lo, sizeof lo);
  option("IP_TRANSPARENT", t4, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on);
  option("SO_MARK", u4, SOL_SOCKET, SO_MARK, &on, sizeof on);
  message("cmsg IP_RETOPTS", IPPROTO_IP, IP_RETOPTS, route, 8);
  message("cmsg SO_MARK", SOL_SOCKET, SO_MARK, &on, sizeof on);
  option("TCP_NODELAY", t4, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  option("SO_REUSEADDR", t4, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  option("IPV6_V6ONLY", u6, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  option("IP_TTL", u4, IPPROTO_IP, IP_TTL, &hops, sizeof hops);
  option("IP_PKTINFO", u4, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  message("cmsg IP_TTL", IPPROTO_IP, IP_TTL, &hops, sizeof hops);
  message("cmsg IP_TOS", IPPROTO_IP, IP_TOS, &off, sizeof off);
  struct in_pktinfo source = {0};
  inet_pton(AF_INET, "127.0.0.1", &source.ipi_spec_dst);
  message("cmsg IP_PKTINFO", IPPROTO_IP, IP_PKTINFO, &source, sizeof source);
  return 0;
}
