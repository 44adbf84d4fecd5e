/* Measures one kind of call. usage: client OPERATION BYTES CALLS HOST TCP-PORT UDP-PORT
 *   connect            blocking TCP connect; sockets are made before and reset after, in batches of 64
 *   connect-nb         the same on non-blocking sockets: EINPROGRESS
 *   spread             the same as connect, each to another of 2^20 addresses of 127.0.0.0/8 (bench.h)
 *   denied             a TCP connect that is refused (ECONNREFUSED), of one socket again and again
 *   sendto, sendmsg    a datagram with an address, to a receiver whose queue is full (so nothing is delivered)
 *   send               a datagram on a connected socket, which no supervisor need see
 *   getppid            a call that nobody looks at
 * HOST is an address of IPv4 or, but for spread, of IPv6.
 * Prints median and 99th percentile of the calls in nanoseconds; one clock reading (about 25 ns) is in each. The
 * first tenth of the calls is not counted. */
#include "bench.h"
#define BATCH 64

/* Where the calls go. */
static struct {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  };
  socklen_t bytes;
} to;

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static void connect_all(int type, int is_spread, int calls, uint32_t *times) {
  int sockets[BATCH];
  struct linger reset = {1, 0};
  for (int done = 0; done < calls; done += BATCH) {
    for (int i = 0; i < BATCH; i++) {
      sockets[i] = socket(to.any.sa_family, SOCK_STREAM | type, 0);
      must(sockets[i] >= 0, "socket");
      setsockopt(sockets[i], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    uint64_t before = nanoseconds();
    for (int i = 0; i < BATCH; i++) {
      if (is_spread) to.v4.sin_addr.s_addr = htonl(spread_address((uint32_t)(done + i) * 40503u));
      int result = connect(sockets[i], &to.any, to.bytes);
      must(type ? result == -1 && errno == EINPROGRESS : result == 0, "connect");
      uint64_t after = nanoseconds();
      times[done + i] = (uint32_t)(after - before);
      before = after;
    }
    for (int i = 0; i < BATCH; i++) close(sockets[i]);
  }
}

static void refused(int calls, uint32_t *times) {
  int s = socket(to.any.sa_family, SOCK_STREAM, 0);
  uint64_t before = nanoseconds();
  for (int i = 0; i < calls; i++) {
    must(connect(s, &to.any, to.bytes) == -1 && errno == ECONNREFUSED, "refusal");
    uint64_t after = nanoseconds();
    times[i] = (uint32_t)(after - before);
    before = after;
  }
}

static void ask_parent(int calls, uint32_t *times) {
  for (int i = 0; i < calls; i++) {
    /* One call is shorter than a clock reading. */
    uint64_t before = nanoseconds();
    for (int k = 0; k < 100; k++) syscall(SYS_getppid);
    times[i] = (uint32_t)(nanoseconds() - before) / 100;
  }
}

static void send_all(const char *operation, size_t bytes, int calls, uint32_t *times) {
  static char data[65536];
  int s = socket(to.any.sa_family, SOCK_DGRAM, 0);
  struct iovec part = {data, bytes};
  struct msghdr message = {.msg_name = &to.any, .msg_namelen = to.bytes, .msg_iov = &part, .msg_iovlen = 1};
  int kind = strcmp(operation, "sendto") == 0 ? 0 : strcmp(operation, "sendmsg") == 0 ? 1 : 2;
  if (kind == 2) must(connect(s, &to.any, to.bytes) == 0, "connect");
  uint64_t before = nanoseconds();
  for (int i = 0; i < calls; i++) {
    ssize_t sent = kind == 0   ? sendto(s, data, bytes, 0, &to.any, to.bytes)
                   : kind == 1 ? sendmsg(s, &message, 0)
                               : send(s, data, bytes, 0);
    must(sent == (ssize_t)bytes, operation);
    uint64_t after = nanoseconds();
    times[i] = (uint32_t)(after - before);
    before = after;
  }
}

int main(int argc, char **argv) {
  must(argc == 7, "usage: client OPERATION BYTES CALLS HOST TCP-PORT UDP-PORT");
  int calls = (atoi(argv[3]) + BATCH - 1) / BATCH * BATCH, is_spread = strcmp(argv[1], "spread") == 0;
  int is_refused = strcmp(argv[1], "denied") == 0, is_nb = strcmp(argv[1], "connect-nb") == 0;
  int is_connect = is_spread || is_nb || strcmp(argv[1], "connect") == 0;
  int port = atoi(argv[is_connect || is_refused ? 5 : 6]);
  if (inet_pton(AF_INET6, argv[4], &to.v6.sin6_addr) == 1) {
    to.v6.sin6_family = AF_INET6;
    to.v6.sin6_port = htons((uint16_t)port);
    to.bytes = sizeof to.v6;
  } else {
    must(inet_pton(AF_INET, argv[4], &to.v4.sin_addr) == 1, "HOST");
    to.v4.sin_family = AF_INET;
    to.v4.sin_port = htons((uint16_t)port);
    to.bytes = sizeof to.v4;
  }
  uint32_t *times = calloc((size_t)calls, sizeof *times);
  if (is_connect) connect_all(is_nb ? SOCK_NONBLOCK : 0, is_spread, calls, times);
  else if (is_refused) refused(calls, times);
  else if (strcmp(argv[1], "getppid") == 0) ask_parent(calls, times);
  else send_all(argv[1], (size_t)atoi(argv[2]), calls, times);
  uint32_t *counted = times + calls / 10;
  int count = calls - calls / 10;
  qsort(counted, (size_t)count, sizeof *counted, ascending);
  printf("%u %u\n", counted[count / 2], counted[(long)count * 99 / 100]);
  return 0;
}
