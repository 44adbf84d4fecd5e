/**
 * Section `bind`: bind and listen where the policy allows them, and connects from bound sources; accepted connections.
 */
#include "fidelity.h"

static Address here;

static int bound(int type, const char *host, int distance, const char *label) {
  socklen_t length = at(host, distance, &here);
  int s = opened(here.ss_family, type), yes = 1;
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  row(bind(s, (void *)&here, length), "%s bind", label);
  return s;
}

/* A policy that does not allow it must not leave the section waiting. */
static void patient(int s) {
  struct timeval limit = {1, 0};
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

void section_bind(void) {
  struct sockaddr_in unspecified = {.sin_family = AF_UNSPEC};
  int s = opened(AF_INET, SOCK_STREAM);
  row(bind(s, (void *)&unspecified, 16), "bind unspecified 0.0.0.0");
  names(s, "bind unspecified");
  close(s);
  s = opened(AF_INET, SOCK_STREAM);
  unspecified.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  row(bind(s, (void *)&unspecified, 16), "bind unspecified 127.0.0.1");
  close(s);
  s = bound(SOCK_STREAM, "127.0.0.1", -1, "source");
  names(s, "source");
  row(bind(s, (void *)&here, 16), "source again");
  close(s);
  s = bound(SOCK_STREAM, "10.255.0.1", -1, "foreign source");
  close(s);
  s = bound(SOCK_DGRAM, "127.0.0.1", -1, "datagram source");
  names(s, "datagram source");
  row(listen(s, 1), "listen datagram");
  close(s);
  s = bound(SOCK_STREAM, "127.0.0.1", 40, "server");
  row(listen(s, 5), "server listen");
  row(listen(s, 7), "server listen again");
  int other = opened(AF_INET, SOCK_STREAM);
  row(bind(other, (void *)&here, 16), "taken port");
  close(other);
  int client = joined(SOCK_STREAM, "127.0.0.1", 40);
  readiness(s, "server");
  Address from;
  socklen_t length = sizeof from;
  int accepted = accept(s, (void *)&from, &length);
  row(accepted < 0 ? -1 : 0, "accept");
  fact(shown((void *)&from, length), "accepted from");
  names(accepted, "accepted");
  struct iovec part = {(void *)"hello", 5};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
  row(sendmsg(accepted, &m, 0), "accepted sendmsg");
  row(sendto(accepted, "hello", 5, 0, (void *)&here, 16), "accepted sendto with a name");
  char text[16];
  usleep(10000);
  row(recv(client, text, sizeof text, 0), "client recv");
  row(connect(s, (void *)&here, 16), "connect a listening socket");
  row(connect(accepted, (void *)&here, 16), "connect an accepted socket");
  close(accepted);
  close(client);
  close(s);
  row(listen(-1, 1), "listen no descriptor");
  row(listen(open("/dev/null", O_RDWR), 1), "listen file");
  s = bound(SOCK_DGRAM, "127.0.0.1", 41, "datagram server");
  client = joined(SOCK_DGRAM, "127.0.0.1", 41);
  row(send(client, "hello", 5, 0), "datagram client send");
  length = sizeof from;
  patient(s);
  row(recvfrom(s, text, sizeof text, 0, (void *)&from, &length), "datagram server recv");
  row(sendto(s, "again", 5, 0, (void *)&from, length), "datagram server answers");
  row(recv(client, text, sizeof text, MSG_DONTWAIT), "datagram client recv");
  close(s);
  close(client);
  s = opened(AF_INET, SOCK_STREAM);
  at("127.0.0.1", 42, &here);
  row(bind(s, (void *)&here, 16), "self bind");
  row(connect(s, (void *)&here, 16), "self connect");
  names(s, "self");
  row(send(s, "me", 2, MSG_NOSIGNAL), "self send");
  patient(s);
  row(recv(s, text, sizeof text, 0), "self recv");
  close(s);
}
