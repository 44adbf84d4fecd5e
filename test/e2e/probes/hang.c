/* Connects that hang, and what else goes on meanwhile. usage:
 *   hang many COUNT HUNG GOOD BAD COUNT threads hang in connect(HUNG); then one connect each to
 *   GOOD and BAD; how many threads our parent has, the
 *                                   supervisor: few (up to 4), some (up to 12) or many
 *   hang signal HUNG [restart]      SIGALRM with a handler every 100 ms, SA_RESTART or not, during a connect
 *   hang timeout HUNG               SO_SNDTIMEO of 200 ms on the socket
 *   hang wait HUNG                  hangs until killed
 * Times are printed as `quick` (below 3 s) or `slow`, never as numbers. */
#include "probe.h"
#include <pthread.h>
#include <sys/time.h>

static struct sockaddr_storage hung, to;
static socklen_t hung_length;
static volatile int begun, alarms;

static void *hanging(void *unused) {
  int s = socket(hung.ss_family, SOCK_STREAM, 0);
  (void)unused;
  __atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
  connect(s, (void *)&hung, hung_length);
  say("returned early", -1);
  return NULL;
}

static int threads_of(pid_t pid) {
  char path[64], line[256];
  int threads = 0;
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file)) sscanf(line, "Threads: %d", &threads);
  return threads ? threads : 1000;
}

static void timed(const char *name, const char *text) {
  socklen_t length = address(text, &to);
  int s = socket(to.ss_family, SOCK_STREAM, 0);
  double start = seconds();
  long result = connect(s, (void *)&to, length);
  say(name, result);
  puts(seconds() - start < 3 ? "quick" : "slow");
  fflush(stdout);
  if (result == 0 && write(s, TOKEN, 5) < 0) say("write", -1);
  close(s);
}

static void on_alarm(int number) {
  (void)number;
  if (alarms++ == 0 && write(1, "handler\n", 8) < 0) _exit(3);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  if (strcmp(argv[1], "many") == 0 && argc == 6) {
    int count = atoi(argv[2]);
    hung_length = address(argv[3], &hung);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 * 1024);
    for (int i = 0; i < count; i++) {
      pthread_t thread;
      if (pthread_create(&thread, &small, hanging, NULL)) { say("thread", -1); return 1; }
    }
    while (begun < count) usleep(1000);
    usleep(200000);
    timed("good", argv[4]);
    timed("bad", argv[5]);
    int threads = threads_of(getppid());
    printf("threads of the parent: %s\n", threads <= 4 ? "few" : threads <= 12 ? "some" : "many");
    fflush(stdout);
    _exit(0);
  }
  hung_length = address(argv[2], &hung);
  int s = socket(hung.ss_family, SOCK_STREAM, 0);
  double start = seconds();
  if (strcmp(argv[1], "signal") == 0) {
    struct sigaction handler = {.sa_handler = on_alarm, .sa_flags = argc > 3 ? SA_RESTART : 0};
    struct itimerval each = {{0, 100000}, {0, 100000}};
    sigaction(SIGALRM, &handler, NULL);
    setitimer(ITIMER_REAL, &each, NULL);
  }
  if (strcmp(argv[1], "timeout") == 0) {
    struct timeval limit = {0, 200000};
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  puts("hanging");
  fflush(stdout);
  say("connect", connect(s, (void *)&hung, hung_length));
  puts(seconds() - start < 3 ? "quick" : "slow");
  return 0;
}
