/* What the parts of the fidelity program share. The program makes calls and prints one line for
 * each, `name: result` or `name: -1 ERRNO`; it is run bare and under sandlock, and the lines must
 * be the same. Hence nothing here prints a time, a descriptor, a process id or a port that the
 * kernel chose. It judges nothing.
 *
 * `fidelity serve BASE` is the other side and always runs bare; ports are given as distances from BASE. */
#ifndef FIDELITY_H
#define FIDELITY_H
#include "../../e2e/probes/probe.h"
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>

enum {
  SINK = 1,      /* TCP: reads everything; IPv4 and IPv6 */
  REPORTER = 2,  /* UDP: tells the sender what arrived; IPv4 and IPv6 */
  FULL = 3,      /* TCP: its queue is full for ever */
  DEAF = 4,      /* TCP: accepts, never reads, small buffer */
  RESETTER = 5,  /* TCP: accepts and resets */
  NOBODY = 6,    /* no listener */
  CONTROL = 10,  /* TCP: `N MS` lets FIRST_DRAIN + N accept after so many milliseconds, or ends it (negative) */
  FIRST_DRAIN = 20, /* TCP: full until drained; one use each */
  DRAINS = 8,
};

typedef struct sockaddr_storage Address;

extern int base;
/* The first byte after a mapped page of 256 KiB in all, the rest of which is readable. */
extern char *hole;
#define READABLE (256 * 1024)

/* One line. The result is the call itself, made in the argument list, so errno is still its own. */
static inline __attribute__((format(printf, 2, 3))) void row(long result, const char *format, ...) {
  int error = errno;
  va_list list;
  va_start(list, format);
  vprintf(format, list);
  va_end(list);
  if (result < 0) printf(": %ld %s\n", result, errno_name(error));
  else printf(": %ld\n", result);
  fflush(stdout);
}

/* One line that is not a number. */
static inline __attribute__((format(printf, 2, 3))) void fact(const char *text, const char *format, ...) {
  va_list list;
  va_start(list, format);
  vprintf(format, list);
  va_end(list);
  printf(": %s\n", text);
  fflush(stdout);
}

/* An address of a host at a distance from BASE; -1 is port 0. */
static inline socklen_t at(const char *host, int distance, Address *out) {
  char text[80];
  snprintf(text, sizeof text, "%s/%d", host, distance < 0 ? 0 : base + distance);
  return address(text, out);
}

static inline int opened(int domain, int type) {
  return socket(domain, type, 0);
}

/* A socket connected to a host at a distance; the connect is expected to work, and a line tells if it does not. */
static inline int joined(int type, const char *host, int distance) {
  Address to;
  socklen_t length = at(host, distance, &to);
  int s = socket(to.ss_family, type, 0);
  if (connect(s, (void *)&to, length) < 0) row(-1, "join %s", host);
  return s;
}

/* `127.0.0.1 +2`, `::1 chosen`, `127.0.0.1 0`: an address with its port as a distance. */
const char *shown(const struct sockaddr *name, socklen_t length);
/* Two lines: the socket's own name and its peer's. */
void names(int s, const char *label);
/* One line: what poll says within a second, and SO_ERROR. */
void readiness(int s, const char *label);
/* Asks the server to drain, or with negative milliseconds to end the listener. */
void drain(int number, int ms);
/* Fills the socket's way to its peer with non-blocking sends. */
void fill(int s);
const char *length_class(long result, long whole);

void section_names(void);
void section_states(void);
void section_datagrams(void);
void section_messages(void);
void section_streams(void);
void section_unix(void);
void section_rights(void);
void section_sockets(void);
void section_bind(void);
void section_signals(void);
void section_timeouts(void);
void section_stops(void);
int serve(void);
#endif
