/* The outside witness: it sees every packet that leaves any interface of the private network, and what is said to
 * its listeners and unix sockets; it counts what went to a place that is not allowed.
 *
 * usage: witness DIRECTORY PROTOCOL/HOST/PORT…   the allowed places; unix sockets are made in DIRECTORY
 * stdin:  `begin NONCE` forget everything, look for NONCE from now on   → `ok`
 *         `report`      wait until nothing arrives for 25 ms            → lines `COUNT NONCED FIRST_MS PLACE`, then `.`
 * NONCED: how many of them carried the nonce. A TCP packet counts when it opens a connection (SYN); what was said on a
 * connection counts as nonced when a listener has read it. It refuses to know policies, programs and rows.
 * A datagram `CALL PORT` at the allowed UDP port makes it connect to 127.0.0.1:PORT or ::1, as an outside peer would. */
#include "hostile.h"
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/stat.h>

#define MOST_PLACES 4096
#define MOST_SOCKETS 4096

static struct place { char name[96]; long count, nonced; double first; } places[MOST_PLACES];
static int place_count;
static char wanted[64];
static size_t wanted_length;
static double began;
static const char *allowed[32];
static int allowed_count;
static unsigned loopback;

enum role { STDIN, PACKETS, LISTENER, STREAM, MESSAGES, HANDS_OUT, CALLS, INBOUND };
static struct pollfd polls[MOST_SOCKETS];
static struct { enum role role; char name[96]; } roles[MOST_SOCKETS];
static int socket_count;

static void record(const char *name, const void *bytes, size_t length, long count) {
  int i = 0;
  while (i < place_count && strcmp(places[i].name, name) != 0) i++;
  if (i == MOST_PLACES) return;
  if (i == place_count) {
    place_count++;
    memset(&places[i], 0, sizeof places[i]);
    snprintf(places[i].name, sizeof places[i].name, "%s", name);
    places[i].first = now() - began;
  }
  places[i].count += count;
  if (wanted_length && bytes && memmem(bytes, length, wanted, wanted_length)) places[i].nonced++;
}

static int is_allowed(const char *protocol, const char *host, int port) {
  char place[96];
  snprintf(place, sizeof place, "%s/%s/%d", protocol, host, port);
  for (int i = 0; i < allowed_count; i++)
    if (strcmp(allowed[i], place) == 0) return 1;
  return 0;
}

/* Has the SYN the option that makes it Multipath TCP (kind 30, RFC 8684)? */
static int is_multipath(const unsigned char *tcp, size_t length) {
  size_t end = (size_t)(tcp[12] >> 4) * 4;
  for (size_t i = 20; i + 1 < end && end <= length && tcp[i] != 0; i += tcp[i] == 1 ? 1 : tcp[i + 1] ? tcp[i + 1] : 1)
    if (tcp[i] == 30) return 1;
  return 0;
}

static void transport(int protocol, const char *host, const char *link, const unsigned char *p, size_t length) {
  const char *name = protocol == 6 ? "tcp" : protocol == 17 ? "udp" : protocol == 136 ? "udplite" : NULL;
  char place[96];
  if (name) {
    if (length < 8) return;
    int port = p[2] << 8 | p[3];
    if (protocol == 6) {
      if (length < 20 || (p[13] & 0x12) != 0x02) return; /* not a SYN without ACK */
      if (is_multipath(p, length)) name = "mptcp";
    }
    if (!*link && is_allowed(name, host, port)) return;
    snprintf(place, sizeof place, "%s %s:%d%s", name, host, port, link);
  } else if (protocol == 1) {
    if (p[0] != 8) return; /* only echo requests: errors are answers of the kernel */
    snprintf(place, sizeof place, "icmp %s%s", host, link);
  } else if (protocol == 58) {
    if (p[0] == 128) snprintf(place, sizeof place, "icmp %s%s", host, link);
    else if (p[0] == 131 || p[0] == 143) {
      /* Others are the kernel's own, or of an earlier run: it repeats and revokes reports when it likes. */
      unsigned char group[16];
      if (!memmem(p, length, group, nonce_group6(wanted, group))) return;
      snprintf(place, sizeof place, "mld");
    } else return;
  } else if (protocol == 2) {
    unsigned char group[4];
    if (!memmem(p, length, group, nonce_group(wanted, group))) return;
    snprintf(place, sizeof place, "igmp");
  }
  else snprintf(place, sizeof place, "protocol %d %s%s", protocol, host, link);
  record(place, p, length, 1);
}

