/* Calls with odd and broken arguments, one line each: what Linux answers, to be compared line by line with what is
 * answered under supervision. usage: arguments TCP4 UDP4 TCP6 UDP6   (each HOST/PORT with a listener)
 * Nothing here may depend on ports, addresses or descriptors' numbers in its output. */
#include "probe.h"
#include <limits.h>
#include <sys/mman.h>

static struct sockaddr_storage tcp4, udp4, tcp6, udp6;
static char *hole; /* the first byte after a mapped page */

static void line(const char *name, long number, long result) {
  char text[96];
  snprintf(text, sizeof text, "%s %ld:", name, number);
  say(text, result);
}

static void connect_lengths(const char *name, int type, struct sockaddr_storage *to) {
  static const int lengths[] = {-1, 0, 1, 2, 8, 15, 16, 17, 23, 24, 27, 28, 29, 127, 128, 129, INT_MAX};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    int s = socket(to->ss_family, type, 0);
    line(name, lengths[i], syscall(SYS_connect, s, to, lengths[i]));
    close(s);
  }
}

static void connect_others(void) {
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  int s = socket(AF_INET, SOCK_STREAM, 0), file = open("/dev/null", O_RDWR), path = open("/", O_PATH);
  line("connect null", 0, connect(s, NULL, 16));
  line("connect unmapped", 0, connect(s, (void *)hole, 16));
  line("connect straddling", 0, connect(s, (void *)(hole - 8), 16));
  line("connect descriptor -1", 0, connect(-1, (void *)&tcp4, 16));
  line("connect descriptor 900", 0, connect(900, (void *)&tcp4, 16));
  line("connect file", 0, connect(file, (void *)&tcp4, 16));
  line("connect file unmapped", 0, connect(file, (void *)hole, 16));
  line("connect path", 0, connect(path, (void *)&tcp4, 16));
  line("connect tcp4 to v6", 0, connect(s, (void *)&tcp6, 28));
  line("connect tcp4 unspec 2", 0, connect(s, &none, 2));
  line("connect tcp4 unspec 16", 0, connect(s, &none, 16));
  line("connect tcp4", 0, connect(s, (void *)&tcp4, 16));
  line("connect tcp4 again", 0, connect(s, (void *)&tcp4, 16));
  line("connect tcp4 dissolve", 0, connect(s, &none, 16));
  line("connect tcp4 after", 0, connect(s, (void *)&tcp4, 16));
  close(s);
  s = socket(AF_INET, SOCK_DGRAM, 0);
  line("connect udp4 unspec 2", 0, connect(s, &none, 2));
  line("connect udp4", 0, connect(s, (void *)&udp4, 16));
  line("connect udp4 again", 0, connect(s, (void *)&udp4, 16));
  line("connect udp4 unspec 16", 0, connect(s, &none, 16));
  line("send dissolved", 0, send(s, "x", 1, 0));
  line("connect udp4 to v6", 0, connect(s, (void *)&udp6, 28));
  close(s);
  s = socket(AF_INET6, SOCK_DGRAM, 0);
  line("connect udp6 unspec 2", 0, connect(s, &none, 2));
  line("connect udp6 unspec 16", 0, connect(s, &none, 16));
  line("connect udp6 to v4", 0, connect(s, (void *)&udp4, 16));
  close(s);
  s = socket(AF_INET6, SOCK_STREAM, 0);
  line("connect tcp6 unspec 16", 0, connect(s, &none, 16));
  line("connect tcp6 to v4", 0, connect(s, (void *)&tcp4, 16));
  close(s);
  close(file);
  close(path);
}

