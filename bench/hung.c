/* What calls that hang do to others. usage: hung COUNT GOOD-PORT DENIED-HOST Measures connects to
 * 127.0.0.1:GOOD-PORT and to DENIED-HOST:GOOD-PORT (ECONNREFUSED), then lets COUNT processes hang
 * in connects to a listener whose queue is full, and measures each again. Prints nanoseconds: good,
 * denied; third good with them hung, third denied; then threads and KiB of memory (VmRSS) of the
 * parent, which is the supervisor, before and with them hung. */
#include "bench.h"

static struct sockaddr_in at(const char *host, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  must(inet_pton(AF_INET, host, &address.sin_addr) == 1, host);
  return address;
}

static uint64_t timed(const struct sockaddr_in *to, int expected) {
  struct linger reset = {1, 0};
  int s = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(s, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  uint64_t before = nanoseconds();
  int result = connect(s, (const void *)to, sizeof *to);
  uint64_t after = nanoseconds();
  must((result == 0 ? 0 : errno) == expected, "connect");
  close(s);
  return after - before;
}

static int ascending(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static uint64_t usual(const struct sockaddr_in *to, int expected) {
  uint64_t times[201];
  for (int i = 0; i < 201; i++) times[i] = timed(to, expected);
  qsort(times, 201, sizeof *times, ascending);
  return times[100];
}

static long status(const char *key) {
  char path[64], line[256];
  long value = 0;
  snprintf(path, sizeof path, "/proc/%d/status", getppid());
  FILE *file = fopen(path, "r");
  must(file != NULL, path);
  while (fgets(line, sizeof line, file))
    if (strncmp(line, key, strlen(key)) == 0) value = atol(line + strlen(key));
  fclose(file);
  return value;
}

int main(int argc, char **argv) {
  must(argc == 4, "usage: hung COUNT GOOD-PORT DENIED-HOST");
  int count = atoi(argv[1]);
  struct sockaddr_in good = at("127.0.0.1", atoi(argv[2])), denied = at(argv[3], atoi(argv[2]));
  struct sockaddr_in full = at("127.0.0.3", 0);
  socklen_t length = sizeof full;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  must(bind(listener, (void *)&full, length) == 0 && listen(listener, 0) == 0, "listen");
  getsockname(listener, (void *)&full, &length);
  for (int i = 0; i < 3; i++) {
    int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(s, (void *)&full, sizeof full);
    usleep(5000);
  }
  uint64_t idle = usual(&good, 0), refused = usual(&denied, ECONNREFUSED);
  long threads = status("Threads:"), memory = status("VmRSS:");
  pid_t children[1024];
  for (int i = 0; i < count && i < 1024; i++) {
    children[i] = fork();
    if (children[i] == 0) {
      int s = socket(AF_INET, SOCK_STREAM, 0);
      connect(s, (void *)&full, sizeof full);
      _exit(0);
    }
  }
  usleep(400000);
  uint64_t busy = 0, busy_refused = 0;
  for (int i = 0; i < 3; i++) busy = timed(&good, 0);
  for (int i = 0; i < 3; i++) busy_refused = timed(&denied, ECONNREFUSED);
  long threads_hung = status("Threads:"), memory_hung = status("VmRSS:");
  printf("%lu %lu %lu %lu %ld %ld %ld %ld\n", idle, refused, busy, busy_refused, threads, threads_hung, memory, memory_hung);
  for (int i = 0; i < count && i < 1024; i++) kill(children[i], SIGKILL);
  while (wait(NULL) > 0) continue;
  return 0;
}
