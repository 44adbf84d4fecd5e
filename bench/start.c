/* Starting a command from a native host, through the library. usage: start LIBRARY PROGRAM TABLE
 * COMMAND MIB REPETITIONS Prints the median microseconds from start to end of COMMAND, by fork and
 * exec, and by sl_start to the last record, in a host with that much memory in use; and those of
 * the supervisor's program alone, which ends at once where it is given nothing, executed without
 * copying the host, as the library does. */
#include "bench.h"
#include <dlfcn.h>
#include <spawn.h>
#include <sys/stat.h>

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Microseconds of a program by fork and exec, from start to end. */
static double forked(const char *path, const char *name) {
  uint64_t before = nanoseconds();
  pid_t child = fork();
  if (child == 0) {
    execl(path, name, (char *)NULL);
    _exit(127);
  }
  must(waitpid(child, NULL, 0) == child, "waitpid");
  return (double)(nanoseconds() - before) / 1000;
}

/* The same without copying the host's page tables, and without an environment. */
static double spawned(const char *path, char *name) {
  char *arguments[] = {name, NULL}, *environment[] = {NULL};
  pid_t child;
  uint64_t before = nanoseconds();
  must(posix_spawn(&child, path, NULL, NULL, arguments, environment) == 0, path);
  must(waitpid(child, NULL, 0) == child, "waitpid");
  return (double)(nanoseconds() - before) / 1000;
}

int main(int argc, char **argv) {
  must(argc == 7, "usage: start LIBRARY PROGRAM TABLE COMMAND MIB REPETITIONS");
  signal(SIGPIPE, SIG_IGN); /* the supervisor may be gone when it is told to go */
  void *library = dlopen(argv[1], RTLD_NOW);
  must(library != NULL, "dlopen");
  int (*sl_start)(const char *, const void *, uint64_t, const void *, uint64_t, uint32_t) = dlsym(library, "sl_start");
  int (*sl_next)(int, void *, int, uint32_t) = dlsym(library, "sl_next");
  int (*sl_close)(int, uint32_t) = dlsym(library, "sl_close");
  must(sl_start && sl_next && sl_close, "dlsym");
  size_t used = (size_t)atoi(argv[5]) << 20;
  char *memory = malloc(used + 1);
  memset(memory, 1, used + 1);
  struct stat file;
  int fd = open(argv[3], O_RDONLY);
  must(fd >= 0 && fstat(fd, &file) == 0, argv[3]);
  char *table = malloc((size_t)file.st_size);
  must(read(fd, table, (size_t)file.st_size) == file.st_size, argv[3]);
  close(fd);
  /* A request (docs/native.md): one argument, no environment, no options, linger 10, stdio 0 1 2, no directory. */
  uint32_t header[8] = {1, 0, 0, 0, 10, 0, 1, 2};
  char request[512] = {0};
  memcpy(request, header, sizeof header);
  strcpy(request + sizeof header, argv[4]);
  size_t bytes = sizeof header + strlen(argv[4]) + 2;
  int repetitions = atoi(argv[6]);
  size_t size = (size_t)repetitions * sizeof(double);
  double *bare = malloc(size), *ours = malloc(size), *program = malloc(size);
  for (int i = 0; i < repetitions; i++) {
    bare[i] = forked(argv[4], argv[4]);
    program[i] = spawned(argv[2], "sandlock-supervisor");
    unsigned char record[64];
    uint64_t before = nanoseconds();
    int handle = sl_start(argv[2], table, (uint64_t)file.st_size, request, bytes, 0);
    must(handle >= 0, "sl_start");
    while (sl_next(handle, record, -1, 0) == 1 && record[0] != 6) must(record[0] != 5, "the start");
    ours[i] = (double)(nanoseconds() - before) / 1000;
    sl_close(handle, 0);
  }
  qsort(bare, (size_t)repetitions, sizeof *bare, ascending);
  qsort(ours, (size_t)repetitions, sizeof *ours, ascending);
  qsort(program, (size_t)repetitions, sizeof *program, ascending);
  printf("%.0f %.0f %.0f\n", bare[repetitions / 2], ours[repetitions / 2], program[repetitions / 2]);
  return 0;
}
