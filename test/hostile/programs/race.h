/* What races have in common: one thread calls, another changes what the call is about.
 * usage: PROGRAM NONCE WAY TRIES SECONDS
 *
 * Each try may come out as the allowed call or as the refused one; what the witness sees at a
 * denied place is a leak. Prints one line `WAY tries N done D refused R other O`: calls that were
 * made, that were refused by ECONNREFUSED, and that failed otherwise (EFAULT, EBADF…: the changing
 * thread had its fingers in). Ends after TRIES or SECONDS, whichever is first. */
#ifndef RACE_H
#define RACE_H
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

/* Messages to the allowed place. */
static struct mmsghdr messages[8];
static struct iovec parts[8][4];

static void fill_messages(void) {
  for (int i = 0; i < 8; i++) {
    parts[i][0] = (struct iovec){(void *)nonce, strlen(nonce)};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &good_udp, .msg_namelen = sizeof good_udp, .msg_iov = parts[i], .msg_iovlen = 1};
  }
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
      execl("/proc/self/exe", "race", nonce, "one-call", "1", "1", (char *)NULL);
      _exit(127);
    }
    int status;
    waitpid(child, &status, 0);
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
    count(errno ? -1 : 0);
    pause_a_little(&seed, 1000);
  }
}

/* What the executed program does: one call to the denied place. */
static void one_call(void) {
  int s = udp();
  _exit(sendto(s, nonce, strlen(nonce), MSG_DONTWAIT, (void *)&bad_udp, sizeof bad_udp) < 0 ? errno : 0);
}

/* A way, and what runs it. */
struct race { const char *name; void (*run)(void); };

/* `main` of a program with these ways. */
static int run_race(const struct race *races, size_t count, int argc, char **argv) {
  if (argc != 5) { fprintf(stderr, "usage: PROGRAM NONCE WAY TRIES SECONDS\n"); return 2; }
  nonce = argv[1];
  wanted_tries = atol(argv[3]);
  deadline = now() + atof(argv[4]);
  signal(SIGPIPE, SIG_IGN);
  good_udp = ip4("127.0.0.1", GOOD_UDP), bad_udp = ip4("127.0.0.1", BAD_UDP);
  good_tcp = ip4("127.0.0.1", GOOD_TCP), bad_tcp = ip4("127.0.0.1", BAD_TCP);
  if (strcmp(argv[2], "one-call") == 0) one_call();
  for (size_t i = 0; i < count; i++)
    if (strcmp(races[i].name, argv[2]) == 0) {
      races[i].run();
      printf("%s tries %ld done %ld refused %ld other %ld\n", argv[2], tries, done, refused, other);
      return 0;
    }
  fprintf(stderr, "no such race: %s\n", argv[2]);
  return 2;
}

#endif
