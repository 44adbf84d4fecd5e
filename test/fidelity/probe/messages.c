/* Section `messages`: sendmsg and sendmmsg on UDP: name lengths, vectors, broken pointers, control
 * messages and what they do to the datagram (the reporter tells), segmentation offload, counts of
 * batches. */
#include "fidelity.h"
#include <netinet/udp.h>

static Address udp4, udp6;
static int s, file;
static struct iovec one = {(void *)"q", 1};

static struct msghdr message(void) {
  return (struct msghdr){.msg_name = &udp4, .msg_namelen = 16, .msg_iov = &one, .msg_iovlen = 1};
}

static void arrived(int from, int count, const char *label) {
  char text[256];
  for (int i = 0; i < count; i++) {
    struct pollfd p = {.fd = from, .events = POLLIN};
    long length = poll(&p, 1, 1000) > 0 ? recv(from, text, sizeof text - 1, 0) : -1;
    if (length < 0) { fact("no answer", "%s arrived", label); return; }
    text[length] = 0;
    fact(text, "%s arrived", label);
  }
}

static void name_lengths(void) {
  static const int lengths[] = {INT_MIN, -1, 0, 1, 2, 8, 15, 16, 17, 28, 127, 128, 129, 200, INT_MAX};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    struct msghdr m = message();
    m.msg_namelen = (socklen_t)lengths[i];
    row(sendmsg(s, &m, 0), "name length %d", lengths[i]);
    m.msg_name = NULL;
    row(sendmsg(s, &m, 0), "null name length %d", lengths[i]);
    m.msg_name = hole;
    row(sendmsg(s, &m, 0), "hole name length %d", lengths[i]);
    m = message();
    m.msg_namelen = (socklen_t)lengths[i];
    row(sendmsg(-1, &m, 0), "no descriptor, name length %d", lengths[i]);
    row(sendmsg(file, &m, 0), "not a socket, name length %d", lengths[i]);
  }
}

static void vectors(void) {
  static struct iovec many[1026];
  static const long counts[] = {0, 1, 2, 1024, 1025, 1 << 20, INT_MAX, (long)UINT_MAX + 1, -1};
  static char bytes[] = "0123456789";
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    struct msghdr m = message();
    for (size_t k = 0; k < 1026; k++) many[k] = (struct iovec){bytes + k % 10, 1};
    m.msg_iov = many;
    m.msg_iovlen = (size_t)counts[i];
    long result = sendmsg(s, &m, 0);
    row(result, "vectors %ld", counts[i]);
    if (result >= 0) arrived(s, 1, "vectors");
  }
  static const struct { const char *name; struct iovec parts[2]; } odd[] = {
    {"length -1", {{bytes, (size_t)-1}, {bytes, 1}}}, {"length LONG_MAX", {{bytes, LONG_MAX}, {bytes, 1}}},
    {"length 2 GiB", {{bytes, 1UL << 31}, {bytes, 1}}}, {"empty null", {{NULL, 0}, {bytes, 4}}},
    {"null", {{NULL, 4}, {bytes, 4}}}, {"both empty", {{bytes, 0}, {bytes, 0}}}, {"65507", {{NULL, 0}, {NULL, 0}}},
  };
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    struct msghdr m = message();
    struct iovec parts[2] = {odd[i].parts[0], odd[i].parts[1]};
    if (!strcmp(odd[i].name, "65507")) parts[0] = (struct iovec){hole - 65500, 65500}, parts[1] = (struct iovec){bytes, 7};
    m.msg_iov = parts;
    m.msg_iovlen = 2;
    long result = sendmsg(s, &m, 0);
    row(result, "parts %s", odd[i].name);
    if (result >= 0) arrived(s, 1, "parts");
  }
  struct msghdr m = message();
  struct iovec half[2] = {{bytes, 4}, {hole - 4, 8}};
  m.msg_iov = half;
  m.msg_iovlen = 2;
  row(sendmsg(s, &m, 0), "second part half mapped");
  m.msg_iov = (void *)hole;
  row(sendmsg(s, &m, 0), "vectors in the hole");
  m.msg_iov = (void *)(hole - 16);
  row(sendmsg(s, &m, 0), "vectors half mapped");
  m.msg_iov = NULL;
  row(sendmsg(s, &m, 0), "vectors null");
  m.msg_iovlen = 0;
  row(sendmsg(s, &m, 0), "no vectors, null");
  arrived(s, 1, "no vectors");
  row(syscall(SYS_sendmsg, s, NULL, 0), "message null");
  row(syscall(SYS_sendmsg, s, hole, 0), "message hole");
  memset(hole - 32, 0, 32);
  row(syscall(SYS_sendmsg, s, hole - 32, 0), "message half mapped");
  row(syscall(SYS_sendmsg, -1, hole, 0), "message hole, no descriptor");
  row(syscall(SYS_sendmsg, file, hole, 0), "message hole, not a socket");
  m = message();
  row(sendmsg(s, &m, MSG_OOB), "flag urgent");
  row((long)syscall(SYS_sendmsg, s, &m, 0x80000000UL), "flag compat");
}

