/* What every probe shares: addresses from text, errno by name, one line of output for each call made.
 *
 * A probe states what the kernel answered and judges nothing: the tests compare its whole output. A line is
 * `name result errno`, with `-` for no error. A destination is written HOST/PORT, so that IPv6 needs no brackets;
 * the family of the socket follows the family of the address unless a probe says otherwise. */
#ifndef PROBE_H
#define PROBE_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "errno_name.h"

/* Each listener records this text, so an arrival is told from a mere connection. */
#define TOKEN "hello"

/* One line, flushed at once: a probe may be killed by the very call that comes next. */
static inline void say(const char *name, long result) {
  int error = errno;
  printf("%s %ld %s\n", name, result, result < 0 ? errno_name(error) : "-");
  fflush(stdout);
}

/* HOST/PORT to a socket address; ends the program when the text is neither IPv4 nor IPv6. */
static inline socklen_t address(const char *text, struct sockaddr_storage *out) {
  char host[64];
  const char *slash = strchr(text, '/');
  if (!slash || (size_t)(slash - text) >= sizeof host) { fprintf(stderr, "not HOST/PORT: %s\n", text); exit(2); }
  memcpy(host, text, (size_t)(slash - text));
  host[slash - text] = 0;
  memset(out, 0, sizeof *out);
  struct sockaddr_in *v4 = (void *)out;
  struct sockaddr_in6 *v6 = (void *)out;
  if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons((unsigned short)atoi(slash + 1));
    return sizeof *v4;
  }
  if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((unsigned short)atoi(slash + 1));
    return sizeof *v6;
  }
  fprintf(stderr, "not an address: %s\n", host);
  exit(2);
}

/* `form=HOST/PORT` → the destination; `form` is compared by the caller. */
static inline const char *destination(const char *argument) {
  const char *equals = strchr(argument, '=');
  if (!equals) { fprintf(stderr, "not FORM=HOST/PORT: %s\n", argument); exit(2); }
  return equals + 1;
}

static inline int is_form(const char *argument, const char *form) {
  size_t length = strlen(form);
  return strncmp(argument, form, length) == 0 && argument[length] == '=';
}

static inline double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
#endif
