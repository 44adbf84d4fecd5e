/* The name of an errno, for the lines that test programs print; one without a name here is its number. */
#ifndef ERRNO_NAME_H
#define ERRNO_NAME_H
#include <errno.h>
#include <stdio.h>

static inline const char *errno_name(int error) {
  static const struct { int number; const char *name; } names[] = {
#define N(e) {e, #e}
    N(EPERM), N(ENOENT), N(ESRCH), N(EINTR), N(EIO), N(ENXIO), N(EBADF), N(EAGAIN), N(ENOMEM), N(EACCES), N(EFAULT),
    N(EBUSY), N(EEXIST), N(ENODEV), N(EINVAL), N(EMFILE), N(ENOTTY), N(EPIPE), N(ENOSYS), N(ENOTSOCK),
    N(EDESTADDRREQ), N(EMSGSIZE), N(EPROTOTYPE), N(ENOPROTOOPT), N(EPROTONOSUPPORT), N(ESOCKTNOSUPPORT),
    N(EOPNOTSUPP), N(EPFNOSUPPORT), N(EAFNOSUPPORT), N(EADDRINUSE), N(EADDRNOTAVAIL), N(ENETUNREACH), N(ECONNRESET),
    N(ENOBUFS), N(EISCONN), N(ENOTCONN), N(ECONNABORTED), N(ENOTDIR), N(EISDIR), N(ERANGE), N(ETIMEDOUT),
    N(ECONNREFUSED), N(EHOSTUNREACH), N(EALREADY), N(EINPROGRESS), N(ECHILD), N(E2BIG), N(ENOKEY), N(EUSERS),
    N(EROFS),
#undef N
  };
  static char other[16];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].number == error) return names[i].name;
  snprintf(other, sizeof other, "%d", error);
  return other;
}
#endif
