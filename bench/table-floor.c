// The least that a compiler of address lists and a look-up in its result can do on this machine, in
// one thread of C: what the rows 13 to 19 (rows/table.mjs) put themselves beside. No diagnostics,
// no origins of rules, no checks of the result; a table of boundaries and nothing around it.
//
//   table-floor compile LIST OUT text → parsed → sorted → swept to boundaries → table in OUT;
//   prints ns and boundaries table-floor keys LIST COUNT OUT COUNT addresses of 16 bytes: half in a
//   prefix of the list, half anywhere in the family table-floor lookup LIST KEYS ns of a look-up:
//   chained, 64 hot keys; plain binary search chained table-floor open FILE ns of mapping a file
//   and touching its first page; of a CRC-32C over it
//
// A line of LIST is `[scheme://]address[/length][:ports]`, IPv6 in brackets where ports follow. All of one family.

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef __x86_64__
#include <nmmintrin.h>
#else
#include <arm_acle.h>
#endif

typedef unsigned __int128 u128;

// A prefix: its address, top-aligned in 128 bits, its length, and one of 16 bits for its ports. IPv4 is one word of
// address << 32 | length << 16 | ports, so that sorting moves little.
struct prefix {
  uint64_t upper, lower;
  uint16_t ports;
  uint8_t length;
};

static uint64_t *prefixes4;
static struct prefix *prefixes6;
static uint32_t count;
static int ipv6;

// Boundaries of the sweep: IPv4 keys in the upper halves.
static uint64_t *uppers, *lowers;
static uint16_t *values;
static uint32_t boundaries;