static void sendto_forms(void) {
  int u4 = socket(AF_INET, SOCK_DGRAM, 0), u6 = socket(AF_INET6, SOCK_DGRAM, 0);
  int lengths4[] = {-1, 0, 1, 15, 16, 28, 128, 129}, lengths6[] = {-1, 1, 23, 24, 28, 128, 129};
  struct sockaddr_storage odd;
  for (size_t i = 0; i < sizeof lengths4 / sizeof *lengths4; i++)
    line("sendto udp4 length", lengths4[i], syscall(SYS_sendto, u4, "x", 1, 0, &udp4, lengths4[i]));
  for (size_t i = 0; i < sizeof lengths6 / sizeof *lengths6; i++)
    line("sendto udp6 length", lengths6[i], syscall(SYS_sendto, u6, "x", 1, 0, &udp6, lengths6[i]));
  line("sendto no name", 0, sendto(u4, "x", 1, 0, NULL, 0));
  line("sendto no name, length", 16, sendto(u4, "x", 1, 0, NULL, 16));
  odd = udp4; odd.ss_family = AF_UNIX;
  line("sendto udp4 family unix", 0, sendto(u4, "x", 1, 0, (void *)&odd, 16));
  odd = udp4; ((struct sockaddr_in *)&odd)->sin_port = 0;
  line("sendto udp4 port 0", 0, sendto(u4, "x", 1, 0, (void *)&odd, 16));
  odd = udp4; ((struct sockaddr_in *)&odd)->sin_addr.s_addr = 0xffffffff;
  line("sendto udp4 broadcast", 0, sendto(u4, "x", 1, 0, (void *)&odd, 16));
  odd = udp6; odd.ss_family = AF_UNIX;
  line("sendto udp6 family unix", 0, sendto(u6, "x", 1, 0, (void *)&odd, 28));
  odd = udp6; odd.ss_family = AF_UNSPEC;
  line("sendto udp6 unspec", 0, sendto(u6, "x", 1, 0, (void *)&odd, 28));
  line("sendto udp6 to v4", 0, sendto(u6, "x", 1, 0, (void *)&udp4, 16));
  line("sendto udp4 to v6", 0, sendto(u4, "x", 1, 0, (void *)&udp6, 28));
  line("sendto empty", 0, sendto(u4, "", 0, 0, (void *)&udp4, 16));
  line("sendto name unmapped", 0, sendto(u4, "x", 1, 0, (void *)hole, 16));
  line("sendto payload unmapped", 0, sendto(u4, hole, 1, 0, (void *)&udp4, 16));
  line("sendto payload straddling", 0, sendto(u4, hole - 4, 8, 0, (void *)&udp4, 16));
  static char large[70000];
  line("sendto 65507", 0, sendto(u4, large, 65507, 0, (void *)&udp4, 16));
  line("sendto 65508", 0, sendto(u4, large, 65508, 0, (void *)&udp4, 16));
  line("sendto 70000", 0, sendto(u4, large, 70000, 0, (void *)&udp4, 16));
  line("sendto bad flag", 0, sendto(u4, "x", 1, MSG_OOB, (void *)&udp4, 16));
  line("sendto descriptor", -1, sendto(-1, "x", 1, 0, (void *)&udp4, 16));
  line("sendto stdin", 0, sendto(open("/dev/null", O_RDONLY), "x", 1, 0, (void *)&udp4, 16));
  int t = socket(AF_INET, SOCK_STREAM, 0);
  line("sendto tcp unconnected", 0, sendto(t, "x", 1, MSG_NOSIGNAL, (void *)&tcp4, 16));
  connect(t, (void *)&tcp4, 16);
  line("sendto tcp connected", 0, sendto(t, "x", 1, 0, (void *)&udp4, 16));
  line("sendto tcp large", 0, sendto(t, large, 70000, 0, (void *)&tcp4, 16));
  close(t);
  close(u4);
  close(u6);
}

