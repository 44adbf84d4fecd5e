/* A datagram to an address, one socket for each. usage: send FORM=HOST/PORT…
 *   sendto, sendmsg, sendmmsg   by that call
 *   unspec     sendto whose sockaddr says AF_UNSPEC: for an IPv4 socket Linux takes it as IPv4
 *   mixed      an IPv6 socket given a plain IPv4 sockaddr
 *   bound      from a socket bound to 127.0.0.5, where 0.0.0.0 means that address
 *   connected  the socket is connected to the destination, then sends in every way that names none
 *   renamed    connected to the first destination seen, then sendto names this one */
#include "probe.h"

static struct sockaddr_storage first;
static socklen_t first_length;

static long by_sendmsg(int s, struct sockaddr_storage *to, socklen_t length, int many) {
  struct iovec parts[2] = {{(void *)"hel", 3}, {(void *)"lo", 2}};
  struct mmsghdr message = {.msg_hdr = {.msg_name = to, .msg_namelen = length, .msg_iov = parts, .msg_iovlen = 2}};
  if (!many) return sendmsg(s, &message.msg_hdr, 0);
  return sendmmsg(s, &message, 1, 0);
}

static void connected(const char *name, int s, struct sockaddr_storage *to, socklen_t length) {
  long result = s < 0 ? -1 : connect(s, (void *)to, length);
  say(name, result);
  if (result < 0) return;
  say("send", send(s, TOKEN, 5, 0));
  say("write", write(s, TOKEN, 5));
  say("sendto", sendto(s, TOKEN, 5, 0, NULL, 0));
  say("sendmsg", by_sendmsg(s, NULL, 0, 0));
  say("sendmmsg", by_sendmsg(s, NULL, 0, 1));
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    struct sockaddr_storage to;
    socklen_t length = address(destination(argv[i]), &to);
    int family = is_form(argv[i], "mixed") ? AF_INET6 : to.ss_family;
    if (i == 1) first = to, first_length = length;
    int s = socket(family, SOCK_DGRAM, 0);
    if (s < 0) { say(argv[i], -1); continue; }
    if (is_form(argv[i], "sendto") || is_form(argv[i], "mixed"))
      say(argv[i], sendto(s, TOKEN, 5, 0, (void *)&to, length));
    else if (is_form(argv[i], "bound")) {
      struct sockaddr_storage source;
      socklen_t size = address("127.0.0.5/0", &source);
      say("bind", bind(s, (void *)&source, size));
      say(argv[i], sendto(s, TOKEN, 5, 0, (void *)&to, length));
    } else if (is_form(argv[i], "sendmsg")) say(argv[i], by_sendmsg(s, &to, length, 0));
    else if (is_form(argv[i], "sendmmsg")) say(argv[i], by_sendmsg(s, &to, length, 1));
    else if (is_form(argv[i], "unspec")) {
      to.ss_family = AF_UNSPEC;
      say(argv[i], sendto(s, TOKEN, 5, 0, (void *)&to, length));
    } else if (is_form(argv[i], "connected")) connected(argv[i], s, &to, length);
    else if (is_form(argv[i], "renamed")) {
      say("connect", connect(s, (void *)&first, first_length));
      say(argv[i], sendto(s, TOKEN, 5, 0, (void *)&to, length));
    } else return 2;
    close(s);
  }
  return 0;
}
