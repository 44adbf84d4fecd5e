/* Rows F, H, I, J, L: letting somebody else send, being called from outside, descriptors from
 * elsewhere, filters of one's own, and rights and namespaces that would open a way.
 * HOSTILE_DIRECTORY names where the witness has its unix sockets. */
#include "hostile.h"
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>

static size_t payload(void) { return strlen(nonce); }

static socklen_t unix_name(struct sockaddr_un *to, const char *directory, const char *name) {
  memset(to, 0, sizeof *to);
  to->sun_family = AF_UNIX;
  int length = snprintf(to->sun_path, sizeof to->sun_path, "%s%s%s", directory ? directory : "@", directory ? "/" : "", name);
  if (!directory) to->sun_path[0] = 0;
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length);
}

static const char *directory(void) { return getenv("HOSTILE_DIRECTORY"); }

static void unix_by(const char *way, int type, const char *where, const char *name) {
  struct sockaddr_un to;
  socklen_t length = unix_name(&to, where, name);
  int s = socket(AF_UNIX, type, 0);
  long result = s < 0 ? -1 : connect(s, (void *)&to, length);
  tell(way, result);
  if (result == 0 && send(s, nonce, payload(), MSG_NOSIGNAL) < 0) tell("send", -1);
  close(s);
}

static void path_stream(const char *way) { unix_by(way, SOCK_STREAM, directory(), "stream"); }
static void path_seqpacket(const char *way) { unix_by(way, SOCK_SEQPACKET, directory(), "seqpacket"); }
static void path_dgram(const char *way) { unix_by(way, SOCK_DGRAM, directory(), "dgram"); }
static void abstract_stream(const char *way) { unix_by(way, SOCK_STREAM, NULL, "hostile-stream"); }
static void abstract_dgram(const char *way) { unix_by(way, SOCK_DGRAM, NULL, "hostile-dgram"); }

static void unix_message(const char *way, const char *where, const char *name, int form) {
  struct sockaddr_un to;
  struct iovec part = {(void *)nonce, payload()};
  struct mmsghdr m = {.msg_hdr = {.msg_name = &to, .msg_iov = &part, .msg_iovlen = 1}};
  m.msg_hdr.msg_namelen = unix_name(&to, where, name);
  int s = socket(AF_UNIX, SOCK_DGRAM, 0);
  tell(way, s < 0 ? -1 : form == 0 ? sendto(s, nonce, payload(), 0, (void *)&to, m.msg_hdr.msg_namelen)
    : form == 1 ? sendmsg(s, &m.msg_hdr, 0) : sendmmsg(s, &m, 1, 0));
}

static void path_sendto(const char *way) { unix_message(way, directory(), "dgram", 0); }
static void path_sendmsg(const char *way) { unix_message(way, directory(), "dgram", 1); }
static void path_sendmmsg(const char *way) { unix_message(way, directory(), "dgram", 2); }
static void abstract_sendto(const char *way) { unix_message(way, NULL, "hostile-dgram", 0); }
static void abstract_sendmsg(const char *way) { unix_message(way, NULL, "hostile-dgram", 1); }

/* By a relative name, by a symbolic link of its own, and through /proc. */
static void path_relative(const char *way) {
  if (chdir(directory()) < 0) exit(3);
  struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "stream"};
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  long result = connect(s, (void *)&to, sizeof to);
  tell(way, result);
  if (result == 0 && send(s, nonce, payload(), MSG_NOSIGNAL) < 0) tell("send", -1);
}

static void path_link(const char *way) {
  char link[108], target[108];
  snprintf(target, sizeof target, "%s/stream", directory());
  snprintf(link, sizeof link, "%s/link-%s", directory(), nonce);
  if (symlink(target, link) < 0) exit(3);
  snprintf(link, sizeof link, "link-%s", nonce);
  unix_by(way, SOCK_STREAM, directory(), link);
}

static void path_root(const char *way) {
  char where[108];
  snprintf(where, sizeof where, "/proc/self/root%s", directory());
  unix_by(way, SOCK_STREAM, where, "stream");
}

