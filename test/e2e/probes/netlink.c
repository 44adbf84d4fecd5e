/* What getaddrinfo, `ip addr` and if_nameindex need: the kernel's routing socket. usage: netlink
 * Prints the answers to a link dump asked with sendto and with sendmsg, whether `lo` is among the names, and the
 * number of interface addresses on 127.0.0.1. */
#include "probe.h"
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

static void dump(const char *name, int with_sendmsg) {
  struct { struct nlmsghdr head; struct rtgenmsg body; } ask = {
    {sizeof ask, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {AF_UNSPEC}};
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  struct iovec part = {&ask, sizeof ask};
  struct msghdr m = {.msg_name = &kernel, .msg_namelen = sizeof kernel, .msg_iov = &part, .msg_iovlen = 1};
  char answer[16384];
  int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (s < 0) { say(name, -1); return; }
  say("bind", bind(s, (void *)&kernel, sizeof kernel));
  long sent = with_sendmsg ? sendmsg(s, &m, 0) : sendto(s, &ask, sizeof ask, 0, (void *)&kernel, sizeof kernel);
  say(name, sent == (long)sizeof ask ? 0 : -1);
  say("answered", recv(s, answer, sizeof answer, 0) > 0 ? 1 : -1);
  close(s);
}

int main(void) {
  dump("sendto", 0);
  dump("sendmsg", 1);
  long found = 0;
  struct if_nameindex *names = if_nameindex();
  if (!names) say("if_nameindex", -1);
  for (struct if_nameindex *n = names; n && n->if_index; n++) found += strcmp(n->if_name, "lo") == 0;
  say("lo", found);
  struct ifaddrs *list = NULL;
  long loopback = 0;
  say("getifaddrs", getifaddrs(&list));
  for (struct ifaddrs *i = list; i; i = i->ifa_next)
    if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET)
      loopback += ((struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
  say("127.0.0.1", loopback);
  return 0;
}
