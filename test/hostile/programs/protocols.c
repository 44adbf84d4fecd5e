/* Rows D and E: protocols that carry traffic past rules for TCP and UDP, and options and control
 * messages that send packets elsewhere than their address says. */
#include "hostile.h"
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip_icmp.h>
#include <sys/ioctl.h>

static size_t payload(void) { return strlen(nonce); }

/* The protocol with rubbish in the upper half of each register: the kernel drops that. */
static long socket_with_rubbish(long family, long type, long protocol) {
  long rubbish = 0x5eed00000000;
  return syscall(SYS_socket, rubbish | family, rubbish | type, rubbish | protocol);
}

static void multipath_by(const char *way, long s) {
  struct sockaddr_in to = ip4("127.0.0.1", BAD_TCP);
  tell(way, s < 0 ? -1 : connect((int)s, (void *)&to, sizeof to));
  if (s >= 0 && send((int)s, nonce, payload(), MSG_NOSIGNAL) < 0) tell("send", -1);
  close((int)s);
}

static void multipath(const char *way) { multipath_by(way, socket(AF_INET, SOCK_STREAM, 262)); }
static void multipath_rubbish(const char *way) { multipath_by(way, socket_with_rubbish(AF_INET, SOCK_STREAM, 262)); }

static void udplite(const char *way) {
  struct sockaddr_in to = ip4("127.0.0.1", BAD_UDP);
  int s = socket(AF_INET, SOCK_DGRAM, 136);
  tell(way, s < 0 ? -1 : sendto(s, nonce, payload(), 0, (void *)&to, sizeof to));
}

static void echo_by(const char *way, int s) {
  struct sockaddr_in to = ip4("127.0.0.2", GOOD_UDP);
  struct { struct icmphdr header; char data[40]; } m = {.header = {.type = ICMP_ECHO}};
  memcpy(m.data, nonce, payload());
  tell(way, s < 0 ? -1 : sendto(s, &m, sizeof m, 0, (void *)&to, sizeof to));
}

static void ping(const char *way) { echo_by(way, socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)); }

static void ping6(const char *way) {
  struct sockaddr_in6 to = ip6("::1", 0);
  struct { struct icmphdr header; char data[40]; } m = {.header = {.type = 128}};
  int s = socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);
  memcpy(m.data, nonce, payload());
  tell(way, s < 0 ? -1 : sendto(s, &m, sizeof m, 0, (void *)&to, sizeof to));
}

static void raw(const char *way) {
  struct sockaddr_in to = ip4("127.0.0.1", 0);
  int s = socket(AF_INET, SOCK_RAW, 253);
  tell(way, s < 0 ? -1 : sendto(s, nonce, payload(), 0, (void *)&to, sizeof to));
}

static void frame_by(const char *way, int s) {
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_halen = 6};
  to.sll_ifindex = (int)if_nametoindex("lo");
  tell(way, s < 0 ? -1 : sendto(s, nonce, payload(), 0, (void *)&to, sizeof to));
}

static void frame(const char *way) { frame_by(way, socket(AF_PACKET, SOCK_DGRAM, htons(0x88b5))); }

/* The kernel makes a packet socket of it (net/socket.c, "obsolete"). */
static void old_packet(const char *way) {
  struct { unsigned short family; char device[14]; unsigned short protocol; } to = {17, "lo", htons(0x88b5)};
  char bytes[64] = {0};
  bytes[12] = (char)0x88, bytes[13] = (char)0xb5;
  memcpy(bytes + 14, nonce, payload());
  int s = socket(AF_INET, SOCK_PACKET, htons(0x88b5));
  tell(way, s < 0 ? -1 : sendto(s, bytes, sizeof bytes, 0, (void *)&to, sizeof to));
}

/* Segment routing header with one waypoint, ::1; the address says fd00::66, which is allowed (RFC 8754). */
static void fill_route(unsigned char route[40]) {
  memset(route, 0, 40);
  route[1] = 4, route[2] = 4, route[3] = 1, route[4] = 1;
  inet_pton(AF_INET6, "fd00::66", route + 8);
  inet_pton(AF_INET6, "::1", route + 24);
}

