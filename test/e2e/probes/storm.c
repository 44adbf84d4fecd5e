/* Many threads at once. usage: storm THREADS ROUNDS GOOD BAD (TCP, HOST/PORT each) Every thread
 * makes ROUNDS connects to each; even threads block, odd ones do not. Prints how many of each kind
 * of answer there were. */
#include "probe.h"
#include <pthread.h>

static struct sockaddr_storage good, bad;
static socklen_t good_length, bad_length;
static int rounds, counts[4]; /* good: made, else; bad: refused, else */

static int attempt(struct sockaddr_storage *to, socklen_t length, int flags) {
  int s = socket(to->ss_family, SOCK_STREAM | flags, 0), error = 0;
  socklen_t size = sizeof error;
  if (connect(s, (void *)to, length) < 0) error = errno;
  if (error == EINPROGRESS) {
    struct pollfd ready = {s, POLLOUT, 0};
    poll(&ready, 1, 5000);
    getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &size);
  }
  close(s);
  return error;
}

static void *storm(void *flags) {
  for (int i = 0; i < rounds; i++) {
    int error = attempt(&good, good_length, *(int *)flags);
    __atomic_add_fetch(&counts[error == 0 ? 0 : 1], 1, __ATOMIC_SEQ_CST);
    error = attempt(&bad, bad_length, *(int *)flags);
    __atomic_add_fetch(&counts[error == ECONNREFUSED ? 2 : 3], 1, __ATOMIC_SEQ_CST);
  }
  return NULL;
}

int main(int argc, char **argv) {
  static int kinds[2] = {0, SOCK_NONBLOCK};
  pthread_t threads[64];
  if (argc < 5) return 2;
  int count = atoi(argv[1]) < 64 ? atoi(argv[1]) : 64;
  rounds = atoi(argv[2]);
  good_length = address(argv[3], &good);
  bad_length = address(argv[4], &bad);
  for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, storm, &kinds[i % 2]);
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
  printf("good %d other %d\nrefused %d other %d\n", counts[0], counts[1], counts[2], counts[3]);
  return 0;
}
