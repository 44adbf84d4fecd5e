/*
 * A library with the functions of docs/native.md that starts nothing: it writes what sl_start was given to the file
 * STUB_SEEN and then hands out the 64-byte records of the file STUB_RECORDS. With it the front is tested
 * byte for byte, without the executor. STUB_ABI and STUB_START replace a version and a result; STUB_ECHO_OFF makes
 * the command that never was turn the terminal's echo off.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static int records = -1;

static int32_t number(const char *name, int32_t otherwise) {
  const char *text = getenv(name);
  return text ? atoi(text) : otherwise;
}

int32_t sl_abi_version(void) { return number("STUB_ABI", 4); }

int32_t sl_start(const char *library, const uint8_t *table, uint64_t table_bytes,
                 const uint8_t *request, uint64_t request_bytes, uint32_t flags) {
  const char *path = getenv("STUB_SEEN");
  if (flags) return -EINVAL;
  if (path) {
    int seen = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (write(seen, library, strlen(library) + 1) < 0 || write(seen, table, table_bytes) < 0 ||
        write(seen, request, request_bytes) < 0)
      return -EIO;
    close(seen);
  }
  if (getenv("STUB_ECHO_OFF")) {
    struct termios terminal;
    if (tcgetattr(0, &terminal)) return -errno;
    terminal.c_lflag &= ~ECHO;
    tcsetattr(0, TCSANOW, &terminal);
  }
  records = open(getenv("STUB_RECORDS"), O_RDONLY | O_CLOEXEC);
  return number("STUB_START", records < 0 ? -errno : 7);
}

int32_t sl_next(int32_t handle, uint8_t *record, int32_t timeout, uint32_t flags) {
  (void)timeout; /* a file is always ready */
  if (handle != 7 || flags) return -EINVAL;
  ssize_t got = read(records, record, 64);
  return got == 64 ? 1 : got == 0 ? 0 : -EIO;
}

int32_t sl_raise(int32_t number, uint32_t flags) {
  if (flags) return -EINVAL;
  signal(number, SIG_DFL);
  return raise(number) ? -errno : 0;
}

int32_t sl_exit(int32_t status, uint32_t flags) {
  if (flags) return -EINVAL;
  _exit(status);
}