/**
 * A socket of its own is renamed away and a link to the outside one put in its place, again and
 * again, while it connects.
 */
static volatile int is_over;
static char own_path[108], kept_path[108], outside_path[108];

static void *exchange(void *nothing) {
  stay_on(1);
  while (!is_over) {
    if (rename(own_path, kept_path) == 0 && symlink(outside_path, own_path) < 0) break;
    unlink(own_path);
    if (rename(kept_path, own_path) < 0) break;
  }
  return nothing;
}

static void path_race(const char *way) {
  struct sockaddr_un at;
  pthread_t thread;
  snprintf(own_path, sizeof own_path, "%s/own-%.8s", directory(), nonce);
  snprintf(kept_path, sizeof kept_path, "%s/kept-%.8s", directory(), nonce);
  snprintf(outside_path, sizeof outside_path, "%s/dgram", directory());
  char name[32];
  snprintf(name, sizeof name, "own-%.8s", nonce);
  socklen_t length = unix_name(&at, directory(), name);
  int own = socket(AF_UNIX, SOCK_DGRAM, 0), s = socket(AF_UNIX, SOCK_DGRAM, 0), got = 0;
  tell("bind", bind(own, (void *)&at, length));
  stay_on(0);
  pthread_create(&thread, NULL, exchange, NULL);
  char sink[64];
  for (int i = 0; i < 20000; i++) {
    sendto(s, nonce, payload(), MSG_DONTWAIT, (void *)&at, length);
    while (recv(own, sink, sizeof sink, MSG_DONTWAIT) > 0) got++;
  }
  is_over = 1;
  pthread_join(thread, NULL);
  tell(way, got > 0 ? 0 : -1);
}

/* Receives a descriptor and says the nonce over it. */
static int receive_one(int from) {
  char control[CMSG_SPACE(sizeof(int))], byte;
  struct iovec part = {&byte, 1};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  int got = -1;
  if (recvmsg(from, &m, 0) > 0 && CMSG_FIRSTHDR(&m)) memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof got);
  return got;
}

static void handed(const char *way, const char *where, const char *name) {
  struct sockaddr_un to;
  socklen_t length = unix_name(&to, where, name);
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  long result = connect(s, (void *)&to, length);
  tell(way, result);
  if (result < 0) return;
  int got = receive_one(s);
  if (send(got, nonce, payload(), MSG_NOSIGNAL) < 0) tell("send", -1);
  close(got);
}

static void handed_path(const char *way) { handed(way, directory(), "hands-out"); }
static void handed_abstract(const char *way) { handed(way, NULL, "hostile-hands-out"); }

/* A sibling makes the socket and passes it on: the receiver's calls on it are judged as any. The good one works. */
static void passed(const char *way) {
  struct sockaddr_in good = ip4("127.0.0.1", GOOD_UDP), bad = ip4("127.0.0.1", BAD_UDP);
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) exit(3);
  pid_t child = fork();
  if (child == 0) {
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 'x';
    struct iovec part = {&byte, 1};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof s);
    memcpy(CMSG_DATA(c), &s, sizeof s);
    _exit(sendmsg(pair[0], &m, 0) < 0);
  }
  int s = receive_one(pair[1]);
  waitpid(child, NULL, 0);
  tell("good", sendto(s, nonce, payload(), 0, (void *)&good, sizeof good));
  tell(way, sendto(s, nonce, payload(), 0, (void *)&bad, sizeof bad));
}

/* Descriptor 9, left open by whoever started us. */
static void inherited(const char *way) { tell(way, send(9, nonce, payload(), MSG_NOSIGNAL)); }

