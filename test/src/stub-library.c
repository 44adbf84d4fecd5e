/*
 * A library with those functions of docs/native.md that `sandlock exec` calls, which becomes nothing: it writes what
 * sl_become was given to the file STUB_SEEN and ends the process with 0. STUB_ABI replaces the version, STUB_BECOME is
 * a result to return instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int32_t sl_abi_version(void) {
  const char *text = getenv("STUB_ABI");
  return text ? atoi(text) : 4;
}

int32_t sl_become(const char *program, const uint8_t *table, uint64_t table_bytes,
                  const uint8_t *words, uint64_t words_bytes, uint32_t flags) {
  const char *result = getenv("STUB_BECOME");
  if (flags) return -EINVAL;
  if (result) return atoi(result);
  int seen = open(getenv("STUB_SEEN"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (write(seen, program, strlen(program) + 1) < 0 || write(seen, table, table_bytes) < 0 ||
      write(seen, words, words_bytes) < 0)
    return -EIO;
  _exit(0);
}
