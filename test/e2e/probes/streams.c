/* Sends that take more than one try. usage: streams MODE HOST/PORT
 *   bulk      TCP: 4 MiB by sendmsg in three parts each, then 4 MiB by sendto with an address; prints the totals
 *   broken    TCP, shut for writing: errno of each kind of send and whether SIGPIPE came, with MSG_NOSIGNAL and without
 *   refused   UDP to a port where nobody listens: the error comes with the call after, once
 *   flags     UDP: MSG_MORE gathers, MSG_DONTWAIT and MSG_CONFIRM pass */
#include "probe.h"
#define PIECE (256 * 1024)

static struct sockaddr_storage to;
static socklen_t length;
static volatile int pipes;

static void on_pipe(int number) {
  (void)number;
  pipes++;
}

static int connected(int type) {
  int s = socket(to.ss_family, type, 0);
  if (connect(s, (void *)&to, length) < 0) say("connect", -1);
  return s;
}

static void bulk(void) {
  static char data[PIECE];
  int s = connected(SOCK_STREAM);
  long total = 0;
  for (int i = 0; i < 16; i++) {
    memset(data, 'a' + i, sizeof data);
    for (size_t sent = 0; sent < PIECE;) {
      size_t left = PIECE - sent, third = left / 3;
      struct iovec parts[3] = {{data, third}, {data + third, third}, {data + 2 * third, left - 2 * third}};
      struct msghdr m = {.msg_iov = parts, .msg_iovlen = 3};
      long result = sendmsg(s, &m, 0);
      if (result < 0) { say("sendmsg", -1); return; }
      sent += (size_t)result;
      total += result;
    }
  }
  say("sendmsg", total);
  total = 0;
  for (int i = 0; i < 16; i++) {
    memset(data, 'A' + i, sizeof data);
    for (size_t sent = 0; sent < PIECE;) {
      long result = sendto(s, data + sent, PIECE - sent, 0, (void *)&to, length);
      if (result < 0) { say("sendto", -1); return; }
      sent += (size_t)result;
      total += result;
    }
  }
  say("sendto", total);
}

static void tell(const char *name, long result) {
  say(name, result);
  printf("SIGPIPE %d\n", pipes);
  pipes = 0;
}

static void broken(void) {
  struct sigaction handler = {.sa_handler = on_pipe};
  struct iovec part = {(void *)TOKEN, 5};
  struct mmsghdr m = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
  sigaction(SIGPIPE, &handler, NULL);
  int s = connected(SOCK_STREAM), fresh = socket(to.ss_family, SOCK_STREAM, 0);
  shutdown(s, SHUT_WR);
  tell("sendmsg", sendmsg(s, &m.msg_hdr, 0));
  tell("sendmsg quiet", sendmsg(s, &m.msg_hdr, MSG_NOSIGNAL));
  tell("sendmmsg", sendmmsg(s, &m, 1, 0));
  tell("sendto", sendto(s, TOKEN, 5, 0, (void *)&to, length));
  tell("sendto quiet", sendto(s, TOKEN, 5, MSG_NOSIGNAL, (void *)&to, length));
  tell("sendto fresh", sendto(fresh, TOKEN, 5, 0, (void *)&to, length));
}

static void refused(void) {
  int s = connected(SOCK_DGRAM), u = socket(to.ss_family, SOCK_DGRAM, 0);
  say("send", send(s, TOKEN, 5, 0));
  usleep(50000);
  say("sendto after", sendto(s, TOKEN, 5, 0, (void *)&to, length));
  say("unconnected", sendto(u, TOKEN, 5, 0, (void *)&to, length));
  usleep(50000);
  say("unconnected after", sendto(u, TOKEN, 5, 0, (void *)&to, length));
}

static void flags(void) {
  int s = socket(to.ss_family, SOCK_DGRAM, 0);
  say("more", sendto(s, "one ", 4, MSG_MORE, (void *)&to, length));
  say("rest", sendto(s, "two", 3, 0, (void *)&to, length));
  say("dontwait", sendto(s, "three", 5, MSG_DONTWAIT, (void *)&to, length));
  say("confirm", sendto(s, "four", 4, MSG_CONFIRM, (void *)&to, length));
  say("empty", sendto(s, "", 0, 0, (void *)&to, length));
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  length = address(argv[2], &to);
  if (strcmp(argv[1], "bulk") == 0) bulk();
  else if (strcmp(argv[1], "broken") == 0) broken();
  else if (strcmp(argv[1], "refused") == 0) refused();
  else if (strcmp(argv[1], "flags") == 0) flags();
  else return 2;
  return 0;
}