/* L: somebody outside connects to us; the witness does when it is asked over the allowed port. */
static void answer_caller(int listener, int port, int is_v6) {
  char text[40];
  struct sockaddr_in to = ip4("127.0.0.1", GOOD_UDP);
  snprintf(text, sizeof text, "CALL %d%s", port, is_v6 ? " v6" : "");
  if (sendto(socket(AF_INET, SOCK_DGRAM, 0), text, strlen(text), 0, (void *)&to, sizeof to) < 0) exit(3);
  struct pollfd ready = {listener, POLLIN, 0};
  if (poll(&ready, 1, 2000) < 1) { errno = ETIMEDOUT; tell("accept", -1); return; }
  int s = accept(listener, NULL, NULL);
  if (send(s, nonce, payload(), MSG_NOSIGNAL) < 0) tell("send", -1);
  close(s);
}

static void listen_by(const char *way, int family, const void *at, socklen_t length) {
  struct sockaddr_in6 own;
  socklen_t size = sizeof own;
  int s = socket(family, SOCK_STREAM, 0);
  if (at) tell("bind", bind(s, at, length));
  long result = listen(s, 8);
  tell(way, result);
  if (result < 0) return;
  getsockname(s, (void *)&own, &size);
  answer_caller(s, ntohs(own.sin6_port), family == AF_INET6);
}

static void listen_unbound(const char *way) { listen_by(way, AF_INET, NULL, 0); }
static void listen_unbound6(const char *way) { listen_by(way, AF_INET6, NULL, 0); }
static void listen_bound(const char *way) { struct sockaddr_in at = ip4("127.0.0.1", 0); listen_by(way, AF_INET, &at, sizeof at); }
static void listen_port(const char *way) { struct sockaddr_in at = ip4("127.0.0.1", 7010); listen_by(way, AF_INET, &at, sizeof at); }

/* Listens on a port that Linux chose, one of the policy's (1 to 46000), then shuts the queue: that
 * takes the port away, and the next listen gets another, though getsockname still tells the old
 * one. Until that is none of the policy's. */
static void listen_anew(const char *way) {
  struct sockaddr_in at, any = ip4("127.0.0.1", 0);
  socklen_t length;
  int s = -1;
  do {
    close(s);
    s = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(s, (void *)&any, sizeof any) < 0) exit(3);
    length = sizeof at;
    getsockname(s, (void *)&at, &length);
  } while (ntohs(at.sin_port) > 46000);
  long result = listen(s, 8);
  tell(way, result);
  while (result == 0 && ntohs(at.sin_port) <= 46000) {
    shutdown(s, SHUT_RDWR);
    result = listen(s, 8);
    getsockname(s, (void *)&at, &length);
  }
  if (result == 0) answer_caller(s, ntohs(at.sin_port), 0);
}

/* A socket that connects to itself is a listener without listen. Its own port must be chosen. */
static void self_connect(const char *way) {
  struct sockaddr_in at = ip4("127.0.0.1", 0);
  socklen_t length = sizeof at;
  int s = socket(AF_INET, SOCK_STREAM, 0);
  tell("bind", bind(s, (void *)&at, sizeof at));
  getsockname(s, (void *)&at, &length);
  tell(way, connect(s, (void *)&at, sizeof at));
}

/* A datagram port of one's own: whoever knows it can speak to us. */
static void bind_datagram(const char *way) {
  struct sockaddr_in at = ip4("0.0.0.0", 7011), bad = ip4("127.0.0.1", BAD_UDP);
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  tell(way, bind(s, (void *)&at, sizeof at));
  tell("sendto", sendto(s, nonce, payload(), 0, (void *)&bad, sizeof bad));
}