/* Sends "control" with one control message; the reporter says what became of it. */
static void controlled(int family, int level, int type, const void *payload, size_t length, const char *label) {
  union { char bytes[128]; struct cmsghdr align; } control;
  struct iovec text = {(void *)"control", 7};
  struct msghdr m = {.msg_name = family == AF_INET ? &udp4 : &udp6, .msg_namelen = family == AF_INET ? 16 : 28,
                     .msg_iov = &text, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = CMSG_SPACE(length)};
  memset(&control, 0, sizeof control);
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_len = CMSG_LEN(length);
  c->cmsg_level = level;
  c->cmsg_type = type;
  memcpy(CMSG_DATA(c), payload, length);
  int from = opened(family, SOCK_DGRAM);
  long result = sendmsg(from, &m, 0);
  row(result, "control %s", label);
  if (result > 0) arrived(from, 1, label);
  else fact("nothing", "%s arrived", label);
  close(from);
}

static void controls(void) {
  int tos = 0x28, ttl = 9, wrong = 300;
  unsigned char byte = 0x10;
  uint16_t segment = 3;
  uint64_t when = 0;
  struct in_pktinfo source = {0};
  struct in6_pktinfo source6 = {.ipi6_addr = IN6ADDR_LOOPBACK_INIT};
  controlled(AF_INET, IPPROTO_IP, IP_TOS, &tos, 4, "tos");
  controlled(AF_INET, IPPROTO_IP, IP_TOS, &byte, 1, "tos byte");
  controlled(AF_INET, IPPROTO_IP, IP_TOS, &tos, 2, "tos of 2 bytes");
  controlled(AF_INET, IPPROTO_IP, IP_TTL, &ttl, 4, "ttl");
  controlled(AF_INET, IPPROTO_IP, IP_TTL, &wrong, 4, "ttl 300");
  controlled(AF_INET6, IPPROTO_IPV6, IPV6_TCLASS, &tos, 4, "traffic class");
  controlled(AF_INET6, IPPROTO_IPV6, IPV6_TCLASS, &wrong, 4, "traffic class 300");
  controlled(AF_INET6, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, 4, "hop limit");
  inet_pton(AF_INET, "127.0.0.5", &source.ipi_spec_dst);
  controlled(AF_INET, IPPROTO_IP, IP_PKTINFO, &source, sizeof source, "source 127.0.0.5");
  inet_pton(AF_INET, "10.255.0.9", &source.ipi_spec_dst);
  controlled(AF_INET, IPPROTO_IP, IP_PKTINFO, &source, sizeof source, "foreign source");
  controlled(AF_INET, IPPROTO_IP, IP_PKTINFO, &source, 8, "source of 8 bytes");
  controlled(AF_INET6, IPPROTO_IPV6, IPV6_PKTINFO, &source6, sizeof source6, "source ::1");
  controlled(AF_INET, SOL_UDP, 103, &segment, 2, "segment of 3");
  controlled(AF_INET, SOL_UDP, 103, &segment, 1, "segment of 1 byte");
  controlled(AF_INET, SOL_SOCKET, 61, &when, 8, "departure time");
  controlled(AF_INET, SOL_SOCKET, SCM_RIGHTS, &tos, 4, "rights on udp");
  controlled(AF_INET, 99, 1, &tos, 4, "level 99");
  controlled(AF_INET, SOL_UDP, 99, &tos, 4, "udp 99");
  union { char bytes[64]; struct cmsghdr align; } control;
  static const long lengths[] = {1, 3, 15, 16, 17, 64, 1 << 20, INT_MAX, -1};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    struct msghdr m = message();
    memset(&control, 0, sizeof control);
    m.msg_control = lengths[i] > 64 || lengths[i] < 0 ? hole - READABLE : control.bytes;
    m.msg_controllen = (size_t)lengths[i];
    row(sendmsg(s, &m, 0), "control length %ld", lengths[i]);
  }
  struct msghdr m = message();
  m.msg_control = hole;
  m.msg_controllen = 24;
  row(sendmsg(s, &m, 0), "control in the hole");
  m.msg_controllen = 0;
  row(sendmsg(s, &m, 0), "control in the hole, length 0");
  m.msg_control = NULL;
  m.msg_controllen = 24;
  row(sendmsg(s, &m, 0), "control null");
  m.msg_control = control.bytes;
  control.align = (struct cmsghdr){.cmsg_len = 8, .cmsg_level = IPPROTO_IP, .cmsg_type = IP_TTL};
  row(sendmsg(s, &m, 0), "control message too short");
  control.align.cmsg_len = 100;
  row(sendmsg(s, &m, 0), "control message too long");
}