static void sendmsg_forms(void) {
  int u = socket(AF_INET, SOCK_DGRAM, 0);
  static struct iovec many[1025];
  struct iovec one = {(void *)"x", 1};
  struct msghdr m = {.msg_name = &udp4, .msg_namelen = 16, .msg_iov = &one, .msg_iovlen = 1}, odd;
  int lengths[] = {-1, 0, 2, 15, 16, 128, 129, 200};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    odd = m; odd.msg_namelen = (socklen_t)lengths[i];
    line("sendmsg name length", lengths[i], sendmsg(u, &odd, 0));
  }
  odd = m; odd.msg_iov = many; odd.msg_iovlen = 1024;
  line("sendmsg vectors", 1024, sendmsg(u, &odd, 0));
  odd.msg_iovlen = 1025;
  line("sendmsg vectors", 1025, sendmsg(u, &odd, 0));
  odd = m; odd.msg_iovlen = 0;
  line("sendmsg vectors", 0, sendmsg(u, &odd, 0));
  struct iovec negative = {(void *)"x", (size_t)-1};
  odd = m; odd.msg_iov = &negative;
  line("sendmsg vector length", -1, sendmsg(u, &odd, 0));
  odd = m; odd.msg_iov = (void *)hole;
  line("sendmsg vectors unmapped", 0, sendmsg(u, &odd, 0));
  odd = m; odd.msg_name = hole;
  line("sendmsg name unmapped", 0, sendmsg(u, &odd, 0));
  odd = m; odd.msg_control = hole; odd.msg_controllen = 16;
  line("sendmsg control unmapped", 0, sendmsg(u, &odd, 0));
  char control[64] = {0};
  odd = m; odd.msg_control = control; odd.msg_controllen = 3;
  line("sendmsg control length", 3, sendmsg(u, &odd, 0));
  odd.msg_controllen = 64;
  line("sendmsg control of length zero", 0, sendmsg(u, &odd, 0));
  odd.msg_controllen = INT_MAX;
  line("sendmsg control length", INT_MAX, sendmsg(u, &odd, 0));
  line("sendmsg null", 0, syscall(SYS_sendmsg, u, NULL, 0));
  line("sendmsg unmapped", 0, syscall(SYS_sendmsg, u, hole, 0));
  line("sendmsg straddling", 0, syscall(SYS_sendmsg, u, hole - 8, 0));
  line("sendmsg descriptor", -1, sendmsg(-1, &m, 0));
  line("sendmmsg none", 0, sendmmsg(u, NULL, 0, 0));
  line("sendmmsg null", 1, syscall(SYS_sendmmsg, u, NULL, 1, 0));
  static struct mmsghdr batch[2000];
  for (int i = 0; i < 2000; i++) batch[i].msg_hdr = m;
  line("sendmmsg", 2000, sendmmsg(u, batch, 2000, 0));
  for (int i = 0; i < 2000; i++) batch[i].msg_hdr = m, batch[i].msg_len = 0;
  batch[2].msg_hdr.msg_iov = (void *)hole;
  line("sendmmsg fault in the third", 3, sendmmsg(u, batch, 3, 0));
  line("sendmmsg lengths", batch[0].msg_len * 100 + batch[1].msg_len * 10 + batch[2].msg_len, 0);
  batch[0].msg_hdr.msg_iov = (void *)hole;
  line("sendmmsg fault in the first", 3, sendmmsg(u, batch, 3, 0));
  close(u);
}

static void socket_forms(void) {
  static const int triples[][3] = {{2, 1, 17}, {2, 2, 6}, {2, 0, 0}, {2, 5, 0}, {99, 1, 0}, {2, 1, 6}, {10, 2, 17},
                                   {2, 1, 1}, {2, 2, 256}, {2, 0x20001, 0}, {2, 15, 0}, {-1, 1, 0}, {2, 1, -1}};
  for (size_t i = 0; i < sizeof triples / sizeof *triples; i++) {
    char name[64];
    int s = socket(triples[i][0], triples[i][1], triples[i][2]);
    snprintf(name, sizeof name, "socket %d,%d,%d", triples[i][0], triples[i][1], triples[i][2]);
    say(name, s < 0 ? -1 : 0);
    if (s >= 0) close(s);
  }
  long s = syscall(SYS_socket, (1L << 32) | AF_INET, (1L << 32) | SOCK_STREAM, 1L << 32);
  say("socket with high words", s < 0 ? -1 : 0);
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  signal(SIGPIPE, SIG_IGN);
  address(argv[1], &tcp4);
  address(argv[2], &udp4);
  address(argv[3], &tcp6);
  address(argv[4], &udp6);
  long page = sysconf(_SC_PAGESIZE);
  char *pages = mmap(NULL, (size_t)page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(pages + page, (size_t)page);
  hole = pages + page;
  connect_lengths("connect tcp4", SOCK_STREAM, &tcp4);
  connect_lengths("connect tcp6", SOCK_STREAM, &tcp6);
  connect_lengths("connect udp4", SOCK_DGRAM, &udp4);
  connect_lengths("connect udp6", SOCK_DGRAM, &udp6);
  connect_others();
  sendto_forms();
  sendmsg_forms();
  socket_forms();
  return 0;
}
