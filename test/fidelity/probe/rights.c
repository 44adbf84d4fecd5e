/* Section `rights`: descriptors and credentials passed over unix sockets of all three types. */
#include "fidelity.h"

static int ends[2];

static long pass(const int *numbers, int count, int flags) {
  static union { char bytes[CMSG_SPACE(300 * sizeof(int))]; struct cmsghdr align; } control;
  struct iovec part = {(void *)"r", 1};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                     .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
  control.align = (struct cmsghdr){.cmsg_len = CMSG_LEN((size_t)count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(&control.align), numbers, (size_t)count * sizeof(int));
  return sendmsg(ends[0], &m, flags);
}

/* How many descriptors came with the next message, and the last of them; the others are closed. */
static int taken(int *last) {
  static union { char bytes[CMSG_SPACE(300 * sizeof(int))]; struct cmsghdr align; } control;
  char byte;
  struct iovec part = {&byte, 1};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control};
  int count = 0;
  *last = -1;
  if (recvmsg(ends[1], &m, MSG_DONTWAIT) < 0) return -1;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    size_t all = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < all; i++) {
      if (*last >= 0) close(*last);
      memcpy(last, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      count++;
    }
  }
  return count;
}

static void counts(const char *kind) {
  static const int amounts[] = {0, 1, 2, 253, 254};
  int numbers[300], last, file = open("/dev/zero", O_RDONLY);
  for (int i = 0; i < 300; i++) numbers[i] = file;
  for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++) {
    row(pass(numbers, amounts[i], 0), "%s pass %d", kind, amounts[i]);
    row(taken(&last), "%s taken of %d", kind, amounts[i]);
    char byte = 1;
    row(last >= 0 && read(last, &byte, 1) == 1 && byte == 0, "%s the one passed reads", kind);
    close(last);
  }
  numbers[1] = 900;
  row(pass(numbers, 2, 0), "%s pass an unused one", kind);
  numbers[1] = -1;
  row(pass(numbers, 2, 0), "%s pass -1", kind);
  row(taken(&last), "%s nothing was passed", kind);
  int path = open("/", O_PATH), inner[2];
  row(pass(&path, 1, 0), "%s pass a path", kind);
  row(taken(&last), "%s path taken", kind);
  close(last);
  socketpair(AF_UNIX, SOCK_STREAM, 0, inner);
  row(pass(inner, 2, 0), "%s pass sockets", kind);
  close(inner[1]);
  row(taken(&last), "%s sockets taken", kind);
  char text[8];
  row(send(last, "over", 4, 0), "%s passed socket sends", kind);
  row(recv(inner[0], text, sizeof text, 0), "%s passed socket arrives", kind);
  close(last);
  close(inner[0]);
  row(pass(ends, 1, 0), "%s pass itself", kind);
  row(taken(&last), "%s itself taken", kind);
  close(last);
  close(path);
  close(file);
}

static void credentials(const char *kind, int pid_offset, int uid_offset) {
  union { char bytes[CMSG_SPACE(sizeof(struct ucred))]; struct cmsghdr align; } control;
  struct ucred who = {getpid() + pid_offset, getuid() + (unsigned)uid_offset, getgid()};
  struct iovec part = {(void *)"c", 1};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control};
  control.align = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof who), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS};
  memcpy(CMSG_DATA(&control.align), &who, sizeof who);
  row(sendmsg(ends[0], &m, 0), "%s credentials %+d %+d", kind, pid_offset, uid_offset);
}

static void received(const char *kind, const char *label) {
  union { char bytes[CMSG_SPACE(sizeof(struct ucred))]; struct cmsghdr align; } control;
  char byte;
  struct iovec part = {&byte, 1};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control};
  struct ucred who = {-1, (uid_t)-1, (gid_t)-1};
  struct cmsghdr *c = recvmsg(ends[1], &m, MSG_DONTWAIT) < 0 ? NULL : CMSG_FIRSTHDR(&m);
  if (c) memcpy(&who, CMSG_DATA(c), sizeof who);
  row(who.uid == getuid() && who.gid == getgid(), "%s %s: users are ours", kind, label);
  row(who.pid == getpid(), "%s %s: process is ours", kind, label);
}

void section_rights(void) {
  static const struct { const char *name; int type; } kinds[] = {
    {"stream", SOCK_STREAM}, {"packets", SOCK_SEQPACKET}, {"datagram", SOCK_DGRAM}};
  for (size_t i = 0; i < 3; i++) {
    const char *kind = kinds[i].name;
    int yes = 1;
    row(socketpair(AF_UNIX, kinds[i].type, 0, ends), "%s pair", kind);
    counts(kind);
    while (recv(ends[1], (char[64]){0}, 64, MSG_DONTWAIT) > 0) {}
    setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
    struct iovec part = {(void *)"p", 1};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    row(send(ends[0], "s", 1, 0), "%s send", kind);
    received(kind, "send");
    row(sendmsg(ends[0], &m, 0), "%s sendmsg", kind);
    received(kind, "sendmsg");
    credentials(kind, 0, 0);
    received(kind, "credentials");
    if (geteuid() != 0) {
      credentials(kind, 1, 0);
      credentials(kind, 0, 1);
    }
    close(ends[0]);
    close(ends[1]);
    ends[0] = ends[1] = -1;
  }
}