static void packet(const unsigned char *p, size_t length, const struct sockaddr_ll *from) {
  char host[INET6_ADDRSTRLEN], link[24] = "", name[IF_NAMESIZE], place[96];
  if ((unsigned)from->sll_ifindex != loopback)
    snprintf(link, sizeof link, " on %s", if_indextoname((unsigned)from->sll_ifindex, name) ? name : "?");
  int ethertype = ntohs(from->sll_protocol);
  if (ethertype == ETH_P_IP && length >= 20) {
    size_t header = (size_t)(p[0] & 15) * 4;
    if (length < header) return;
    inet_ntop(AF_INET, p + 16, host, sizeof host);
    for (size_t i = 20; i < header && p[i] != 0; i += p[i] == 1 || i + 1 >= header ? 1 : p[i + 1] ? p[i + 1] : 1)
      if (p[i] == 131 || p[i] == 137) {
        snprintf(place, sizeof place, "source route %s", host);
        record(place, p, length, 1);
        return;
      }
    if (((p[6] << 8 | p[7]) & 0x1fff) == 0) transport(p[9], host, link, p + header, length - header);
  } else if (ethertype == ETH_P_IPV6 && length >= 40) {
    int next = p[6];
    size_t at = 40;
    inet_ntop(AF_INET6, p + 24, host, sizeof host);
    while ((next == 0 || next == 43 || next == 60) && at + 8 <= length) {
      if (next == 43) {
        snprintf(place, sizeof place, "source route %s", host);
        record(place, p, length, 1);
        return;
      }
      next = p[at];
      at += ((size_t)p[at + 1] + 1) * 8;
    }
    if (at < length) transport(next, host, link, p + at, length - at);
  } else if (ethertype != ETH_P_ARP && ethertype != ETH_P_IP && ethertype != ETH_P_IPV6) {
    snprintf(place, sizeof place, "frame %04x", ethertype);
    record(place, p, length, 1);
  }
}

static void add(int fd, enum role role, const char *name) {
  if (fd < 0 || socket_count == MOST_SOCKETS) { perror(name); exit(1); }
  fcntl(fd, F_SETFL, O_NONBLOCK | fcntl(fd, F_GETFL));
  polls[socket_count] = (struct pollfd){.fd = fd, .events = POLLIN};
  roles[socket_count].role = role;
  snprintf(roles[socket_count++].name, sizeof roles[0].name, "%s", name);
}

static void drop(int i) {
  close(polls[i].fd);
  polls[i] = polls[--socket_count];
  roles[i] = roles[socket_count];
}

static int inet_socket(int family, int type, int protocol, int port, int shared) {
  int s = socket(family, type, protocol), on = 1;
  if (s < 0 && protocol == 262) s = socket(family, type, 0); /* a kernel without Multipath TCP */
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shared) setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  struct sockaddr_in6 b = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port)};
  if (family == AF_INET6) setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(s, family == AF_INET ? (void *)&a : (void *)&b, family == AF_INET ? sizeof a : sizeof b) < 0) { perror("bind"); exit(1); }
  if (type == SOCK_STREAM) {
    int queue = 256;
    setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof queue);
    if (listen(s, 4096) < 0) { perror("listen"); exit(1); }
  }
  return s;
}

static int unix_socket(int type, const char *directory, const char *name) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  int s = socket(AF_UNIX, type, 0);
  int length = snprintf(a.sun_path, sizeof a.sun_path, directory ? "%s/%s" : "%s%s", directory ? directory : "@", name);
  if (!directory) a.sun_path[0] = 0;
  if (bind(s, (void *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)) < 0) { perror(name); exit(1); }
  if (directory && chmod(a.sun_path, 0777) < 0) { perror(name); exit(1); }
  if (type != SOCK_DGRAM) listen(s, 64);
  return s;
}

