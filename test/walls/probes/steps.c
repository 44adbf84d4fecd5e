/* Makes system calls as its arguments say, one statement each, and prints each statement with what came of it:
 * `bind a 127.0.0.1/8080 = EACCES`. Sockets have names of one letter.
 *
 *   new a FAMILY TYPE PROTOCOL · pair a b TYPE          sockets; numbers as socket(2) has them
 *   bind a WHERE · listen a · connect a WHERE · send a · sendto a WHERE · recv a · close a
 *   many HOST/PORT COUNT · listen-many                  binds so many TCP sockets from that port on; listens on all
 *   message a WHERE LEVEL TYPE VALUE                    sendmsg(2) with one control message
 *   option a LEVEL OPTION VALUE · name a                setsockopt(2); getsockname(2), as text
 *   serve a                                             accepts one connection, reads from it, answers "pong"
 *   answer a                                            receives one datagram and answers "pong" to its sender
 *   link, rename, symlink FROM TO · unlink PATH · chdir DIRECTORY · chroot DIRECTORY · unshare FLAGS
 *   mount FROM TO                                       makes FROM appear at TO (bind mount)
 *
 * WHERE: HOST/PORT, a path with a slash at its beginning or after a dot, @NAME, or `auto` (no name at all).
 * VALUE: a decimal int or x and hexadecimal bytes. What waits for others gives up after two seconds. */
#include "probe.h"
#include <ctype.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/resource.h>

static int sockets[26];

static int many[4096], count;

static int of(const char *name) { return sockets[(name[0] - 'a') % 26]; }

static socklen_t where(const char *text, struct sockaddr_storage *out) {
  struct sockaddr_un *un = (void *)out;
  memset(out, 0, sizeof *out);
  if (strcmp(text, "auto") != 0 && text[0] != '/' && text[0] != '.' && text[0] != '@') return address(text, out);
  un->sun_family = AF_UNIX;
  if (strcmp(text, "auto") == 0) return sizeof un->sun_family;
  memcpy(un->sun_path, text, strlen(text) < sizeof un->sun_path ? strlen(text) : sizeof un->sun_path);
  if (text[0] == '@') un->sun_path[0] = 0;
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text) + (text[0] != '@'));
}

static socklen_t value(const char *text, unsigned char *out) {
  socklen_t length = 0;
  int number = atoi(text);
  if (text[0] != 'x') { memcpy(out, &number, sizeof number); return sizeof number; }
  for (const char *at = text + 1; at[0] && at[1]; at += 2) sscanf(at, "%2hhx", &out[length++]);
  return length;
}

static long name_of(int s, char *text, size_t room) {
  struct sockaddr_storage at;
  struct sockaddr_in *v4 = (void *)&at;
  struct sockaddr_in6 *v6 = (void *)&at;
  struct sockaddr_un *un = (void *)&at;
  char host[INET6_ADDRSTRLEN];
  socklen_t length = sizeof at;
  memset(&at, 0, sizeof at);
  if (getsockname(s, (void *)&at, &length) < 0) return -1;
  if (at.ss_family == AF_INET)
    snprintf(text, room, "%s/%d", inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host), ntohs(v4->sin_port));
  else if (at.ss_family == AF_INET6)
    snprintf(text, room, "%s/%d", inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host), ntohs(v6->sin6_port));
  else
    snprintf(text, room, "%s%s", un->sun_path[0] || length <= 2 ? "" : "@", un->sun_path + !un->sun_path[0]);
  return 0;
}

static long message(int s, char *const *word) {
  struct sockaddr_storage to;
  unsigned char bytes[512];
  union { struct cmsghdr head; char room[CMSG_SPACE(sizeof bytes)]; } control = {0};
  socklen_t length = value(word[5], bytes);
  struct iovec part = {(void *)TOKEN, 5};
  struct msghdr m = {.msg_name = &to, .msg_namelen = where(word[2], &to), .msg_iov = &part, .msg_iovlen = 1};
  m.msg_control = &control;
  m.msg_controllen = CMSG_SPACE(length);
  control.head.cmsg_level = atoi(word[3]);
  control.head.cmsg_type = atoi(word[4]);
  control.head.cmsg_len = CMSG_LEN(length);
  memcpy(CMSG_DATA(&control.head), bytes, length);
  return sendmsg(s, &m, MSG_NOSIGNAL);
}

static long bind_many(const char *from, int wanted) {
  struct sockaddr_storage at;
  struct sockaddr_in *v4 = (void *)&at;
  struct rlimit limit;
  int on = 1;
  socklen_t length = address(from, &at);
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  for (count = 0; count < wanted && count < 4096; count++) {
    int s = many[count] = socket(at.ss_family, SOCK_STREAM, 0);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(s, (void *)&at, length) < 0) return -1;
    v4->sin_port = htons((in_port_t)(ntohs(v4->sin_port) + 1));
  }
  return count;
}

