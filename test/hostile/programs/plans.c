/* What is left of the ways out where connects and messages are not looked at (docs/enforcement.md
 * §6): every kind of socket that may exist there, in every state, with every call that takes a
 * name. Where a socket is refused, the next best one is tried: a pair for a unix socket, TCP for
 * UDP. HOSTILE_DIRECTORY names where the witness has its unix sockets. */
#include "hostile.h"
#include <linux/netlink.h>
#include <netinet/udp.h>
#include <sys/sendfile.h>

static size_t payload(void) { return strlen(nonce); }

static struct sockaddr_un path_of(const char *name) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  snprintf(to.sun_path, sizeof to.sun_path, "%s/%s", getenv("HOSTILE_DIRECTORY"), name);
  return to;
}

/* An unconnected unix socket, or an end of a pair brought as near to that as any call brings it. */
static int unix_end(int type, int state) {
  int ends[2], s = socket(AF_UNIX, type, 0);
  if (s >= 0) return s;
  struct sockaddr none = {0};
  if (socketpair(AF_UNIX, type, 0, ends) < 0) return -1;
  if (state > 0) connect(ends[0], &none, sizeof none);
  if (state > 1) shutdown(ends[0], SHUT_RDWR);
  if (state > 2) close(ends[1]);
  if (state > 3) recv(ends[0], &none, 1, MSG_DONTWAIT);
  return ends[0];
}

static void pair_connect(const char *way, int type, const char *name) {
  struct sockaddr_un to = path_of(name);
  for (int state = 0; state < 5; state++) {
    int s = unix_end(type, state);
    long result = s < 0 ? -1 : connect(s, (void *)&to, sizeof to);
    tell(way, result);
    if (result == 0 && send(s, nonce, payload(), MSG_NOSIGNAL) < 0) tell("send", -1);
    if (result == 0) return;
  }
}

static void pair_stream(const char *way) { pair_connect(way, SOCK_STREAM, "stream"); }
static void pair_seqpacket(const char *way) { pair_connect(way, SOCK_SEQPACKET, "seqpacket"); }

/* A name in every message, on every socket there may be. */
static void name_all(const char *way, int s, const void *to, socklen_t length) {
  struct iovec part = {(void *)nonce, payload()};
  struct mmsghdr m = {.msg_hdr = {.msg_name = (void *)to, .msg_namelen = length, .msg_iov = &part, .msg_iovlen = 1}};
  if (s < 0) { tell(way, -1); return; }
  tell(way, sendto(s, nonce, payload(), MSG_NOSIGNAL, to, length));
  tell(way, sendmsg(s, &m.msg_hdr, MSG_NOSIGNAL));
  tell(way, sendmmsg(s, &m, 1, MSG_NOSIGNAL));
  close(s);
}

static void named(const char *way) {
  struct sockaddr_in bad = ip4("127.0.0.1", BAD_UDP), good = ip4("127.0.0.1", GOOD_TCP);
  struct sockaddr_in6 bad6 = ip6("::1", BAD_UDP);
  struct sockaddr_un path = path_of("dgram");
  struct sockaddr_nl other = {.nl_family = AF_NETLINK, .nl_pid = 1};
  int connected = socket(AF_INET, SOCK_STREAM, 0), pair[2];
  name_all(way, socket(AF_INET, SOCK_DGRAM, 0), &bad, sizeof bad);
  name_all(way, socket(AF_INET6, SOCK_DGRAM, 0), &bad6, sizeof bad6);
  name_all(way, socket(AF_UNIX, SOCK_DGRAM, 0), &path, sizeof path);
  name_all(way, socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0 ? -1 : pair[0], &path, sizeof path);
  name_all(way, socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ? -1 : pair[0], &path, sizeof path);
  name_all(way, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0 ? -1 : pair[0], &path, sizeof path);
  name_all(way, socket(AF_INET, SOCK_STREAM, 0), &bad, sizeof bad);
  if (connect(connected, (void *)&good, sizeof good) < 0) tell("connect", -1);
  name_all(way, connected, &bad, sizeof bad);
  name_all(way, socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), &other, sizeof other);
}

/* A connect put off until the first byte: where does it go when that byte has a name? */
static void deferred(const char *way) {
  struct sockaddr_in good = ip4("127.0.0.1", GOOD_TCP), bad = ip4("127.0.0.1", BAD_TCP);
  struct sockaddr none = {0};
  int on = 1, s = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on);
  tell(way, connect(s, (void *)&good, sizeof good));
  tell(way, sendto(s, nonce, payload(), MSG_NOSIGNAL, (void *)&bad, sizeof bad));
  close(s);
  s = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on);
  tell(way, connect(s, (void *)&good, sizeof good));
  tell(way, connect(s, &none, sizeof none));
  tell(way, connect(s, (void *)&bad, sizeof bad));
  tell(way, send(s, nonce, payload(), MSG_NOSIGNAL) < 0 ? -1 : 0);
  close(s);
}