/* H: a filter of our own that says something weaker than the one above it, then the call. */
static void with_filter(const char *way, unsigned answer, unsigned flags) {
  struct sock_filter filter = BPF_STMT(BPF_RET | BPF_K, answer);
  struct sock_fprog program = {1, &filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  tell("filter", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
  struct sockaddr_in to = ip4("127.0.0.1", BAD_TCP);
  tcp_to(way, AF_INET, &to, sizeof to);
}

static void filter_allow(const char *way) { with_filter(way, SECCOMP_RET_ALLOW, 0); }
static void filter_log(const char *way) { with_filter(way, SECCOMP_RET_LOG, SECCOMP_FILTER_FLAG_TSYNC); }

/* A filter with a listener, answered by a thread that was there before: CONTINUE to everything. */
static volatile int listener = -1;

static void *say_yes(void *nothing) {
  while (listener < 0) usleep(1000);
  for (;;) {
    struct seccomp_notif call = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) return nothing;
    struct seccomp_notif_resp answer = {.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

static void own_listener_by(const char *way, unsigned long flags) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {4, filter};
  struct sockaddr_in to = ip4("127.0.0.1", BAD_TCP);
  pthread_t thread;
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  pthread_create(&thread, NULL, say_yes, NULL);
  long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  tell("listener", fd);
  if (fd >= 0) listener = (int)fd;
  tcp_to(way, AF_INET, &to, sizeof to);
}

static void own_listener(const char *way) { own_listener_by(way, SECCOMP_FILTER_FLAG_NEW_LISTENER); }
static void own_listener_killable(const char *way) { own_listener_by(way, SECCOMP_FILTER_FLAG_NEW_LISTENER | (1 << 5)); }

/* The flags' upper half is not looked at by nobody: the kernel refuses it, a filter may not see it. */
static void own_listener_rubbish(const char *way) { own_listener_by(way, 0x5eed00000000UL | SECCOMP_FILTER_FLAG_NEW_LISTENER); }

/* An inner Landlock domain that forbids TCP to ourselves; the call to the allowed place. */
static void inner_domain(const char *way) {
  struct { uint64_t fs, net, scoped; } rules = {0, 3, 0};
  long domain = syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  tell("domain", syscall(SYS_landlock_restrict_self, domain, 0));
  struct sockaddr_in to = ip4("127.0.0.1", GOOD_TCP);
  tcp_to(way, AF_INET, &to, sizeof to);
}

/**
 * A socket that only asked for its source is connected to a port that nobody receives at. Then many
 * others ask, each from another address of this machine.
 */
static int asks(unsigned last) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(0x0a420000 + last)}};
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  return connect(s, (void *)&to, sizeof to) < 0 ? -1 : s;
}

static void keeps_asking(const char *way) {
  struct sockaddr_in peer;
  socklen_t length = sizeof peer;
  char byte;
  int s = asks(1);
  if (getpeername(s, (void *)&peer, &length) < 0) exit(3);
  for (unsigned i = 2; i <= 300; i++) close(asks(i));
  say(way, ntohs(peer.sin_port));
  if (read(0, &byte, 1) < 0) exit(3);
  tell("send", send(s, nonce, payload(), 0));
}

static const struct way ways[] = {
  {"path-stream", path_stream}, {"path-seqpacket", path_seqpacket}, {"path-dgram", path_dgram}, {"path-sendto", path_sendto},
  {"path-sendmsg", path_sendmsg}, {"path-sendmmsg", path_sendmmsg}, {"path-relative", path_relative}, {"path-link", path_link},
  {"path-root", path_root}, {"path-race", path_race}, {"abstract-stream", abstract_stream}, {"abstract-dgram", abstract_dgram},
  {"abstract-sendto", abstract_sendto}, {"abstract-sendmsg", abstract_sendmsg}, {"handed-path", handed_path},
  {"handed-abstract", handed_abstract}, {"passed", passed}, {"inherited", inherited}, {"listen-unbound", listen_unbound},
  {"listen-unbound6", listen_unbound6}, {"listen-bound", listen_bound}, {"listen-port", listen_port},
  {"listen-anew", listen_anew},
  {"self-connect", self_connect}, {"bind-datagram", bind_datagram}, {"filter-allow", filter_allow}, {"filter-log", filter_log},
  {"own-listener", own_listener}, {"own-listener-killable", own_listener_killable}, {"own-listener-rubbish", own_listener_rubbish},
  {"inner-domain", inner_domain}, {"keeps-asking", keeps_asking},
};

int main(int argc, char **argv) { return RUN_WAYS(argc, argv, ways); }
