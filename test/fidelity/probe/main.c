/* The fidelity program: `fidelity SECTION BASE`, or `fidelity serve BASE`. Here are the dispatch
 * and what several sections use to say the same thing in the same words. */
#include "fidelity.h"

int base;
char *hole;

const char *shown(const struct sockaddr *name, socklen_t length) {
  static char text[160];
  char host[64] = "", port[16];
  int number = -1;
  if (length < sizeof(sa_family_t)) return "no name";
  if (name->sa_family == AF_INET) {
    const struct sockaddr_in *v4 = (const void *)name;
    inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
    number = ntohs(v4->sin_port);
  } else if (name->sa_family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const void *)name;
    inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
    number = ntohs(v6->sin6_port);
  } else {
    snprintf(text, sizeof text, "family %d length %d", name->sa_family, (int)length);
    return text;
  }
  if (number == 0) strcpy(port, "0");
  else if (number >= base && number < base + 100) snprintf(port, sizeof port, "+%d", number - base);
  else strcpy(port, "chosen");
  snprintf(text, sizeof text, "%s %s length %d", host, port, (int)length);
  return text;
}

void names(int s, const char *label) {
  Address name;
  socklen_t length = sizeof name;
  int result = getsockname(s, (void *)&name, &length);
  if (result < 0) row(result, "%s own name", label);
  else fact(shown((void *)&name, length), "%s own name", label);
  length = sizeof name;
  result = getpeername(s, (void *)&name, &length);
  if (result < 0) row(result, "%s peer", label);
  else fact(shown((void *)&name, length), "%s peer", label);
}

void readiness(int s, const char *label) {
  struct pollfd p = {.fd = s, .events = POLLIN | POLLOUT | POLLRDHUP};
  int error = -1;
  socklen_t length = sizeof error;
  int count = poll(&p, 1, 1000);
  getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &length);
  printf("%s ready: %d events %#x error %s\n", label, count, (unsigned)p.revents, error ? errno_name(error) : "-");
}

void drain(int number, int ms) {
  char text[32];
  Address to;
  socklen_t length = at("127.0.0.1", CONTROL, &to);
  int s = socket(AF_INET, SOCK_STREAM, 0);
  snprintf(text, sizeof text, "%d %d", number, ms);
  if (connect(s, (void *)&to, length) < 0 || send(s, text, strlen(text), 0) < 0) row(-1, "drain");
  close(s);
}

void fill(int s) {
  static char data[65536];
  int sizes[] = {sizeof data, 1024, 1};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    for (int still = 0; still < 3; still++) {
      while (send(s, data, (size_t)sizes[i], MSG_DONTWAIT | MSG_NOSIGNAL) > 0) still = 0;
      usleep(20000);
    }
  }
}

const char *length_class(long result, long whole) {
  int error = errno;
  if (result < 0) return errno_name(error);
  return result == 0 ? "nothing" : result < whole ? "part" : result == whole ? "whole" : "too much";
}

int main(int argc, char **argv) {
  static const struct { const char *name; void (*run)(void); } sections[] = {
    {"names", section_names}, {"states", section_states}, {"datagrams", section_datagrams},
    {"messages", section_messages}, {"streams", section_streams}, {"unix", section_unix}, {"rights", section_rights},
    {"sockets", section_sockets}, {"bind", section_bind}, {"signals", section_signals},
    {"timeouts", section_timeouts}, {"stops", section_stops},
  };
  if (argc != 3) return 2;
  base = atoi(argv[2]);
  signal(SIGPIPE, SIG_IGN);
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *pages = mmap(NULL, READABLE + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(pages, 'm', READABLE);
  munmap(pages + READABLE, page);
  hole = pages + READABLE;
  if (strcmp(argv[1], "serve") == 0) return serve();
  for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
    if (strcmp(argv[1], sections[i].name) == 0) {
      sections[i].run();
      return 0;
    }
  }
  return 2;
}
