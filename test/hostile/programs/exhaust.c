/* Row N: using up what the supervisor has. usage: exhaust NONCE LOAD SECONDS
 *
 * The load runs in children; the program itself makes an allowed call every 2 ms meanwhile and at
 * the end says how long those took: `LOAD calls N median M worst W errors E` (µs). So it stands for
 * the other programs in the same sandbox. The loads are bounded: by threads, by a count of
 * processes, and by RLIMIT_NPROC where that binds. `good-calls` is no load: it prints a line
 * whenever the result of the allowed call changes; nor are `no-threads`, `leave` and `shut-daemon`. */
#include "hostile.h"
#include <sys/resource.h>

#define MOST_PROCESSES 200
#define MOST_CALLS 20000

static double deadline;
static struct sockaddr_in good, bad, hung;
static char *block; /* 64 MiB, never written: it costs no memory of ours */
#define BLOCK_BYTES ((size_t)64 << 20)

static int udp(void) { return socket(AF_INET, SOCK_DGRAM, 0); }

static void in_threads(int count, void *(*what)(void *)) {
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 << 10);
  for (int i = 0; i < count; i++) {
    pthread_t thread;
    pthread_create(&thread, &small, what, NULL);
  }
  while (now() < deadline) usleep(10000);
  _exit(0);
}

static void *wait_hung(void *nothing) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(s, (void *)&hung, sizeof hung) == 0) say("connected", 0);
  return nothing;
}

static void *call_refused(void *nothing) {
  int s = udp(), t = socket(AF_INET, SOCK_STREAM, 0);
  struct iovec part = {(void *)nonce, strlen(nonce)};
  struct msghdr m = {.msg_name = &bad, .msg_namelen = sizeof bad, .msg_iov = &part, .msg_iovlen = 1};
  while (s >= 0) {
    if (sendto(s, nonce, strlen(nonce), 0, (void *)&bad, sizeof bad) >= 0) break;
    if (sendmsg(s, &m, 0) >= 0 || connect(t, (void *)&bad, sizeof bad) == 0) break;
  }
  return nothing;
}

/* Messages of every size and shape, on sockets that take them and that do not. */
static void *send_much(void *nothing) {
  static struct iovec parts[1024], whole;
  static struct mmsghdr many[1024];
  char sink[65536];
  int pair[2], s = udp();
  whole = (struct iovec){block, BLOCK_BYTES};
  for (int i = 0; i < 1024; i++) {
    parts[i] = (struct iovec){block + (size_t)i * 65536, 65536};
    many[i].msg_hdr = (struct msghdr){.msg_name = &bad, .msg_namelen = sizeof bad, .msg_iov = parts, .msg_iovlen = 1024};
  }
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) return nothing;
  for (;;) {
    struct msghdr one = {.msg_iov = &whole, .msg_iovlen = 1}, pieces = {.msg_iov = parts, .msg_iovlen = 1024};
    struct msghdr control = {.msg_iov = &whole, .msg_iovlen = 1, .msg_control = block, .msg_controllen = BLOCK_BYTES};
    sendmsg(pair[0], &one, MSG_DONTWAIT | MSG_NOSIGNAL);
    sendmsg(pair[0], &pieces, MSG_DONTWAIT | MSG_NOSIGNAL);
    sendmsg(pair[0], &control, MSG_DONTWAIT | MSG_NOSIGNAL);
    sendmmsg(s, many, 1024, 0);
    one.msg_name = &good, one.msg_namelen = sizeof good;
    sendmsg(s, &one, 0);
    sendto(s, block, BLOCK_BYTES, 0, (void *)&good, sizeof good);
    while (recv(pair[1], sink, sizeof sink, MSG_DONTWAIT) > 0) {}
  }
  return nothing;
}

static void hang(void) { in_threads(200, wait_hung); }
static void storm(void) { in_threads(8, call_refused); }
static void send_big(void) { in_threads(4, send_much); }

/* 100 sends of 64 MiB that all wait for a reader that never comes. */
static void *wait_big(void *nothing) {
  int pair[2];
  struct iovec whole = {block, BLOCK_BYTES};
  struct msghdr m = {.msg_iov = &whole, .msg_iovlen = 1};
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && sendmsg(pair[0], &m, MSG_NOSIGNAL) < 0) say("sendmsg", -1);
  return nothing;
}

