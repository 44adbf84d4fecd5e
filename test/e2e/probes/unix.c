/* AF_UNIX. usage: unix pair | own DIRECTORY | datagram DIRECTORY | daemon PATH | reach PATH-OR-@NAME…
 *   pair    socketpairs of each type: data, a passed descriptor (SCM_RIGHTS) and what it carries
 *   own     listens on a path of its own, connects to it from a forked child
 *   datagram  one datagram to a path of its own, and a datagram pair
 *   daemon  the witness outside: counts connections to PATH and @PATH, and datagrams to PATH-d and @PATH-d
 *   reach   connects (stream) and sends (datagram, sendto and sendmsg) to sockets of others */
#include "probe.h"
#include <stddef.h>
#include <sys/stat.h>

static socklen_t unix_address(const char *text, struct sockaddr_un *out) {
  memset(out, 0, sizeof *out);
  out->sun_family = AF_UNIX;
  snprintf(out->sun_path, sizeof out->sun_path, "%s", text);
  if (text[0] == '@') out->sun_path[0] = 0;
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text) + (text[0] != '@'));
}

static void pass_descriptor(const char *name, int type) {
  int ends[2], pipes[2], got = -1;
  char byte = 'p', data[8] = "";
  if (socketpair(AF_UNIX, type, 0, ends) < 0) { say(name, -1); return; }
  if (pipe(pipes) < 0) return;
  union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control = {0};
  struct iovec part = {&byte, 1};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &pipes[0], sizeof(int));
  say(name, sendmsg(ends[0], &m, MSG_NOSIGNAL));
  memset(&control, 0, sizeof control);
  m.msg_controllen = sizeof control;
  if (recvmsg(ends[1], &m, MSG_DONTWAIT) < 0) { say("receive", -1); return; }
  if ((c = CMSG_FIRSTHDR(&m)) && c->cmsg_type == SCM_RIGHTS) memcpy(&got, CMSG_DATA(c), sizeof(int));
  if (write(pipes[1], "carried", 7) < 0) say("write", -1);
  say("carried", got >= 0 ? read(got, data, 7) : -1);
  for (int i = 0; i < 2; i++) close(ends[i]), close(pipes[i]);
  close(got);
}

static void pair_of(const char *name, int type) {
  int ends[2];
  char data[8];
  if (socketpair(AF_UNIX, type, 0, ends) < 0) { say(name, -1); return; }
  struct iovec part = {(void *)TOKEN, 5};
  struct mmsghdr m = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
  say(name, 0);
  say("send", send(ends[0], TOKEN, 5, 0));
  say("sendmsg", sendmsg(ends[0], &m.msg_hdr, 0));
  say("sendmmsg", sendmmsg(ends[0], &m, 1, 0));
  say("received", recv(ends[1], data, 5, 0) == 5 && memcmp(data, TOKEN, 5) == 0 ? 5 : 0);
  close(ends[0]);
  close(ends[1]);
}

static void own(const char *directory) {
  char path[100];
  struct sockaddr_un at;
  snprintf(path, sizeof path, "%s/own.sock", directory);
  socklen_t length = unix_address(path, &at);
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  say("bind", bind(listener, (void *)&at, length));
  say("listen", listen(listener, 4));
  fflush(stdout);
  if (fork() == 0) {
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    long result = connect(s, (void *)&at, length);
    say("connect", result);
    if (result == 0 && write(s, TOKEN, 5) < 0) say("write", -1);
    _exit(0);
  }
  wait(NULL);
  fcntl(listener, F_SETFL, O_NONBLOCK);
  int peer = accept(listener, NULL, NULL);
  char data[8];
  say("accept", peer < 0 ? -1 : 0);
  if (peer >= 0) say("read", read(peer, data, 5));
  unlink(path);
}

