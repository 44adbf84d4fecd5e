/* Section `unix`: the program's own unix sockets: names of every length and form, connects, full
 * queues, sends of all three types, broken pipes, credentials. It works in a directory that it
 * makes itself. */
#include "fidelity.h"
#include <stddef.h>
#include <sys/stat.h>

static struct sockaddr_un name;

static socklen_t path(const char *text) {
  memset(&name, 0, sizeof name);
  name.sun_family = AF_UNIX;
  strncpy(name.sun_path, text, sizeof name.sun_path);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text) + 1);
}

static void own_name(int s, const char *label, int peer) {
  struct sockaddr_un out;
  char text[160];
  socklen_t length = sizeof out;
  memset(&out, 0, sizeof out);
  int result = peer ? getpeername(s, (void *)&out, &length) : getsockname(s, (void *)&out, &length);
  if (result < 0) { row(result, "%s", label); return; }
  /* An autobound name is five hexadecimal digits of the kernel's choice. */
  if (length > 2 && out.sun_path[0] == 0) snprintf(text, sizeof text, "abstract length %d", (int)length);
  else snprintf(text, sizeof text, "%.*s length %d", length > 2 ? 108 : 0, out.sun_path, (int)length);
  fact(text, "%s", label);
}

static int server(int type, const char *at_path, int backlog) {
  int s = opened(AF_UNIX, type);
  row(bind(s, (void *)&name, path(at_path)), "bind %s", at_path);
  if (type != SOCK_DGRAM) row(listen(s, backlog), "listen %s", at_path);
  return s;
}

static void forms(int type, const char *kind) {
  char file[32], longest[120];
  snprintf(file, sizeof file, "%s", kind);
  int s = server(type, file, 8), client = opened(AF_UNIX, type);
  own_name(s, "own name", 0);
  own_name(client, "client before", 0);
  row(connect(client, (void *)&name, path(file)), "%s connect", kind);
  own_name(client, "client", 0);
  own_name(client, "peer", 1);
  row(connect(client, (void *)&name, path(file)), "%s connect again", kind);
  close(client);
  client = opened(AF_UNIX, type);
  row(bind(client, (void *)&name, path(file)), "%s bind taken", kind);
  row(bind(client, (void *)&name, 2), "%s autobind", kind);
  own_name(client, "autobound", 0);
  row(bind(client, (void *)&name, path("again")), "%s bind again", kind);
  row(connect(client, (void *)&name, path("nothing")), "%s connect to nothing", kind);
  row(connect(client, (void *)&name, path("nothing/x")), "%s connect below nothing", kind);
  row(connect(client, (void *)&name, path("file")), "%s connect to a file", kind);
  row(connect(client, (void *)&name, path(".")), "%s connect to a directory", kind);
  row(connect(client, (void *)&name, path("file/x")), "%s connect below a file", kind);
  row(connect(client, (void *)&name, path("")), "%s connect to no path", kind);
  symlink(file, "link");
  row(connect(client, (void *)&name, path("link")), "%s connect by a link", kind);
  own_name(client, "peer by a link", 1);
  unlink("link");
  close(client);
  client = opened(AF_UNIX, type);
  chmod(file, 0);
  if (geteuid() != 0) row(connect(client, (void *)&name, path(file)), "%s connect without right", kind);
  chmod(file, 0700);
  rename(file, "renamed");
  row(connect(client, (void *)&name, path("renamed")), "%s connect to a renamed one", kind);
  own_name(client, "peer renamed", 1);
  close(client);
  close(s);
  client = opened(AF_UNIX, type);
  row(connect(client, (void *)&name, path("renamed")), "%s connect to a closed one", kind);
  unlink("renamed");
  memset(longest, 'y', sizeof longest);
  memset(&name, 0, sizeof name);
  name.sun_family = AF_UNIX;
  memcpy(name.sun_path, longest, 108);
  for (int length = 107; length <= 111; length++) {
    int own = opened(AF_UNIX, type);
    row(bind(own, (void *)&name, (socklen_t)length), "%s bind length %d", kind, length);
    own_name(own, "long name", 0);
    if (type != SOCK_DGRAM) row(listen(own, 1), "%s listen length %d", kind, length);
    row(connect(client, (void *)&name, (socklen_t)length), "%s connect length %d", kind, length);
    longest[length < 110 ? length - 2 : 108] = 0;
    if (length <= 110) unlink(longest);
    longest[length < 110 ? length - 2 : 108] = 'y';
    close(own);
  }
  close(client);
}

