/* Names that get new addresses all the time. Needs a network namespace of its own, with this server in resolv.conf.
 *   names serve the name server, 127.0.0.1:53: `fixed.…` is 127.0.0.1, every other name a new
 *   address each time, to live for 0 seconds names beside FILL EVERY COMMAND… asks for FILL new
 *   addresses of n0 to n63.bench.test and for `fixed.bench.test`, then runs the command while one
 *   more is asked for every
 *                                      EVERY microseconds (0: none) */
#include "bench.h"
#include <sys/prctl.h>

static struct sockaddr_in server(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  return at;
}

static void serve(void) {
  unsigned char message[512];
  uint32_t next = 0x7f800000u;
  struct sockaddr_in at = server(), peer;
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  must(bind(s, (void *)&at, sizeof at) == 0, "bind");
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    socklen_t length = sizeof peer;
    ssize_t count = recvfrom(s, message, sizeof message, 0, (void *)&peer, &length);
    must(count > 17, "recvfrom");
    unsigned char *end = message + 12;
    while (*end) end += *end + 1;
    end += 5;
    int is_a = end[-3] == 1;
    uint32_t address = htonl(memcmp(message + 12, "\5fixed", 6) == 0 ? INADDR_LOOPBACK : next++);
    static const unsigned char record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4};
    memcpy(message + 2, "\x81\x80\0\1\0\0\0\0\0", 10);
    if (is_a) {
      message[7] = 1;
      memcpy(end, record, sizeof record);
      memcpy(end + sizeof record, &address, 4);
      end += sizeof record + 4;
    }
    sendto(s, message, (size_t)(end - message), 0, (void *)&peer, length);
  }
}

static void ask(int s, const char *label) {
  unsigned char message[512] = {0, 7, 1, 0, 0, 1};
  unsigned char *at = message + 12;
  size_t length = strlen(label);
  *at++ = (unsigned char)length;
  memcpy(at, label, length);
  at += length;
  memcpy(at, "\5bench\4test\0\0\1\0\1", 16);
  at += 16;
  must(send(s, message, (size_t)(at - message), 0) > 0, "send");
  must(recv(s, message, sizeof message, 0) > 0 && message[7] == 1, "an answer");
}

static void ask_turning(int s, int number) {
  char label[8];
  snprintf(label, sizeof label, "n%d", number % 64);
  ask(s, label);
}

static int beside(int fill, long every, char **command) {
  struct sockaddr_in at = server();
  int s = socket(AF_INET, SOCK_DGRAM, 0), status;
  must(connect(s, (void *)&at, sizeof at) == 0, "connect");
  for (int i = 0; i < fill; i++) ask_turning(s, i);
  ask(s, "fixed"); /* last: the oldest that is not used goes first */
  pid_t asker = every > 0 ? fork() : 0;
  if (every > 0 && asker == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct timespec pause = {0, every * 1000};
    for (int i = fill;; i++) {
      ask_turning(s, i);
      nanosleep(&pause, NULL);
    }
  }
  pid_t child = fork();
  if (child == 0) {
    execv(command[0], command);
    must(0, command[0]);
  }
  must(waitpid(child, &status, 0) == child, "waitpid");
  if (asker > 0) {
    kill(asker, SIGKILL);
    waitpid(asker, NULL, 0);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "serve") == 0) serve();
  must(argc > 4 && strcmp(argv[1], "beside") == 0, "usage: names serve | names beside FILL EVERY COMMAND...");
  return beside(atoi(argv[2]), atol(argv[3]), argv + 4);
}
