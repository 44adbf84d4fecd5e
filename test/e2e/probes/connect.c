/* connect(2) in its forms. usage: connect FORM=HOST/PORT…
 *   tcp      blocking, then writes the token
 *   tcp-nb   non-blocking: the call, the wait, SO_ERROR, two more connects; then the token
 *   udp      connect, then send without an address
 *   source   as `udp`, but asks for the socket's own address and its peer's in between, as resolvers and ping do
 *   udp-again  connects to itself by AF_UNSPEC first (dissolves the peer), then as `udp` */
#include "probe.h"

static void blocking(const char *name, const struct sockaddr *to, socklen_t length) {
  int s = socket(to->sa_family, SOCK_STREAM, 0);
  long result = s < 0 ? -1 : connect(s, to, length);
  say(name, result);
  if (result == 0 && write(s, TOKEN, strlen(TOKEN)) < 0) say("write", -1);
  if (s >= 0) close(s);
}

static void non_blocking(const char *name, const struct sockaddr *to, socklen_t length) {
  int s = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  long result = s < 0 ? -1 : connect(s, to, length);
  int pending = result < 0 && errno == EINPROGRESS;
  say(name, result);
  if (pending) {
    struct pollfd ready = {s, POLLOUT, 0};
    int error = 0;
    socklen_t size = sizeof error;
    say("poll", poll(&ready, 1, 5000));
    getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &size);
    errno = error;
    say("so_error", error ? -1 : 0);
    say("again", connect(s, to, length));
    say("and again", connect(s, to, length));
    say("flags", (fcntl(s, F_GETFL) & O_NONBLOCK) ? 1 : 0);
    if (write(s, TOKEN, strlen(TOKEN)) < 0) say("write", -1);
  }
  if (s >= 0) close(s);
}

static void datagram(const char *name, const struct sockaddr *to, socklen_t length, int dissolve) {
  int s = socket(to->sa_family, SOCK_DGRAM, 0);
  if (s >= 0 && dissolve) {
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    say("dissolve", connect(s, &none, sizeof none));
  }
  long result = s < 0 ? -1 : connect(s, to, length);
  say(name, result);
  if (result == 0) say("send", send(s, TOKEN, strlen(TOKEN), 0));
  if (s >= 0) close(s);
}

static void source(const char *name, const struct sockaddr *to, socklen_t length) {
  struct sockaddr_storage at;
  socklen_t size = sizeof at;
  char text[INET6_ADDRSTRLEN] = "?";
  int s = socket(to->sa_family, SOCK_DGRAM, 0);
  long result = s < 0 ? -1 : connect(s, to, length);
  say(name, result);
  if (result == 0) {
    getsockname(s, (void *)&at, &size);
    inet_ntop(at.ss_family, at.ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&at)->sin_addr
                                                    : (void *)&((struct sockaddr_in6 *)&at)->sin6_addr, text, sizeof text);
    printf("from %s\n", text);
    size = sizeof at;
    say("peer", getpeername(s, (void *)&at, &size));
    say("send", send(s, TOKEN, strlen(TOKEN), 0));
    say("sendto", sendto(s, TOKEN, strlen(TOKEN), 0, to, length));
  }
  if (s >= 0) close(s);
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  for (int i = 1; i < argc; i++) {
    struct sockaddr_storage to;
    socklen_t length = address(destination(argv[i]), &to);
    if (is_form(argv[i], "tcp")) blocking(argv[i], (void *)&to, length);
    else if (is_form(argv[i], "tcp-nb")) non_blocking(argv[i], (void *)&to, length);
    else if (is_form(argv[i], "udp")) datagram(argv[i], (void *)&to, length, 0);
    else if (is_form(argv[i], "source")) source(argv[i], (void *)&to, length);
    else if (is_form(argv[i], "udp-again")) datagram(argv[i], (void *)&to, length, 1);
    else return 2;
  }
  return 0;
}
