/* socket(2) and socketpair(2) with given numbers. usage: sockets [pair:]DOMAIN,TYPE,PROTOCOL… */
#include "probe.h"

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    int pair = strncmp(argv[i], "pair:", 5) == 0, ends[2];
    int domain, type, protocol;
    if (sscanf(argv[i] + (pair ? 5 : 0), "%i,%i,%i", &domain, &type, &protocol) != 3) return 2;
    int s = pair ? socketpair(domain, type, protocol, ends) : socket(domain, type, protocol);
    /* The number of a descriptor is nobody's business; success is 0. */
    say(argv[i], s < 0 ? -1 : 0);
    if (!pair && s >= 0) close(s);
  }
  return 0;
}
