/* Rows B: races. One thread calls, another changes what the call is about: the address, the
 * message, the memory it lies in, the descriptor. usage: races NONCE WAY TRIES SECONDS
 *
 * Each try may come out as the allowed call or as the refused one; what the witness sees at a
 * denied place is a leak. Prints one line `WAY tries N done D refused R other O`: calls that were
 * made, that were refused by ECONNREFUSED, and that failed otherwise (EFAULT, EBADF…: the changing
 * thread had its fingers in). Ends after TRIES or SECONDS, whichever is first. */
#include "hostile.h"

static volatile int is_over;
static long tries, done, refused, other, wanted_tries;
static double deadline;
static struct sockaddr_in good_udp, bad_udp, good_tcp, bad_tcp;

/* Xorshift (Marsaglia 2003) with a fixed seed, one for each thread: how long a state is left alone. */
static void pause_a_little(unsigned *seed, unsigned most) {
  *seed ^= *seed << 13, *seed ^= *seed >> 17, *seed ^= *seed << 5;
  for (volatile unsigned i = *seed % most; i > 0; i--) {}
}

static int goes_on(void) { return tries < wanted_tries && (tries % 64 != 0 || now() < deadline); }

static void count(long result) {
  tries++;
  if (result >= 0) done++;
  else if (errno == ECONNREFUSED) refused++;
  else other++;
}

/* What the changing thread does, again and again. */
static void (*step)(int second);

static void *change(void *nothing) {
  unsigned seed = 0x9e3779b9;
  (void)nothing;
  stay_on(1);
  while (!is_over) {
    step(0);
    pause_a_little(&seed, 3000);
    step(1);
    pause_a_little(&seed, 3000);
  }
  return NULL;
}

static pthread_t start(void (*what)(int)) {
  pthread_t thread;
  step = what;
  stay_on(0);
  pthread_create(&thread, NULL, change, NULL);
  return thread;
}

static void stop(pthread_t thread) {
  is_over = 1;
  pthread_join(thread, NULL);
}

static int udp(void) { return socket(AF_INET, SOCK_DGRAM, 0); }

/* An address that changes in place. */
static union { struct sockaddr_in in; volatile unsigned short family; char room[128]; } name;
static unsigned short other_family;

static void flip_port(int second) { *(volatile unsigned short *)&name.in.sin_port = second ? bad_udp.sin_port : good_udp.sin_port; }
static void flip_host(int second) { *(volatile unsigned *)&name.in.sin_addr.s_addr = htonl(second ? 0x7f000002 : INADDR_LOOPBACK); }
static void flip_family(int second) { name.family = second ? AF_INET : other_family; }
static void flip_tcp(int second) { *(volatile unsigned short *)&name.in.sin_port = second ? bad_tcp.sin_port : good_tcp.sin_port; }

static void connect_and_send(void (*what)(int)) {
  int s = udp();
  pthread_t thread = start(what);
  while (goes_on()) {
    long result = connect(s, (void *)&name, sizeof name.in);
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    count(result);
    if (result == 0 && getpeername(s, (void *)&peer, &length) == 0 &&
        (peer.sin_port != good_udp.sin_port || peer.sin_addr.s_addr != good_udp.sin_addr.s_addr) &&
        send(s, nonce, strlen(nonce), MSG_DONTWAIT) < 0) other++;
  }
  stop(thread);
}

static void connect_port(void) { name.in = good_udp; connect_and_send(flip_port); }
static void connect_host(void) { name.in = good_udp; connect_and_send(flip_host); }
static void connect_family_by(unsigned short family) { name.in = bad_udp; other_family = family; connect_and_send(flip_family); }
static void connect_family_none(void) { connect_family_by(AF_UNSPEC); }
static void connect_family_unix(void) { connect_family_by(AF_UNIX); }
static void connect_family_netlink(void) { connect_family_by(AF_NETLINK); }

static void connect_stream(void) {
  name.in = good_tcp;
  pthread_t thread = start(flip_tcp);
  while (goes_on()) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    struct linger at_once = {1, 0}; /* no TIME_WAIT: ports would run out */
    setsockopt(s, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    count(connect(s, (void *)&name, sizeof name.in));
    close(s);
  }
  stop(thread);
}