// The table: a root over the top bits, a run of starts for each child. IPv4 has 16 root bits and the low half as start.
enum { ROOT4 = 16, ROOT6 = 18 };
static uint32_t *root, filled;
static uint16_t *starts4, *cells;
static uint64_t *starts6;
static u128 *starts128;
static int deep;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static char *map(const char *path, size_t *bytes) {
  struct stat status;
  int fd = open(path, O_RDONLY);
  if (fd < 0 || fstat(fd, &status)) die(path);
  *bytes = (size_t)status.st_size;
  char *at = mmap(0, *bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  if (at == MAP_FAILED) die(path);
  close(fd);
  return at;
}

// --- text to prefixes

static const char *number(const char *at, unsigned *value) {
  unsigned digit = (unsigned)(*at - '0');
  if (digit > 9) exit(2);
  *value = 0;
  for (; digit < 10; digit = (unsigned)(*++at - '0')) *value = *value * 10 + digit;
  return at;
}

// The bits below a prefix.
static u128 below(unsigned length) {
  return length == 0 ? ~(u128)0 : ((u128)1 << (128 - length)) - 1;
}

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

static const char *address4(const char *at, u128 *address) {
  uint32_t all = 0;
  for (int i = 0; i < 4; i++) {
    unsigned octet;
    if (i > 0 && *at++ != '.') exit(2);
    at = number(at, &octet);
    if (octet > 255) exit(2);
    all = all << 8 | octet;
  }
  *address = (u128)all << 96;
  return at;
}

static const char *address6(const char *at, u128 *address) {
  u128 all = 0, head = 0;
  int groups = 0, before = -1;
  for (;;) {
    if (at[0] == ':' && at[1] == ':') {
      before = groups;
      head = groups ? all << (128 - 16 * groups) : 0;
      all = 0;
      at += 2;
    } else if (*at == ':') {
      at++;
    }
    if (hex(*at) < 0) break;
    unsigned group = 0;
    for (int digit = hex(*at); digit >= 0; digit = hex(*++at)) group = group << 4 | (unsigned)digit;
    all = all << 16 | group;
    groups++;
    if (*at != ':') break;
  }
  *address = before < 0 ? all : head | all;
  return at;
}

// Ports are checked and folded to one of 16 bits: what a set of port sets costs is not the floor's to measure.
static const char *ports(const char *at, uint16_t *bit) {
  unsigned hash = 0;
  do {
    unsigned low, high;
    at = number(at + 1, &low);
    high = low;
    if (*at == '-') at = number(at + 1, &high);
    if (low > high || high > 65535) exit(2);
    hash = hash * 31 + low * 7 + high;
  } while (*at == ',');
  *bit = (uint16_t)(1 << (hash & 15));
  return at;
}

static void parse(const char *path) {
  size_t bytes;
  const char *at = map(path, &bytes), *end = at + bytes;
  int colons = 0;
  for (const char *c = at; c < end && *c != '\n'; c++) colons += *c == ':';
  ipv6 = colons > 2;
  if (ipv6) prefixes6 = malloc((bytes / 4 + 1) * sizeof *prefixes6);
  else prefixes4 = malloc((bytes / 8 + 1) * sizeof *prefixes4);
  while (at < end) {
    if (at[3] == ':' && at[4] == '/') at += 6;
    int bracket = *at == '[';
    unsigned width = ipv6 ? 128 : 32, length = width;
    uint16_t own = 1;
    u128 address;
    at = ipv6 ? address6(at + bracket, &address) : address4(at, &address);
    if (*at == '/') at = number(at + 1, &length);
    if (length > width || address & below(length)) exit(2);
    at += bracket;
    if (*at == ':') at = ports(at, &own);
    if (*at++ != '\n') exit(2);
    uint64_t upper = (uint64_t)(address >> 64);
    if (ipv6) prefixes6[count++] = (struct prefix){upper, (uint64_t)address, own, (uint8_t)length};
    else prefixes4[count++] = upper | length << 16 | own;
  }
}

// --- prefixes to boundaries

enum { DIGIT = 11, BUCKETS = 1 << DIGIT };

// One pass of a radix sort; `digit` gives the digit of an element of `from`.
#define PASS(type, from, to, digit)                                                 \
  do {                                                                              \
    uint32_t places[BUCKETS] = {0}, next = 0;                                       \
    for (uint32_t i = 0; i < count; i++) places[(digit(from[i])) & (BUCKETS - 1)]++; \
    for (int bucket = 0; bucket < BUCKETS; bucket++) {                              \
      uint32_t own = places[bucket];                                                \
      places[bucket] = next;                                                        \
      next += own;                                                                  \
    }                                                                               \
    for (uint32_t i = 0; i < count; i++) to[places[(digit(from[i])) & (BUCKETS - 1)]++] = from[i]; \
    type *swap = from;                                                              \
    from = to;                                                                      \
    to = swap;                                                                      \
  } while (0)

// By address, then by length; digits that are the same everywhere are left out.
static void sort4(void) {
  uint64_t *to = malloc(count * sizeof *to), vary = 0;
  for (uint32_t i = 0; i < count; i++) vary |= prefixes4[i] ^ prefixes4[0];
  for (int shift = 16; shift < 64; shift += DIGIT) {
#define DIGIT4(element) ((element) >> shift)
    if (vary >> shift & (BUCKETS - 1)) PASS(uint64_t, prefixes4, to, DIGIT4);
  }
  free(to);
}

static void sort6(void) {
  struct prefix *to = malloc(count * sizeof *to), vary = {0};
  for (uint32_t i = 0; i < count; i++) {
    vary.upper |= prefixes6[i].upper ^ prefixes6[0].upper;
    vary.lower |= prefixes6[i].lower ^ prefixes6[0].lower;
    vary.length |= prefixes6[i].length ^ prefixes6[0].length;
  }
#define LENGTH(element) ((element).length)
  if (vary.length) PASS(struct prefix, prefixes6, to, LENGTH);
  for (int shift = 0; shift < 64; shift += DIGIT) {
#define LOWER(element) ((element).lower >> shift)
    if (vary.lower >> shift & (BUCKETS - 1)) PASS(struct prefix, prefixes6, to, LOWER);
  }
  for (int shift = 0; shift < 64; shift += DIGIT) {
#define UPPER(element) ((element).upper >> shift)
    if (vary.upper >> shift & (BUCKETS - 1)) PASS(struct prefix, prefixes6, to, UPPER);
  }
  free(to);
}

static void emit(uint64_t upper, uint64_t lower, uint16_t value) {
  uint32_t last = boundaries - 1;
  if (boundaries > 0 && uppers[last] == upper && lowers[last] == lower) last = --boundaries - 1;
  if (boundaries > 0 && values[last] == value) return;
  uppers[boundaries] = upper;
  lowers[boundaries] = lower;
  values[boundaries++] = value;
}

static struct prefix prefix_at(uint32_t i) {
  if (ipv6) return prefixes6[i];
  uint64_t own = prefixes4[i];
  return (struct prefix){own >> 32 << 32, 0, (uint16_t)own, (uint8_t)(own >> 16)};
}

// Sorted prefixes nest or follow each other: a stack holds those around the present address.
static void sweep(void) {
  struct {
    u128 last;
    uint16_t value;
  } stack[130];
  int depth = 0;
  size_t most = 2 * (size_t)count + 2;
  uppers = malloc(most * sizeof *uppers);
  lowers = malloc(most * sizeof *lowers);
  values = malloc(most * sizeof *values);
  emit(0, 0, 0);
  for (uint32_t i = 0; i <= count; i++) {
    struct prefix own = {0};
    if (i < count) own = prefix_at(i);
    u128 first = (u128)own.upper << 64 | own.lower;
    while (depth > 0 && (i == count || stack[depth - 1].last < first)) {
      u128 after = stack[--depth].last + 1;
      if (after) emit((uint64_t)(after >> 64), (uint64_t)after, depth > 0 ? stack[depth - 1].value : 0);
    }
    if (i == count) break;
    uint16_t value = (uint16_t)((depth > 0 ? stack[depth - 1].value : 0) | own.ports);
    stack[depth].last = first | below(own.length);
    stack[depth++].value = value;
    emit(own.upper, own.lower, value);
  }
}

// --- boundaries to a table

static void build(void) {
  int bits = ipv6 ? ROOT6 : ROOT4;
  uint32_t children = 1u << bits, out = 0, next = 0;
  size_t most = boundaries + children;
  root = malloc((children + 1) * sizeof *root);
  cells = malloc(most * sizeof *cells);
  for (uint32_t i = 0; i < boundaries; i++) deep |= lowers[i] != 0;
  if (!ipv6) starts4 = malloc(most * sizeof *starts4);
  else if (deep) starts128 = malloc(most * sizeof *starts128);
  else starts6 = malloc(most * sizeof *starts6);
  // Every child begins with a boundary of its own, so that a search never leaves its run.
  for (uint32_t child = 0; child < children; child++) {
    uint64_t key = (uint64_t)child << (64 - bits);
    root[child] = out;
    while (next < boundaries && (uppers[next] < key || (uppers[next] == key && lowers[next] == 0))) next++;
    for (uint32_t i = next - 1; i < boundaries && (i == next - 1 || uppers[i] >> (64 - bits) == child); i++) {
      uint64_t upper = uppers[i] < key ? key : uppers[i];
      if (!ipv6) starts4[out] = (uint16_t)(upper >> 32);
      else if (deep) starts128[out] = (u128)upper << 64 | (uppers[i] < key ? 0 : lowers[i]);
      else starts6[out] = upper;
      cells[out++] = values[i];
    }
  }
  root[children] = out;
  filled = out;
}

static void write_table(const char *path) {
  int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  size_t width = !ipv6 ? 2 : deep ? 16 : 8;
  const void *starts = !ipv6 ? (void *)starts4 : deep ? (void *)starts128 : (void *)starts6;
  size_t root_bytes = ((1u << (ipv6 ? ROOT6 : ROOT4)) + 1) * sizeof *root;
  if (fd < 0 || write(fd, root, root_bytes) < 0 || write(fd, starts, filled * width) < 0) die(path);
  if (write(fd, cells, filled * sizeof *cells) < 0) die(path);
  close(fd);
}

// --- look-up

#define SEARCH(type, array, key)                                  \
  const type *p = (array) + from;                                 \
  while (n > 1) {                                                 \
    uint32_t half = n >> 1;                                       \
    p += p[half] <= (key) ? half : 0;                             \
    n -= half;                                                    \
  }                                                               \
  return cells[p - (array)]

static inline uint16_t find4(u128 key) {
  uint32_t address = (uint32_t)(key >> 96), child = address >> 16, from = root[child], n = root[child + 1] - from;
  SEARCH(uint16_t, starts4, (uint16_t)address);
}

static inline uint16_t find6(u128 key) {
  uint32_t child = (uint32_t)(key >> (128 - ROOT6)), from = root[child], n = root[child + 1] - from;
  SEARCH(uint64_t, starts6, (uint64_t)(key >> 64));
}

static inline uint16_t find128(u128 key) {
  uint32_t child = (uint32_t)(key >> (128 - ROOT6)), from = root[child], n = root[child + 1] - from;
  SEARCH(u128, starts128, key);
}

// Over all boundaries, upper halves only: what it costs to have no root.
static inline uint16_t find_plain(u128 key) {
  const uint64_t *p = uppers;
  uint64_t upper = (uint64_t)(key >> 64);
  for (uint32_t n = boundaries; n > 1;) {
    uint32_t half = n >> 1;
    p += p[half] <= upper ? half : 0;
    n -= half;
  }
  return values[p - uppers];
}

// Each look-up waits for the verdict of the one before.
#define CHAINED(find, mask)                                                        \
  ({                                                                               \
    uint64_t before = now(), sum = 0, last = 0;                                    \
    for (uint32_t i = 0; i < asked; i++) {                                         \
      last = (find(queries[((i & (mask)) + (last & 1)) % asked]) + last) & 1;      \
      sum += last;                                                                 \
    }                                                                              \
    sink += sum;                                                                   \
    (double)(now() - before) / asked;                                              \
  })

static volatile uint64_t sink;

static u128 *queries;
static uint32_t asked;

static void read_keys(const char *path) {
  size_t bytes;
  const uint8_t *at = (uint8_t *)map(path, &bytes);
  asked = (uint32_t)(bytes / 16);
  queries = malloc((asked + 1) * sizeof *queries);
  for (uint32_t i = 0; i < asked; i++) {
    u128 key = 0;
    for (int b = 0; b < 16; b++) key = key << 8 | at[16 * i + (uint32_t)b];
    queries[i] = ipv6 ? key : key << 96;
  }
}

static uint64_t state = 88172645463325252u;
static uint64_t random64(void) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

static void write_keys(uint32_t wanted, const char *path) {
  FILE *out = fopen(path, "w");
  if (!out) die(path);
  for (uint32_t i = 0; i < wanted; i++) {
    struct prefix own = prefix_at((uint32_t)(random64() % count));
    u128 any = (u128)random64() << 64 | random64();
    u128 key = i & 1 ? (ipv6 ? (u128)2 << 124 | any >> 3 : any) : ((u128)own.upper << 64 | own.lower) | (any & below(own.length));
    uint8_t bytes[16] = {0};
    if (!ipv6) key = (key >> 96) | (u128)0xffff << 32;
    for (int b = 0; b < 16; b++) bytes[b] = (uint8_t)(key >> (120 - 8 * b));
    fwrite(bytes, 1, 16, out);
  }
  if (fclose(out)) die(path);
}

// --- open

#ifdef __x86_64__
#define STEP(crc, word) (uint32_t) _mm_crc32_u64(crc, word)
#else
#define STEP(crc, word) __crc32cd(crc, word)
#endif

// Four texts side by side, as many as the instruction's latency hides; what joining them takes is left out.
static uint32_t crc32c(const uint8_t *at, size_t bytes) {
  uint32_t crcs[4] = {~0u, 0, 0, 0};
  size_t part = bytes / 32 * 8;
  for (size_t i = 0; i < part; i += 8) {
    for (int text = 0; text < 4; text++) {
      uint64_t word;
      memcpy(&word, at + (size_t)text * part + i, 8);
      crcs[text] = STEP(crcs[text], word);
    }
  }
  return ~(crcs[0] ^ crcs[1] ^ crcs[2] ^ crcs[3]);
}

static void open_file(const char *path) {
  size_t bytes;
  uint64_t before = now();
  const uint8_t *at = (uint8_t *)map(path, &bytes);
  sink += *at;
  uint64_t opened = now();
  sink += crc32c(at, bytes);
  printf("%llu %llu\n", (unsigned long long)(opened - before), (unsigned long long)(now() - before));
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "open")) {
    open_file(argv[2]);
    return 0;
  }
  if (argc < 4) return 2;
  uint64_t before = now();
  parse(argv[2]);
  if (!strcmp(argv[1], "keys") && argc == 5) {
    write_keys((uint32_t)atoi(argv[3]), argv[4]);
    return 0;
  }
  if (ipv6) sort6();
  else sort4();
  sweep();
  if (!strcmp(argv[1], "lookup")) {
    read_keys(argv[3]);
    double without = CHAINED(find_plain, ~0u);
    build();
    double chained = !ipv6 ? CHAINED(find4, ~0u) : deep ? CHAINED(find128, ~0u) : CHAINED(find6, ~0u);
    double hot = !ipv6 ? CHAINED(find4, 63u) : deep ? CHAINED(find128, 63u) : CHAINED(find6, 63u);
    printf("%.2f %.2f %.2f\n", chained, hot, without);
    return 0;
  }
  build();
  write_table(argv[3]);
  printf("%llu %u\n", (unsigned long long)(now() - before), boundaries);
}
