/* One sendmmsg(2) to several destinations. usage: mmsg HOST/PORT…   (`-` = no address)
 * Prints the result, the errno and every msg_len; a length the kernel did not write stays 7777. */
#include "probe.h"
#define MOST 64

int main(int argc, char **argv) {
  static struct sockaddr_storage to[MOST];
  static struct mmsghdr messages[MOST];
  struct iovec payload = {(void *)TOKEN, 5};
  int count = argc - 1 < MOST ? argc - 1 : MOST;
  for (int i = 0; i < count; i++) {
    messages[i].msg_len = 7777;
    messages[i].msg_hdr.msg_iov = &payload;
    messages[i].msg_hdr.msg_iovlen = 1;
    if (argv[i + 1][0] == '-') continue;
    messages[i].msg_hdr.msg_namelen = address(argv[i + 1], &to[i]);
    messages[i].msg_hdr.msg_name = &to[i];
  }
  int s = socket(to[0].ss_family ? to[0].ss_family : AF_INET, SOCK_DGRAM, 0);
  say("sendmmsg", s < 0 ? -1 : sendmmsg(s, messages, (unsigned)count, 0));
  printf("msg_len");
  for (int i = 0; i < count; i++) printf(" %u", messages[i].msg_len);
  printf("\n");
  return 0;
}