static void send_to(void (*what)(int)) {
  int s = udp();
  name.in = good_udp;
  pthread_t thread = start(what);
  while (goes_on()) count(sendto(s, nonce, strlen(nonce), MSG_DONTWAIT, (void *)&name, sizeof name.in));
  stop(thread);
}

static void sendto_port(void) { send_to(flip_port); }
static void sendto_host(void) { send_to(flip_host); }

/* Messages whose header, name or parts change. */
static struct mmsghdr messages[8];
static struct iovec parts[8][4];

static void fill_messages(void) {
  for (int i = 0; i < 8; i++) {
    parts[i][0] = (struct iovec){(void *)nonce, strlen(nonce)};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &good_udp, .msg_namelen = sizeof good_udp, .msg_iov = parts[i], .msg_iovlen = 1};
  }
}

static void flip_name(int second) {
  for (int i = 0; i < 8; i++) *(void *volatile *)&messages[i].msg_hdr.msg_name = second ? &bad_udp : &good_udp;
}

static void flip_no_name(int second) { *(void *volatile *)&messages[0].msg_hdr.msg_name = second ? &bad_udp : NULL; }
static void flip_no_length(int second) { *(volatile socklen_t *)&messages[0].msg_hdr.msg_namelen = second ? sizeof bad_udp : 0; }

/* Base and length of a part: both valid, one of them, none; the number of parts beyond all bounds. */
static void flip_parts(int second) {
  *(void *volatile *)&parts[0][0].iov_base = second ? (void *)nonce : (void *)(uintptr_t)16;
  *(volatile size_t *)&parts[0][0].iov_len = second ? strlen(nonce) : (size_t)1 << 62;
  *(volatile size_t *)&messages[0].msg_hdr.msg_iovlen = second ? 1 : (size_t)1 << 40;
  *(void *volatile *)&messages[0].msg_hdr.msg_name = second ? &bad_udp : &good_udp;
}

static void send_messages(void (*what)(int), int many, int is_connected) {
  int s = udp();
  fill_messages();
  if (is_connected && connect(s, (void *)&good_udp, sizeof good_udp) < 0) { say("connect", -1); exit(1); }
  if (is_connected) messages[0].msg_hdr.msg_name = &bad_udp;
  pthread_t thread = start(what);
  while (goes_on()) count(many ? sendmmsg(s, messages, 8, MSG_DONTWAIT) : sendmsg(s, &messages[0].msg_hdr, MSG_DONTWAIT));
  stop(thread);
}

static void sendmsg_name(void) { send_messages(flip_name, 0, 0); }
static void sendmsg_no_name(void) { send_messages(flip_no_name, 0, 1); }
static void sendmsg_no_length(void) { send_messages(flip_no_length, 0, 1); }
static void sendmmsg_name(void) { send_messages(flip_name, 1, 0); }
static void sendmsg_parts(void) { send_messages(flip_parts, 0, 0); }

/* A page that comes and goes. The address in it is the denied one. */
static char *page;

static void flip_protection(int second) { mprotect(page, 4096, second ? PROT_READ | PROT_WRITE : PROT_NONE); }

static void flip_mapping(int second) {
  if (second) memcpy(mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), &bad_udp, sizeof bad_udp);
  else munmap(page, 4096);
}

/* The same address shows an allowed file page, then a denied one. */
static int files[2];
static void flip_file(int second) { mmap(page, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, files[second], 0); }

static void send_from_page(void (*what)(int)) {
  int s = udp();
  page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(page, &bad_udp, sizeof bad_udp);
  for (int i = 0; i < 2; i++) {
    files[i] = memfd_create("page", 0);
    if (ftruncate(files[i], 4096) < 0 || pwrite(files[i], i ? &bad_udp : &good_udp, sizeof bad_udp, 0) < 0) exit(3);
  }
  pthread_t thread = start(what);
  while (goes_on()) count(sendto(s, nonce, strlen(nonce), MSG_DONTWAIT, (void *)page, sizeof bad_udp));
  stop(thread);
}