static void route_option(const char *way, int type, int option) {
  unsigned char route[40];
  struct sockaddr_in6 to = ip6("fd00::66", type == SOCK_STREAM ? GOOD_TCP : GOOD_UDP);
  int s = socket(AF_INET6, type | (type == SOCK_STREAM ? SOCK_NONBLOCK : 0), 0);
  fill_route(route);
  long result = setsockopt(s, IPPROTO_IPV6, option, route, sizeof route);
  tell(way, result);
  if (result < 0) return;
  if (type == SOCK_STREAM) tell("connect", connect(s, (void *)&to, sizeof to) < 0 && errno != EINPROGRESS ? -1 : 0);
  else tell("sendto", sendto(s, nonce, payload(), 0, (void *)&to, sizeof to));
  usleep(20000);
}

static void route_datagram(const char *way) { route_option(way, SOCK_DGRAM, 57); }
static void route_stream(const char *way) { route_option(way, SOCK_STREAM, 57); }

static void with_control(const char *way, int level, int type, const void *data, size_t length, const void *to, socklen_t to_length) {
  char control[256] = {0};
  struct iovec part = {(void *)nonce, payload()};
  struct msghdr m = {.msg_name = (void *)to, .msg_namelen = to_length, .msg_iov = &part, .msg_iovlen = 1, .msg_control = control};
  m.msg_controllen = CMSG_SPACE(length);
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = level, c->cmsg_type = type, c->cmsg_len = CMSG_LEN(length);
  memcpy(CMSG_DATA(c), data, length);
  int s = socket(((const struct sockaddr *)to)->sa_family, SOCK_DGRAM, 0);
  tell(way, sendmsg(s, &m, 0));
}

/* Loose source route through 127.0.0.66 (RFC 791). */
static const unsigned char loose[8] = {0x83, 7, 4, 127, 0, 0, 66, 0};

static void source_route(const char *way) {
  struct sockaddr_in to = ip4("127.0.0.1", GOOD_UDP);
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  long result = setsockopt(s, IPPROTO_IP, IP_OPTIONS, loose, sizeof loose);
  tell(way, result);
  if (result == 0) tell("sendto", sendto(s, nonce, payload(), 0, (void *)&to, sizeof to));
}

static void source_route_message(const char *way) {
  struct sockaddr_in to = ip4("127.0.0.1", GOOD_UDP);
  with_control(way, IPPROTO_IP, IP_RETOPTS, loose, sizeof loose, &to, sizeof to);
}

/* The allowed 127.0.0.1 is then looked for on another link. */
static void on_link(const char *way, int option) {
  struct sockaddr_in to = ip4("127.0.0.1", GOOD_UDP);
  int s = socket(AF_INET, SOCK_DGRAM, 0), index = (int)if_nametoindex("out0");
  long result = option == SO_BINDTODEVICE ? setsockopt(s, SOL_SOCKET, option, "out0", 5) : setsockopt(s, SOL_SOCKET, option, &index, sizeof index);
  tell(way, result);
  if (result == 0) tell("sendto", sendto(s, nonce, payload(), 0, (void *)&to, sizeof to));
}

static void to_device(const char *way) { on_link(way, SO_BINDTODEVICE); }
static void to_interface(const char *way) { on_link(way, 62); }

/* The same for fd00::66, an address of the loopback, by a socket that says its link once and for all. */
static void to_info(const char *way) {
  struct sockaddr_in6 to = ip6("fd00::66", GOOD_UDP);
  struct in6_pktinfo info = {.ipi6_ifindex = if_nametoindex("out0")};
  int s = socket(AF_INET6, SOCK_DGRAM, 0);
  long result = setsockopt(s, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
  tell(way, result);
  if (result == 0) tell("sendto", sendto(s, nonce, payload(), 0, (void *)&to, sizeof to));
}

/* The link-local address of out0. */
static struct sockaddr_in6 own_of_link(void) {
  struct ifaddrs *all, *one;
  struct sockaddr_in6 own = {0};
  if (getifaddrs(&all) < 0) exit(3);
  for (one = all; one; one = one->ifa_next)
    if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET6 && strcmp(one->ifa_name, "out0") == 0 &&
        IN6_IS_ADDR_LINKLOCAL(&((struct sockaddr_in6 *)one->ifa_addr)->sin6_addr)) memcpy(&own, one->ifa_addr, sizeof own);
  own.sin6_port = 0;
  return own;
}