/* A connection that is given up, and what it can be used for then. */
static void reused(const char *way) {
  struct sockaddr_in good = ip4("127.0.0.1", GOOD_TCP), bad = ip4("127.0.0.1", BAD_TCP);
  struct sockaddr none = {0};
  int s = socket(AF_INET, SOCK_STREAM, 0);
  tell(way, connect(s, (void *)&good, sizeof good));
  for (socklen_t length = 2; length <= sizeof none; length += 14) tell(way, connect(s, &none, length));
  long result = connect(s, (void *)&bad, sizeof bad);
  tell(way, result);
  if (result == 0 && send(s, nonce, payload(), MSG_NOSIGNAL) < 0) tell("send", -1);
  close(s);
}

/* A connection to an allowed port that came as standard input. */
static void inherited(const char *way) {
  struct sockaddr_in bad = ip4("127.0.0.1", BAD_TCP);
  struct sockaddr none = {0};
  tell(way, connect(0, &none, sizeof none));
  long result = connect(0, (void *)&bad, sizeof bad);
  tell(way, result);
  if (result == 0 && send(0, nonce, payload(), MSG_NOSIGNAL) < 0) tell("send", -1);
}

/* A socket that another process made, handed over a pair. */
static void passed(const char *way) {
  struct sockaddr_in bad = ip4("127.0.0.1", BAD_TCP);
  union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control = {0};
  char byte = 'x';
  struct iovec part = {&byte, 1};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  int pair[2], s = -1;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) { tell(way, -1); return; }
  pid_t child = fork();
  if (child == 0) {
    int made = socket(AF_INET6, SOCK_STREAM, 0);
    control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof made), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.head), &made, sizeof made);
    _exit(sendmsg(pair[1], &m, 0) < 0);
  }
  tell(way, recvmsg(pair[0], &m, 0));
  memcpy(&s, CMSG_DATA(&control.head), sizeof s);
  waitpid(child, NULL, 0);
  struct sockaddr_in6 to = ip6("::ffff:127.0.0.1", BAD_TCP);
  long result = connect(s, (void *)&to, sizeof to);
  tell(way, result);
  tell(way, connect(s, (void *)&bad, sizeof bad));
  if (result == 0 && send(s, nonce, payload(), MSG_NOSIGNAL) < 0) tell("send", -1);
  close(s);
}

/**
 * One descriptor that is in turn a TCP socket and a unix one, while another thread connects it to a path and to a port.
 */
static int turning[3];
static volatile int is_over;

static void *turn(void *nothing) {
  (void)nothing;
  stay_on(1);
  for (int i = 0; !is_over; i++) dup2(turning[1 + i % 2], turning[0]);
  return NULL;
}

static void turned(const char *way) {
  struct sockaddr_in bad = ip4("127.0.0.1", BAD_TCP);
  struct sockaddr_un path = path_of("stream");
  pthread_t thread;
  long paths = 0, ports = 0;
  double end = now() + 1.0;
  turning[0] = dup(0), turning[1] = socket(AF_INET, SOCK_STREAM, 0), turning[2] = unix_end(SOCK_STREAM, 4);
  pthread_create(&thread, NULL, turn, NULL);
  stay_on(0);
  while (now() < end && (paths == 0 || ports == 0)) {
    if (connect(turning[0], (void *)&path, sizeof path) == 0) paths++;
    if (connect(turning[0], (void *)&bad, sizeof bad) == 0) ports++;
  }
  is_over = 1;
  pthread_join(thread, NULL);
  say(way, paths + ports);
  for (int i = 1; i < 3 && paths + ports > 0; i++) (void)!send(turning[i], nonce, payload(), MSG_NOSIGNAL);
}

/* The port of the address changes while the kernel reads it. */
static struct sockaddr_in flipping;

static void *flip(void *nothing) {
  (void)nothing;
  stay_on(1);
  for (int i = 0; !is_over; i++) {
    *(volatile in_port_t *)&flipping.sin_port = htons(i & 1 ? BAD_TCP : GOOD_TCP);
    *(volatile sa_family_t *)&flipping.sin_family = i % 3 ? AF_INET : AF_UNSPEC;
  }
  return NULL;
}

