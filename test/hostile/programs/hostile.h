/* What every hostile program shares: the places of the network it stands in, addresses from text, one line for each
 * thing tried.
 *
 * A program is `NAME NONCE WAY…`. It sends NONCE wherever it tries to get to and judges nothing:
 * the witness outside says what arrived. A line is `way result errno`, with `-` for no error. The
 * policy under test allows the GOOD places and no other; harness/network.ts has the same numbers. */
#ifndef HOSTILE_H
#define HOSTILE_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "errno_name.h"

#define GOOD_TCP 7001 /* allowed on 127.0.0.1 and ::1 */
#define GOOD_UDP 7002 /* allowed on 127.0.0.1 and ::1 */
#define BAD_TCP 7003  /* the witness listens on every address */
#define BAD_UDP 7004  /* the witness listens on every address */
#define HUNG_TCP 7005 /* allowed on 127.0.0.1, never answers: its queue is full */
#define TAKEN_UDP 7006 /* a port that an outside program has bound, shareable */

static const char *nonce = "";

/* One line, flushed at once: the next try may end the program. */
__attribute__((unused)) static void say(const char *way, long result) {
  int error = errno;
  char line[160];
  int length = snprintf(line, sizeof line, "%s %ld %s\n", way, result, result < 0 ? errno_name(error) : "-");
  if (write(1, line, (size_t)length) != length) _exit(3);
}

/* Done or refused, whatever the number. */
__attribute__((unused)) static void tell(const char *way, long result) { say(way, result < 0 ? -1 : 0); }

__attribute__((unused)) static struct sockaddr_in ip4(const char *host, int port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  if (inet_pton(AF_INET, host, &to.sin_addr) != 1) exit(2);
  return to;
}

__attribute__((unused)) static struct sockaddr_in6 ip6(const char *host, int port) {
  struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port)};
  if (inet_pton(AF_INET6, host, &to.sin6_addr) != 1) exit(2);
  return to;
}

__attribute__((unused)) static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/**
 * On one processor: a race needs that the two threads run at once, whatever else the scheduler
 * would do. Where there is but one, it stays so.
 */
__attribute__((unused)) static void stay_on(int processor) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET((size_t)processor, &one);
  sched_setaffinity(0, sizeof one, &one);
}

/* A TCP socket of that family connects and says the nonce; closed properly, so that the witness has read it. */
__attribute__((unused)) static void tcp_to(const char *way, int family, const void *to, socklen_t length) {
  int s = socket(family, SOCK_STREAM, 0);
  long result = s < 0 ? -1 : connect(s, to, length);
  tell(way, result);
  if (result == 0 && send(s, nonce, strlen(nonce), MSG_NOSIGNAL) < 0) tell("send", -1);
  close(s);
}

__attribute__((unused)) static void udp_to(const char *way, int family, const void *to, socklen_t length) {
  int s = socket(family, SOCK_DGRAM, 0);
  tell(way, s < 0 ? -1 : sendto(s, nonce, strlen(nonce), 0, to, length));
  close(s);
}

/* Multicast groups that belong to one run: made of the first hexadecimal digits of its nonce. Return their length. */
__attribute__((unused)) static size_t nonce_group(const char *text, unsigned char group[4]) {
  unsigned number = 0;
  sscanf(text, "N%6x", &number);
  group[0] = 239, group[1] = (unsigned char)(number >> 16), group[2] = (unsigned char)(number >> 8), group[3] = (unsigned char)number;
  return 4;
}

__attribute__((unused)) static size_t nonce_group6(const char *text, unsigned char group[16]) {
  memset(group, 0, 16);
  group[0] = 0xff, group[1] = 0x15;
  nonce_group(text, group + 12);
  return 16;
}

/* The ways of a program, by name. */
struct way { const char *name; void (*run)(const char *way); };

__attribute__((unused)) static int run_ways(int argc, char **argv, const struct way *ways, size_t count) {
  if (argc < 3) { fprintf(stderr, "usage: %s NONCE WAY...\n", argv[0]); return 2; }
  nonce = argv[1];
  signal(SIGPIPE, SIG_IGN);
  for (int i = 2; i < argc; i++) {
    size_t w = 0;
    while (w < count && strcmp(ways[w].name, argv[i]) != 0) w++;
    if (w == count) { fprintf(stderr, "no such way: %s\n", argv[i]); return 2; }
    ways[w].run(ways[w].name);
  }
  return 0;
}
#define RUN_WAYS(argc, argv, ways) run_ways(argc, argv, ways, sizeof(ways) / sizeof *(ways))
#endif