/* A socket bound to it, which ties it to that link. */
static int tied(int type) {
  struct sockaddr_in6 own = own_of_link();
  int s = socket(AF_INET6, type, 0);
  tell("bind", bind(s, (void *)&own, sizeof own));
  return s;
}

static void tied_datagram(const char *way) {
  struct sockaddr_in6 to = ip6("fd00::66", GOOD_UDP);
  tell(way, sendto(tied(SOCK_DGRAM), nonce, payload(), 0, (void *)&to, sizeof to));
}

static void tied_connected(const char *way) {
  struct sockaddr_in6 to = ip6("fd00::66", GOOD_UDP);
  int s = tied(SOCK_DGRAM);
  tell(way, connect(s, (void *)&to, sizeof to));
  tell("send", send(s, nonce, payload(), 0));
}

/* Port 9 is one that is asked for the source: the socket is connected to a port of the supervisor. */
static void tied_asking(const char *way) {
  struct sockaddr_in6 to = ip6("fd00::66", 9);
  int s = tied(SOCK_DGRAM);
  tell(way, connect(s, (void *)&to, sizeof to));
  tell("send", send(s, nonce, payload(), 0));
}

/* A socket connected to a link-local address of out0, which ties it as well. */
static void tied_peer(const char *way) {
  struct sockaddr_in6 peer = ip6("fe80::66", GOOD_UDP), to = ip6("fd00::66", GOOD_UDP);
  int s = socket(AF_INET6, SOCK_DGRAM, 0);
  peer.sin6_scope_id = if_nametoindex("out0");
  tell("connect", connect(s, (void *)&peer, sizeof peer));
  tell(way, sendto(s, nonce, payload(), 0, (void *)&to, sizeof to));
}

static void tied_stream(const char *way) {
  struct sockaddr_in6 to = ip6("fd00::66", GOOD_TCP);
  int s = tied(SOCK_STREAM | SOCK_NONBLOCK);
  long result = connect(s, (void *)&to, sizeof to);
  tell(way, result < 0 && errno != EINPROGRESS ? -1 : 0);
  usleep(20000);
}

/* One thread connects, another binds the same socket to the link a moment later, or sooner. */
static volatile int meeting, connecting;

static void *bind_meanwhile(void *tries) {
  struct sockaddr_in6 own = own_of_link();
  for (int i = 1; i <= *(int *)tries; i++) {
    while (__atomic_load_n(&meeting, __ATOMIC_ACQUIRE) != i) sched_yield();
    for (volatile int wait = i * 37 % 2000; wait > 0; wait--) {}
    bind(connecting, (void *)&own, sizeof own);
    __atomic_store_n(&meeting, -i, __ATOMIC_RELEASE);
  }
  return NULL;
}

