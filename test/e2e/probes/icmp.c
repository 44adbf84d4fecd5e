/* The kernel's ping socket. usage: icmp ADDRESS…   (IPv4 or IPv6)
 * Sends one echo request by sendto, one by sendmsg and one on a connected socket; `reply` is whether it was answered. */
#include "probe.h"

static void wait_reply(int s) {
  char answer[64];
  struct pollfd ready = {s, POLLIN, 0};
  say("reply", poll(&ready, 1, 2000) == 1 && recv(s, answer, sizeof answer, 0) >= 8);
}

static void ping(const char *host, int way) {
  static const char *names[] = {"sendto", "sendmsg", "connect"};
  struct sockaddr_storage to;
  char text[80], name[96];
  snprintf(text, sizeof text, "%s/0", host);
  snprintf(name, sizeof name, "%s=%s", names[way], host);
  socklen_t length = address(text, &to);
  int v6 = to.ss_family == AF_INET6;
  unsigned char request[8] = {v6 ? 128 : 8, 0, 0, 0, 0, 0, 0, 1};
  struct iovec part = {request, sizeof request};
  struct msghdr m = {.msg_name = &to, .msg_namelen = length, .msg_iov = &part, .msg_iovlen = 1};
  int s = socket(to.ss_family, SOCK_DGRAM, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
  if (s < 0) { say(name, -1); return; }
  long result = way == 0 ? sendto(s, request, 8, 0, (void *)&to, length)
              : way == 1 ? sendmsg(s, &m, 0) : connect(s, (void *)&to, length);
  say(name, result);
  if (way == 2 && result == 0) say("send", result = send(s, request, 8, 0));
  if (result >= 0) wait_reply(s);
  close(s);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    for (int way = 0; way < 3; way++) ping(argv[i], way);
  return 0;
}
