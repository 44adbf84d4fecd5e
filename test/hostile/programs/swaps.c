/* Rows B: races about descriptors. What changes is the socket behind a number, by everything that
 * shares or replaces a table; with messages that the supervisor makes, and with those that are let
 * run. Decides nothing; race.h has the frame. */
#include "race.h"

/* A descriptor number that means one socket, then another. */
static int number, sources[2];
static void flip_descriptor(int second) { dup2(sources[second], number); }

static void swap_unix_udp(void) {
  int pair[2];
  char sink[64];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0) exit(3);
  sources[0] = pair[0], sources[1] = udp(), number = dup(sources[1]);
  pthread_t thread = start(flip_descriptor);
  while (goes_on()) {
    count(sendto(number, nonce, strlen(nonce), MSG_DONTWAIT, (void *)&bad_udp, sizeof bad_udp));
    while (recv(pair[1], sink, sizeof sink, MSG_DONTWAIT) > 0) {}
  }
  stop(thread);
}

/* The same for messages, whose name a stream would only refuse. */
static void send_swapped(void) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) exit(3);
  sources[0] = pair[0], sources[1] = udp(), number = dup(sources[1]);
  fill_messages();
  messages[0].msg_hdr.msg_name = &bad_udp;
}

static void swap_stream_udp(void) {
  send_swapped();
  pthread_t thread = start(flip_descriptor);
  while (goes_on()) count(sendmsg(number, &messages[0].msg_hdr, MSG_DONTWAIT));
  stop(thread);
}

/**
 * The caller has no other thread: its table is changed by another process that shares it. The first
 * messages are sent before there is one.
 */
static int change_alone(void *nothing) {
  change(nothing);
  return 0;
}

static void swap_shared_table(void) {
  static char stack[65536] __attribute__((aligned(16)));
  send_swapped();
  step = flip_descriptor;
  stay_on(0);
  for (int i = 0; i < 8; i++) {
    dup2(sources[i % 2], number);
    count(sendmsg(number, &messages[0].msg_hdr, MSG_DONTWAIT));
  }
  pid_t other_process = clone(change_alone, stack + sizeof stack, CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
  if (other_process < 0) exit(3);
  while (goes_on()) count(sendmsg(number, &messages[0].msg_hdr, MSG_DONTWAIT));
  is_over = 1;
  waitpid(other_process, NULL, 0);
}

/* The caller has one other thread, which changes the number and ends at once: who looks at the
 * number first and counts threads afterwards finds a stream, and a caller that is alone. */
static volatile int is_there;

static int swap_and_end(void *after) {
  nanosleep(after, NULL);
  dup2(sources[1], number);
  syscall(SYS_exit, 0);
  return 0;
}

static void swap_ending(void) {
  static char stack[65536] __attribute__((aligned(16)));
  int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
  unsigned seed = 1;
  prctl(PR_SET_TIMERSLACK, 1);
  send_swapped();
  while (goes_on()) {
    struct timespec after = {0, seed % 100000};
    pause_a_little(&seed, 1);
    dup2(sources[0], number);
    is_there = 1;
    if (clone(swap_and_end, stack + sizeof stack, flags, &after, NULL, NULL, &is_there) < 0) exit(3);
    count(sendmsg(number, &messages[0].msg_hdr, MSG_DONTWAIT));
    while (is_there) sched_yield();
  }
}

/* The number is closed, and the next socket that is made gets it. */
static void make_anew(int second) {
  if (!second) { dup2(sources[0], number); return; }
  close(number);
  int made = udp();
  if (made != number) close(made);
}

static void swap_fresh(void) {
  send_swapped();
  pthread_t thread = start(make_anew);
  while (goes_on()) count(sendmsg(number, &messages[0].msg_hdr, MSG_DONTWAIT));
  stop(thread);
}

/* The port is allowed for UDP alone: a stream that gets there was judged as the datagram socket. */
static void swap_udp_tcp(void) {
  sources[0] = udp(), sources[1] = socket(AF_INET, SOCK_STREAM, 0), number = dup(sources[0]);
  struct sockaddr_in none = {.sin_family = AF_UNSPEC};
  pthread_t thread = start(flip_descriptor);
  while (goes_on()) {
    count(connect(number, (void *)&good_udp, sizeof good_udp));
    connect(sources[1], (void *)&none, sizeof none);
  }
  stop(thread);
}

/* Threads with a table of their own: the number is a unix socket for everybody else. */
static void *apart(void *nothing) {
  (void)nothing;
  unshare(CLONE_FILES);
  dup2(udp(), number);
  while (goes_on()) count(sendto(number, nonce, strlen(nonce), MSG_DONTWAIT, (void *)&bad_udp, sizeof bad_udp));
  return NULL;
}

static void split_table(void) {
  pthread_t thread;
  number = socket(AF_UNIX, SOCK_DGRAM, 0);
  pthread_create(&thread, NULL, apart, NULL);
  pthread_join(thread, NULL);
}

/* Messages that only their sender can give: with its credentials. They are let run while all
 * threads of the process stand still (frozen.rs), however those got at the number. The other end of
 * sources[0] is read in between. */
static int reader;
static union { char bytes[CMSG_SPACE(sizeof(struct ucred))]; struct cmsghdr align; } proof;

static void prepare_credentials(void) {
  int pair[2];
  struct ucred who = {getpid(), getuid(), getgid()};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0) exit(3);
  sources[0] = pair[0], reader = pair[1], sources[1] = udp(), number = dup(sources[0]);
  fill_messages();
  proof.align = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof who), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS};
  memcpy(CMSG_DATA(&proof.align), &who, sizeof who);
  struct msghdr *m = &messages[0].msg_hdr;
  m->msg_name = &bad_udp, m->msg_control = proof.bytes, m->msg_controllen = sizeof proof;
}