/* A listener whose queue is full: whoever connects to it waits. */
static void open_hung(void) {
  int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  struct sockaddr_in at = ip4("127.0.0.1", HUNG_TCP);
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(s, (void *)&at, sizeof at) < 0 || listen(s, 0) < 0) { perror("hung"); exit(1); }
  for (int i = 0; i < 2; i++) {
    int filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect(filler, (void *)&at, sizeof at) < 0 && errno != EINPROGRESS) perror("fill");
  }
}

/* Gives a connection to the denied port to whoever asks, as a daemon with more rights might. */
static void hand_out(int to) {
  struct sockaddr_in bad = ip4("127.0.0.1", BAD_TCP);
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(s, (void *)&bad, sizeof bad) < 0) return;
  char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 'x';
  struct iovec part = {&byte, 1};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &s, sizeof s);
  if (sendmsg(to, &m, MSG_NOSIGNAL) < 0) perror("hand out");
  close(s);
}

/* Connects into the sandbox, where something may listen. */
static void call(const char *text) {
  int port = atoi(text + 5), is_v6 = strstr(text, " v6") != NULL;
  struct sockaddr_in a = ip4("127.0.0.1", port);
  struct sockaddr_in6 b = ip6("::1", port);
  int s = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
  if (connect(s, is_v6 ? (void *)&b : (void *)&a, is_v6 ? sizeof b : sizeof a) < 0) { close(s); return; }
  if (send(s, "hello", 5, MSG_NOSIGNAL) < 0) perror("call");
  add(s, INBOUND, "inbound tcp");
}

static void accept_one(int i) {
  int s = accept4(polls[i].fd, NULL, NULL, SOCK_NONBLOCK);
  if (s < 0) return;
  if (roles[i].role == HANDS_OUT) { hand_out(s); close(s); return; }
  char name[96], host[INET6_ADDRSTRLEN];
  struct sockaddr_storage at;
  socklen_t length = sizeof at;
  snprintf(name, sizeof name, "%s", roles[i].name);
  if (!*name) {
    getsockname(s, (void *)&at, &length);
    const struct sockaddr_in *a = (void *)&at;
    const struct sockaddr_in6 *b = (void *)&at;
    int is_v4 = at.ss_family == AF_INET, port = ntohs(a->sin_port), protocol = 0;
    inet_ntop(at.ss_family, is_v4 ? (const void *)&a->sin_addr : (const void *)&b->sin6_addr, host, sizeof host);
    length = sizeof protocol;
    getsockopt(s, SOL_SOCKET, SO_PROTOCOL, &protocol, &length);
    const char *kind = protocol == 262 ? "mptcp" : "tcp";
    if (is_allowed(kind, host, port)) *name = 0;
    else snprintf(name, sizeof name, "%s %s:%d", kind, host, port);
  }
  add(s, STREAM, name);
}

/* Serves descriptor i once. Returns whether it may be served again at once. */
static int serve(int i) {
  static char bytes[1 << 16];
  struct sockaddr_ll from;
  socklen_t length = sizeof from;
  ssize_t got;
  switch (roles[i].role) {
    case PACKETS:
      got = recvfrom(polls[i].fd, bytes, sizeof bytes, MSG_DONTWAIT, (void *)&from, &length);
      if (got <= 0) return 0;
      if (from.sll_pkttype == PACKET_OUTGOING) packet((void *)bytes, (size_t)got, &from);
      return 1;
    case LISTENER: case HANDS_OUT: accept_one(i); return 0;
    case MESSAGES:
      got = recv(polls[i].fd, bytes, sizeof bytes, MSG_DONTWAIT);
      if (got >= 0 && *roles[i].name) record(roles[i].name, bytes, (size_t)got, 1);
      return got >= 0;
    case CALLS:
      got = recv(polls[i].fd, bytes, sizeof bytes - 1, MSG_DONTWAIT);
      if (got > 5 && memcmp(bytes, "CALL ", 5) == 0) { bytes[got] = 0; call(bytes); }
      return got >= 0;
    case STREAM: case INBOUND:
      got = recv(polls[i].fd, bytes, sizeof bytes, MSG_DONTWAIT);
      if (got > 0 && *roles[i].name) record(roles[i].name, bytes, (size_t)got, roles[i].role == INBOUND);
      if (got > 0) return 1;
      if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) drop(i);
      return 0;
    default: return 0;
  }
}