static void tied_meanwhile(const char *way) {
  struct sockaddr_in6 to = ip6("fd00::66", GOOD_TCP);
  struct timeval patience = {0, 10000};
  int tries = 400, connected = 0;
  pthread_t thread;
  pthread_create(&thread, NULL, bind_meanwhile, &tries);
  for (int i = 1; i <= tries; i++) {
    connecting = socket(AF_INET6, SOCK_STREAM, 0);
    setsockopt(connecting, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    __atomic_store_n(&meeting, i, __ATOMIC_RELEASE);
    /* Every eighth comes late: bare that alone leaks for certain. */
    if (i % 8 == 0) usleep(500);
    if (connect(connecting, (void *)&to, sizeof to) == 0) connected++;
    while (__atomic_load_n(&meeting, __ATOMIC_ACQUIRE) != -i) sched_yield();
    close(connecting);
  }
  pthread_join(thread, NULL);
  say(way, connected > 0);
  usleep(20000);
}

/**
 * A packet written to a link of the machine that nobody has: a tun device without owner. It comes
 * from the other end of it, for a port of this machine.
 */
#define BEHIND_TUN 7007
static unsigned sum(const unsigned char *bytes, size_t length) {
  unsigned all = 0;
  for (size_t i = 0; i < length; i += 2) all += (unsigned)bytes[i] << 8 | bytes[i + 1];
  return ~((all & 0xffff) + (all >> 16)) & 0xffff;
}

static void ownerless(const char *way) {
  struct ifreq name = {.ifr_flags = 0x1001}; /* IFF_TUN | IFF_NO_PI, linux/if_tun.h */
  unsigned char packet[128] = {0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 10, 99, 0, 2, 10, 99, 0, 1};
  size_t length = 28 + payload();
  const char *path = getenv("HOSTILE_TUN");
  int device = open(path ? path : "/dev/net/tun", O_RDWR);
  strcpy(name.ifr_name, "tun9");
  packet[3] = (unsigned char)length;
  unsigned check = sum(packet, 20);
  packet[10] = (unsigned char)(check >> 8), packet[11] = (unsigned char)check;
  packet[20] = 0x12, packet[22] = BEHIND_TUN >> 8, packet[23] = BEHIND_TUN & 0xff, packet[25] = (unsigned char)(length - 20);
  memcpy(packet + 28, nonce, payload());
  long result = ioctl(device, 0x400454ca, &name);
  tell(way, result);
  if (result == 0) tell("write", write(device, packet, length));
}

/* The kernel tells the link that it listens to a group: packets nobody sent. */
static void joins(const char *way) {
  struct ip_mreqn group = {.imr_ifindex = (int)if_nametoindex("out0")};
  nonce_group(nonce, (unsigned char *)&group.imr_multiaddr);
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  tell(way, setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
  usleep(100000);
}

static void joins6(const char *way) {
  struct ipv6_mreq group = {.ipv6mr_interface = if_nametoindex("out0")};
  nonce_group6(nonce, (unsigned char *)&group.ipv6mr_multiaddr);
  int s = socket(AF_INET6, SOCK_DGRAM, 0);
  tell(way, setsockopt(s, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group));
  usleep(100000);
}

static void join_by(const char *way, int option) {
  struct group_source_req group = {.gsr_interface = if_nametoindex("out0")};
  struct sockaddr_in to = ip4("239.7.7.7", 0), from = ip4("10.77.0.9", 0);
  nonce_group(nonce, (unsigned char *)&to.sin_addr);
  memcpy(&group.gsr_group, &to, sizeof to);
  memcpy(&group.gsr_source, &from, sizeof from);
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  tell(way, setsockopt(s, IPPROTO_IP, option, &group, option == MCAST_JOIN_GROUP ? sizeof(struct group_req) : sizeof group));
  usleep(100000);
}

static void joins_group(const char *way) { join_by(way, MCAST_JOIN_GROUP); }
static void joins_source(const char *way) { join_by(way, MCAST_JOIN_SOURCE_GROUP); }

static const struct way ways[] = {
  {"multipath", multipath}, {"multipath-rubbish", multipath_rubbish}, {"udplite", udplite}, {"ping", ping}, {"ping6", ping6},
  {"raw", raw}, {"frame", frame}, {"old-packet", old_packet}, {"route-datagram", route_datagram},
  {"route-stream", route_stream}, {"source-route", source_route},
  {"source-route-message", source_route_message}, {"to-device", to_device}, {"to-interface", to_interface}, {"to-info", to_info},
  {"tied-datagram", tied_datagram}, {"tied-connected", tied_connected}, {"tied-asking", tied_asking}, {"tied-peer", tied_peer}, {"tied-stream", tied_stream}, {"tied-meanwhile", tied_meanwhile}, {"ownerless", ownerless},
  {"joins", joins}, {"joins6", joins6}, {"joins-group", joins_group}, {"joins-source", joins_source},
};

int main(int argc, char **argv) { return RUN_WAYS(argc, argv, ways); }
