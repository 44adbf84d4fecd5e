/* What the programs of the benchmark share. */
#ifndef BENCH_H
#define BENCH_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* An error ends the program with the text of what failed: a benchmark has nothing to recover. */
static inline void must(int holds, const char *what) {
  if (holds) return;
  perror(what);
  exit(99);
}

/**
 * 2^20 different addresses of 127.0.0.0/8, scattered over all of it: an odd factor permutes the
 * numbers below 2^24. rules.mjs writes the same.
 */
static inline uint32_t spread_address(uint32_t index) {
  return 0x7f000000u | (((index & 0xfffffu) * 0x9e3779b1u) & 0xffffffu);
}

static inline uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
#endif