static void page_protected(void) { send_from_page(flip_protection); }
static void page_unmapped(void) { send_from_page(flip_mapping); }
static void page_exchanged(void) { send_from_page(flip_file); }

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

/* Children begin something in threads and execute in the midst of it: the new program gets the
 * number of the old one and other memory. Each tells by its exit how the new program's one call
 * came out. `most`: how long it goes on before. */
static void execute_amid(void (*begin)(void), unsigned most) {
  unsigned seed = 1;
  while (tries < wanted_tries && now() < deadline) {
    pid_t child = fork();
    if (child == 0) {
      begin();
      pause_a_little(&seed, most);
      execl("/proc/self/exe", "races", nonce, "one-call", "1", "1", (char *)NULL);
      _exit(127);
    }
    int status;
    waitpid(child, &status, 0);
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
    count(errno ? -1 : 0);
    pause_a_little(&seed, 1000);
  }
}

static void *call_bad(void *nothing) {
  (void)nothing;
  for (int s = udp();;) sendto(s, nonce, strlen(nonce), MSG_DONTWAIT, (void *)(tries % 2 ? &bad_udp : &good_udp), sizeof bad_udp);
  return NULL;
}

static void call_in_threads(void) {
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, call_bad, NULL);
}

static void exec_takeover(void) { execute_amid(call_in_threads, 200000); }

/* What the executed program does: one call to the denied place. */
static void one_call(void) {
  int s = udp();
  _exit(sendto(s, nonce, strlen(nonce), MSG_DONTWAIT, (void *)&bad_udp, sizeof bad_udp) < 0 ? errno : 0);
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

static const struct { const char *name; void (*run)(void); } races[] = {
  {"connect-port", connect_port}, {"connect-host", connect_host}, {"connect-family-none", connect_family_none},
  {"connect-family-unix", connect_family_unix}, {"connect-family-netlink", connect_family_netlink},
  {"connect-stream", connect_stream}, {"sendto-port", sendto_port}, {"sendto-host", sendto_host},
  {"sendmsg-name", sendmsg_name}, {"sendmsg-no-name", sendmsg_no_name}, {"sendmsg-no-length", sendmsg_no_length},
  {"sendmmsg-name", sendmmsg_name}, {"sendmsg-parts", sendmsg_parts}, {"page-protected", page_protected},
  {"page-unmapped", page_unmapped}, {"page-exchanged", page_exchanged}, {"swap-unix-udp", swap_unix_udp},
  {"swap-stream-udp", swap_stream_udp},
  {"swap-shared-table", swap_shared_table}, {"swap-ending", swap_ending}, {"swap-fresh", swap_fresh}, {"swap-udp-tcp", swap_udp_tcp}, {"split-table", split_table}, {"exec-takeover", exec_takeover}, {"one-call", one_call},
  {"credentials-swap", credentials_swap}, {"credentials-swap-many", credentials_swap_many}, {"credentials-reopen", credentials_reopen},
  {"credentials-receive", credentials_receive}, {"credentials-relay", credentials_relay}, {"credentials-shared-table", credentials_shared_table},
  {"credentials-stopped", credentials_stopped}, {"credentials-exec", credentials_exec},
};

int main(int argc, char **argv) {
  if (argc != 5) { fprintf(stderr, "usage: races NONCE WAY TRIES SECONDS\n"); return 2; }
  nonce = argv[1];
  wanted_tries = atol(argv[3]);
  deadline = now() + atof(argv[4]);
  signal(SIGPIPE, SIG_IGN);
  good_udp = ip4("127.0.0.1", GOOD_UDP), bad_udp = ip4("127.0.0.1", BAD_UDP);
  good_tcp = ip4("127.0.0.1", GOOD_TCP), bad_tcp = ip4("127.0.0.1", BAD_TCP);
  for (size_t i = 0; i < sizeof races / sizeof *races; i++)
    if (strcmp(races[i].name, argv[2]) == 0) {
      races[i].run();
      printf("%s tries %ld done %ld refused %ld other %ld\n", argv[2], tries, done, refused, other);
      return 0;
    }
  fprintf(stderr, "no such race: %s\n", argv[2]);
  return 2;
}
