/* Section `names`: every kind of descriptor × every kind of address pointer × lengths around every limit, for connect,
 * bind and sendto; then every length from -1 to 129 for the four IP sockets. The order of the kernel's checks shows in
 * which errno wins. */
#include "fidelity.h"

static const char *const sockets[] = {"none", "unused", "file", "path", "pipe", "tcp4", "udp4", "tcp6", "udp6",
                                      "tcp6only", "udp6only", "stream", "dgram", "seqpacket", "route"};
static const char *const pointers[] = {"null", "hole", "straddling", "kernel", "noncanonical", "v4", "v6", "mapped",
                                       "unspecified", "path", "netlink", "other"};
static const int lengths[] = {-1, 0, 1, 2, 3, 8, 12, 15, 16, 23, 24, 28, 110, 111, 128, 129, INT_MIN};
#define COUNT(a) (sizeof(a) / sizeof *(a))

static int made(const char *kind) {
  int yes = 1, ends[2], s;
  if (!strcmp(kind, "none")) return -1;
  if (!strcmp(kind, "unused")) return 900;
  if (!strcmp(kind, "file")) return open("/dev/null", O_RDWR);
  if (!strcmp(kind, "path")) return open("/", O_PATH);
  if (!strcmp(kind, "pipe")) { s = pipe(ends); close(ends[0]); return ends[1]; }
  if (!strcmp(kind, "tcp4")) return opened(AF_INET, SOCK_STREAM);
  if (!strcmp(kind, "udp4")) return opened(AF_INET, SOCK_DGRAM);
  if (!strcmp(kind, "tcp6")) return opened(AF_INET6, SOCK_STREAM);
  if (!strcmp(kind, "udp6")) return opened(AF_INET6, SOCK_DGRAM);
  if (!strcmp(kind, "stream")) return opened(AF_UNIX, SOCK_STREAM);
  if (!strcmp(kind, "dgram")) return opened(AF_UNIX, SOCK_DGRAM);
  if (!strcmp(kind, "seqpacket")) return opened(AF_UNIX, SOCK_SEQPACKET);
  if (!strcmp(kind, "route")) return opened(AF_NETLINK, SOCK_RAW);
  s = opened(AF_INET6, !strcmp(kind, "tcp6only") ? SOCK_STREAM : SOCK_DGRAM);
  setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
  return s;
}

/* The address for a pointer kind; `distance` is the port of IP addresses. */
static void *pointer(const char *kind, int distance) {
  static Address to;
  memset(&to, 0, sizeof to);
  if (!strcmp(kind, "null")) return NULL;
  if (!strcmp(kind, "hole")) return hole;
  if (!strcmp(kind, "kernel")) return (void *)0xffffffff81000000UL;
  if (!strcmp(kind, "noncanonical")) return (void *)(1UL << 60);
  if (!strcmp(kind, "v4") || !strcmp(kind, "straddling")) at("127.0.0.1", distance, &to);
  if (!strcmp(kind, "v6")) at("::1", distance, &to);
  if (!strcmp(kind, "mapped")) at("::ffff:127.0.0.1", distance, &to);
  if (!strcmp(kind, "path")) { to.ss_family = AF_UNIX; strcpy(((struct sockaddr_un *)&to)->sun_path, "/proc/0/x"); }
  if (!strcmp(kind, "netlink")) to.ss_family = AF_NETLINK;
  if (!strcmp(kind, "other")) to.ss_family = 99;
  if (strcmp(kind, "straddling")) return &to;
  memcpy(hole - 8, &to, 8);
  return hole - 8;
}

typedef long Call(int s, const void *address, int length);

static long call_connect(int s, const void *address, int length) { return syscall(SYS_connect, s, address, length); }
static long call_bind(int s, const void *address, int length) { return syscall(SYS_bind, s, address, length); }
static long call_sendto(int s, const void *address, int length) {
  return syscall(SYS_sendto, s, "q", 1, MSG_NOSIGNAL | MSG_DONTWAIT, address, length);
}

static void matrix(const char *name, Call *call, int tcp, int udp) {
  for (size_t i = 0; i < COUNT(sockets); i++)
    for (size_t j = 0; j < COUNT(pointers); j++)
      for (size_t k = 0; k < COUNT(lengths); k++) {
        int s = made(sockets[i]);
        int distance = strstr(sockets[i], "udp") ? udp : tcp;
        row(call(s, pointer(pointers[j], distance), lengths[k]), "%s %s %s %d", name, sockets[i], pointers[j], lengths[k]);
        if (s >= 0 && s != 900) close(s);
      }
}

static void all_lengths(const char *name, Call *call) {
  static const char *const kinds[] = {"tcp4", "tcp6", "udp4", "udp6"};
  for (size_t i = 0; i < COUNT(kinds); i++)
    for (int length = -1; length <= 129; length++) {
      int s = made(kinds[i]), distance = kinds[i][0] == 'u' ? REPORTER : SINK;
      row(call(s, pointer(kinds[i][3] == '4' ? "v4" : "v6", distance), length), "%s %s length %d", name, kinds[i], length);
      close(s);
    }
}

void section_names(void) {
  matrix("connect", call_connect, SINK, REPORTER);
  matrix("bind", call_bind, -1, -1);
  matrix("sendto", call_sendto, SINK, REPORTER);
  all_lengths("connect", call_connect);
  all_lengths("sendto", call_sendto);
}