static void datagram(const char *directory) {
  char path[100], data[8];
  struct sockaddr_un at;
  int ends[2];
  snprintf(path, sizeof path, "%s/own-d.sock", directory);
  socklen_t length = unix_address(path, &at);
  int to = socket(AF_UNIX, SOCK_DGRAM, 0), from = socket(AF_UNIX, SOCK_DGRAM, 0);
  say("socket", to < 0 || from < 0 ? -1 : 0);
  if (to >= 0 && from >= 0) {
    say("bind", bind(to, (void *)&at, length));
    say("sendto", sendto(from, TOKEN, 5, 0, (void *)&at, length));
    say("recv", recv(to, data, 5, MSG_DONTWAIT));
    unlink(path);
  }
  say("pair", socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
}

static void reach(const char *name) {
  struct sockaddr_un at;
  socklen_t length = unix_address(name, &at);
  struct iovec part = {(void *)TOKEN, 5};
  struct msghdr m = {.msg_name = &at, .msg_namelen = length, .msg_iov = &part, .msg_iovlen = 1};
  int s = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_UNIX, SOCK_DGRAM, 0), ends[2];
  long result = s < 0 ? -1 : connect(s, (void *)&at, length);
  say("connect", result);
  if (result == 0 && write(s, TOKEN, 5) < 0) say("write", -1);
  say("connect datagram", d < 0 ? -1 : connect(d, (void *)&at, length));
  say("sendto", d < 0 ? -1 : sendto(d, TOKEN, 5, 0, (void *)&at, length));
  say("sendmsg", d < 0 ? -1 : sendmsg(d, &m, 0));
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0) { say("pair sendto", -1); return; }
  say("pair sendto", sendto(ends[0], TOKEN, 5, 0, (void *)&at, length));
}

static int open_at(const char *name, const char *suffix, int type) {
  char text[120];
  struct sockaddr_un at;
  snprintf(text, sizeof text, "%s%s", name, suffix);
  socklen_t length = unix_address(text, &at);
  int s = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
  if (text[0] != '@') unlink(text);
  if (bind(s, (void *)&at, length) < 0) say("bind", -1);
  if (type == SOCK_STREAM) listen(s, 16);
  if (text[0] != '@') chmod(text, 0777);
  return s;
}

static void count(const char *name, int stream, int messages) {
  int connections = 0, arrived = 0;
  char data[64];
  while (accept(stream, NULL, NULL) >= 0) connections++;
  while (recv(messages, data, sizeof data, 0) >= 0) arrived++;
  printf("%s %d %d\n", name, connections, arrived);
}

/* Everything that was made or sent before the input ended waits in the queues by then. */
static void daemon_at(const char *path) {
  char abstract[100], byte;
  snprintf(abstract, sizeof abstract, "@%s", path);
  int streams[2] = {open_at(path, "", SOCK_STREAM), open_at(abstract, "", SOCK_STREAM)};
  int messages[2] = {open_at(path, "-d", SOCK_DGRAM), open_at(abstract, "-d", SOCK_DGRAM)};
  puts("ready");
  fflush(stdout);
  while (read(0, &byte, 1) > 0) {}
  count("path", streams[0], messages[0]);
  count("abstract", streams[1], messages[1]);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  signal(SIGPIPE, SIG_IGN);
  if (strcmp(argv[1], "pair") == 0) {
    pair_of("stream", SOCK_STREAM);
    pair_of("seqpacket", SOCK_SEQPACKET);
    pass_descriptor("stream rights", SOCK_STREAM);
    pass_descriptor("seqpacket rights", SOCK_SEQPACKET);
  } else if (strcmp(argv[1], "own") == 0 && argc > 2) own(argv[2]);
  else if (strcmp(argv[1], "datagram") == 0 && argc > 2) datagram(argv[2]);
  else if (strcmp(argv[1], "daemon") == 0 && argc > 2) daemon_at(argv[2]);
  else if (strcmp(argv[1], "reach") == 0) for (int i = 2; i < argc; i++) reach(argv[i]);
  else return 2;
  return 0;
}