static void mismatched(void) {
  int stream = server(SOCK_STREAM, "s", 1), dgram = server(SOCK_DGRAM, "d", 0), s;
  s = opened(AF_UNIX, SOCK_DGRAM);
  row(connect(s, (void *)&name, path("s")), "datagram to stream");
  row(sendto(s, "x", 1, 0, (void *)&name, path("s")), "datagram sent to stream");
  row(connect(s, (void *)&name, path("d")), "datagram to datagram");
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  row(connect(s, &none, 2), "datagram dissolve");
  row(sendto(s, "x", 1, 0, (void *)&name, path("d")), "datagram sent");
  row(sendto(s, "x", 1, 0, (void *)&name, path("nothing")), "datagram sent to nothing");
  close(s);
  s = opened(AF_UNIX, SOCK_SEQPACKET);
  row(connect(s, (void *)&name, path("s")), "packets to stream");
  close(s);
  s = opened(AF_UNIX, SOCK_STREAM);
  row(connect(s, (void *)&name, path("d")), "stream to datagram");
  row(connect(s, &none, 2), "stream dissolve");
  row(sendto(s, "x", 1, MSG_NOSIGNAL, (void *)&name, path("s")), "stream sent with a name");
  row(connect(s, (void *)&name, path("s")), "stream to stream");
  row(sendto(s, "x", 1, 0, (void *)&name, path("s")), "connected stream sent with a name");
  int more = opened(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK), third = opened(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
  row(connect(more, (void *)&name, path("s")), "stream to a queue of 1");
  row(connect(third, (void *)&name, path("s")), "stream to a full queue, non-blocking");
  struct timeval limit = {0, 150000};
  fcntl(third, F_SETFL, 0);
  setsockopt(third, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  row(connect(third, (void *)&name, path("s")), "stream to a full queue, 150 ms");
  struct ucred who = {0};
  socklen_t length = sizeof who;
  row(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &who, &length), "peer of the client");
  row(who.uid == getuid() && who.gid == getgid(), "peer of the client: users are ours");
  row(who.pid == getpid(), "peer of the client: process is ours");
  int accepted = accept(stream, NULL, NULL);
  row(getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &who, &length), "peer of the accepted");
  row(who.uid == getuid() && who.gid == getgid(), "peer of the accepted: users are ours");
  row(who.pid == getpid(), "peer of the accepted: process is ours");
  close(accepted);
  close(more);
  close(third);
  close(s);
  close(stream);
  close(dgram);
}

static volatile sig_atomic_t pipes;
static void on_pipe(int number) {
  (void)number;
  pipes++;
}

static void traffic(int type, const char *kind) {
  int ends[2], size = 8192;
  static char data[300000];
  struct iovec part = {data, 0};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
  row(socketpair(AF_UNIX, type, 0, ends), "%s pair", kind);
  static const size_t lengths[] = {0, 1, 200000, 212960, 300000};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    part.iov_len = lengths[i];
    long result = sendmsg(ends[0], &m, MSG_DONTWAIT);
    fact(length_class(result, (long)lengths[i]), "%s sendmsg of %zu", kind, lengths[i]);
    fact(length_class(recv(ends[1], data, sizeof data, MSG_DONTWAIT), (long)lengths[i]), "%s received of %zu", kind, lengths[i]);
    while (recv(ends[1], data, sizeof data, MSG_DONTWAIT) > 0) {}
  }
  setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  part.iov_len = 1000;
  while (sendmsg(ends[0], &m, MSG_DONTWAIT) >= 0) {}
  row(sendmsg(ends[0], &m, MSG_DONTWAIT), "%s full", kind);
  struct timeval limit = {0, 150000};
  setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  row(sendmsg(ends[0], &m, 0), "%s full, 150 ms", kind);
  part.iov_base = hole - 4;
  while (recv(ends[1], data, sizeof data, MSG_DONTWAIT) > 0) {}
  row(sendmsg(ends[0], &m, 0), "%s half mapped", kind);
  part = (struct iovec){data, 4};
  m.msg_name = &name;
  m.msg_namelen = path("nothing");
  row(sendmsg(ends[0], &m, MSG_NOSIGNAL), "%s with a name", kind);
  m.msg_namelen = 0;
  row(sendmsg(ends[0], &m, MSG_NOSIGNAL), "%s with a name of length 0", kind);
  m.msg_name = NULL;
  struct sigaction handler = {.sa_handler = on_pipe}, ignore = {.sa_handler = SIG_IGN};
  sigaction(SIGPIPE, &handler, NULL);
  close(ends[1]);
  pipes = 0;
  row(sendmsg(ends[0], &m, 0), "%s broken", kind);
  row(pipes, "%s broken: SIGPIPE", kind);
  row(sendmsg(ends[0], &m, MSG_NOSIGNAL), "%s broken, no signal", kind);
  row(pipes, "%s broken, no signal: SIGPIPE", kind);
  sigaction(SIGPIPE, &ignore, NULL);
  close(ends[0]);
}

void section_unix(void) {
  char directory[] = "/tmp/fidelity-XXXXXX";
  if (!mkdtemp(directory) || chdir(directory) < 0) { row(-1, "directory"); return; }
  close(open("file", O_CREAT | O_WRONLY, 0600));
  umask(027);
  forms(SOCK_STREAM, "stream");
  forms(SOCK_SEQPACKET, "packets");
  forms(SOCK_DGRAM, "datagram");
  struct stat status;
  int s = server(SOCK_STREAM, "masked", 1);
  stat("masked", &status);
  row(status.st_mode & 07777, "mode under umask 027");
  row(status.st_uid == geteuid() && status.st_gid == getegid(), "owner is ours");
  close(s);
  mismatched();
  traffic(SOCK_STREAM, "stream");
  traffic(SOCK_SEQPACKET, "packets");
  traffic(SOCK_DGRAM, "datagram");
  if (chdir("/") == 0) {
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    (void)!system(command);
  }
}
