/* Section `datagrams`: sendto on UDP and on TCP: what is named, how long, how large, with which
 * flags; the answer of the reporter says what arrived. */
#include "fidelity.h"

static Address udp4, udp6, tcp4;
static char large[140000];

/* The reporter's answers to a socket, as lines; each is waited for at most a second. */
static void answers(int s, int count, const char *label) {
  char text[256];
  for (int i = 0; i < count; i++) {
    struct pollfd p = {.fd = s, .events = POLLIN};
    long length = poll(&p, 1, 1000) > 0 ? recv(s, text, sizeof text - 1, 0) : -1;
    if (length < 0) { fact("no answer", "%s arrived", label); return; }
    text[length] = 0;
    fact(text, "%s arrived", label);
  }
}

static void sizes(int s, Address *to, socklen_t length, const char *label) {
  static const long whole[] = {0, 1, 1400, 65507, 65508, 65527, 65528, 65535, 65536, 70000, 131072};
  for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
    long result = sendto(s, large, (size_t)whole[i], 0, (void *)to, length);
    row(result, "%s %ld bytes", label, whole[i]);
    if (result >= 0) answers(s, 1, label);
  }
  row(sendto(s, large, (size_t)-1, 0, (void *)to, length), "%s -1 bytes", label);
  row(sendto(s, large, (size_t)1 << 31, 0, (void *)to, length), "%s 2 GiB", label);
  row(sendto(s, NULL, 0, 0, (void *)to, length), "%s null, 0 bytes", label);
  answers(s, 1, label);
  row(sendto(s, NULL, 1, 0, (void *)to, length), "%s null, 1 byte", label);
  row(sendto(s, hole, 1, 0, (void *)to, length), "%s hole", label);
  row(sendto(s, hole - 4, 8, 0, (void *)to, length), "%s half mapped", label);
  row(sendto(s, hole - 4, 4, 0, (void *)to, length), "%s up to the hole", label);
  answers(s, 1, label);
  row(sendto(s, (void *)0xffffffff81000000UL, 4, 0, (void *)to, length), "%s kernel bytes", label);
}

static void families(int s, Address *good, socklen_t length, const char *label) {
  static const int numbers[] = {0, 1, 2, 3, 10, 16, 17, 40, 99, 0xffff};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    Address odd = *good;
    odd.ss_family = (sa_family_t)numbers[i];
    long result = sendto(s, "x", 1, 0, (void *)&odd, length);
    row(result, "%s family %d", label, numbers[i]);
    if (result > 0 && numbers[i] != 10 && length == 16) answers(s, 1, label);
  }
}

static void flags(int type, const char *label) {
  static const int bits[] = {MSG_OOB, MSG_PEEK, MSG_DONTROUTE, MSG_TRYHARD, MSG_TRUNC, MSG_DONTWAIT, MSG_EOR, MSG_WAITALL,
                             MSG_FIN, MSG_SYN, MSG_CONFIRM, MSG_RST, MSG_ERRQUEUE, MSG_NOSIGNAL, MSG_CMSG_CLOEXEC, 0x40000, 0x80000};
  for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
    int s = joined(type, "127.0.0.1", type == SOCK_DGRAM ? REPORTER : SINK);
    Address *to = type == SOCK_DGRAM ? &udp4 : &tcp4;
    row(sendto(s, "q", 1, bits[i], (void *)to, 16), "%s flag %#x", label, (unsigned)bits[i]);
    row(send(s, "q", 1, bits[i]), "%s flag %#x unnamed", label, (unsigned)bits[i]);
    close(s);
  }
}

static void connected(void) {
  int s = joined(SOCK_DGRAM, "127.0.0.1", REPORTER);
  Address other;
  at("127.0.0.9", REPORTER, &other);
  row(sendto(s, "elsewhere", 9, 0, (void *)&other, 16), "connected udp4 to another");
  row(sendto(s, "peer", 4, 0, NULL, 0), "connected udp4 unnamed");
  answers(s, 1, "connected udp4");
  row(sendto(s, "peer", 4, 0, NULL, 16), "connected udp4 null, length 16");
  answers(s, 1, "connected udp4");
  row(sendto(s, "peer", 4, 0, (void *)&udp4, 0), "connected udp4 length 0");
  names(s, "connected udp4");
  at("127.0.0.1", NOBODY, &other);
  row(sendto(s, "x", 1, 0, (void *)&other, 16), "connected udp4 to nobody");
  usleep(20000);
  row(sendto(s, "x", 1, 0, (void *)&udp4, 16), "connected udp4 after nobody");
  close(s);
  s = joined(SOCK_DGRAM, "::1", REPORTER);
  Address odd = udp6;
  odd.ss_family = AF_UNSPEC;
  row(sendto(s, "peer", 4, 0, (void *)&odd, 28), "connected udp6 unspecified");
  answers(s, 1, "connected udp6");
  row(sendto(s, "peer", 4, 0, (void *)&odd, 2), "connected udp6 unspecified length 2");
  row(sendto(s, "x", 1, 0, (void *)&udp4, 16), "connected udp6 to sockaddr_in");
  close(s);
}