static long listen_many(void) {
  for (int i = 0; i < count; i++)
    if (listen(many[i], 8) < 0) return -1;
  return count;
}

static int soon(int s) {
  struct pollfd poll_one = {.fd = s, .events = POLLIN};
  if (poll(&poll_one, 1, 2000) == 1) return 1;
  errno = ETIMEDOUT;
  return 0;
}

static long serve(int s) {
  char data[64];
  if (!soon(s)) return -1;
  int peer = accept(s, NULL, NULL);
  long got = peer < 0 || !soon(peer) ? -1 : read(peer, data, sizeof data);
  if (got > 0 && write(peer, "pong", 4) < 0) got = -1;
  int error = errno;
  close(peer);
  errno = error;
  return got;
}

static long answer(int s) {
  struct sockaddr_storage from;
  socklen_t length = sizeof from;
  char data[64];
  if (!soon(s)) return -1;
  if (recvfrom(s, data, sizeof data, 0, (void *)&from, &length) < 0) return -1;
  return sendto(s, "pong", 4, 0, (void *)&from, length);
}

static long run(int words, char *const *word, char *text, size_t room) {
  struct sockaddr_storage at;
  unsigned char bytes[512];
  char data[64];
  int ends[2], on = 1, s = words > 1 ? of(word[1]) : -1;
  const char *verb = word[0];
#define IS(name, count) (strcmp(verb, name) == 0 && words == (count) + 1)
  if (IS("new", 4)) {
    s = socket(atoi(word[2]), atoi(word[3]), atoi(word[4]));
    sockets[(word[1][0] - 'a') % 26] = s;
    int error = errno;
    /* A port is free again as soon as the run before has ended. */
    if (atoi(word[2]) != AF_UNIX) setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    errno = error;
    return s < 0 ? -1 : 0;
  }
  if (IS("pair", 3)) {
    if (socketpair(AF_UNIX, atoi(word[3]), 0, ends) < 0) return -1;
    sockets[word[1][0] - 'a'] = ends[0];
    sockets[word[2][0] - 'a'] = ends[1];
    return 0;
  }
  if (IS("bind", 2)) { socklen_t length = where(word[2], &at); return bind(s, (void *)&at, length); }
  if (IS("connect", 2)) { socklen_t length = where(word[2], &at); return connect(s, (void *)&at, length); }
  if (IS("sendto", 2)) {
    socklen_t length = where(word[2], &at);
    return sendto(s, TOKEN, 5, MSG_NOSIGNAL, (void *)&at, length);
  }
  if (IS("many", 2)) return bind_many(word[1], atoi(word[2]));
  if (IS("listen-many", 0)) return listen_many();
  if (IS("listen", 1)) return listen(s, 8);
  if (IS("send", 1)) return send(s, TOKEN, 5, MSG_NOSIGNAL);
  if (IS("recv", 1)) return soon(s) ? recv(s, data, sizeof data, 0) : -1;
  if (IS("close", 1)) return close(s);
  if (IS("name", 1)) return name_of(s, text, room);
  if (IS("serve", 1)) return serve(s);
  if (IS("answer", 1)) return answer(s);
  if (IS("message", 5)) return message(s, word);
  if (IS("option", 4)) {
    socklen_t length = value(word[4], bytes);
    return setsockopt(s, atoi(word[2]), atoi(word[3]), bytes, length);
  }
  if (IS("link", 2)) return link(word[1], word[2]);
  if (IS("rename", 2)) return rename(word[1], word[2]);
  if (IS("symlink", 2)) return symlink(word[1], word[2]);
  if (IS("unlink", 1)) return unlink(word[1]);
  if (IS("chdir", 1)) return chdir(word[1]);
  if (IS("chroot", 1)) return chroot(word[1]) < 0 ? -1 : chdir("/");
  if (IS("mount", 2)) return mount(word[1], word[2], NULL, MS_BIND, NULL);
  if (IS("unshare", 1)) return unshare((int)strtol(word[1], NULL, 0));
  fprintf(stderr, "no such statement: %s\n", verb);
  exit(2);
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  memset(sockets, -1, sizeof sockets);
  for (int i = 1; i < argc; i++) {
    char copy[2048], text[256] = "", *word[8], *rest;
    int words = 0;
    snprintf(copy, sizeof copy, "%s", argv[i]);
    for (char *w = strtok_r(copy, " ", &rest); w && words < 8; w = strtok_r(NULL, " ", &rest)) word[words++] = w;
    if (words == 0) return 2;
    long result = run(words, word, text, sizeof text);
    int error = errno;
    if (result < 0) printf("%s = %s\n", argv[i], errno_name(error));
    else if (text[0]) printf("%s = %s\n", argv[i], text);
    else printf("%s = %ld\n", argv[i], result);
    fflush(stdout);
  }
  return 0;
}
