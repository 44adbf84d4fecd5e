/* How much several processes get done together. usage: many CHILDREN MILLISECONDS UDP-PORT Each
 * child sends datagrams of 64 bytes with an address, to a receiver whose queue is full; prints the
 * sends per second of all. */
#include "bench.h"
#include <sys/mman.h>

int main(int argc, char **argv) {
  must(argc == 4, "usage: many CHILDREN MILLISECONDS UDP-PORT");
  int children = atoi(argv[1]);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct shared {
    volatile int is_begun, is_over;
    volatile uint64_t counts[64][8]; /* a cache line each */
  } *all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  must(all != MAP_FAILED && children <= 64, "mmap");
  for (int i = 0; i < children; i++) {
    if (fork() == 0) {
      char data[64] = {0};
      int s = socket(AF_INET, SOCK_DGRAM, 0);
      while (!all->is_begun) usleep(100);
      while (!all->is_over) {
        must(sendto(s, data, sizeof data, 0, (void *)&to, sizeof to) == sizeof data, "sendto");
        all->counts[i][0]++;
      }
      _exit(0);
    }
  }
  all->is_begun = 1;
  usleep(20000); /* what it costs to begin is not counted */
  uint64_t first = 0, last = 0, begin = nanoseconds();
  for (int i = 0; i < children; i++) first += all->counts[i][0];
  usleep((useconds_t)atoi(argv[2]) * 1000);
  for (int i = 0; i < children; i++) last += all->counts[i][0];
  printf("%.0f\n", (double)(last - first) * 1e9 / (double)(nanoseconds() - begin));
  all->is_over = 1;
  while (wait(NULL) > 0) continue;
  return 0;
}