/* Serves whatever is there; returns whether there was something. */
static int serve_all(int timeout) {
  if (poll(polls, (nfds_t)socket_count, timeout) <= 0) return 0;
  int served = 0;
  for (int i = socket_count - 1; i > 0; i--)
    if (i < socket_count && polls[i].revents) {
      served = 1;
      for (int n = 0; n < 4096 && i < socket_count && serve(i); n++) {}
    }
  return served;
}

static int command(void) {
  static char line[256];
  static size_t filled;
  ssize_t got = read(0, line + filled, sizeof line - 1 - filled);
  if (got == 0) return 0;
  if (got < 0) return errno == EAGAIN;
  filled += (size_t)got;
  line[filled] = 0;
  char *end = strchr(line, '\n');
  if (!end) return 1;
  *end = 0;
  if (strncmp(line, "begin ", 6) == 0) {
    polls[0].events = 0;
    while (serve_all(10)) {}
    polls[0].events = POLLIN;
    place_count = 0;
    began = now();
    wanted_length = (size_t)snprintf(wanted, sizeof wanted, "%s", line + 6);
    printf("ok\n");
  } else if (strcmp(line, "report") == 0) {
    polls[0].events = 0;
    double limit = now() + 5;
    while (serve_all(25) && now() < limit) {}
    polls[0].events = POLLIN;
    for (int i = 0; i < place_count; i++)
      printf("%ld %ld %.0f %s\n", places[i].count, places[i].nonced, places[i].first * 1000, places[i].name);
    printf(".\n");
  }
  fflush(stdout);
  filled = 0;
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  for (int i = 2; i < argc && allowed_count < 32; i++) allowed[allowed_count++] = argv[i];
  signal(SIGPIPE, SIG_IGN);
  loopback = if_nametoindex("lo");
  add(0, STDIN, "stdin");
  int packets = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL)), bytes = 64 << 20;
  setsockopt(packets, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
  add(packets, PACKETS, "packets");
  const int families[] = {AF_INET, AF_INET6};
  for (int i = 0; i < 2; i++) {
    add(inet_socket(families[i], SOCK_STREAM, 0, GOOD_TCP, 0), LISTENER, "");
    add(inet_socket(families[i], SOCK_STREAM, 262, BAD_TCP, 0), LISTENER, ""); /* plain TCP comes as such */
    add(inet_socket(families[i], SOCK_STREAM, 0, GOOD_UDP, 0), LISTENER, "");
    add(inet_socket(families[i], SOCK_DGRAM, 0, GOOD_UDP, 0), CALLS, "");
    add(inet_socket(families[i], SOCK_DGRAM, 0, BAD_UDP, 0), MESSAGES, "");
    add(inet_socket(families[i], SOCK_DGRAM, 0, GOOD_TCP, 0), MESSAGES, "");
    add(inet_socket(families[i], SOCK_DGRAM, 136, BAD_UDP, 0), MESSAGES, "");
  }
  open_hung();
  const char *directory = argv[1];
  add(unix_socket(SOCK_STREAM, directory, "stream"), LISTENER, "unix stream");
  add(unix_socket(SOCK_DGRAM, directory, "dgram"), MESSAGES, "unix dgram");
  add(unix_socket(SOCK_SEQPACKET, directory, "seqpacket"), LISTENER, "unix seqpacket");
  add(unix_socket(SOCK_STREAM, directory, "hands-out"), HANDS_OUT, "hands out");
  add(unix_socket(SOCK_STREAM, NULL, "hostile-stream"), LISTENER, "abstract stream");
  add(unix_socket(SOCK_DGRAM, NULL, "hostile-dgram"), MESSAGES, "abstract dgram");
  add(unix_socket(SOCK_STREAM, NULL, "hostile-hands-out"), HANDS_OUT, "abstract hands out");
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    serve_all(-1);
    if (polls[0].revents && !command()) return 0;
  }
}