static void hang_big(void) { in_threads(100, wait_big); }

/* 1000 messages of 200 KB on one unix datagram socket: there is room for the first. */
static int full;
static void *wait_datagram(void *nothing) {
  struct iovec whole = {block, 200000};
  struct msghdr m = {.msg_iov = &whole, .msg_iovlen = 1};
  sendmsg(full, &m, 0);
  pause();
  return nothing;
}

static void hang_datagrams(void) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0) exit(3);
  full = pair[0];
  in_threads(1000, wait_datagram);
}

/* 1500 sends in 1024 parts each, on one stream: there is room for the first. */
static void *wait_in_parts(void *nothing) {
  struct iovec parts[1024];
  struct msghdr m = {.msg_iov = parts, .msg_iovlen = 1024};
  for (int i = 0; i < 1024; i++) parts[i] = (struct iovec){block, 1024};
  sendmsg(full, &m, MSG_NOSIGNAL);
  pause();
  return nothing;
}

static void hang_parts(void) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) exit(3);
  full = pair[0];
  in_threads(1500, wait_in_parts);
}

/* 1500 receives with much room, on one socket that has asked a name server, which never answers. */
static void *wait_answer(void *nothing) {
  struct sockaddr_in from;
  socklen_t length = sizeof from;
  recvfrom(full, block, 65535, 0, (void *)&from, &length);
  pause();
  return nothing;
}

static void hang_receives(void) {
  struct sockaddr_in server = ip4("127.0.0.9", 53);
  full = udp();
  if (connect(full, (void *)&server, sizeof server) < 0) exit(3);
  in_threads(1500, wait_answer);
}

static void use_descriptors(void) {
  struct rlimit all;
  getrlimit(RLIMIT_NOFILE, &all);
  all.rlim_cur = all.rlim_max;
  setrlimit(RLIMIT_NOFILE, &all);
  int last = udp(), s = last;
  for (int i = 0; i < 20000 && s >= 0; i++) s = dup(last);
  call_refused(NULL);
}

static void bomb(void) {
  volatile int *processes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct rlimit few = {MOST_PROCESSES + 100, MOST_PROCESSES + 100};
  setrlimit(RLIMIT_NPROC, &few); /* root is not bound by it: the count is */
  signal(SIGCHLD, SIG_IGN);
  while (now() < deadline) {
    if (__atomic_add_fetch(processes, 1, __ATOMIC_SEQ_CST) > MOST_PROCESSES || fork() < 0) {
      __atomic_sub_fetch(processes, 1, __ATOMIC_SEQ_CST);
      sendto(udp(), nonce, strlen(nonce), 0, (void *)&bad, sizeof bad);
      usleep(1000);
    }
  }
  _exit(0);
}

/* Threads come and go: each is a caller that nobody knows. */
static void *call_once(void *nothing) {
  int s = udp();
  sendto(s, nonce, strlen(nonce), 0, (void *)&bad, sizeof bad);
  close(s);
  return nothing;
}

static void short_lived(void) {
  while (now() < deadline) {
    pthread_t threads[50];
    for (int i = 0; i < 50; i++) pthread_create(&threads[i], NULL, call_once, NULL);
    for (int i = 0; i < 50; i++) pthread_join(threads[i], NULL);
  }
  _exit(0);
}

static void idle(void) { _exit(0); }

static void good_calls(void) {
  int s = udp(), before = -1;
  while (now() < deadline) {
    int error = sendto(s, nonce, strlen(nonce), 0, (void *)&good, sizeof good) < 0 ? errno : 0;
    if (error != before) tell("good", error ? -1 : 0);
    before = error;
    usleep(5000);
  }
}

/**
 * Messages that are let run while their process stands still, and a thread of it in a call, until
 * no process and no thread can be made any more, and after that.
 */