static void segments(void) {
  int from = joined(SOCK_DGRAM, "127.0.0.1", REPORTER), size = 1000;
  row(setsockopt(from, SOL_UDP, 103, &size, sizeof size), "segments of 1000");
  row(send(from, hole - 3500, 3500, 0), "segments send");
  arrived(from, 4, "segments send");
  row(sendto(from, hole - 3500, 3500, 0, (void *)&udp4, 16), "segments sendto");
  arrived(from, 4, "segments sendto");
  struct iovec parts[2] = {{hole - 3500, 1500}, {hole - 2000, 2000}};
  struct msghdr m = {.msg_name = &udp4, .msg_namelen = 16, .msg_iov = parts, .msg_iovlen = 2};
  row(sendmsg(from, &m, 0), "segments sendmsg");
  arrived(from, 4, "segments sendmsg");
  row(sendto(from, hole - 65507, 65507, 0, (void *)&udp4, 16), "segments 65507");
  arrived(from, 66, "segments 65507");
  row(sendto(from, hole - 65508, 65508, 0, (void *)&udp4, 16), "segments 65508");
  size = 1;
  setsockopt(from, SOL_UDP, 103, &size, sizeof size);
  row(sendto(from, hole - 129, 129, 0, (void *)&udp4, 16), "129 segments");
  close(from);
}

static void batches(void) {
  static struct mmsghdr batch[2000];
  static const int counts[] = {0, 1, 3, 64};
  int connected = joined(SOCK_DGRAM, "127.0.0.1", REPORTER);
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    for (int k = 0; k < 2000; k++) batch[k] = (struct mmsghdr){.msg_hdr = message(), .msg_len = 77};
    row(sendmmsg(s, batch, (unsigned)counts[i], 0), "batch of %d", counts[i]);
    printf("batch lengths: %u %u %u\n", batch[0].msg_len, batch[2].msg_len, batch[64].msg_len);
  }
  row(sendmmsg(s, batch, 2000, 0), "batch of 2000");
  row(sendmmsg(s, batch, UINT_MAX, 0), "batch of UINT_MAX");
  for (int bad = 0; bad < 3; bad++) {
    for (int k = 0; k < 3; k++) batch[k] = (struct mmsghdr){.msg_hdr = message(), .msg_len = 77};
    batch[bad].msg_hdr.msg_iov = (void *)hole;
    row(sendmmsg(s, batch, 3, 0), "batch with fault at %d", bad);
    printf("batch lengths: %u %u %u\n", batch[0].msg_len, batch[1].msg_len, batch[2].msg_len);
    batch[bad].msg_hdr = message();
    batch[bad].msg_hdr.msg_namelen = 3;
    row(sendmmsg(s, batch, 3, 0), "batch with short name at %d", bad);
    batch[bad].msg_hdr = message();
    batch[bad].msg_hdr.msg_name = NULL;
    row(sendmmsg(s, batch, 3, 0), "batch without name at %d", bad);
    row(sendmmsg(connected, batch, 3, 0), "batch without name at %d, connected", bad);
  }
  struct mmsghdr *half = (void *)(hole - 64);
  *half = (struct mmsghdr){.msg_hdr = message()};
  row(syscall(SYS_sendmmsg, s, half, 2, 0), "batch half mapped");
  row(syscall(SYS_sendmmsg, s, hole - 60, 1, 0), "batch with count in the hole");
  row(syscall(SYS_sendmmsg, s, hole, 1, 0), "batch in the hole");
  row(syscall(SYS_sendmmsg, s, NULL, 1, 0), "batch null");
  row(syscall(SYS_sendmmsg, s, NULL, 0, 0), "batch null of 0");
  row(syscall(SYS_sendmmsg, -1, NULL, 0, 0), "batch of 0, no descriptor");
  row(syscall(SYS_sendmmsg, file, NULL, 0, 0), "batch of 0, not a socket");
  row(syscall(SYS_sendmmsg, file, half, 1, 0), "batch, not a socket");
  close(connected);
}

void section_messages(void) {
  at("127.0.0.1", REPORTER, &udp4);
  at("::1", REPORTER, &udp6);
  s = opened(AF_INET, SOCK_DGRAM);
  file = open("/dev/null", O_RDWR);
  name_lengths();
  vectors();
  controls();
  segments();
  batches();
  close(s);
}