static void send_credentials(void) {
  char sink[64];
  count(sendmsg(number, &messages[0].msg_hdr, MSG_DONTWAIT));
  while (recv(reader, sink, sizeof sink, MSG_DONTWAIT) > 0) {}
}

static void race_credentials(void (*what)(int), int changers) {
  pthread_t threads[8];
  for (int i = 0; i < changers; i++) threads[i] = start(what);
  while (goes_on()) send_credentials();
  is_over = 1;
  for (int i = 0; i < changers; i++) pthread_join(threads[i], NULL);
}

static void credentials_swap(void) { prepare_credentials(); race_credentials(flip_descriptor, 1); }
static void credentials_swap_many(void) { prepare_credentials(); race_credentials(flip_descriptor, 4); }

/* The number is closed and becomes the lowest that is free, which the next descriptor gets. */
static void reopen(int second) {
  close(number);
  int next = dup(sources[second]);
  if (next != number) dup2(next, number), close(next);
}

static void credentials_reopen(void) { prepare_credentials(); race_credentials(reopen, 1); }

/* The same, with a descriptor that comes in a message. They are sent in bursts, since sending is looked at. */
static int mail[2];
static void take_in(int second) {
  union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
  char byte = 'f';
  struct iovec part = {&byte, 1};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control};
  (void)second;
  close(number);
  if (recvmsg(mail[1], &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) <= 0) {
    control.align = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    for (int i = 0; i < 64; i++) {
      memcpy(CMSG_DATA(&control.align), &sources[i % 2], sizeof(int));
      sendmsg(mail[0], &m, MSG_DONTWAIT);
    }
    return;
  }
  int next = number;
  memcpy(&next, CMSG_DATA(&control.align), sizeof next);
  if (next != number) dup2(next, number), close(next);
}

static void credentials_receive(void) {
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, mail) < 0) exit(3);
  prepare_credentials();
  race_credentials(take_in, 1);
}

/* Threads that live for one exchange and leave another in their place. */
static void *relay(void *second) {
  pthread_t next;
  pthread_attr_t detached;
  dup2(sources[second != NULL], number);
  if (is_over) return NULL;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&detached, 65536);
  while (pthread_create(&next, &detached, relay, second ? NULL : (void *)1) != 0 && !is_over) sched_yield();
  return NULL;
}

static void credentials_relay(void) {
  pthread_t first;
  prepare_credentials();
  for (int i = 0; i < 2; i++) pthread_create(&first, NULL, relay, NULL);
  while (goes_on()) send_credentials();
  is_over = 1;
}

/* A thread makes a process that shares the table, in the midst of it, and that one goes on. */
static int change_apart(void *nothing) {
  change(nothing);
  _exit(0);
}

static void *part_with(void *nothing) {
  static char stack[65536] __attribute__((aligned(16)));
  (void)nothing;
  for (int i = 0; i < 50; i++) flip_descriptor(i % 2), sched_yield();
  clone(change_apart, stack + sizeof stack, CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
  return NULL;
}

static void credentials_shared_table(void) {
  pthread_t thread;
  prepare_credentials();
  step = flip_descriptor;
  stay_on(0);
  pthread_create(&thread, NULL, part_with, NULL);
  while (goes_on()) send_credentials();
  is_over = 1;
  pthread_join(thread, NULL);
  while (waitpid(-1, NULL, __WALL) > 0) {}
}

/* All the while its parent stops it and lets it go on. */
static void credentials_stopped(void) {
  unsigned seed = 7;
  int status;
  pid_t child = fork();
  while (child != 0) {
    kill(child, SIGSTOP);
    pause_a_little(&seed, 20000);
    kill(child, SIGCONT);
    if (waitpid(child, &status, WNOHANG) == child) exit(WEXITSTATUS(status));
    pause_a_little(&seed, 4000000);
  }
  prepare_credentials();
  race_credentials(flip_descriptor, 2);
}

/* Threads send while their leader executes, as in exec-takeover. */
static void *send_always(void *nothing) {
  for (;;) send_credentials();
  return nothing;
}

static void send_in_threads(void) {
  pthread_t threads[2];
  prepare_credentials();
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, send_always, NULL);
  start(flip_descriptor);
}

static void credentials_exec(void) { execute_amid(send_in_threads, 2000000); }

static const struct race races[] = {
  {"swap-unix-udp", swap_unix_udp}, {"swap-stream-udp", swap_stream_udp},
  {"swap-shared-table", swap_shared_table}, {"swap-ending", swap_ending},
  {"swap-fresh", swap_fresh}, {"swap-udp-tcp", swap_udp_tcp}, {"split-table", split_table},
  {"credentials-swap", credentials_swap}, {"credentials-swap-many", credentials_swap_many},
  {"credentials-reopen", credentials_reopen}, {"credentials-receive", credentials_receive},
  {"credentials-relay", credentials_relay}, {"credentials-shared-table", credentials_shared_table},
  {"credentials-stopped", credentials_stopped}, {"credentials-exec", credentials_exec},
};

int main(int argc, char **argv) { return run_race(races, sizeof races / sizeof *races, argc, argv); }
