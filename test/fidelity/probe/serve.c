/* The other side of the fidelity program: listeners that take, refuse to take, or report. Ends when its standard input
 * does. The reporter answers each datagram with its length, sum, TOS, TTL and sender, so that what arrived is part of
 * what the sender prints; a payload that begins with `q` gets no answer. */
#include "fidelity.h"
#include <sys/epoll.h>

static int drains[DRAINS];
static double due[DRAINS];

static int listening(int domain, int type, int distance, int backlog, int buffer) {
  Address here;
  socklen_t length = at(domain == AF_INET ? "0.0.0.0" : "::", distance, &here);
  int s = socket(domain, type | SOCK_NONBLOCK, 0), yes = 1;
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (domain == AF_INET6) setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
  if (buffer) setsockopt(s, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  if (bind(s, (void *)&here, length) < 0) { perror("bind"); exit(1); }
  if (type == SOCK_STREAM && listen(s, backlog) < 0) { perror("listen"); exit(1); }
  return s;
}

/* A listener whose queue holds one connection, and has it. */
static int full(int distance) {
  int s = listening(AF_INET, SOCK_STREAM, distance, 0, 0);
  Address to;
  socklen_t length = at("127.0.0.1", distance, &to);
  for (int i = 0; i < 2; i++) {
    int filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)!connect(filler, (void *)&to, length);
  }
  return s;
}

static void report(int s) {
  static unsigned char data[70000];
  char control[256], text[200], host[64] = "";
  Address from;
  for (;;) {
    struct iovec part = {data, sizeof data};
    struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1,
                       .msg_control = control, .msg_controllen = sizeof control};
    long length = recvmsg(s, &m, 0), sum = 0;
    if (length < 0) return;
    if (length > 0 && data[0] == 'q') continue;
    int tos = -1, ttl = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
      if (c->cmsg_type == (c->cmsg_level == IPPROTO_IP ? IP_TOS : IPV6_TCLASS)) tos = *CMSG_DATA(c);
      if (c->cmsg_type == (c->cmsg_level == IPPROTO_IP ? IP_TTL : IPV6_HOPLIMIT)) memcpy(&ttl, CMSG_DATA(c), 4);
    }
    for (long i = 0; i < length; i++) sum += data[i];
    if (from.ss_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in *)&from)->sin_addr, host, sizeof host);
    else inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&from)->sin6_addr, host, sizeof host);
    snprintf(text, sizeof text, "length %ld sum %ld tos %d ttl %d from %s", length, sum, tos, ttl, host);
    sendto(s, text, strlen(text), 0, (void *)&from, m.msg_namelen);
  }
}

static int reporter(int domain) {
  int s = listening(domain, SOCK_DGRAM, REPORTER, 0, 4 << 20), yes = 1;
  if (domain == AF_INET) {
    setsockopt(s, IPPROTO_IP, IP_RECVTOS, &yes, sizeof yes);
    setsockopt(s, IPPROTO_IP, IP_RECVTTL, &yes, sizeof yes);
  } else {
    setsockopt(s, IPPROTO_IPV6, IPV6_RECVTCLASS, &yes, sizeof yes);
    setsockopt(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &yes, sizeof yes);
  }
  return s;
}

static void control(int listener) {
  char text[64];
  int number, ms, s = accept(listener, NULL, NULL);
  long length = s < 0 ? -1 : recv(s, text, sizeof text - 1, 0);
  text[length < 0 ? 0 : length] = 0;
  if (sscanf(text, "%d %d", &number, &ms) == 2 && number >= 0 && number < DRAINS) {
    if (ms < 0) close(drains[number]);
    else due[number] = seconds() + ms / 1e3;
  }
  close(s);
}

/* Accepts whatever waits; what becomes of it is the listener's kind. */
static void accept_all(int listener, int queue, int distance) {
  int s;
  while ((s = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    if (distance == RESETTER) {
      struct linger now = {1, 0};
      setsockopt(s, SOL_SOCKET, SO_LINGER, &now, sizeof now);
      close(s);
    } else if (distance != DEAF) {
      struct epoll_event event = {.events = EPOLLIN, .data.u64 = (1ULL << 32) | (unsigned)s};
      epoll_ctl(queue, EPOLL_CTL_ADD, s, &event);
    }
  }
}

static void watch(int queue, int s, int distance) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = ((uint64_t)distance << 33) | (unsigned)s};
  epoll_ctl(queue, EPOLL_CTL_ADD, s, &event);
}

int serve(void) {
  static char data[1 << 20];
  int queue = epoll_create1(0);
  static const int domains[] = {AF_INET, AF_INET6};
  for (int i = 0; i < 2; i++) {
    watch(queue, listening(domains[i], SOCK_STREAM, SINK, 4096, 0), SINK);
    watch(queue, reporter(domains[i]), REPORTER);
  }
  full(FULL);
  watch(queue, listening(AF_INET, SOCK_STREAM, DEAF, 64, 4096), DEAF);
  watch(queue, listening(AF_INET, SOCK_STREAM, RESETTER, 64, 0), RESETTER);
  watch(queue, listening(AF_INET, SOCK_STREAM, CONTROL, 64, 0), CONTROL);
  for (int i = 0; i < DRAINS; i++) drains[i] = full(FIRST_DRAIN + i);
  usleep(100000);
  watch(queue, 0, 99);
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct epoll_event events[64];
    int count = epoll_wait(queue, events, 64, 20);
    for (int i = 0; i < DRAINS; i++) {
      if (due[i] > 0 && due[i] < seconds()) {
        due[i] = 0;
        watch(queue, drains[i], FIRST_DRAIN);
      }
    }
    for (int i = 0; i < count; i++) {
      int s = (int)(events[i].data.u64 & 0xffffffff), distance = (int)(events[i].data.u64 >> 33);
      if (distance == 99) return 0;
      if (distance == REPORTER) report(s);
      else if (distance == CONTROL) control(s);
      else if (distance > 0) accept_all(s, queue, distance);
      else if (recv(s, data, sizeof data, 0) <= 0 && errno != EAGAIN) close(s);
    }
  }
}
