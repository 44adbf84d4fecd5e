/* Every family of sockets with every type, from the main thread and from another one. usage:
 * families NONCE One line for each that exists: `FAMILY/TYPE`; those that the other thread gets and
 * the first does not, or the reverse, are marked with `!`. Families end at 45 in Linux 6.x (AF_MAX,
 * linux/socket.h); the two after it exist in none. */
#include "hostile.h"

#define FAMILIES 48
#define TYPES 16

static char there[2][FAMILIES][TYPES];

static void *look(void *which) {
  for (int family = 0; family < FAMILIES; family++)
    for (int type = 0; type < TYPES; type++) {
      int s = socket(family, type, 0);
      there[(intptr_t)which][family][type] = s >= 0;
      if (s >= 0) close(s);
    }
  return NULL;
}

int main(void) {
  pthread_t thread;
  look((void *)0);
  pthread_create(&thread, NULL, look, (void *)1);
  pthread_join(thread, NULL);
  for (int family = 0; family < FAMILIES; family++)
    for (int type = 0; type < TYPES; type++)
      if (there[0][family][type] || there[1][family][type])
        printf("%d/%d%s\n", family, type, there[0][family][type] == there[1][family][type] ? "" : "!");
  return 0;
}