static void tcp(void) {
  int s = opened(AF_INET, SOCK_STREAM);
  row(sendto(s, "x", 1, MSG_NOSIGNAL, (void *)&tcp4, 16), "tcp unconnected");
  names(s, "tcp unconnected");
  row(sendto(s, "x", 1, MSG_NOSIGNAL, (void *)&tcp4, -1), "tcp unconnected length -1");
  row(sendto(s, "x", 1, MSG_NOSIGNAL, (void *)hole, 16), "tcp unconnected hole");
  row(sendto(s, "x", 1, MSG_NOSIGNAL, NULL, 16), "tcp unconnected null");
  connect(s, (void *)&tcp4, 16);
  row(sendto(s, "x", 1, 0, (void *)&udp4, 16), "tcp to another");
  row(sendto(s, "x", 1, 0, (void *)&udp4, 1), "tcp length 1");
  row(sendto(s, "x", 1, 0, (void *)&udp4, 129), "tcp length 129");
  row(sendto(s, "", 0, 0, (void *)&udp4, 16), "tcp empty");
  row(sendto(s, large, sizeof large, 0, (void *)&udp4, 16), "tcp large");
  row(sendto(s, hole, 1, 0, (void *)&udp4, 16), "tcp payload hole");
  row(sendto(s, "x", 1, MSG_OOB, (void *)&udp4, 16), "tcp urgent");
  close(s);
}

void section_datagrams(void) {
  socklen_t six = at("::1", REPORTER, &udp6);
  at("127.0.0.1", REPORTER, &udp4);
  at("127.0.0.1", SINK, &tcp4);
  for (size_t i = 0; i < sizeof large; i++) large[i] = (char)(i * 7 + 1);
  int u4 = opened(AF_INET, SOCK_DGRAM), u6 = opened(AF_INET6, SOCK_DGRAM);
  Address to;
  names(u4, "udp4 before");
  sizes(u4, &udp4, 16, "udp4");
  names(u4, "udp4 after");
  sizes(u6, &udp6, six, "udp6");
  families(u4, &udp4, 16, "udp4");
  families(u6, &udp6, six, "udp6");
  at("127.0.0.1", -1, &to);
  row(sendto(u4, "x", 1, 0, (void *)&to, 16), "udp4 port 0");
  six = at("::1", -1, &to);
  row(sendto(u6, "x", 1, 0, (void *)&to, six), "udp6 port 0");
  at("127.255.255.255", REPORTER, &to);
  row(sendto(u4, "q", 1, 0, (void *)&to, 16), "udp4 broadcast");
  at("0.0.0.0", REPORTER, &to);
  row(sendto(u4, "any", 3, 0, (void *)&to, 16), "udp4 to 0.0.0.0");
  answers(u4, 1, "udp4 to 0.0.0.0");
  row(sendto(u6, "x", 1, 0, (void *)&to, 16), "udp6 to sockaddr_in 0.0.0.0");
  six = at("::", REPORTER, &to);
  row(sendto(u6, "any", 3, 0, (void *)&to, six), "udp6 to ::");
  at("::ffff:127.0.0.1", REPORTER, &to);
  row(sendto(u6, "mapped", 6, 0, (void *)&to, six), "udp6 to mapped");
  row(sendto(u4, "x", 1, 0, (void *)&to, six), "udp4 to mapped");
  at("10.255.0.1", REPORTER, &to);
  row(sendto(u4, "x", 1, 0, (void *)&to, 16), "udp4 without route");
  close(u4);
  close(u6);
  flags(SOCK_DGRAM, "udp4");
  flags(SOCK_STREAM, "tcp4");
  connected();
  tcp();
}