static void flipped(const char *way) {
  pthread_t thread;
  long good = 0, refused = 0;
  double end = now() + 2.0;
  flipping = ip4("127.0.0.1", GOOD_TCP);
  pthread_create(&thread, NULL, flip, NULL);
  stay_on(0);
  while (now() < end) {
    struct linger at_once = {1, 0};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(s, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (connect(s, (void *)&flipping, sizeof flipping) == 0) { good++; (void)!send(s, nonce, payload(), MSG_NOSIGNAL); }
    else refused++;
    close(s);
  }
  is_over = 1;
  pthread_join(thread, NULL);
  say(way, good > 100 && refused > 100);
}

/* UDP that may go anywhere has no right to a port of its own. */
static void serve_udp(const char *way) {
  struct sockaddr_in at = ip4("127.0.0.1", BAD_UDP + 100), any = ip4("0.0.0.0", 0), to = ip4("127.0.0.1", BAD_UDP);
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  tell(way, bind(s, (void *)&at, sizeof at));
  tell(way, listen(s, 1));
  tell(way, bind(s, (void *)&any, sizeof any));
  tell(way, sendto(s, nonce, payload(), 0, (void *)&to, sizeof to));
  close(s);
  s = socket(AF_INET, SOCK_STREAM, 0);
  tell(way, connect(s, (void *)&to, sizeof to));
  close(s);
}

/**
 * Every way to send by a UDP socket, to a name where it can be given, and to the peer. 0: one was
 * taken; else as the last one, which has a name.
 */
static long send_all(int s, const void *to, socklen_t length) {
  static const int flags[] = {MSG_MORE, MSG_CONFIRM, MSG_DONTROUTE, MSG_ZEROCOPY, MSG_DONTWAIT};
  struct iovec part = {(void *)nonce, payload()};
  struct mmsghdr m = {.msg_hdr = {.msg_name = (void *)to, .msg_namelen = length, .msg_iov = &part, .msg_iovlen = 1}};
  int on = 1, off = 0, size = (int)payload() / 2, file = memfd_create("nonce", 0), ends[2];
  long taken = 0;
  taken |= write(file, nonce, payload()) != (long)payload() || pipe(ends) < 0 || write(ends[1], nonce, payload()) < 0;
  off_t start = 0;
  taken |= send(s, nonce, payload(), 0) >= 0;
  taken |= write(s, nonce, payload()) >= 0;
  taken |= sendfile(s, file, &start, payload()) > 0;
  taken |= splice(ends[0], NULL, s, NULL, payload(), 0) > 0;
  for (int round = 0; round < 3; round++) {
    if (round == 1) setsockopt(s, IPPROTO_UDP, UDP_CORK, &on, sizeof on);
    if (round == 2) setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) taken |= sendto(s, nonce, payload(), flags[i], to, length) >= 0;
    taken |= sendto(s, NULL, 0, 0, to, length) >= 0;
    taken |= sendmsg(s, &m.msg_hdr, 0) >= 0;
    taken |= sendmmsg(s, &m, 1, 0) >= 0;
    setsockopt(s, IPPROTO_UDP, UDP_CORK, &off, sizeof off);
  }
  setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &off, sizeof off);
  close(file), close(ends[0]), close(ends[1]);
  long last = sendto(s, nonce, payload(), 0, to, length);
  return taken || last >= 0 ? 0 : -1;
}

/* UDP sockets that were made shut for sending, and whatever might open them again. */
static void unmute(const char *way) {
  struct sockaddr_in bad = ip4("127.0.0.1", BAD_UDP), good = ip4("127.0.0.1", GOOD_TCP);
  struct sockaddr_in6 bad6 = ip6("::1", BAD_UDP), good6 = ip6("::1", GOOD_TCP), mapped = ip6("::ffff:127.0.0.1", GOOD_TCP);
  struct sockaddr none = {0};
  for (int v6 = 0; v6 < 2; v6++) {
    const void *to = v6 ? (void *)&bad6 : (void *)&bad, *probe = v6 ? (void *)&good6 : (void *)&good;
    socklen_t length = v6 ? sizeof bad6 : sizeof bad;
    int s = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | (v6 ? SOCK_NONBLOCK : SOCK_CLOEXEC), v6 ? IPPROTO_UDP : 0), v4 = AF_INET;
    tell(way, send_all(s, to, length));
    for (int round = 0; round < 2; round++) {
      connect(s, to, length);
      tell(way, send_all(s, to, length));
      connect(s, probe, length);
      tell(way, send_all(s, to, length));
      tell(way, connect(s, &none, sizeof none));
      tell(way, send_all(s, to, length));
    }
    if (v6) {
      connect(s, (void *)&mapped, sizeof mapped);
      tell(way, setsockopt(s, IPPROTO_IPV6, IPV6_ADDRFORM, &v4, sizeof v4));
      tell(way, send_all(s, &bad, sizeof bad));
    }
    for (int how = SHUT_RD; how <= SHUT_RDWR; how++) {
      shutdown(s, how);
      tell(way, v6 ? send_all(s, &bad, sizeof bad) : send_all(s, to, length));
    }
    close(s);
    s = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in6 any = {.sin6_family = v6 ? AF_INET6 : AF_INET};
    tell(way, bind(s, (void *)&any, length));
    tell(way, send_all(s, to, length));
    close(s);
  }
}

static const struct way ways[] = {
  {"pair-stream", pair_stream}, {"pair-seqpacket", pair_seqpacket}, {"named", named}, {"deferred", deferred},
  {"reused", reused}, {"inherited", inherited}, {"passed", passed}, {"turned", turned}, {"flipped", flipped},
  {"serve-udp", serve_udp}, {"unmute", unmute},
};

int main(int argc, char **argv) { return RUN_WAYS(argc, argv, ways); }