static void no_threads(void) {
  union { char bytes[CMSG_SPACE(sizeof(struct ucred))]; struct cmsghdr align; } proof = {{0}};
  struct ucred who = {getpid(), getuid(), getgid()};
  struct iovec part = {(void *)nonce, strlen(nonce)};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = proof.bytes, .msg_controllen = sizeof proof};
  pid_t children[MOST_PROCESSES];
  pthread_t thread;
  int pair[2], count = 0;
  proof.align = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof who), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS};
  memcpy(CMSG_DATA(&proof.align), &who, sizeof who);
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || pthread_create(&thread, NULL, wait_hung, NULL) != 0) exit(3);
  usleep(200000);
  tell("before", sendmsg(pair[0], &m, 0));
  while (count < MOST_PROCESSES && (children[count] = fork()) >= 0)
    if (children[count++] == 0) for (;;) pause();
  say("fork", count < MOST_PROCESSES ? -1 : 0);
  tell("meanwhile", sendmsg(pair[0], &m, 0));
  while (count-- > 0) kill(children[count], SIGKILL), waitpid(children[count], NULL, 0);
  tell("after", sendmsg(pair[0], &m, 0));
}

/* Nobody is accepted at the abstract name that is the nonce: there is room for one. */
static struct sockaddr_un shut = {.sun_family = AF_UNIX};
static socklen_t shut_length(void) {
  strcpy(shut.sun_path + 1, nonce);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(nonce));
}

static void shut_daemon(void) {
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(s, (void *)&shut, shut_length()) < 0 || listen(s, 0) < 0) exit(3);
  say("ready", 0);
  for (;;) pause();
}

static void be_interrupted(int number) { (void)number; }

/** 500 processes connect there and are ended; one more gets a signal that it handles. Waits for a byte then. */
static void leave(void) {
  volatile int *connected = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct sigaction handler = {.sa_handler = be_interrupted};
  socklen_t length = shut_length();
  char byte;
  for (int round = 0; round < 10; round++) {
    pid_t children[50];
    for (int i = 0; i < 50; i++)
      if ((children[i] = fork()) == 0) {
        if (connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&shut, length) == 0) __atomic_add_fetch(connected, 1, __ATOMIC_SEQ_CST);
        for (;;) pause();
      }
    usleep(50000);
    for (int i = 0; i < 50; i++) kill(children[i], SIGKILL), waitpid(children[i], NULL, 0);
  }
  say("connected", *connected);
  sigaction(SIGALRM, &handler, NULL);
  alarm(1);
  tell("interrupted", connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&shut, length));
  if (read(0, &byte, 1) < 0) exit(3);
}

static int by_value(const void *a, const void *b) { return *(const int *)a < *(const int *)b ? -1 : 1; }

static void measure(const char *load) {
  static int taken[MOST_CALLS];
  int calls = 0, errors = 0, s = udp();
  while (now() < deadline && calls < MOST_CALLS) {
    double before = now();
    if (sendto(s, nonce, strlen(nonce), 0, (void *)&good, sizeof good) < 0) errors++;
    taken[calls++] = (int)((now() - before) * 1e6);
    usleep(2000);
  }
  qsort(taken, (size_t)calls, sizeof *taken, by_value);
  printf("%s calls %d median %d worst %d errors %d\n", load, calls, taken[calls / 2], taken[calls - 1], errors);
  fflush(stdout);
}

static const struct { const char *name; void (*run)(void); } loads[] = {
  {"idle", idle}, {"hang", hang}, {"storm", storm}, {"send-big", send_big}, {"hang-big", hang_big}, {"hang-datagrams", hang_datagrams},
  {"hang-parts", hang_parts}, {"hang-receives", hang_receives}, {"use-descriptors", use_descriptors}, {"bomb", bomb}, {"short-lived", short_lived},
};

int main(int argc, char **argv) {
  char byte;
  if (argc != 4) return 2;
  nonce = argv[1];
  deadline = now() + atof(argv[3]);
  good = ip4("127.0.0.1", GOOD_UDP), bad = ip4("127.0.0.1", BAD_UDP), hung = ip4("127.0.0.1", HUNG_TCP);
  block = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (strcmp(argv[2], "good-calls") == 0) return good_calls(), 0;
  if (strcmp(argv[2], "no-threads") == 0) return no_threads(), 0;
  if (strcmp(argv[2], "shut-daemon") == 0) return shut_daemon(), 0;
  if (strcmp(argv[2], "leave") == 0) return leave(), 0;
  for (size_t i = 0; i < sizeof loads / sizeof *loads; i++)
    if (strcmp(argv[2], loads[i].name) == 0) {
      if (fork() == 0) {
        deadline += 3600; /* until the outside ends it */
        loads[i].run();
        for (;;) pause();
      }
      measure(argv[2]);
      if (read(0, &byte, 1) < 0) return 3;
      return 0;
    }
  return 2;
}
